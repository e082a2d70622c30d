//! Gathers the [`Facts`]: reads files below a root, asks the kernel, the broker's port, systemd and children of this program.
//! Decides nothing and changes nothing.
//!
//! Below another root than `/` only files are read: no child is started, and what only a running machine tells is not known.

mod elf;
mod libraries;
mod machine;
mod people;

use std::path::Path;

use super::facts::{CHIPS, Chip, Facts, Library, Wants};
use crate::board::Board;
use crate::board::sensors::Sensors;
use crate::config::{LineAt, Provider, SensorSource, Settings};
use crate::engines::probe;

/// What the doctor is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The folder below which the machine's files lie; `/` is this machine.
    pub root: &'a Path,
    /// The settings of the config, where one was given and could be read.
    pub settings: Option<&'a Settings>,
    /// What checking the config gave: one sentence, or its findings; `None` without a config.
    pub config: Option<&'a Result<String, Vec<String>>>,
    /// Who runs the daemon; without a name the user `kenpin` where there is one, else who asks.
    pub user: Option<&'a str>,
}

/// Looks at the machine. Takes as long as the broker takes to answer, at most a few seconds, and a child for each provider
/// that is wanted.
///
/// # Errors
/// One sentence: the named user does not exist.
pub fn gather(question: Question<'_>) -> Result<Facts, String> {
    let Question { root, settings, config, user } = question;
    let person = people::person(root, user)?;
    let sensors = Sensors::find(root);
    let readings = sensors.read();
    let board = Board::read(root).map_or_else(|error| error.to_string(), |board| board.told);
    let chip = chip(root, &board);
    let wants = wants(settings, chip.is_some() || sensors.release().is_some());
    let folders = libraries::folders(root);
    let mut onnxruntime = libraries::onnxruntime(root, settings.map(|settings| &settings.runtime), &folders);
    if let (true, Ok(library)) = (is_this_machine(root), &mut onnxruntime) {
        ask_children(library, wants, settings);
    }
    let cameras = machine::cameras(root);
    let places = machine::places(root, settings);
    Ok(Facts {
        board,
        simulated: sensors.is_simulated(),
        chip,
        release: sensors.release().cloned(),
        wants,
        onnxruntime: Some(onnxruntime),
        toolkit: libraries::toolkit(root, &folders),
        memory: machine::memory(root),
        disks: machine::disks(&places),
        power: (readings.power_mode, sensors.power_modes().clone()),
        clocks_locked: readings.gpu_clock_locked,
        governors: machine::governors(root),
        missing_cameras: settings.map_or_else(Vec::new, |settings| machine::missing(root, settings, &cameras)),
        cameras,
        nodes: people::nodes(root, &places),
        person,
        broker: settings.and_then(machine::broker),
        synchronised: machine::synchronised(root),
        config: config.cloned(),
        unit: machine::unit(root),
    })
}

/// Whether the files below `root` are those of the machine that this runs on.
fn is_this_machine(root: &Path) -> bool {
    root == Path::new("/")
}

/// The chip, by the names the device tree has for it, else by the model's name.
fn chip(root: &Path, board: &str) -> Option<Chip> {
    let compatible = std::fs::read(root.join("proc/device-tree/compatible")).unwrap_or_default();
    let compatible = String::from_utf8_lossy(&compatible).into_owned();
    let by_tree = CHIPS.into_iter().find(|chip| compatible.contains(chip.tree));
    let jetson = board.contains("Jetson");
    by_tree.or_else(|| CHIPS.into_iter().find(|chip| jetson && board.contains(chip.name)))
}

/// What a config asks of the machine; without one a Jetson is presumed to be for models on its GPU.
fn wants(settings: Option<&Settings>, jetson: bool) -> Wants {
    let Some(settings) = settings else {
        return Wants { cuda: jetson, tensorrt: jetson, ..Wants::default() };
    };
    let lists = |provider| settings.runtime.providers.contains(&provider);
    let gpio = settings.outputs.values().any(|output| matches!(output.line, LineAt::Gpio { .. }))
        || settings.sensors.values().any(|sensor| matches!(sensor.source, SensorSource::Gpio(_)));
    let wall_time = settings.sensors.values().any(|sensor| sensor.time_key.is_some());
    Wants { cuda: lists(Provider::Cuda), tensorrt: lists(Provider::TensorRt), wall_time, gpio }
}

/// Has children load the library and make a session on each provider that is wanted and there.
fn ask_children(library: &mut Library, wants: Wants, settings: Option<&Settings>) {
    if !cfg!(feature = "ort") {
        return;
    }
    let program = settings.and_then(|settings| settings.runtime.tensorrt.program.clone());
    let ask = |provider| probe::ask(provider, program.as_deref(), &library.path);
    let loaded = ask(Provider::Cpu).map(|versions| versions.onnxruntime);
    let works = loaded.is_ok();
    let tried = |wanted: bool, provider| (wanted && works).then(|| ask(provider).map(drop));
    let (cuda, tensorrt) = (tried(wants.cuda, Provider::Cuda), tried(wants.tensorrt, Provider::TensorRt));
    if let Some(plug) = &mut library.cuda {
        plug.tried = cuda;
    }
    if let Some(plug) = &mut library.tensorrt {
        plug.tried = tensorrt;
    }
    if let Ok(version) = &loaded {
        library.version = Some(version.clone());
    }
    library.loaded = Some(loaded);
}
