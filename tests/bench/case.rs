//! The cases of the bench and what is measured of each.

use serde::{Deserialize, Serialize};

/// One case: a model, a source, a number of threads.
#[derive(Debug)]
pub(crate) struct Case {
    /// Tells model size, source and threads.
    pub(crate) name: &'static str,
    /// The model's folder under `models`.
    pub(crate) model: &'static str,
    /// Threads inside the session.
    pub(crate) threads: usize,
    /// Images in one round.
    pub(crate) images: usize,
    /// Rounds, each of floors and road.
    pub(crate) rounds: usize,
}

/// Every case.
pub(crate) const CASES: &[Case] = &[
    Case { name: "teacher 13 MB, PNG 300x300, 1 thread", model: "elpv-teacher", threads: 1, images: 160, rounds: 9 },
    Case { name: "teacher 13 MB, PNG 300x300, 2 threads", model: "elpv-teacher", threads: 2, images: 160, rounds: 9 },
    Case {
        name: "student under 1 MB, PNG 300x300, 1 thread",
        model: "elpv-student",
        threads: 1,
        images: 656,
        rounds: 9,
    },
];

/// The figures of a case, per part.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Kenpin's CPU time over the sum of the floors' CPU times: the median over the rounds.
    pub(crate) ratio: f64,
    /// The lower 95 % bound of that median (sign test on the order statistics).
    pub(crate) ratio_low: f64,
    /// The middle 80 % of the rounds.
    pub(crate) spread: [f64; 2],
    /// Kenpin's CPU time over the bare model's.
    pub(crate) ratio_bare: f64,
    /// Kenpin's wall time over the bare model's.
    pub(crate) wall_ratio_bare: f64,
    /// CPU milliseconds a part: bare model.
    pub(crate) bare_ms: f64,
    /// CPU milliseconds a part: decode.
    pub(crate) decode_ms: f64,
    /// CPU milliseconds a part: resize.
    pub(crate) resize_ms: f64,
    /// CPU milliseconds a part: Kenpin, end to end.
    pub(crate) kenpin_ms: f64,
    /// The number of rounds.
    pub(crate) rounds: usize,
}
