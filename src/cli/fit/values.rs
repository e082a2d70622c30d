//! The values of `kenpin fit`'s arguments: each text is a number or name that is meant, or a sentence on what is wanted. Pure.

use crate::models::fit::Method;
use crate::name::Name;

/// A method by its name on the command line.
pub(super) fn method(text: &str) -> Result<Method, String> {
    let named = |method: &Method| method.as_str().replace(' ', "-");
    let found = Method::KNOWN.into_iter().find(|method| named(method) == text);
    found.ok_or_else(|| format!("want one of {}", Method::KNOWN.iter().map(named).collect::<Vec<_>>().join(", ")))
}

/// A share, ends excluded.
pub(super) fn inner_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "want a number above 0 and below 1".into())
}

/// A finite number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "want a number above 0".into())
}

/// Two names with a comma between.
pub(super) fn pair(text: &str) -> Result<(Name, Name), String> {
    let (student, teacher) = text.split_once(',').ok_or("want the student and the teacher with a comma between")?;
    let name = |text: &str| Name::new(text).map_err(|error| error.to_string());
    Ok((name(student)?, name(teacher)?))
}
