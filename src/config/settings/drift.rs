//! How the line is watched: for drift, and by pictures whose verdict is known.

use std::path::PathBuf;

use crate::name::Name;

/// `[drift]`, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// The parts of the longest look back: a multiple of 16, 32 to 4,096.
    pub window: usize,
    /// The parts of an undisturbed line among which at most one false alarm is to be expected, 100 to 1,000,000,000.
    pub parts_per_false_alarm: u64,
    /// What is taken from `pass_below` and added to `reject_from` while the line drifts, 0 to 1.
    pub widen: f64,
}

impl Drift {
    /// A window is looked at so many times.
    pub const LOOKS: usize = 16;
}

/// `[golden]`: labelled pictures that are judged beside the line again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    /// The labelled folder or CSV list.
    pub path: PathBuf,
    /// The camera whose frames they stand for.
    pub camera: Name,
}
