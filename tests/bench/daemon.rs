//! Kenpin in the bench: the whole daemon in this process between two marks, or the command in a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use kenpin::app::App;
use kenpin::config;
use kenpin::flow::publish::wire::{Address, Subscription};
use tokio_util::sync::CancellationToken;

use crate::case::{Case, Source, folder};
use crate::marks::{self, Spent};

/// Verdicts before the first mark: the road is full by then and every buffer has grown.
const BEFORE: usize = 6;

/// Runs the daemon over `parts` parts between the marks; what they used, per part.
pub(crate) fn between_marks(case: &Case, parts: usize, broker: &str) -> anyhow::Result<Spent> {
    let work = tempfile::tempdir_in(folder())?;
    let settings = config::load(&configure(case, work.path(), broker)?)?;
    let runtime = kenpin::app::runtime()?;
    let app = runtime.block_on(App::open(settings))?;
    let stop = CancellationToken::new();
    marks::set(BEFORE as u64, (BEFORE + parts) as u64, stop.clone());
    runtime.block_on(app.run(stop))?;
    let (spent, seen) = marks::between().context("the daemon ended before the second mark")?;
    if (seen - parts as f64).abs() > 0.5 {
        bail!("{seen} parts between the marks, want {parts}");
    }
    Ok(spent.per(parts))
}

/// What the command `kenpin run` shows from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outside {
    /// The most memory the process ever held, in MB of 10^6 bytes.
    pub(crate) peak_mb: f64,
    /// Seconds from starting the process to the first verdict at a subscriber.
    pub(crate) first_verdict_s: f64,
}

/// Starts the command and ends it after `parts` verdicts.
pub(crate) fn outside(case: &Case, parts: usize, broker: &str) -> anyhow::Result<Outside> {
    let work = tempfile::tempdir_in(folder())?;
    let config = configure(case, work.path(), broker)?;
    let runtime = kenpin::app::runtime()?;
    let address = Address { broker: broker.into(), client: "bench".into(), username: None, password_file: None };
    let topics = ["kenpin/v1/bench/verdict".to_owned()];
    let mut heard = runtime.block_on(Subscription::open(&address, &topics)).map_err(|why| anyhow!(why))?;
    let begun = Instant::now();
    let log = fs::File::create(work.path().join("log"))?;
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_kenpin")).arg("run").arg(&config).stderr(log).stdout(Stdio::null()).spawn()?;
    let mut first = None;
    let listening = async {
        for _ in 0..parts {
            tokio::time::timeout(Duration::from_mins(1), heard.next()).await?.map_err(|why| anyhow!(why))?;
            first.get_or_insert_with(|| begun.elapsed());
        }
        anyhow::Ok(())
    };
    let listened = runtime.block_on(listening);
    let peak_mb = peak_mb(child.id());
    end(&mut child)?;
    listened.with_context(|| fs::read_to_string(work.path().join("log")).unwrap_or_default())?;
    Ok(Outside { peak_mb: peak_mb?, first_verdict_s: first.context("no verdict")?.as_secs_f64() })
}

/// Asks the process to drain, and waits for it.
fn end(child: &mut Child) -> anyhow::Result<()> {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(anyhow!("kenpin run ended with {status}")) }
}

/// The most memory a process ever held, in MB of 10^6 bytes.
fn peak_mb(process: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// Writes a line with one camera, which plays the frames again and again, and the models of the case.
fn configure(case: &Case, work: &Path, broker: &str) -> anyhow::Result<PathBuf> {
    let (mut models, mut members) = (String::new(), Vec::new());
    for (place, model) in case.models.iter().enumerate() {
        let model = folder().join("models").join(model);
        let table = format!("[models.m{place}]\nfolder = \"{}\"\n", model.display());
        models.push_str(&table);
        members.push(format!("{{ model = \"m{place}\" }}"));
    }
    let raw = match case.source {
        Source::Jpeg => "",
        Source::Yuyv => "raw = { format = \"yuyv\", width = 1280, height = 720 }\n",
    };
    let text = format!(
        "[device]\nid = \"bench\"\n\
         [cameras.top]\nkind = \"replay\"\npath = \"{}\"\nrepeat = true\n{raw}\
         {models}[[routes]]\nname = \"all\"\nmembers = [{}]\n\
         [runtime]\nthreads_per_session = {}\n\
         [journal]\npath = \"journal.sqlite\"\n\
         [mqtt]\nbroker = \"{broker}\"\n",
        case.source.folder().display(),
        members.join(", "),
        case.threads
    );
    let config = work.join("kenpin.toml");
    fs::write(&config, text)?;
    Ok(config)
}
