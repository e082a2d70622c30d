//! The fusion of boxes, learned from pictures in which people labelled the defects: which method, how much overlap, what weight
//! each member has. Pure, and deterministic.
//!
//! The criterion is [`precision`], mean average precision as COCO has it. The figure that is told of the ensemble comes from
//! pictures that had no part in the choice: in each of [`FOLDS`] folds the method and its numbers are chosen on the other folds.
//! There is nothing beside the choice that is fitted, so the pictures of the other folds are not held out once more among
//! themselves. The boxes of all folds are then ranked together; where two folds chose methods whose confidences mean different
//! things, that costs the ensemble more than the members.
//!
//! A detector gains by suppressing boxes among its own, too, which is no merit of an ensemble. So each member is told twice: as it
//! is, and with its own boxes joined by what is best for them alone, by the same folds. The control is the best of all of these.
//!
//! Wrong boxes that are less sure than all right ones cost nothing in this figure. A member of noise that hits now and then by
//! chance can therefore add a little, and be sure of it on many pictures: look at the difference, not at p alone.

mod evidence;
pub mod precision;
pub mod search;
pub mod yolo;

use std::collections::BTreeSet;

use super::calibrate::Owned;
use super::folds::folds;
use super::panel::promise;
use super::thresholds::{Aim, choose};
use crate::config::Thresholds;
use crate::models::fit::Promise;
use crate::models::fit::boxes::BoxEvidence;
use crate::name::Name;
use precision::{Found, Matches, Truth};
use search::{Joined, Search};

/// Folds of the cross-validation.
pub const FOLDS: usize = 5;

/// Where the random numbers of the folds begin.
const SEED: u64 = 0x0062_6f78_6573;

/// One labelled picture with what the members found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What is there: labels are indices into those of the set, outlines in pixels of the frame.
    pub truths: Vec<Truth>,
    /// What each member found, in the order of the members.
    pub found: Vec<Vec<Found>>,
}

/// Labelled pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// What the members are called.
    pub members: Vec<String>,
    /// The labels, under the names that the members share.
    pub labels: Vec<Name>,
    /// Those of them that are defects, as indices.
    pub defects: BTreeSet<usize>,
    /// The pictures.
    pub pictures: Vec<Picture>,
}

impl Set {
    /// For each picture whether anything is labelled in it.
    fn labelled(&self) -> Vec<bool> {
        self.pictures.iter().map(|picture| !picture.truths.is_empty()).collect()
    }

    /// For each picture whether a defect is labelled in it.
    #[must_use]
    pub fn defective(&self) -> Vec<bool> {
        let is = |picture: &Picture| picture.truths.iter().any(|truth| self.defects.contains(&truth.label));
        self.pictures.iter().map(is).collect()
    }

    /// The score of a picture in which this was found, as the daemon has it: the confidence of the surest box of a defect, 0
    /// where there is none.
    #[must_use]
    pub fn score(&self, found: &[Found]) -> f64 {
        let surest = found.iter().filter(|found| self.defects.contains(&found.label)).map(|found| found.confidence);
        surest.fold(0.0, f64::max)
    }

    /// Two members that find the same in every picture: one counted twice is no ensemble.
    fn twins(&self) -> Option<(&str, &str)> {
        let same =
            |one: usize, other: usize| self.pictures.iter().all(|picture| picture.found[one] == picture.found[other]);
        let pairs =
            (0..self.members.len()).flat_map(|one| (one + 1..self.members.len()).map(move |other| (one, other)));
        let twin = pairs.into_iter().find(|&(one, other)| same(one, other));
        twin.map(|(one, other)| (self.members[one].as_str(), self.members[other].as_str()))
    }

    /// What boxes of these pictures are worth, `found` holding those of each.
    fn matches(&self, found: &[&[Found]]) -> Matches {
        let pictures = self.pictures.iter().zip(found);
        Matches::of(&pictures.map(|(picture, found)| (picture.truths.as_slice(), *found)).collect::<Vec<_>>())
    }
}

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The method and the members' weights.
    pub joined: Joined,
    /// Where the score of a picture becomes a decision; `None` leaves the thresholds as they are.
    pub thresholds: Option<Thresholds>,
    /// What the thresholds were chosen for.
    pub promise: Promise,
    /// What members and ensemble are worth.
    pub evidence: BoxEvidence,
    /// The score of each picture, by the method and the weights that were learned.
    pub scores: Vec<f64>,
}

/// Learns how the members' boxes become one set, and where the score of a picture becomes a decision.
///
/// Thresholds are chosen as for other panels, over the surest box of a defect of each picture. Where there are not [`FOLDS`]
/// pictures with a defect and as many without, an aim at costs leaves the thresholds as they are. `told` hears of each setting
/// that was tried.
///
/// # Errors
/// One sentence: fewer than two members, members that find the same, too few pictures, an oriented box that is to be averaged,
/// or too few pictures of a kind for a bound.
pub fn fit(set: &Set, aim: Aim, told: &(dyn Fn() + Sync)) -> Result<Fitted, String> {
    let (labelled, defective) = (set.labelled(), set.defective());
    refuse(set, &labelled)?;
    let held = dealt(&labelled, FOLDS)?;
    let kinds = [false, true].map(|wanted| defective.iter().filter(|is| **is == wanted).count());
    let both = kinds.iter().all(|count| *count >= FOLDS);
    let half = match aim {
        Aim::Bound { .. } if !both => {
            let [good, bad] = kinds;
            return Err(format!(
                "a bound on escapes wants at least {FOLDS} pictures with a defect and as many without, there are {bad} and {good}"
            ));
        }
        Aim::Bound { .. } => Some(folds(&defective, None, 2, SEED)?),
        Aim::Cost(_) => None,
    };
    // What each choice is made on: all but one fold, in turn; then what the fit itself is made on.
    let mut parts: Vec<Vec<u32>> =
        (0..FOLDS).map(|fold| held.iter().map(|of| u32::from(*of != fold)).collect()).collect();
    parts.push(
        half.as_ref().map_or_else(|| vec![1; held.len()], |half| half.iter().map(|of| u32::from(*of == 0)).collect()),
    );
    let mut search = Search::new(set, parts, told);
    let crossed = crossed(&mut search, &held, None)?;
    let alone = (0..set.members.len()).map(|member| self::crossed(&mut search, &held, Some(member)));
    let alone = alone.collect::<Result<Vec<_>, _>>()?;
    let joined = search.best(FOLDS, None)?;
    let fused = set.pictures.iter().map(|picture| joined.fuse(picture)).collect::<Result<Vec<_>, _>>()?;
    let scores: Vec<f64> = fused.iter().map(|found| set.score(found)).collect();
    let (thresholds, promise) = decided(&scores, &defective, aim, half.as_deref(), both)?;
    let evidence = evidence::evidence(set, &labelled, &alone, &crossed);
    Ok(Fitted { joined, thresholds, promise, evidence, scores })
}

/// The boxes of each picture, joined by what is best on the folds that do not hold it: of all members, or of one `alone`.
fn crossed(search: &mut Search<'_>, held: &[usize], alone: Option<usize>) -> Result<Vec<Vec<Found>>, String> {
    let joined = (0..FOLDS).map(|fold| search.best(fold, alone)).collect::<Result<Vec<Joined>, _>>()?;
    search.pictures().iter().zip(held).map(|(picture, fold)| joined[*fold].fuse(picture)).collect()
}

fn refuse(set: &Set, labelled: &[bool]) -> Result<(), String> {
    if set.members.len() < 2 {
        return Err("there is one member, and the boxes of one member are its own: want at least two".into());
    }
    if let Some((one, other)) = set.twins() {
        return Err(format!("{one} and {other} find the same in every picture: one member counted twice"));
    }
    let (seen, all) = (labelled.iter().filter(|is| **is).count(), labelled.len());
    if all < 2 * FOLDS || seen < FOLDS {
        let wanted = 2 * FOLDS;
        return Err(format!(
            "there are {all} pictures, {seen} of them with labelled boxes: want at least {wanted}, {FOLDS} of them with boxes"
        ));
    }
    Ok(())
}

/// Deals out the pictures to folds: those with boxes and those without evenly, where there are enough of both.
fn dealt(labelled: &[bool], count: usize) -> Result<Vec<usize>, String> {
    let without = labelled.iter().filter(|is| !**is).count();
    if without >= count {
        return folds(labelled, None, count, SEED);
    }
    // There is next to nothing to spread evenly: any two halves are dealt out alike.
    let either: Vec<bool> = (0..labelled.len()).map(|place| place % 2 == 1).collect();
    folds(&either, None, count, SEED)
}

/// Thresholds on the scores of the pictures, and what is promised of them: with a bound the first half chose, the other tests.
fn decided(
    scores: &[f64],
    defective: &[bool],
    aim: Aim,
    half: Option<&[usize]>,
    both: bool,
) -> Result<(Option<Thresholds>, Promise), String> {
    if !both {
        return Ok((None, Promise::AsConfigured));
    }
    let of = |wanted: Option<usize>| {
        let places: Vec<usize> =
            (0..scores.len()).filter(|&place| half.is_none_or(|half| Some(half[place]) == wanted)).collect();
        Owned::new(
            places.iter().map(|&place| scores[place]).collect(),
            places.iter().map(|&place| defective[place]).collect(),
        )
    };
    let (fitted, tested) = (of(Some(0)), of(Some(1)));
    let thresholds = choose(aim, &fitted.sample(), &tested.sample())?;
    Ok((Some(thresholds), promise(aim, thresholds, &tested.sample())))
}

#[cfg(test)]
mod tests;
