//! The labelled parts of one route with what its members say of them.

use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::beside::{classes, terms};
use super::journal::Census;
use super::measured::Measuring;
use super::scores::{self, Asked, voters};
use super::{Args, Seat};
use crate::cli::labelled::Labelled;
use crate::cli::line;
use crate::config::Settings;
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
pub(super) fn gather(
    args: &Args,
    settings: &Settings,
    bare: &Settings,
    plan: &Arc<Plan>,
    seat: &Seat<'_>,
    rung: usize,
    &Labels { set, ref measuring }: &Labels<'_>,
) -> anyhow::Result<Gathered> {
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
    let mut taken = None;
    let mut beside: Vec<Vec<Vec<f64>>> = Vec::new();
    let (kept, members): (Vec<usize>, Vec<Vec<f64>>) = if let Some(path) = &args.scores {
        ((0..set.len()).collect(), scores::out_of_fold(path, &set, plan, seat.panel)?)
    } else {
        let camera = line::camera(args.camera.as_ref(), &args.config, settings)?;
        let said = Asked { settings: bare, plan, camera: &camera, rung, state: &args.state }.ask(&set, &hashes)?;
        let of_route = |place: &usize| said[*place].as_ref().is_some_and(|said| said.route == seat.route.as_str());
        let kept: Vec<usize> = (0..set.len()).filter(of_route).collect();
        let member =
            |at: usize| kept.iter().filter_map(|&place| said[place].as_ref()?.scores.get(at).copied()).collect();
        let quality = kept.iter().filter_map(|&place| Some(said[place].as_ref()?.quality)).collect::<Vec<_>>();
        let members = (0..voters(seat.panel).count()).map(member).collect();
        beside.extend(kept.iter().filter_map(|&place| Some(said[place].as_ref()?.beside.clone())));
        let embedded = kept.iter().map(|&place| said[place].as_ref()?.embedding.clone()).collect();
        taken = Some(Taken { camera, quality, embedded });
        (kept, members)
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
