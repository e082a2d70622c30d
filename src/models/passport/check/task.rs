//! What must fit together in a task: its labels, and the outputs that it reads.

use super::{anomaly, regression, segmentation};
use crate::config::document::Path;
use crate::config::findings::Findings;
use crate::models::passport::{Activation, Element, Output, Passport, Task};

/// Finds what is wrong with the task of a passport.
pub(super) fn check(passport: &Passport, findings: &mut Findings<'_>) {
    if passport.task.has_labels() && passport.labels.is_empty() {
        findings
            .missing(&Path::of(&["labels"]), &format!(", which the task `{}` needs", passport.task.as_str()))
            .help("the classes in the order of the output, and which of them are defects");
    }
    embedding(passport, findings);
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

/// The embedding behind an answer is an output that is read beside the first, one row of numbers.
fn embedding(passport: &Passport, findings: &mut Findings<'_>) {
    let Some(name) = &passport.embedding else { return };
    let path = Path::of(&["embedding"]);
    let message = format!("`embedding` is {name:?}");
    let found = passport.outputs.iter().position(|output| output.name == *name);
    let wanted = match (found, &passport.task) {
        (_, Task::Embedding) => "has no use with the task `embedding`, whose answer it is",
        (None, _) => "want the name of one of the `outputs`",
        (Some(0), _) => "want another output than the first, which is the answer",
        (Some(at), _) => {
            let output = &passport.outputs[at];
            if output.element == Element::Float32 && matches!(output.shape.as_slice(), [1, _]) {
                return;
            }
            "want an output of float32 with the shape [1, numbers]"
        }
    };
    findings.value(&path, message, wanted);
}

/// Only a vector has a length.
fn unit_length(passport: &Passport, findings: &mut Findings<'_>) {
    for (index, output) in passport.outputs.iter().enumerate() {
        let vector = passport.task == Task::Embedding || passport.embedding.as_ref() == Some(&output.name);
        if output.activation == Some(Activation::UnitLength) && !vector {
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

#[cfg(test)]
pub(super) mod tests {
    use crate::models::passport::Model;
    use crate::models::passport::tests::{PASSPORT, written};

    /// The messages on the example's passport after some changes and with more at its end.
    pub(in crate::models::passport::check) fn told(changes: &[(&str, &str)], end: &str) -> Vec<String> {
        let mut text = PASSPORT.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let (_folder, path) = written(&format!("{text}\n{end}"));
        let findings = Model::load(&path).err().map(crate::config::ConfigError::into_findings);
        findings.into_iter().flatten().map(|finding| finding.message).collect()
    }

    /// The changes that take the task out of the example, so that a table can say another.
    pub(in crate::models::passport::check) const TASK: (&str, &str) = ("task = \"classification\"\n", "");

    #[test]
    fn one_number_stands_for_two_labels_unless_it_is_a_softmax() {
        let single = ("shape = [1, 2]", "shape = [1, 1]");
        assert_eq!(told(&[single], ""), ["`outputs[logits].shape` is [1, 1]"]);
        for activation in ["sigmoid", "none", "independent"] {
            let other = format!("activation = \"{activation}\"");
            assert!(told(&[single, ("activation = \"softmax\"", &other)], "").is_empty());
        }
    }

    #[test]
    fn the_embedding_behind_an_answer_is_another_output_with_one_row() {
        let vector =
            "[[outputs]]\nname = \"vector\"\nshape = [1, 8]\nelement = \"float32\"\nactivation = \"unit-length\"\n";
        let named = |name: &str| format!("schema = \"kenpin.passport/1\"\nembedding = \"{name}\"");
        let with = |name: &str, end: &str| told(&[("schema = \"kenpin.passport/1\"", &named(name))], end);
        assert!(with("vector", vector).is_empty(), "{:?}", with("vector", vector));
        assert_eq!(with("logits", vector)[0], "`embedding` is \"logits\"");
        assert_eq!(with("other", vector)[0], "`embedding` is \"other\"");
        assert_eq!(with("vector", &vector.replace("[1, 8]", "[8]"))[0], "`embedding` is \"vector\"");
    }

    #[test]
    fn only_a_vector_is_brought_to_length_1() {
        let unit = ("activation = \"softmax\"", "activation = \"unit-length\"");
        assert_eq!(told(&[unit], ""), ["`outputs[logits].activation` is \"unit-length\""]);
        assert!(told(&[unit, ("task = \"classification\"", "task = \"embedding\"")], "").is_empty());
    }
}
