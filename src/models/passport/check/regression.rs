//! What must fit together in a regression: as many values as numbers, names of their own, limits in order.

use std::collections::BTreeSet;

use crate::config::document::Path;
use crate::config::findings::Findings;
use crate::models::passport::Passport;
use crate::models::passport::regression::{Regression, RegressionValue};

/// Finds what is wrong with the values and the first output.
pub(super) fn check(regression: &Regression, passport: &Passport, findings: &mut Findings<'_>) {
    let values = Path::of(&["task", "regression", "values"]);
    let mut seen = BTreeSet::new();
    for (index, value) in regression.values.iter().enumerate() {
        let table = values.then(index);
        if !seen.insert(&value.name) {
            let message = format!("two of the `values` have the name \"{}\"", value.name);
            findings.value(&table.then("name"), message, "want a name of its own");
        }
        limits(value, &table, findings);
    }
    if let Some(output) = passport.outputs.first() {
        let numbers = output.shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
        if !output.shape.contains(&0) && numbers != Some(regression.values.len()) {
            let path = Path::of(&["outputs"]).then(0).then("shape");
            let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
            let wanted = regression.values.len();
            findings.value(&path, message, format!("want [1, {wanted}]: one number for each of the {wanted} `values`"));
        }
    }
}

fn limits(value: &RegressionValue, table: &Path, findings: &mut Findings<'_>) {
    if let (Some(least), Some(most)) = (value.at_least, value.at_most)
        && least > most
    {
        let path = table.then("at_most");
        let message = format!("{} is {most}, below `at_least`, which is {least}", findings.document().describe(&path));
        findings.value(&path, message, format!("want {least} or more: nothing would be good"));
    }
    let Some(error) = value.standard_error else { return };
    let path = table.then("standard_error");
    let described = findings.document().describe(&path);
    if error <= 0.0 {
        findings.value(&path, format!("{described} is {error}"), "want a number above 0");
    } else if !value.has_limits() {
        let message = format!("{described} is {error}, but the value has no limits");
        findings.key(&path, message, "belongs to `at_least` and `at_most`");
    }
}

#[cfg(test)]
mod tests {
    use crate::models::passport::check::task::tests::{TASK, told};

    fn of(values: &str) -> Vec<String> {
        let bare = ("activation = \"softmax\"", "");
        told(&[TASK, bare], &format!("[task.regression]\nvalues = [{values}]"))
    }

    #[test]
    fn values_have_names_and_limits_in_order() {
        assert!(
            of("{ name = \"a\" }, { name = \"b\", at_least = 1.0, at_most = 1.0, standard_error = 0.1 }").is_empty()
        );
        assert_eq!(of("{ name = \"a\" }"), ["`outputs[logits].shape` is [1, 2]"]);
        assert_eq!(of("{ name = \"a\" }, { name = \"a\" }"), ["two of the `values` have the name \"a\""]);
        let limits = |keys: &str| of(&format!("{{ name = \"a\" }}, {{ name = \"b\", {keys} }}")).join("; ");
        assert!(limits("at_least = 2.0, at_most = 1.0").ends_with("is 1, below `at_least`, which is 2"));
        assert!(limits("at_least = 2.0, standard_error = 0.0").ends_with("is 0"));
        assert!(limits("standard_error = 0.5").ends_with("is 0.5, but the value has no limits"));
    }
}
