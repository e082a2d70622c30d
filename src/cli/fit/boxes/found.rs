//! What the members of a panel find in labelled pictures: asked of the models once and kept below the state directory, or read
//! from a file of boxes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::labels::{Boxed, Labels};
use crate::cli::fit::scores::{Asked, voters};
use crate::cli::labelled::Labelled;
use crate::config::findings::listed;
use crate::flow::plan::{Panel, Plan};
use crate::flow::statistics::quality;
use crate::flow::{Findings, Walked};
use crate::fusion::adaptive::Quality;
use crate::fusion::boxes::{Outline, Shape};
use crate::learn::boxes::precision::Found;
use crate::models::price::replace;
use crate::name::Name;
use crate::task::Detected;

/// The folder of kept boxes inside the state directory.
const FOLDER: &str = "boxes";

/// What became of one picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// The route that judged it; empty where none did.
    pub(super) route: String,
    /// The width of the frame in pixels.
    pub(super) width: u32,
    /// Its height.
    pub(super) height: u32,
    /// How well it was taken.
    pub(super) quality: Quality,
    /// What each voting seat of the fitted route found; empty for a picture of another route.
    found: Vec<Vec<Detected>>,
}

impl Said {
    /// What each voting seat found, under the labels that they share. What is no box has no part in a fusion either.
    pub(super) fn found(&self, panel: &Panel, labels: &Labels) -> Vec<Vec<Found>> {
        let of = |((_, member), found): ((usize, &crate::flow::plan::Member), &Vec<Detected>)| {
            let found = found.iter().filter_map(|found| {
                let shape = found.oriented.map_or(Shape::Upright(found.corners), Shape::Oriented);
                let (outline, label) = (Outline::of(&shape)?, labels.place(member, &found.label)?);
                Some(Found { outline, confidence: found.confidence, label })
            });
            found.collect()
        };
        voters(panel).zip(&self.found).map(of).collect()
    }
}

/// What becomes of every picture; `None` for one that cannot be read or of which a voting member says nothing, which is told.
/// `hashes` are those of the pictures' files.
///
/// # Errors
/// When the models cannot be opened or what is kept cannot be read or written.
pub(super) fn ask(
    asked: &Asked<'_>,
    route: &Name,
    set: &[Labelled],
    hashes: &[String],
) -> anyhow::Result<Vec<Option<Said>>> {
    let path = asked.kept_at(FOLDER, "json");
    let shown = path.display();
    let mut kept: BTreeMap<String, Said> = if path.exists() {
        let text = std::fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
        serde_json::from_str(&text).with_context(|| format!("{shown}: remove it to ask the models again"))?
    } else {
        BTreeMap::new()
    };
    let missing: Vec<usize> = (0..set.len()).filter(|&place| !kept.contains_key(&hashes[place])).collect();
    if !missing.is_empty() {
        let made = |labelled: &Labelled, walked: &Walked| said(route, labelled, walked);
        let (said, fallback) = asked.walk(missing.iter().map(|&place| &set[place]), made)?;
        for (place, said) in missing.into_iter().zip(said) {
            kept.extend(said.flatten().map(|said| (hashes[place].clone(), said)));
        }
        let text = serde_json::to_string(&kept)?;
        if !fallback {
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            replace(folder, &path, text.as_bytes()).with_context(|| format!("{shown} cannot be written"))?;
        }
        // As the next fit reads it, to the last bit.
        kept = serde_json::from_str(&text)?;
    }
    Ok(hashes.iter().map(|hash| kept.get(hash).cloned()).collect())
}

/// What became of one walk; `None`, which is told, where a voting member of the route says nothing.
fn said(route: &Name, labelled: &Labelled, walked: &Walked) -> Option<Said> {
    let plan = &walked.part.plan;
    let image = &walked.part.frames.first()?.image;
    let last = walked.path.last().copied();
    let of = last.map(|last| plan.route(last).name.to_string()).unwrap_or_default();
    let (width, height, quality) = (image.width(), image.height(), quality(image));
    let mut said = Said { route: of, width, height, quality, found: Vec::new() };
    if said.route != route.as_str() {
        return Some(said);
    }
    for (seat, member) in voters(plan.panel(last?, walked.part.rung)?) {
        let answer = walked.answers.iter().find(|given| given.member == seat);
        let Some(Ok(Findings::Detection { detections })) = answer.map(|given| &given.answer.findings) else {
            let (image, name) = (labelled.image.display(), &plan.model(member.model).passport.name);
            eprintln!("kenpin: {image} is left out: model {name} says nothing of it");
            return None;
        };
        said.found.push(detections.clone());
    }
    Some(said)
}

/// Reads boxes (`picture,member,label,confidence,left,top,right,bottom`) for the voting members of a panel: for each picture what
/// each member found.
///
/// A picture is known by its file's stem, a member by its model's name, a label as that model calls it; corners are in pixels of
/// the picture. Rows of other pictures and members are passed over. A picture without rows of a member is one in which it found
/// nothing.
///
/// # Errors
/// When the file cannot be read, a row is no box, or a voting member has no row at all.
pub(super) fn read(
    path: &Path,
    boxed: &[Boxed],
    plan: &Plan,
    panel: &Panel,
    labels: &Labels,
) -> anyhow::Result<Vec<Vec<Vec<Found>>>> {
    const COLUMNS: [&str; 8] = ["picture", "member", "label", "confidence", "left", "top", "right", "bottom"];
    let shown = path.display();
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{shown} cannot be read"))?;
    let header = reader.headers().with_context(|| shown.to_string())?;
    ensure!(header == COLUMNS.as_slice(), "{shown}: the columns are {header:?}, want {}", COLUMNS.join(","));
    let places: HashMap<String, usize> = boxed.iter().enumerate().map(|(place, one)| (one.stem(), place)).collect();
    let seats: Vec<_> = voters(panel).map(|(_, member)| (member, &plan.model(member.model).passport)).collect();
    let mut found = vec![vec![Vec::new(); seats.len()]; boxed.len()];
    for row in reader.records() {
        let row = row.with_context(|| shown.to_string())?;
        let at = || format!("{shown} line {}", row.position().map_or(0, csv::Position::line));
        let field = |column: usize| row.get(column).unwrap_or_default().trim();
        let seat = seats.iter().position(|(_, passport)| passport.name.as_str() == field(1));
        let Some((place, seat)) = places.get(field(0)).copied().zip(seat) else { continue };
        let (member, passport) = seats[seat];
        let Some(label) = passport.labels.names.iter().find(|name| name.as_str() == field(2)) else {
            let known = listed(passport.labels.names.iter().map(Name::as_str));
            bail!("{}: the label is {:?}, want one of those of {}: {known}", at(), field(2), passport.name);
        };
        let number = |column: usize| -> anyhow::Result<f64> {
            let number = field(column).parse().ok().filter(|number: &f64| number.is_finite());
            number.with_context(|| format!("{}: {} is {:?}, want a number", at(), COLUMNS[column], field(column)))
        };
        let confidence = number(3)?;
        ensure!((0.0..=1.0).contains(&confidence), "{}: confidence is {confidence}, want 0 to 1", at());
        let corners = [number(4)?, number(5)?, number(6)?, number(7)?];
        let outline = Outline::of(&Shape::Upright(corners));
        let outline = outline.with_context(|| {
            let [left, top, right, bottom] = corners;
            format!("{}: the box is {left}, {top}, {right}, {bottom}, want left below right and top below bottom", at())
        })?;
        let label = labels.place(member, label).context("a label was lost")?;
        found[place][seat].push(Found { outline, confidence, label });
    }
    for (seat, (_, passport)) in seats.iter().enumerate() {
        let any = found.iter().any(|found| !found[seat].is_empty());
        ensure!(any, "{shown} has no box of member {} in any labelled picture", passport.name);
    }
    Ok(found)
}
