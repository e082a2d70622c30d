//! A watch on trial: how often it is wrong and how soon it is right, on parts in random order. Pure, and seeded.
//!
//! Each run draws its reference and its line anew from the same parts, none of which is in both; so runs hang on one another
//! only by the parts they share. Nothing is drawn twice within a run.

use super::{Turn, Watch, Watching, space};
use crate::models::fit::reference::{Seen, Statistic};
use crate::name::Name;

/// What came of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The undisturbed parts, before the change where there is one.
    pub undisturbed: usize,
    /// The disturbed parts that were there to be seen.
    pub disturbed: usize,
    /// The parts up to the first alarm, counted from the first disturbed one where there are any; `None` without an alarm.
    pub alarm: Option<Alarm>,
}

/// The first alarm of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Whether it came before anything had changed.
    pub is_false: bool,
    /// The parts up to it, itself included: from the change on, or from the start where it is false.
    pub parts: usize,
    /// The statistics that had differed.
    pub statistics: Vec<Statistic>,
}

/// What runs are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'p> {
    /// The parts as they are; half of them become the reference, the others the line.
    pub parts: &'p [Seen],
    /// What comes after the change; `None` where nothing changes.
    pub change: Option<Change<'p>>,
}

/// What changes.
#[derive(Debug, Clone, Copy)]
pub enum Change<'p> {
    /// Each part looks otherwise: as many as there are parts, in their order.
    Taken(&'p [Seen]),
    /// Other parts come.
    Others(&'p [Seen]),
}

/// Plays one run of a pool.
#[must_use]
pub fn run(pool: &Pool<'_>, watching: Watching, seed: u64, camera: &Name) -> Run {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut order: Vec<usize> = (0..pool.parts.len()).collect();
    random.shuffle(&mut order);
    let (reference, line) = order.split_at(order.len() / 2);
    let of = |parts: &[Seen], places: &[usize]| -> Vec<Seen> {
        places.iter().filter_map(|&place| parts.get(place).cloned()).collect()
    };
    let reference = space::reference(camera.clone(), &of(pool.parts, reference));
    // The change comes at any moment between two looks at a quarter of the window.
    let before = if pool.change.is_some() { random.usize(0..(watching.window / 4).max(1)) } else { line.len() };
    let (before, after) = line.split_at(before.min(line.len()));
    let after = match pool.change {
        None => Vec::new(),
        Some(Change::Taken(parts)) => of(parts, after),
        Some(Change::Others(parts)) => {
            let mut others = parts.to_vec();
            random.shuffle(&mut others);
            others
        }
    };
    let (undisturbed, disturbed) = (before.len(), after.len());
    let mut watch = Watch::new(watching);
    for (place, seen) in of(pool.parts, before).into_iter().chain(after).enumerate() {
        if let Some(Turn::Began(look)) = watch.see(&seen, &reference) {
            let is_false = place < undisturbed;
            let parts = if is_false { place + 1 } else { place + 1 - undisturbed };
            let statistics = look.drifted().map(|seen| seen.statistic).collect();
            return Run { undisturbed, disturbed, alarm: Some(Alarm { is_false, parts, statistics }) };
        }
    }
    Run { undisturbed, disturbed, alarm: None }
}
