//! The values of `kenpin fit`'s arguments: each text is a number or name that is meant, or a sentence on what is wanted. Pure.

use super::Args;
use crate::models::fit::Method;
use crate::name::Name;
use crate::simulate::corrupt::Corruption;

/// How pictures are corrupted where nobody says it: each kind lightly and badly.
const CORRUPTIONS: [Corruption; 7] = [
    Corruption::Blur(2.0),
    Corruption::Blur(4.0),
    Corruption::Exposure(-40.0),
    Corruption::Exposure(-70.0),
    Corruption::Exposure(50.0),
    Corruption::Noise(10.0),
    Corruption::Noise(25.0),
];

impl Args {
    /// The ways in which each picture is corrupted; none unless adaptive weights are asked for.
    pub(super) fn corruptions(&self) -> &[Corruption] {
        match (self.adaptive, self.corrupt.as_slice()) {
            (false, _) => &[],
            (true, []) => &CORRUPTIONS,
            (true, told) => told,
        }
    }
}

/// A method by its name on the command line.
pub(super) fn method(text: &str) -> Result<Method, String> {
    let mut known = Method::ENSEMBLES.into_iter().chain([Method::Adaptive]);
    let found = known.find(|method| method.as_str().replace(' ', "-") == text);
    found.ok_or_else(|| "want mean, weighted-mean, maximum, stacking or adaptive".into())
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
