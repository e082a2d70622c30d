//! The probe: before TensorRT or CUDA is touched in this process, a child makes a tiny session on it.
//!
//! ONNX Runtime does not survive a builder that cannot be created: it follows a null pointer. Nothing in Rust can catch that,
//! so it happens to a child, and this process learns of it in one sentence. The answer holds for the life of the process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Versions;
use super::child::{Call, Limits, Told, run};
use crate::config::{Provider, Runtime};

/// How long a probe may take: the first start of CUDA on a board loads hundreds of megabytes from a slow disk.
const TIME: Duration = Duration::from_mins(3);

/// A probe that was made: provider, program, library.
type Question = (&'static str, Option<PathBuf>, PathBuf);

static ANSWERS: Mutex<BTreeMap<Question, Result<Versions, String>>> = Mutex::new(BTreeMap::new());

/// Whether sessions can be made on `provider` with the library at `library`, and what versions stand behind it; asked of a
/// child once, one at a time.
///
/// # Errors
/// One sentence: what ONNX Runtime said, or how the child died.
pub fn probe(provider: Provider, runtime: &Runtime, library: &Path) -> Result<Versions, String> {
    let program = runtime.tensorrt.program.clone();
    let question = (provider.as_str(), program, library.to_path_buf());
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = answers.get(&question) {
        return answer.clone();
    }
    let answer = ask(provider, question.1.as_deref(), library);
    tracing::info!(provider = provider.as_str(), ?answer, "a child has probed the provider");
    answers.insert(question, answer.clone());
    answer
}

/// Asks a child anew, whatever it said before.
///
/// # Errors
/// As [`probe`].
pub fn ask(provider: Provider, program: Option<&Path>, library: &Path) -> Result<Versions, String> {
    let arguments = ["engines", "child", "probe", provider.as_str()].map(Into::into).into_iter();
    let arguments = arguments.chain([library.into()]).collect();
    let limits = Limits { time: TIME, reserve: 0, root: Path::new("/"), called_off: &|| false };
    let call = Call { name: "the probe", program, arguments, input: Vec::new() };
    let mut versions = None;
    run(&call, &limits, |told| {
        if let Told::Probed(probed) = told {
            versions = Some(probed);
        }
    })
    .map_err(|stopped| stopped.why)?;
    versions.ok_or_else(|| "the probe did not say what it found".into())
}
