//! What must fit together in a semantic segmentation: the first output has a plane a label, or the place of each label.

use crate::config::document::Path;
use crate::config::findings::Findings;
use crate::models::passport::{Activation, Element, Input, Output, Passport};

/// Finds what is wrong with the first output and the inputs.
pub(super) fn check(passport: &Passport, findings: &mut Findings<'_>) {
    if let Some(output) = passport.outputs.first() {
        if matches!(output.element, Element::Uint8 | Element::Int32 | Element::Int64) {
            places(output, findings);
        } else {
            planes(output, passport.labels.names.len(), findings);
        }
    }
    if !passport.inputs.iter().any(|input| matches!(input, Input::Image(_))) {
        let message = "the areas of a segmentation lie over a frame, but no input has `kind = \"image\"`";
        findings.value(&Path::of(&["task"]), message, "want this task only of a model that looks at pixels");
    }
}

/// One plane of numbers a label; one plane may stand for two labels.
fn planes(output: &Output, names: usize, findings: &mut Findings<'_>) {
    let table = Path::of(&["outputs"]).then(0);
    if output.activation.is_none() {
        findings
            .missing(&table.then("activation"), "")
            .help("what makes probabilities of the numbers: \"softmax\", \"sigmoid\", \"none\" or \"independent\"");
    }
    let single = names == 2 && output.activation != Some(Activation::Softmax);
    let fits = match *output.shape.as_slice() {
        [1, planes, _, _] => planes == names || (planes == 1 && single) || planes == 0,
        _ => false,
    };
    if !fits {
        let path = table.then("shape");
        let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
        let wanted = format!("want [1, {names}, height, width]: one plane for each of the {names} labels");
        let note = findings.value(&path, message, wanted);
        if names == 2 {
            note.help("with another `activation` than \"softmax\" also [1, 1, height, width]: the second label");
        }
    }
}

/// One plane of whole numbers.
fn places(output: &Output, findings: &mut Findings<'_>) {
    let table = Path::of(&["outputs"]).then(0);
    if !matches!(*output.shape.as_slice(), [1, _, _] | [1, 1, _, _]) {
        let path = table.then("shape");
        let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
        let wanted = "want [1, height, width] or [1, 1, height, width]: the place of each pixel's label";
        findings.value(&path, message, wanted);
    }
    if output.activation.is_some() {
        let path = table.then("activation");
        let message = format!("the elements are {}: places among the labels, not probabilities", output.element);
        findings.key(&path, message, "belongs to numbers with a point");
    }
}

#[cfg(test)]
mod tests {
    use crate::models::passport::check::task::tests::{TASK, told};

    const TABLE: &str = "[task.segmentation]\narea_from = 0.01";

    #[test]
    fn a_plane_a_label_or_the_place_of_each() {
        let shaped = |shape: &str, activation: &str, element: &str| {
            let (shape, element) = (format!("shape = {shape}"), format!("element = \"{element}\"\nactivation"));
            let changes = [
                TASK,
                ("shape = [1, 2]", &shape),
                ("# What makes", "# Makes"),
                ("activation = \"softmax\"", activation),
            ];
            let output = "element = \"float32\"\n# Makes probabilities";
            let mut changes = changes.to_vec();
            let wanted = element.replace("\nactivation", "\n# Makes probabilities");
            changes.push((output, &wanted));
            told(&changes, TABLE)
        };
        assert!(shaped("[1, 2, 60, 80]", "activation = \"softmax\"", "float32").is_empty());
        assert!(shaped("[1, 1, 0, 0]", "activation = \"sigmoid\"", "float32").is_empty());
        assert!(shaped("[1, 60, 80]", "", "uint8").is_empty());
        assert_eq!(
            shaped("[1, 1, 0, 0]", "activation = \"softmax\"", "float32"),
            ["`outputs[logits].shape` is [1, 1, 0, 0]"]
        );
        assert_eq!(
            shaped("[1, 3, 0, 0]", "activation = \"none\"", "float32"),
            ["`outputs[logits].shape` is [1, 3, 0, 0]"]
        );
        assert_eq!(shaped("[1, 2, 0, 0]", "", "float32"), ["`outputs[logits]` has no `activation`"]);
        assert_eq!(shaped("[2, 6, 8]", "", "int64"), ["`outputs[logits].shape` is [2, 6, 8]"]);
        assert_eq!(
            shaped("[1, 6, 8]", "activation = \"none\"", "int64"),
            ["the elements are int64: places among the labels, not probabilities"]
        );
    }
}
