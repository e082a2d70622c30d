//! The class activation of a member: a copy of its model that tells it is made, opened, asked once, and held against the answer of
//! the model itself. The model's folder is only read.

use std::path::Path;

use anyhow::Context as _;

use super::ask::Asked;
use super::words::number;
use crate::config::{Provider, Runtime};
use crate::explain::activation::read;
use crate::flow::infer::backend::Backend;
use crate::fusion::calibrator::logit;
use crate::models::catalogue::sha256;
use crate::models::graph::activation::{LENGTHS, SCORES, open};
use crate::models::passport::{Model, Output, Task};
use crate::task::Map;
use crate::tensor::Element;

/// How far the log-odds of the mean over all places may lie from those of the answer, as a share of these (at least 1): what two
/// ways of rounding differ by.
const SAME: f64 = 0.02;

/// The class activation of a model in the frame that it is asked about, of which it gives the score `now`; or one sentence on why
/// it has none.
///
/// # Errors
/// When the model's file cannot be read, or the copy cannot be written for the moment.
pub(super) fn activation(asked: &Asked<'_>, runtime: &Runtime, now: f64) -> anyhow::Result<Result<Map, String>> {
    let passport = &asked.model.passport;
    let (Task::Classification, Some(answer)) = (&passport.task, passport.outputs.first()) else {
        return Ok(Err("it is no classification".into()));
    };
    if !passport.file.external.is_empty() {
        return Ok(Err("its weights lie in files of their own".into()));
    }
    let path = asked.model.file();
    let file = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let opened = match open(&file, &answer.name) {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(why)),
    };
    let folder = tempfile::tempdir().context("no folder can be made for a copy of the model")?;
    let copy = copied(asked.model, answer.element, folder.path(), &opened.file)?;
    // The processor runs every graph: an engine that is built for one question is built too long.
    let runtime = Runtime { providers: vec![Provider::Cpu], ..runtime.clone() };
    let mut session = match Backend::choose(&runtime)?.open(&copy, &runtime) {
        Ok(session) => session,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let activated = asked.by(session.as_mut(), |outputs, geometry| match outputs {
        [.., scores, lengths] => read(passport, opened.end, scores, lengths, geometry),
        _ => Err("the copy of the model does not tell it".into()),
    });
    Ok(activated.and_then(|activated| {
        let near = (logit(activated.score) - logit(now)).abs() <= SAME * logit(now).abs().max(1.0);
        let told = || format!("its places make a score of {}, not its own of {}", number(activated.score), number(now));
        if near { Ok(activated.map) } else { Err(told()) }
    }))
}

/// The copy in its folder, with a passport that reads what it tells more. It has no references: what it says is held against the
/// model itself.
fn copied(model: &Model, element: Element, folder: &Path, file: &[u8]) -> anyhow::Result<Model> {
    let mut copy = Model { folder: folder.into(), ..model.clone() };
    copy.passport.file.path = "model.onnx".into();
    copy.passport.reference = None;
    let path = copy.file();
    std::fs::write(&path, file).with_context(|| format!("{} cannot be written", path.display()))?;
    copy.passport.file.sha256 = sha256(&path)?;
    let told = |name: &str, shape: Vec<usize>, element| Output { name: name.into(), shape, element, activation: None };
    copy.passport.outputs.extend([told(SCORES, vec![0, 0], element), told(LENGTHS, vec![4], Element::Int64)]);
    Ok(copy)
}
