//! Checks the members of a route: what each is shown, when it is asked, how its vote counts.

use std::time::Duration;

use super::super::super::document::Path;
use super::super::super::file;
use super::super::super::findings::{Findings, listed};
use super::super::super::settings::{Crops, Member, Panel, Thresholds, UnlessSure};
use super::looks;
use crate::fusion::boxes::BoxFusion;
use crate::fusion::{Fusion, Over, Rule};
use crate::name::Name;

/// What is told beside the members of a route, or of a rung of it.
pub(in super::super) struct Told<'t> {
    fusion: &'t file::Fusion,
    reject_from: f64,
    pass_below: Option<f64>,
    deadline_ms: Option<u64>,
}

impl<'t> Told<'t> {
    /// What a route tells.
    pub(in super::super) const fn of_route(told: &'t file::Route) -> Self {
        let file::Route { fusion, reject_from, pass_below, deadline_ms, .. } = told;
        Self { fusion, reject_from: *reject_from, pass_below: *pass_below, deadline_ms: *deadline_ms }
    }

    /// What a rung of a route tells.
    pub(in super::super) const fn of_rung(told: &'t file::Rung) -> Self {
        let file::Rung { fusion, reject_from, pass_below, deadline_ms, .. } = told;
        Self { fusion, reject_from: *reject_from, pass_below: *pass_below, deadline_ms: *deadline_ms }
    }
}

/// Checks the members of a route, or of a rung of it, and how their votes become one.
pub(in super::super) fn panel(
    told: &Told<'_>,
    members: &[file::Member],
    table: &Path,
    file: &file::File,
    findings: &mut Findings<'_>,
) -> Option<Panel> {
    let rule = table.then("fusion").then("rule");
    let weighted = told.fusion.rule == Rule::WeightedMean || findings.is_condemned(&rule);
    let mut seats = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let path = table.then("members").then(index);
        looks(member.model.as_ref(), member.camera.as_ref(), &path, file, findings);
        unused(member, weighted, &path, findings);
        others(member, index, members, &path, findings);
        seats.push(seat(member));
    }
    if members.iter().all(|member| !member.votes) {
        let path = table.then("members");
        let message = format!("{} has nobody who votes", findings.document().describe(&path));
        findings.value(&path, message, "want at least one member without `votes = false`");
    }
    Some(Panel {
        members: seats.into_iter().collect::<Option<Vec<_>>>()?,
        fusion: Fusion { rule: told.fusion.rule, over: told.fusion.over, boxes: boxes(told, table, findings) },
        thresholds: thresholds(told, table, findings),
        deadline: told.deadline_ms.map(Duration::from_millis),
    })
}

/// The fusion of boxes belongs to `over = "boxes"`, and that to it.
fn boxes(told: &Told<'_>, table: &Path, findings: &mut Findings<'_>) -> Option<BoxFusion> {
    let path = table.then("fusion").then("boxes");
    match (told.fusion.over, told.fusion.boxes) {
        (Over::Boxes, None) if !findings.is_condemned(&path) => {
            findings
                .missing(&path, ", which `over = \"boxes\"` needs")
                .help("for example `boxes = { method = \"weighted-boxes\", iou_above = 0.55 }`");
            None
        }
        (Over::Boxes, boxes) => {
            for finding in boxes.iter().flat_map(BoxFusion::check) {
                findings.value(&path, format!("{}: {finding}", findings.document().describe(&path)), "");
            }
            boxes
        }
        (_, Some(_)) => {
            let message = format!("{} is given, but no boxes are fused", findings.document().describe(&path));
            findings.key(&path, message, "belongs to `over = \"boxes\"`");
            None
        }
        (_, None) => None,
    }
}

fn thresholds(told: &Told<'_>, table: &Path, findings: &mut Findings<'_>) -> Thresholds {
    let pass_below = told.pass_below.unwrap_or(told.reject_from);
    if pass_below > told.reject_from && !findings.is_condemned(&table.then("reject_from")) {
        let path = table.then("pass_below");
        let message = format!("{} is {pass_below}", findings.document().describe(&path));
        findings
            .value(&path, message, format!("want at most `reject_from`, which is {}", told.reject_from))
            .help("a score between the two is undecided; with this order it would both pass and reject");
    }
    Thresholds { reject_from: told.reject_from, pass_below }
}

/// Tells keys that have no use on this seat.
fn unused(member: &file::Member, weighted: bool, path: &Path, findings: &mut Findings<'_>) {
    #[expect(clippy::float_cmp, reason = "the defaults are exactly one")]
    let (heavier, dearer) = (member.weight != 1.0, member.value != 1.0);
    if heavier && !(weighted && member.votes) {
        let weight = path.then("weight");
        let seen = findings.document().describe(&weight);
        let message = format!("{seen} is {}, but no weights are used here", member.weight);
        findings.value(&weight, message, "belongs to `fusion = { rule = \"weighted-mean\" }` and a member that votes");
    }
    if dearer && member.required {
        let value = path.then("value");
        let message =
            format!("{} is {}, but the member is required", findings.document().describe(&value), member.value);
        findings.value(&value, message, "belongs to `required = false`: only optional members are dropped");
    }
}

/// Checks that the members this one rests on sit on the same panel, once, and are not this one.
fn others(member: &file::Member, own: usize, members: &[file::Member], path: &Path, findings: &mut Findings<'_>) {
    let crops = member.crops.as_ref().and_then(|crops| Some(("crops", crops.of.as_ref()?)));
    let sure = member.unless_sure.as_ref().and_then(|sure| Some(("unless_sure", sure.of.as_ref()?)));
    for (key, of) in crops.into_iter().chain(sure) {
        let path = path.then(key).then("of");
        let seats: Vec<usize> = (0..members.len()).filter(|&at| members[at].model.as_ref() == Some(of)).collect();
        let wanted = match seats.as_slice() {
            [seat] if *seat == own => "want another member",
            [_] => continue,
            [] => "want the model of another member of this route",
            _ => "want a model that sits on this route once",
        };
        let known = members.iter().filter_map(|member| member.model.as_ref().map(Name::as_str));
        let message = format!("{} is \"{of}\"", findings.document().describe(&path));
        findings.value(&path, message, wanted).help(format!("the members are {}", listed(known)));
    }
    if let Some(sure) = member.unless_sure.as_ref().filter(|sure| sure.pass_below > sure.reject_from) {
        let path = path.then("unless_sure").then("pass_below");
        let message = format!("{} is {}", findings.document().describe(&path), sure.pass_below);
        findings.value(&path, message, format!("want at most `reject_from`, which is {}", sure.reject_from));
    }
}

fn seat(told: &file::Member) -> Option<Member> {
    let crops = match &told.crops {
        Some(crops) => Some(Crops {
            of: crops.of.clone()?,
            labels: crops.labels.clone(),
            margin: crops.margin,
            most: crops.most,
            when_none: crops.when_none,
        }),
        None => None,
    };
    let unless_sure = match &told.unless_sure {
        Some(sure) => {
            Some(UnlessSure { of: sure.of.clone()?, pass_below: sure.pass_below, reject_from: sure.reject_from })
        }
        None => None,
    };
    Some(Member {
        model: told.model.clone()?,
        camera: told.camera.clone(),
        weight: told.weight,
        calibration: told.calibration,
        rename: told.rename.clone(),
        votes: told.votes,
        required: told.required,
        value: told.value,
        crops,
        unless_sure,
    })
}
