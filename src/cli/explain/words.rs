//! An account in sentences.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::account::Account;
use crate::config::{Condition, Statistic, Test, Thresholds};
use crate::explain::flips::{Flip, Reach};
use crate::explain::joining::Scale;
use crate::flow::plan::{Plan, Route, Station};
use crate::flow::publish::message::VerdictMessage;
use crate::flow::verdict::Reason;
use crate::name::Name;
use crate::task::classes;
use crate::value::Value;

/// A number in a sentence: four digits tell what can be told.
pub(super) fn number(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-3 || (1.0 - number).abs() < 1e-3 && number < 1.0 {
        format!("{number:.6}")
    } else {
        format!("{number:.4}")
    }
}

/// A reason of a verdict in one sentence.
pub(super) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::ScoreAtOrAbove { score, reject_from } => {
            format!(
                "the fused score {} is at least {}, from which on parts are rejected",
                number(*score),
                number(*reject_from)
            )
        }
        Reason::ScoreBelow { score, pass_below } => {
            format!("the fused score {} is below {}, below which parts pass", number(*score), number(*pass_below))
        }
        Reason::ScoreBetween { score, pass_below, reject_from } => format!(
            "the fused score {} lies between {}, below which parts pass, and {}, from which on they are rejected",
            number(*score),
            number(*pass_below),
            number(*reject_from)
        ),
        Reason::NotOnThisRung { rung } => {
            let rung = rung.as_ref().map_or("the rung in force", Name::as_str);
            format!("nobody judges parts of this route on {rung}, and the board cannot afford more")
        }
        Reason::Unrouted => "no route matches the part".into(),
        Reason::GateUnsure { why } => format!("a gate could not decide: {why}"),
        Reason::GateFailed { why } => format!("a gate failed: {why}"),
        Reason::ReadFailed { why } => format!("a text could not be read: {why}"),
        Reason::RequiredMemberFailed { model, why } => format!("model {model}, which must answer, did not: {why}"),
        Reason::FusionFailed { why } => format!("the votes could not be joined: {why}"),
        Reason::NoVotes => "no member gave a score".into(),
        Reason::Interrupted => "the daemon was cut off between the trigger and the verdict".into(),
    }
}

/// The routes a part took and what led there, one sentence each.
pub(super) fn route(message: &VerdictMessage, plan: &Plan, same_plan: bool) -> Vec<String> {
    let mut told = Vec::new();
    let mut gate: Option<String> = None;
    for name in &message.route {
        let known = plan.routes().find(|(_, route)| route.name == *name).map(|(_, route)| route).filter(|_| same_plan);
        let Some(known) = known else {
            told.push(format!("route {name}: the config is another today, so what led there is not told"));
            continue;
        };
        told.push(match gate.take() {
            Some(said) => format!("route {name}: {said}"),
            None => format!("route {name}: {}", led(known, message)),
        });
        if let Station::Gate(asked) = &known.station {
            let model = &plan.model(asked.model).passport.name;
            let answer = message.gates.iter().find(|answer| answer.model == *model);
            let classes = answer.and_then(|answer| answer.findings.as_ref()).map(classes).unwrap_or_default();
            let surest = classes.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best });
            let from = number(asked.sure_from);
            gate = surest.map(|(label, sure)| {
                format!("gate {model} says {label} with {}, it decides from {from}", number(sure))
            });
        }
    }
    told
}

/// Which conditions led to a route.
fn led(route: &Route, message: &VerdictMessage) -> String {
    if route.when.is_empty() {
        return "it takes every part".into();
    }
    let conditions: Vec<String> = route.when.iter().map(|condition| self::condition(condition, message)).collect();
    conditions.join(", and ")
}

fn condition(condition: &Condition, message: &VerdictMessage) -> String {
    match condition {
        Condition::Camera(camera) => format!("there is a frame of camera {camera}"),
        Condition::Recipe(recipe) => format!("the recipe is {recipe}"),
        Condition::Sensor { sensor, key, test } => {
            let asked = |name: &&Name| sensor.as_ref().is_none_or(|sensor| sensor == *name);
            let values =
                message.readings.iter().filter(|(name, _)| asked(name)).filter_map(|(_, values)| values.get(key));
            let seen: Vec<String> = values.map(Value::to_string).collect();
            let sensor = sensor.as_ref().map_or_else(|| "any sensor".to_owned(), |sensor| format!("sensor {sensor}"));
            let seen = if seen.is_empty() { "there was none".into() } else { format!("it was {}", seen.join(", ")) };
            format!("{key} of {sensor} is {} ({seen})", self::test(test))
        }
        Condition::Image { statistic, camera, test } => {
            let what = match statistic {
                Statistic::Brightness => "brightness",
                Statistic::Sharpness => "sharpness",
            };
            let camera =
                camera.as_ref().map_or_else(|| "the first camera".to_owned(), |camera| format!("camera {camera}"));
            format!("{what} of the frame of {camera} is {}", self::test(test))
        }
    }
}

fn test(test: &Test) -> String {
    match test {
        Test::Equals(value) => value.to_string(),
        Test::NotEquals(value) => format!("not {value}"),
        Test::OneOf(values) => format!("one of {}", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
        Test::AtLeast(bound) => format!("at least {bound}"),
        Test::AtMost(bound) => format!("at most {bound}"),
        Test::Above(bound) => format!("above {bound}"),
        Test::Below(bound) => format!("below {bound}"),
        Test::Present(true) => "told".into(),
        Test::Present(false) => "not told".into(),
    }
}

/// Who a vote is of: the model, and what it saw.
pub(super) fn voter(account: &Account, place: usize) -> String {
    let Some(member) = account.members.get(place) else { return String::new() };
    let model = &member.model;
    let twice = account.members.iter().filter(|other| other.model == *model).count() > 1;
    match (&member.camera, member.crop) {
        (Some(camera), Some([left, top, right, bottom])) => {
            format!("{model} ({camera}, {left:.0} {top:.0} {right:.0} {bottom:.0})")
        }
        (Some(camera), None) if twice => format!("{model} ({camera})"),
        _ => model.to_string(),
    }
}

/// One line for each thing that is not in the table.
pub(super) fn lines(account: &Account) -> Vec<String> {
    let mut lines: Vec<String> = account.reasons.iter().map(|why| format!("why: {why}")).collect();
    lines.extend(account.route.iter().map(|route| format!("routed: {route}")));
    if let Some(joined) = &account.joined {
        let parts = match joined.contributions.as_ref().map(|told| (told.scale, told.base)) {
            Some((Scale::Score, base)) => format!("what the members add to {} is the score", number(base)),
            Some((Scale::LogOdds, base)) => {
                format!("what the members add to the intercept {} are the log-odds of the score", number(base))
            }
            None => {
                let deciding: Vec<String> = joined.deciding.iter().map(|&place| voter(account, place)).collect();
                format!("{} decided, the others have no part in the score", deciding.join(" and "))
            }
        };
        lines.push(format!("joined: {}; {parts}", joined.by));
    }
    lines.extend(account.flips.iter().map(|flip| format!("else: {}", self::flip(account, flip))));
    lines.extend(account.notes.iter().map(|note| format!("note: {note}")));
    lines
}

fn reach(Reach { side, of }: Reach) -> String {
    format!("{} {}", side.as_str(), number(of))
}

/// What would have led to another verdict, in one sentence.
fn flip(account: &Account, flip: &Flip) -> String {
    let threshold = match account.thresholds {
        Some(Thresholds { reject_from, pass_below }) if reject_from > pass_below && flip.score.of <= pass_below => {
            "pass_below"
        }
        Some(Thresholds { reject_from, pass_below }) if reject_from > pass_below => "reject_from",
        _ => "both thresholds",
    };
    let mut told = format!(
        "{} with a fused score {} (a change of {}), or with {threshold} {}",
        flip.becomes.as_str(),
        reach(flip.score),
        number(flip.change),
        reach(flip.threshold)
    );
    let votes = account.joined.as_ref().map(|joined| joined.votes.as_slice()).unwrap_or_default();
    let mut alone: Vec<(usize, Reach)> =
        flip.members.iter().enumerate().filter_map(|(place, reach)| Some((place, (*reach)?))).collect();
    // The one that would have had to move least comes first.
    alone.sort_by_key(|(place, _)| flip.nearest != Some(*place));
    for (place, to) in &alone {
        let who = votes.get(*place).map(|&vote| voter(account, vote)).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = write!(told, "; {who} alone: {}", reach(*to));
    }
    if alone.is_empty() && !flip.members.is_empty() {
        told.push_str("; no member alone could have done it");
    }
    told
}

/// What one vote added, or that it decided; empty for one that had no part.
pub(super) fn added(account: &Account, place: usize) -> String {
    let Some(joined) = &account.joined else { return String::new() };
    let Some(at) = joined.votes.iter().position(|&vote| vote == place) else { return String::new() };
    match &joined.contributions {
        Some(told) => told.each.get(at).map(|adds| format!("{adds:+.4}")).unwrap_or_default(),
        None if joined.deciding.contains(&place) => "decided".into(),
        None => String::new(),
    }
}

/// What was found when the model was asked again, or why nothing was.
pub(super) fn looked(account: &Account, place: usize) -> String {
    let Some(member) = account.members.get(place) else { return String::new() };
    match (&member.looked, &member.unseen) {
        (Some(looked), _) => looked.words(),
        (None, Some(why)) => why.clone(),
        (None, None) => String::new(),
    }
}

/// The heading: which verdict this is.
pub(super) fn heading(account: &Account) -> String {
    let Account { seq, part, run, verdict, .. } = account;
    let score = account.score.map_or_else(|| "no score".to_owned(), |score| format!("score {}", number(score)));
    format!("verdict {seq}, part {part} of run {run}: {}, {score}", verdict.as_str())
}

/// The whole account for a terminal.
pub(super) fn text(account: &Account) -> String {
    let mut text = heading(account);
    for line in lines(account) {
        let _ = write!(text, "\n{line}");
    }
    if !account.members.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["member", "score", "weight", "adds"]);
        for (place, member) in account.members.iter().enumerate() {
            let score = member.score.map_or_else(|| "-".to_owned(), number);
            table.add_row([voter(account, place), score, format!("{:.4}", member.weight), added(account, place)]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let _ = write!(text, "\n{table}");
    }
    for place in 0..account.members.len() {
        let _ = write!(text, "\n{}: {}", voter(account, place), looked(account, place));
    }
    for refusal in &account.refusals {
        let _ = write!(text, "\nnot as it was: {refusal}");
    }
    if let Some(page) = &account.page {
        let _ = write!(text, "\npage: {}", page.display());
    }
    text
}
