//! What must fit together in an anomaly model: a score or a map, each among the outputs and of its shape.

use crate::config::document::Path;
use crate::config::findings::{Findings, advice, listed};
use crate::models::passport::anomaly::{Anomaly, Normalisation};
use crate::models::passport::{Input, Output, Passport};

/// Finds what is wrong with the keys of the task and the outputs they name.
pub(super) fn check(anomaly: &Anomaly, passport: &Passport, findings: &mut Findings<'_>) {
    let table = Path::of(&["task", "anomaly"]);
    if anomaly.score.is_none() && anomaly.map.is_none() {
        findings
            .missing(&table.then("score"), " and no `map` either")
            .help("the name of the output that holds the score, of the one that holds the map, or both");
    }
    if let Some((index, output)) = named(anomaly.score.as_deref(), "score", passport, findings)
        && output.shape.iter().any(|axis| *axis > 1)
    {
        let path = Path::of(&["outputs"]).then(index).then("shape");
        let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
        findings.value(&path, message, "want one number, [1] or [1, 1]: it is the score");
    }
    if let Some((index, output)) = named(anomaly.map.as_deref(), "map", passport, findings) {
        map(index, output, passport, findings);
    }
    belongs(anomaly, &table, findings);
    let normalisations = [
        ("score_normalisation", anomaly.score_normalisation.as_ref()),
        ("map_normalisation", anomaly.map_normalisation.as_ref()),
    ];
    for (key, normalisation) in normalisations {
        if let Some(normalisation) = normalisation {
            range(normalisation, &table.then(key), findings);
        }
    }
}

/// The output of a name; a name that no output has is told.
fn named<'p>(
    name: Option<&str>,
    key: &str,
    passport: &'p Passport,
    findings: &mut Findings<'_>,
) -> Option<(usize, &'p Output)> {
    let name = name?;
    let found = passport.outputs.iter().enumerate().find(|(_, output)| output.name == name);
    if found.is_none() {
        let known = passport.outputs.iter().map(|output| output.name.as_str());
        let path = Path::of(&["task", "anomaly", key]);
        let message = format!("`task.anomaly.{key}` is {name:?}, which is not among the `outputs`");
        let wanted = format!("want one of {}", listed(known.clone()));
        findings.value(&path, message, wanted).help(advice(name, known));
    }
    found
}

/// Rows and columns behind axes of 1, over an image.
fn map(index: usize, output: &Output, passport: &Passport, findings: &mut Findings<'_>) {
    let path = Path::of(&["outputs"]).then(index).then("shape");
    let leading = output.shape.len().saturating_sub(2);
    let ones = output.shape.iter().take(leading).all(|axis| *axis <= 1);
    if !(2..=4).contains(&output.shape.len()) || !ones {
        let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
        findings.value(&path, message, "want [1, 1, height, width]: it is the map");
    }
    if !passport.inputs.iter().any(|input| matches!(input, Input::Image(_))) {
        let message = "`task.anomaly.map` lies over a frame, but no input has `kind = \"image\"`";
        findings.value(
            &Path::of(&["task", "anomaly", "map"]),
            message,
            "want a map only of a model that looks at pixels",
        );
    }
}

/// Keys that say something of what is not there.
fn belongs(anomaly: &Anomaly, table: &Path, findings: &mut Findings<'_>) {
    if anomaly.map.is_none() && anomaly.map_normalisation.is_some() {
        let path = table.then("map_normalisation");
        findings.key(&path, "`task.anomaly` has `map_normalisation`, but no `map`", "belongs to `map`");
    }
    if anomaly.map_quantile.is_some() && (anomaly.map.is_none() || anomaly.score.is_some()) {
        let path = table.then("map_quantile");
        let message = "`task.anomaly` has `map_quantile`, but the score is not taken from a map";
        findings.key(&path, message, "belongs to `map` without `score`");
    }
}

fn range(normalisation: &Normalisation, table: &Path, findings: &mut Findings<'_>) {
    if normalisation.maximum <= normalisation.minimum {
        let path = table.then("maximum");
        let message = format!("{} is {}", findings.document().describe(&path), normalisation.maximum);
        findings
            .value(&path, message, format!("want a number above `minimum`, which is {}", normalisation.minimum))
            .help("the least and the greatest raw score seen in validation: `image_min` and `image_max` of Anomalib's post-processor, `pixel_min` and `pixel_max` for the map");
    }
}

#[cfg(test)]
mod tests {
    use crate::models::passport::check::task::tests::{TASK, told};

    const BARE: (&str, &str) = ("activation = \"softmax\"", "");

    fn of(shape: &str, keys: &str) -> Vec<String> {
        let shape = format!("shape = {shape}");
        told(&[TASK, BARE, ("shape = [1, 2]", &shape)], &format!("[task.anomaly]\n{keys}"))
    }

    #[test]
    fn a_score_or_a_map_each_of_its_shape() {
        assert!(of("[1, 1]", "score = \"logits\"").is_empty());
        assert!(of("[1, 1, 30, 40]", "map = \"logits\"").is_empty());
        assert_eq!(of("[1, 2]", "score = \"logits\""), ["`outputs[logits].shape` is [1, 2]"]);
        assert_eq!(of("[1, 2, 3, 4]", "map = \"logits\""), ["`outputs[logits].shape` is [1, 2, 3, 4]"]);
        assert_eq!(of("[1]", "").len(), 1);
        assert_eq!(
            of("[1]", "score = \"pred_score\""),
            ["`task.anomaly.score` is \"pred_score\", which is not among the `outputs`"]
        );
    }

    #[test]
    fn keys_belong_to_what_is_there() {
        let range = |minimum: f64| format!("{{ threshold = 1.0, minimum = {minimum:?}, maximum = 2.0 }}");
        assert!(of("[1]", &format!("score = \"logits\"\nscore_normalisation = {}", range(0.0))).is_empty());
        assert_eq!(
            of("[1]", &format!("score = \"logits\"\nscore_normalisation = {}", range(2.0))),
            ["`task.anomaly.score_normalisation.maximum` is 2"]
        );
        assert_eq!(
            of("[1]", &format!("score = \"logits\"\nmap_normalisation = {}", range(0.0))),
            ["`task.anomaly` has `map_normalisation`, but no `map`"]
        );
        assert_eq!(
            of("[1]", "score = \"logits\"\nmap_quantile = 0.9"),
            ["`task.anomaly` has `map_quantile`, but the score is not taken from a map"]
        );
    }
}
