//! The child's side of engines: probing a provider and building an engine, both of which may end this process.
//!
//! An engine is built by opening a session on an empty folder and holding it against the references; then it is opened a
//! second time from what lies there now, and must neither change it nor answer otherwise. So what the daemon will load has
//! been loaded once, and will not be built a second time inside the daemon.

use std::collections::BTreeMap;
use std::path::Path;

use super::backend::Backend;
use super::session::Session;
use crate::config::Provider;
use crate::engines::build::Job;
use crate::engines::{Place, Versions};
use crate::models::passport::Model;
use crate::models::{ModelError, catalogue};

/// Tries `provider` of the library at `library`.
///
/// # Errors
/// One sentence: no library, or what it said.
pub fn probe(provider: Provider, library: &Path) -> Result<Versions, String> {
    Backend::probe(provider, library)
}

/// Builds what `job` asks for and holds it against the references; `told` gets what is done now.
///
/// # Errors
/// One sentence: a file that is not the passport's, what the runtime said, a reference that is not reproduced.
pub fn build(job: &Job, told: impl FnMut(&str)) -> Result<(), String> {
    let Job { model, runtime, place } = job;
    let model = Model::load(model).map_err(|error| error.to_string())?;
    let backend = Backend::choose(runtime).map_err(|error| error.to_string())?;
    assemble(place, || backend.open_engine(&model, runtime, place), told)
}

/// Opens twice: to build, and to see whether what was built stays and answers.
fn assemble(
    place: &Place,
    open: impl Fn() -> Result<Box<dyn Session>, ModelError>,
    mut told: impl FnMut(&str),
) -> Result<(), String> {
    let sentence = |error: ModelError| error.to_string();
    told("building the engine and holding it against the references");
    drop(open().map_err(sentence)?);
    let built = engines(&place.folder).map_err(sentence)?;
    if built.is_empty() {
        return Err("no engine was written: TensorRT may have taken no node".into());
    }
    told("loading the engine and holding it against the references");
    drop(open().map_err(sentence)?);
    if engines(&place.folder).map_err(sentence)? != built {
        return Err("the engine is built anew whenever it is loaded: its key in ONNX Runtime is not steady".into());
    }
    Ok(())
}

/// The hash of every file directly in a folder, where engines lie; kernel times lie in a folder below.
fn engines(folder: &Path) -> Result<BTreeMap<std::path::PathBuf, String>, ModelError> {
    let refused = |error: std::io::Error| ModelError::Unreadable { path: folder.into(), cause: error.to_string() };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.is_file() {
            let hash = catalogue::sha256(&path)?;
            found.insert(path, hash);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engines::tests::place;
    use crate::flow::infer::crew::tests::{Behaviour, fake};

    /// Builds in a folder with an `open` that gets the number of its call, from 1 on.
    fn built(open: impl Fn(usize, &Path) -> Result<(), ModelError>) -> (Result<(), String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let (calls, place) = (Cell::new(0), place(folder.path()));
        let open = || {
            calls.set(calls.get() + 1);
            open(calls.get(), folder.path()).map(|()| fake(Behaviour::Says([0.0, 0.0])).0)
        };
        let mut stages = Vec::new();
        let done = assemble(&place, open, |stage| stages.push(stage.to_owned()));
        (done, stages)
    }

    fn wrong() -> ModelError {
        let text = |text: &str| text.to_owned();
        ModelError::Reference {
            model: text("m"),
            what: text("output \"y\" at [0, 1] of case \"dark\""),
            seen: text("3"),
            wanted: text("2 within 0.001"),
            cause: text("lower precision"),
        }
    }

    #[test]
    fn what_is_built_is_loaded_once_more() {
        let (done, stages) = built(|call, folder| {
            if call == 1 {
                std::fs::write(folder.join("a.engine"), "engine").unwrap();
            }
            Ok(())
        });
        assert_eq!((done, stages.len()), (Ok(()), 2));
    }

    #[test]
    fn wrong_answers_are_told_at_whichever_opening() {
        for at in [1, 2] {
            let (done, stages) = built(|call, folder| {
                std::fs::write(folder.join("a.engine"), "engine").unwrap();
                if call == at { Err(wrong()) } else { Ok(()) }
            });
            let why = done.unwrap_err();
            assert!(why.contains("case \"dark\" is 3, the reference wants 2 within 0.001"), "{why}");
            assert_eq!(stages.len(), at);
        }
    }

    #[test]
    fn an_engine_that_does_not_stay_is_none() {
        let (done, _) = built(|call, folder| {
            std::fs::write(folder.join("a.engine"), call.to_string()).unwrap();
            Ok(())
        });
        assert!(done.unwrap_err().contains("built anew whenever it is loaded"));
        assert!(built(|_, _| Ok(())).0.unwrap_err().contains("no engine was written"));
    }
}
