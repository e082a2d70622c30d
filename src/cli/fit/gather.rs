//! The labelled parts of one route with what its members say of them.

use anyhow::{Context as _, ensure};

use super::beside::{classes, terms};
use super::journal::Census;
use super::measured::Measuring;
use super::scores::{self, Asked, Said, voters};
use super::{Fitting, Seat};
use crate::cli::labelled::Labelled;
use crate::cli::line;
use crate::flow::plan::{self, Plan};
use crate::fusion::Over;
use crate::fusion::adaptive::Quality;
use crate::learn::class_weights::Classes;
use crate::learn::drift::space;
use crate::learn::ensemble::{Copies, Parts};
use crate::learn::panel::Panel;
use crate::models::catalogue::sha256_of;
use crate::models::fit::Reviewed;
use crate::models::fit::reference::{Embedded, Reference, Seen};
use crate::models::price::MeasuredSet;
use crate::name::Name;

/// Two voting seats with one model file that look through one camera.
pub(super) fn sits_twice(plan: &Plan, panel: &plan::Panel) -> Option<String> {
    let seats: Vec<_> = voters(panel).map(|(_, member)| member).collect();
    let same = |one: &plan::Member, other: &plan::Member| {
        let file = |member: &plan::Member| plan.model(member.model).passport.file.sha256.clone();
        file(one) == file(other) && one.camera == other.camera && one.crops == other.crops
    };
    let twin = seats.iter().enumerate().find_map(|(place, one)| {
        let other = seats.iter().skip(place + 1).find(|other| same(one, other))?;
        Some((&plan.model(one.model).passport, &plan.model(other.model).passport))
    });
    twin.map(|(one, other)| {
        let (one, other, sha256) = (&one.name, &other.name, &one.file.sha256);
        format!("{one} and {other} are one model file, {sha256}: a member counted twice is no ensemble")
    })
}

/// What the pictures of parts looked like.
pub(super) struct Taken {
    /// The camera that they stand for.
    camera: Name,
    /// How well each was taken.
    quality: Vec<Quality>,
    /// The embedding of each, where a member gave one.
    embedded: Vec<Option<Embedded>>,
}

/// What was gathered of the labelled parts.
pub(super) struct Gathered {
    pub(super) parts: Parts,
    pub(super) labels: MeasuredSet,
    /// Labelled parts that are not among `parts`.
    pub(super) left_out: usize,
    /// What the picture of each of `parts` looked like; `None` where no model was asked.
    pub(super) taken: Option<Taken>,
    /// How they came to be looked at, where they are verdicts of the line, and what became of all labels.
    pub(super) reviewed: Option<(Reviewed, Census)>,
}

impl Gathered {
    /// What the parts look like as they were taken and as the panel scores them.
    pub(super) fn reference(&self, panel: &Panel) -> Option<Reference> {
        let Taken { camera, quality, embedded } = self.taken.as_ref()?;
        let as_taken = |place: &usize| self.parts.copies.as_ref().is_none_or(|copies| copies.as_taken[*place]);
        let seen = |place: usize| Seen {
            score: Some(panel.score(&self.parts, place)),
            quality: quality.get(place).copied(),
            embedding: embedded.get(place).cloned().flatten(),
        };
        let seen: Vec<Seen> = (0..self.parts.len()).filter(as_taken).map(seen).collect();
        Some(space::reference(camera.clone(), &seen))
    }
}

/// Labelled pictures, and what is measured of them.
pub(super) struct Labels<'a> {
    pub(super) set: &'a [Labelled],
    pub(super) measuring: Option<Measuring>,
}

/// The scores of the members on the parts that the route judges.
pub(super) fn gather(fitting: Fitting<'_>, &Labels { set, ref measuring }: &Labels<'_>) -> anyhow::Result<Gathered> {
    let Fitting { args, plan, seat, .. } = fitting;
    let plain = scores::hashes(set)?;
    let truth = |labelled: &Labelled| if labelled.defective { "defective" } else { "good" };
    let lines = plain.iter().zip(set).map(|(hash, labelled)| format!("{hash} {}\n", truth(labelled)));
    let labels = MeasuredSet {
        path: args.labelled.clone().unwrap_or_default(),
        sha256: sha256_of(lines.collect::<String>().as_bytes()),
        parts: set.len(),
        defective: set.iter().filter(|labelled| labelled.defective).count(),
    };
    let corruptions = args.corruptions();
    // Each picture as it is, then corrupted in every way, beside one another.
    let each = corruptions.len() + 1;
    let ways = || std::iter::once(None).chain(corruptions.iter().copied().map(Some));
    let copies = |one: &Labelled| ways().map(|corruption| Labelled { corruption, ..one.clone() }).collect::<Vec<_>>();
    let (set, pictures): (Vec<Labelled>, usize) = (set.iter().flat_map(copies).collect(), set.len());
    let hashes: Vec<String> = plain.into_iter().flat_map(|hash| std::iter::repeat_n(hash, each)).collect();
    let Told { kept, members, beside, taken } = match &args.scores {
        Some(path) => {
            let members = scores::out_of_fold(path, &set, plan, seat.panel)?;
            Told { kept: (0..set.len()).collect(), members, beside: Vec::new(), taken: None }
        }
        None => asked(fitting, &set, &hashes)?,
    };
    ensure!(!kept.is_empty(), "route {} judges none of the {pictures} labelled parts", seat.route);
    let name = |(_, member): (usize, &plan::Member)| plan.model(member.model).passport.name.to_string();
    let said: Vec<&[Vec<f64>]> = beside.iter().map(Vec::as_slice).collect();
    let by_class = seat.panel.fusion.over == Over::Classes;
    let truth: Vec<Option<&Name>> = kept.iter().map(|&place| set[place].class.as_ref()).collect();
    let measured = measuring.as_ref().map(|measuring| {
        let truth = kept.iter().map(|&place| set[place].measured).collect();
        measuring.measurements(&said, truth).context("a measured value was lost")
    });
    // A file of scores says nothing beside.
    let asked = args.scores.is_none();
    let parts = Parts {
        names: voters(seat.panel).map(name).collect(),
        terms: if asked && !by_class { terms(plan, seat.panel, &members, &said) } else { None },
        measured: measured.transpose()?,
        classes: if by_class { Some(known_classes(plan, seat, &said, &truth)?) } else { None },
        members,
        defective: kept.iter().map(|&place| set[place].defective).collect(),
        weights: vec![1.0; kept.len()],
        groups: batches(&set, &kept)?
            .or_else(|| args.adaptive.then(|| kept.iter().map(|place| place / each).collect())),
        copies: args.adaptive.then(|| Copies {
            picture: kept.iter().map(|place| place / each).collect(),
            as_taken: kept.iter().map(|place| place % each == 0).collect(),
            quality: taken.as_ref().map(|taken| taken.quality.clone()).unwrap_or_default(),
            each: u32::try_from(each).unwrap_or(u32::MAX),
        }),
    };
    Ok(Gathered { left_out: pictures - parts.as_taken().len(), parts, labels, taken, reviewed: None })
}

/// What the members tell of labelled parts.
struct Told {
    /// The places of the parts that the route judges.
    kept: Vec<usize>,
    /// For each voting member its score for each of them.
    members: Vec<Vec<f64>>,
    /// What each seat says of each beside its score; empty for a file of scores.
    beside: Vec<Vec<Vec<f64>>>,
    taken: Option<Taken>,
}

/// Asks the models of the panel.
fn asked(fitting: Fitting<'_>, set: &[Labelled], hashes: &[String]) -> anyhow::Result<Told> {
    let Fitting { args, settings, bare, plan, seat, rung, .. } = fitting;
    let camera = line::camera(args.camera.as_ref(), &args.config, settings)?;
    let said = Asked { settings: bare, plan, camera: &camera, rung, state: &args.state }.ask(set, hashes)?;
    let of_route = |(_, said): &(usize, &Said)| said.route == seat.route.as_str();
    let judged = said.iter().enumerate().filter_map(|(place, said)| Some((place, said.as_ref()?)));
    let (kept, said): (Vec<usize>, Vec<&Said>) = judged.filter(of_route).unzip();
    let member = |at: usize| said.iter().filter_map(|said| said.scores.get(at).copied()).collect();
    let quality = said.iter().map(|said| said.quality).collect();
    let embedded = said.iter().map(|said| said.embedding.clone()).collect();
    Ok(Told {
        kept,
        members: (0..voters(seat.panel).count()).map(member).collect(),
        beside: said.iter().map(|said| said.beside.clone()).collect(),
        taken: Some(Taken { camera, quality, embedded }),
    })
}

/// What is said of each label, of a panel that fuses label by label.
pub(super) fn known_classes(
    plan: &Plan,
    seat: &Seat<'_>,
    said: &[&[Vec<f64>]],
    truth: &[Option<&Name>],
) -> anyhow::Result<Classes> {
    let found = classes(plan, seat.panel, said, truth);
    found.with_context(|| format!("route {}: a member gives no probabilities of its labels", seat.route))
}

/// The batch of each part as a number; `None` where the list names none.
fn batches(set: &[Labelled], kept: &[usize]) -> anyhow::Result<Option<Vec<usize>>> {
    let told: Vec<Option<&str>> = kept.iter().map(|&place| set[place].batch.as_deref()).collect();
    if told.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut known: Vec<&str> = told.iter().copied().flatten().collect();
    known.sort_unstable();
    known.dedup();
    let number = |(batch, &place): (Option<&str>, &usize)| {
        let batch = batch.with_context(|| format!("{} has no batch, others have", set[place].image.display()))?;
        known.binary_search(&batch).ok().context("a batch was lost")
    };
    told.iter().copied().zip(kept).map(number).collect::<anyhow::Result<Vec<usize>>>().map(Some)
}
