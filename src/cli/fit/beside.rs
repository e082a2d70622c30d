//! What members say beside their scores, as a fit wants it: the numbers of a concatenation, and the chance of each label where a
//! route fuses label by label.
//!
//! A classifier gives the chance of each of its labels, a regression its values; everybody else, and whoever sees crops, gives a
//! score and nothing beside.

use crate::flow::plan::{Member, Panel, Plan};
use crate::fusion::calibrator::logit;
use crate::fusion::concatenation::Says;
use crate::learn::class_weights::Classes;
use crate::learn::concatenate::Terms;
use crate::models::passport::{Passport, Task};
use crate::name::Name;
use crate::task::Findings;

use super::scores::voters;

/// What a seat says of one part, beside its score; nothing of findings of another kind.
pub(super) fn beside(member: &Member, findings: Option<&Findings>) -> Vec<f64> {
    match findings.filter(|_| member.crops.is_none()) {
        Some(Findings::Classification { classes }) => classes.iter().map(|class| class.probability).collect(),
        Some(Findings::Regression { values }) => values.iter().map(|quantity| quantity.value).collect(),
        _ => Vec::new(),
    }
}

/// A number of a concatenation, and where it comes from.
struct Number {
    seat: usize,
    says: Says,
    from: From,
}

enum From {
    /// The score of the voter at this place.
    Voter(usize),
    /// This one of the numbers beside.
    Beside(usize),
}

/// The numbers that a concatenation of the panel joins: every label of a classifier with more than two, every value of a
/// regression, of everybody else who votes the chance of any defect. None where each member would give one number only: that is
/// stacking; nor where one member votes and nobody else gives readings: that is no ensemble.
fn numbers(plan: &Plan, panel: &Panel) -> Vec<Number> {
    let mut numbers = Vec::new();
    let several = voters(panel).count() > 1;
    let (mut voter, mut more) = (0, false);
    for (seat, member) in panel.members.iter().enumerate() {
        let passport = &plan.model(member.model).passport;
        let whole = member.crops.is_none();
        let labels = member.votes && whole && passport.task == Task::Classification && passport.labels.names.len() > 2;
        if labels {
            let named = passport.labels.names.iter().cloned().map(Says::Label).enumerate();
            numbers.extend(named.map(|(at, says)| Number { seat, says, from: From::Beside(at) }));
        } else if member.votes {
            numbers.push(Number { seat, says: Says::Defect, from: From::Voter(voter) });
        }
        let values = values(passport).filter(|_| whole).unwrap_or_default().into_iter().map(Says::Value).enumerate();
        let before = numbers.len();
        numbers.extend(values.map(|(at, says)| Number { seat, says, from: From::Beside(at) }));
        more |= several && labels || (several || !member.votes) && numbers.len() > before;
        voter += usize::from(member.votes);
    }
    if more { numbers } else { Vec::new() }
}

fn values(passport: &Passport) -> Option<Vec<Name>> {
    let Task::Regression(task) = &passport.task else { return None };
    Some(task.values.iter().map(|value| value.name.clone()).collect())
}

/// A seat whose numbers a concatenation or a fusion by class wants, and that gave none.
pub(super) fn missing(plan: &Plan, panel: &Panel, said: &[Vec<f64>]) -> Option<usize> {
    let beside = numbers(plan, panel).into_iter().filter(|number| matches!(number.from, From::Beside(_)));
    beside.map(|number| number.seat).find(|&seat| said.get(seat).is_none_or(Vec::is_empty))
}

/// Everything that the members say of the parts: `members` holds the score of each voter, `said` what each seat says beside, both
/// for each part. `None` where that is no more than their scores.
pub(super) fn terms(plan: &Plan, panel: &Panel, members: &[Vec<f64>], said: &[&[Vec<f64>]]) -> Option<Terms> {
    let mut terms = Terms::default();
    for Number { seat, says, from } in numbers(plan, panel) {
        let number = |chance: f64| if matches!(says, Says::Value(_)) { chance } else { logit(chance) };
        let of_parts: Option<Vec<f64>> = match from {
            From::Voter(voter) => Some(members.get(voter)?.iter().map(|score| logit(*score)).collect()),
            From::Beside(at) => said.iter().map(|seats| Some(number(*seats.get(seat)?.get(at)?))).collect(),
        };
        terms.numbers.push(of_parts?);
        terms.says.push((seat, says));
    }
    (!terms.says.is_empty()).then_some(terms)
}

/// The labels that the voters of a panel know, by the names that they share, in the order of the names, and which are defects.
pub(super) fn labels(plan: &Plan, panel: &Panel) -> Vec<(Name, bool)> {
    let of = |(_, member): (usize, &Member)| {
        let labels = &plan.model(member.model).passport.labels;
        let known = labels.names.iter().map(|label| (shared(member, label).clone(), labels.defects.contains(label)));
        known.collect::<Vec<_>>()
    };
    let mut labels: Vec<(Name, bool)> = voters(panel).flat_map(of).collect();
    labels.sort();
    labels.dedup();
    labels
}

/// The name under which a panel knows a label of a member.
fn shared<'m>(member: &'m Member, label: &'m Name) -> &'m Name {
    member.rename.get(label).unwrap_or(label)
}

/// What the members say of each label of the parts: `said` what each seat says beside its score, `truth` the class of each part
/// where that is known. `None` where a voter gives no chances of its labels.
pub(super) fn classes(plan: &Plan, panel: &Panel, said: &[&[Vec<f64>]], truth: &[Option<&Name>]) -> Option<Classes> {
    let (labels, defects): (Vec<Name>, Vec<bool>) = labels(plan, panel).into_iter().unzip();
    let member = |(seat, member): (usize, &Member)| {
        let names = &plan.model(member.model).passport.labels.names;
        let chances = |label: &Name| {
            let Some(at) = names.iter().position(|own| shared(member, own) == label) else { return Some(None) };
            said.iter().map(|seats| seats.get(seat)?.get(at).copied()).collect::<Option<Vec<f64>>>().map(Some)
        };
        labels.iter().map(chances).collect::<Option<Vec<_>>>()
    };
    let said = voters(panel).map(member).collect::<Option<Vec<_>>>()?;
    let place = |class: Option<&Name>| labels.iter().position(|label| Some(label) == class);
    Some(Classes { truth: truth.iter().copied().map(place).collect(), labels, defects, said })
}
