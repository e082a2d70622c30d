//! The labelled parts of a panel, each with what every member says of it, and the folds that hold them out. Pure, and seeded.

use crate::fusion::adaptive::Quality;
use crate::learn::class_weights::Classes;
use crate::learn::concatenate::Terms;
use crate::learn::folds::folds;
use crate::learn::measured::Measurements;
use crate::models::fit::Method;

/// Where the random numbers of the folds begin.
const SEED: u64 = 0x6669_7473;

/// The parts of a panel, each with a score of every member.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// What the members are called.
    pub names: Vec<String>,
    /// For each member its score, 0 to 1, for each part.
    pub members: Vec<Vec<f64>>,
    /// Whether each part is really defective.
    pub defective: Vec<bool>,
    /// How much each part counts, finite and above 0: 1 where all were drawn alike, else see [`crate::learn::sampling`].
    pub weights: Vec<f64>,
    /// The batch each part belongs to, where that is known, or else the picture it is a copy of: a number from 0 on.
    pub groups: Option<Vec<usize>>,
    /// Of which pictures they are copies, where each is there as it was taken and in other ways.
    pub copies: Option<Copies>,
    /// Everything that the members say, where that is more than one score each.
    pub terms: Option<Terms>,
    /// What each member says of each label, where labels are fused by themselves.
    pub classes: Option<Classes>,
    /// What they measure, where it is known what that really is.
    pub measured: Option<Measurements>,
}

/// Pictures that are there several times: as they were taken, and corrupted. All of one length.
#[derive(Debug, Clone)]
pub struct Copies {
    /// The picture of each part: a number from 0 on.
    pub picture: Vec<usize>,
    /// Whether it is as it was taken.
    pub as_taken: Vec<bool>,
    /// How well it was, or would have been, taken.
    pub quality: Vec<Quality>,
    /// How many copies of each picture there are.
    pub each: u32,
}

impl Copies {
    fn at(&self, places: &[usize]) -> Self {
        Self {
            picture: places.iter().map(|&place| self.picture[place]).collect(),
            as_taken: places.iter().map(|&place| self.as_taken[place]).collect(),
            quality: places.iter().map(|&place| self.quality[place]).collect(),
            each: self.each,
        }
    }

    /// The pictures numbered without gaps.
    pub(super) fn numbered(&self) -> Vec<usize> {
        let mut known = self.picture.clone();
        known.sort_unstable();
        known.dedup();
        self.picture.iter().map(|picture| known.partition_point(|known| known < picture)).collect()
    }
}

impl Parts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.defective.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.defective.is_empty()
    }

    /// The parts at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let member = |scores: &Vec<f64>| places.iter().map(|&place| scores[place]).collect();
        Self {
            names: self.names.clone(),
            members: self.members.iter().map(member).collect(),
            defective: places.iter().map(|&place| self.defective[place]).collect(),
            weights: places.iter().map(|&place| self.weights[place]).collect(),
            groups: self.groups.as_ref().map(|groups| places.iter().map(|&place| groups[place]).collect()),
            copies: self.copies.as_ref().map(|copies| copies.at(places)),
            terms: self.terms.as_ref().map(|terms| terms.at(places)),
            classes: self.classes.as_ref().map(|classes| classes.at(places)),
            measured: self.measured.as_ref().map(|measured| measured.at(places)),
        }
    }

    /// Those whose pictures are as they were taken: all of them where there are no copies.
    #[must_use]
    pub fn as_taken(&self) -> Self {
        let Some(copies) = &self.copies else { return self.clone() };
        self.at(&(0..self.len()).filter(|&place| copies.as_taken[place]).collect::<Vec<usize>>())
    }

    /// The methods that are tried on them.
    #[must_use]
    pub fn methods(&self) -> Vec<Method> {
        let concatenation = self.terms.as_ref().map(|_| Method::Concatenation);
        let regression = self.measured.as_ref().map(|_| Method::Regression);
        let adaptive = self.copies.as_ref().map(|_| Method::Adaptive);
        if self.members.len() == 1 {
            return std::iter::once(Method::Single).chain(concatenation).chain(regression).collect();
        }
        if self.classes.is_some() {
            return Method::BY_CLASS.to_vec();
        }
        Method::ENSEMBLES.into_iter().chain(concatenation).chain(regression).chain(adaptive).collect()
    }

    /// What every member says of one part.
    #[must_use]
    pub fn said(&self, place: usize) -> Vec<f64> {
        self.members.iter().map(|scores| scores[place]).collect()
    }

    /// Splits the parts in so many folds, as evenly as can be.
    ///
    /// # Errors
    /// As [`folds`].
    pub fn folds(&self, count: usize) -> Result<Vec<usize>, String> {
        folds(&self.defective, self.groups.as_deref(), count, SEED)
    }

    /// Two members that say the same of every part: one counted twice is no ensemble.
    #[must_use]
    pub fn twins(&self) -> Option<(&str, &str)> {
        let same =
            |one: &[f64], other: &[f64]| one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits());
        self.members.iter().enumerate().find_map(|(place, one)| {
            let twin = self.members.iter().skip(place + 1).position(|other| same(one, other))? + place + 1;
            Some((self.names[place].as_str(), self.names[twin].as_str()))
        })
    }
}
