//! What must fit together in a task: its labels, and the outputs that it reads.

use super::{anomaly, regression, segmentation};
use crate::config::document::Path;
use crate::config::findings::Findings;
use crate::models::passport::{Activation, Output, Passport, Task};

/// Finds what is wrong with the task of a passport.
pub(super) fn check(passport: &Passport, findings: &mut Findings<'_>) {
    if passport.task.has_labels() && passport.labels.is_empty() {
        findings
            .missing(&Path::of(&["labels"]), &format!(", which the task `{}` needs", passport.task.as_str()))
            .help("the classes in the order of the output, and which of them are defects");
    }
    unit_length(passport, findings);
    match &passport.task {
        Task::Classification => {
            if let Some(output) = passport.outputs.first() {
                classification(output, passport.labels.names.len(), findings);
            }
        }
        Task::Segmentation(_) => segmentation::check(passport, findings),
        Task::Anomaly(task) => anomaly::check(task, passport, findings),
        Task::Regression(task) => regression::check(task, passport, findings),
        _ => {}
    }
    if let Task::Detection(task) = &passport.task {
        super::detection::check(task, passport, findings);
    }
    super::text::task(passport, findings);
}

/// Only a vector has a length.
fn unit_length(passport: &Passport, findings: &mut Findings<'_>) {
    for (index, output) in passport.outputs.iter().enumerate() {
        if output.activation == Some(Activation::UnitLength) && passport.task != Task::Embedding {
            let path = Path::of(&["outputs"]).then(index).then("activation");
            let message = format!("{} is \"unit-length\"", findings.document().describe(&path));
            let wanted = format!("belongs to the task `embedding`, this one is `{}`", passport.task.as_str());
            findings.value(&path, message, wanted);
        }
    }
}

/// One number a label on the last axis; but with a softmax, one number may stand for two labels.
fn classification(output: &Output, names: usize, findings: &mut Findings<'_>) {
    let table = Path::of(&["outputs"]).then(0);
    if output.activation.is_none() {
        findings
            .missing(&table.then("activation"), "")
            .help("what makes probabilities of the numbers: \"softmax\", \"sigmoid\", \"none\" or \"independent\"");
    }
    let numbers = output.shape.last().copied().unwrap_or_default();
    let single = output.activation != Some(Activation::Softmax) && numbers == 1 && names == 2;
    if (numbers == names || single) && output.shape.first() == Some(&1) {
        return;
    }
    let path = table.then("shape");
    let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
    let note = findings.value(&path, message, format!("want [1, {names}]: one number for each of the {names} labels"));
    if names == 2 {
        note.help("with another `activation` than \"softmax\" also [1, 1]: the probability of the second label");
    }
}
