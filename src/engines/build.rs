//! Building an engine: one at a time, by a child, in a folder beside the engines; put in place only when the child has held
//! it against the references.
//!
//! Promises that whatever becomes of the child, the engines that were there stay as they are, and this process goes on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::child::{Call, Limits, Stopped, Told, run};
use super::options::TIMING_FOLDER;
use super::store::{Manifest, Store};
use super::{Ingredients, Place, Wanted};
use crate::config::{Provider, Runtime};
use crate::models::passport::Model;

/// The file that who builds holds locked.
const LOCK: &str = "lock";

/// How often somebody who waits for the lock looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What the child builds; it reads this as JSON on its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The folder of the model.
    pub model: PathBuf,
    /// What runs it: ONNX Runtime with TensorRT, and CUDA behind it where the daemon has that too.
    pub runtime: Runtime,
    /// Where the engine goes, and what it depends on.
    pub place: Place,
}

impl Job {
    /// The job of building the engine that `wanted` speaks of into `folder`.
    fn new(model: &Model, runtime: &Runtime, library: &Path, wanted: &Wanted, folder: &Path) -> Self {
        let mut runtime = runtime.clone();
        runtime.onnxruntime_library = Some(library.to_path_buf());
        runtime.backends = vec![crate::config::Backend::OnnxRuntime];
        runtime.providers.retain(|provider| *provider != Provider::Cpu);
        let model = std::path::absolute(&model.folder).unwrap_or_else(|_| model.folder.clone());
        Self { model, runtime, place: Place { folder: folder.to_path_buf(), ..wanted.place.clone() } }
    }
}

/// Has the engine of a model built, held against its references and put in place. Blocks, for minutes. `root` is where
/// `proc/meminfo` lies below; `told` gets what the builder says it does.
///
/// # Errors
/// [`Stopped`] with one sentence; nothing was put in place then.
pub fn build(
    wanted: &Wanted,
    (model, runtime, library): (&Model, &Runtime, &Path),
    (root, called_off): (&Path, &dyn Fn() -> bool),
    mut told: impl FnMut(&str),
) -> Result<(), Stopped> {
    let (store, settings) = (&wanted.store, &runtime.tensorrt);
    store.prepare()?;
    let _lock = lock(store, called_off)?;
    store.sweep();
    if store.look(&wanted.ingredients) == super::store::State::Ready {
        return Ok(()); // Somebody else has built it while we waited.
    }
    let passing = store.passing()?;
    if wanted.place.timing_cache {
        seed(store, &wanted.ingredients, passing.path())?;
    }
    let job = Job::new(model, runtime, library, wanted, passing.path());
    let input = serde_json::to_vec(&job).map_err(|error| format!("the job cannot be written as JSON: {error}"))?;
    let arguments = ["engines", "child", "build"].map(Into::into).into_iter();
    let arguments = arguments.chain([passing.path().into()]).collect();
    let limits = Limits { time: settings.build_limit, reserve: settings.memory_reserve, root, called_off };
    let call = Call { name: "the builder", program: settings.program.as_deref(), arguments, input };
    run(&call, &limits, |line| {
        if let Told::Stage(stage) = line {
            told(&stage);
        }
    })?;
    Ok(store.install(passing, &wanted.ingredients)?)
}

/// Removes what builders that were cut off have left; while somebody builds, nothing.
pub fn tidy(store: &Store) {
    let lock = File::options().write(true).open(store.folder().join(LOCK));
    if let Ok(file) = lock
        && file.try_lock().is_ok()
    {
        store.sweep();
    }
}

/// Waits until nobody else builds.
fn lock(store: &Store, called_off: &dyn Fn() -> bool) -> Result<File, Stopped> {
    let path = store.folder().join(LOCK);
    let refused = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(refused)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::Error(error)) => return Err(refused(error).into()),
            Err(std::fs::TryLockError::WouldBlock) if called_off() => {
                return Err(Stopped { why: "the builder was called off".into(), called_off: true });
            }
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

/// Copies the measured kernel times of the newest trusted engine of the same board and versions: the builder goes on from
/// them, and what it makes of them comes into place with its engine or not at all.
fn seed(store: &Store, wanted: &Ingredients, passing: &Path) -> Result<(), String> {
    let timing = passing.join(TIMING_FOLDER);
    let told = |error: std::io::Error| format!("{}: {error}", timing.display());
    std::fs::create_dir(&timing).map_err(told)?;
    let akin = |manifest: &Manifest| {
        manifest.ingredients.board == wanted.board && manifest.ingredients.versions == wanted.versions
    };
    let trusted = store.list()?.into_iter().filter_map(|engine| Some((engine.key, engine.manifest.ok()?)));
    let newest = trusted.filter(|(_, manifest)| akin(manifest)).max_by_key(|(_, manifest)| manifest.built);
    let Some((key, manifest)) = newest else { return Ok(()) };
    for name in manifest.files.keys().filter(|name| Path::new(name).starts_with(TIMING_FOLDER)) {
        let (from, to) = (store.folder_of(&key).join(name), passing.join(name));
        std::fs::copy(from, to).map_err(told)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
