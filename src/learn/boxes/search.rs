//! The search for the method of a fusion of boxes, its numbers and the members' weights: a small grid, walked coordinate by
//! coordinate. Pure, and deterministic.
//!
//! Each method begins at the numbers of its paper (overlap 0.5, or a Gaussian of 0.5; for averaged boxes 0.55) with all members
//! alike and no box skipped. Then one coordinate after the other (overlap, confidence below which boxes are skipped, the weight
//! of each member) takes the value of its grid with the greatest mean average precision over all thresholds, the others staying
//! as they are, until no coordinate moves, for `ROUNDS` rounds at most. Only a greater figure moves anything, so that of equals
//! the plainest stays; likewise the best method is the first of the greatest. Coordinate search ends where no single move helps
//! (S. Wright, "Coordinate descent algorithms", Mathematical Programming 151, 2015): a better point may lie behind two moves at
//! once. A grid this coarse is chosen on few pictures without following their noise far.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::precision::{Found, Matches};
use super::{Picture, Set};
use crate::fusion::boxes::{Agreement, BoxFusion, Candidate, Member, Outline};

/// Rounds over the coordinates after which a method is left where it is.
const ROUNDS: usize = 4;

/// Overlaps above which boxes are one.
const OVERLAPS: [f64; 6] = [0.3, 0.4, 0.5, 0.55, 0.6, 0.7];

/// Widths of the Gaussian by which confidences decay.
const SIGMAS: [f64; 6] = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0];

/// Confidences below which boxes are skipped.
const SKIPS: [f64; 6] = [0.0, 0.05, 0.1, 0.2, 0.3, 0.4];

/// Weights of a member, the greatest of the panel being 1; 0 leaves it out.
const WEIGHTS: [f64; 6] = [1.0, 0.75, 0.5, 0.25, 0.125, 0.0];

/// How boxes become one, before there are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Nms,
    SoftNmsLinear,
    SoftNmsGaussian,
    WeightedBoxes,
    WeightedBoxesAverage,
}

impl Family {
    /// The plainest first.
    const ALL: [Self; 5] =
        [Self::Nms, Self::SoftNmsLinear, Self::SoftNmsGaussian, Self::WeightedBoxes, Self::WeightedBoxesAverage];

    /// The place in its grid where the search begins.
    const fn begin(self) -> usize {
        match self {
            Self::Nms | Self::SoftNmsLinear => 2,
            Self::SoftNmsGaussian | Self::WeightedBoxes | Self::WeightedBoxesAverage => 3,
        }
    }
}

/// One point of the grid: places in the grids, and each member's place among the weights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    family: Family,
    overlap: usize,
    skip: usize,
    weights: Vec<usize>,
}

impl Point {
    /// The points that differ in one coordinate, coordinate by coordinate.
    fn coordinates(members: usize) -> impl Iterator<Item = Coordinate> {
        [Coordinate::Overlap, Coordinate::Skip].into_iter().chain((0..members).map(Coordinate::Weight))
    }

    fn with(&self, coordinate: Coordinate, place: usize) -> Self {
        let mut other = self.clone();
        match coordinate {
            Coordinate::Overlap => other.overlap = place,
            Coordinate::Skip => other.skip = place,
            Coordinate::Weight(member) => other.weights[member] = place,
        }
        other
    }

    fn joined(&self) -> Joined {
        let (iou_above, sigma, skip_below) = (OVERLAPS[self.overlap], SIGMAS[self.overlap], SKIPS[self.skip]);
        let averaged = |confidence| BoxFusion::WeightedBoxes { iou_above, skip_below, confidence };
        let fusion = match self.family {
            Family::Nms => BoxFusion::Nms { iou_above, skip_below },
            Family::SoftNmsLinear => BoxFusion::SoftNmsLinear { iou_above, skip_below },
            Family::SoftNmsGaussian => BoxFusion::SoftNmsGaussian { sigma, skip_below },
            Family::WeightedBoxes => averaged(Agreement::BoxAndModelAverage),
            Family::WeightedBoxesAverage => averaged(Agreement::Average),
        };
        let greatest = self.weights.iter().map(|&place| WEIGHTS[place]).fold(0.0, f64::max);
        Joined { fusion, weights: self.weights.iter().map(|&place| WEIGHTS[place] / greatest).collect() }
    }
}

/// What is moved while the rest stays. The three grids are of one length.
#[derive(Debug, Clone, Copy)]
enum Coordinate {
    Overlap,
    Skip,
    Weight(usize),
}

/// How the members' boxes become one set.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The method.
    pub fusion: BoxFusion,
    /// The weight of each member, 0 to 1, the greatest 1; 0 for one that is left out.
    pub weights: Vec<f64>,
}

impl Joined {
    /// The boxes of a picture as the daemon joins them: members without a weight have no part in it, whoever has one is of the
    /// panel whether it found anything or not.
    ///
    /// # Errors
    /// One sentence when an oriented box is to be averaged.
    pub fn fuse(&self, picture: &Picture) -> Result<Vec<Found>, String> {
        let (mut members, mut candidates) = (Vec::new(), Vec::new());
        for (&weight, found) in self.weights.iter().zip(&picture.found).filter(|(weight, _)| **weight > 0.0) {
            let member = members.len();
            members.push(Member { weight, ..Member::default() });
            candidates.extend(found.iter().map(|&Found { outline, confidence, label }| Candidate {
                shape: outline.shape(),
                confidence,
                label,
                member,
            }));
        }
        let outcome = self.fusion.fuse(&members, &candidates).map_err(|error| error.to_string())?;
        let found = outcome.boxes.into_iter().filter_map(|fused| {
            let outline = Outline::of(&fused.shape)?;
            Some(Found { outline, confidence: fused.confidence, label: fused.label })
        });
        Ok(found.collect())
    }
}

/// The search over one set, which remembers what it has tried.
pub struct Search<'s> {
    set: &'s Set,
    /// For each part of the set, how often each picture counts.
    parts: Vec<Vec<u32>>,
    /// The figure of each point that was tried, on each part.
    tried: BTreeMap<Point, Vec<f64>>,
    families: Vec<Family>,
    told: &'s (dyn Fn() + Sync),
}

impl<'s> Search<'s> {
    /// A search that chooses on parts of a set, and tells of each point that it tries.
    #[must_use]
    pub fn new(set: &'s Set, parts: Vec<Vec<u32>>, told: &'s (dyn Fn() + Sync)) -> Self {
        let oriented = set.pictures.iter().flat_map(|picture| picture.found.iter().flatten());
        let oriented = oriented.into_iter().any(|found| found.outline.is_oriented());
        let averages = |family: &Family| matches!(family, Family::WeightedBoxes | Family::WeightedBoxesAverage);
        let families = Family::ALL.into_iter().filter(|family| !(oriented && averages(family))).collect();
        Self { set, parts, tried: BTreeMap::new(), families, told }
    }

    /// The pictures of the set.
    #[must_use]
    pub fn pictures(&self) -> &'s [Picture] {
        &self.set.pictures
    }

    /// The best that the search finds on the part with this number: for all members together, or for one `alone`, whose boxes are
    /// joined among themselves.
    ///
    /// # Errors
    /// As [`Joined::fuse`].
    pub fn best(&mut self, part: usize, alone: Option<usize>) -> Result<Joined, String> {
        let mut best: Option<(f64, Point)> = None;
        for family in self.families.clone() {
            let found = self.walk(family, part, alone)?;
            if best.as_ref().is_none_or(|(figure, _)| found.0 > *figure) {
                best = Some(found);
            }
        }
        best.map(|(_, point)| point.joined()).ok_or_else(|| "there is no method to try".into())
    }

    /// The best of one method.
    fn walk(&mut self, family: Family, part: usize, alone: Option<usize>) -> Result<(f64, Point), String> {
        let members = self.set.members.len();
        let left_out = WEIGHTS.len() - 1;
        let weight = |member: usize| if alone.is_none_or(|alone| alone == member) { 0 } else { left_out };
        let weights = (0..members).map(weight).collect();
        let mut here = Point { family, overlap: family.begin(), skip: 0, weights };
        // Whoever is alone has no weight to move.
        let moved = if alone.is_some() { 0 } else { members };
        let mut figure = self.figure(&here, part)?;
        for _ in 0..ROUNDS {
            let before = here.clone();
            for coordinate in Point::coordinates(moved) {
                for place in 0..WEIGHTS.len() {
                    let other = here.with(coordinate, place);
                    // A panel without a member is none.
                    if other.weights.iter().all(|&place| WEIGHTS[place] <= 0.0) {
                        continue;
                    }
                    let of_other = self.figure(&other, part)?;
                    if of_other > figure {
                        (figure, here) = (of_other, other);
                    }
                }
            }
            if here == before {
                break;
            }
        }
        Ok((figure, here))
    }

    /// The mean average precision at a point, on one part.
    fn figure(&mut self, point: &Point, part: usize) -> Result<f64, String> {
        if let Some(figures) = self.tried.get(point) {
            return Ok(figures[part]);
        }
        let joined = point.joined();
        let fused: Vec<Vec<Found>> =
            self.set.pictures.par_iter().map(|picture| joined.fuse(picture)).collect::<Result<_, _>>()?;
        let matches: Matches = self.set.matches(&fused.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let of = |drawn: &Vec<u32>| matches.mean(drawn).map_or(0.0, |precision| precision.over_all);
        let figures: Vec<f64> = self.parts.iter().map(of).collect();
        (self.told)();
        let figure = figures[part];
        self.tried.insert(point.clone(), figures);
        Ok(figure)
    }
}
