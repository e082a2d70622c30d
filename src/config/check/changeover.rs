//! Checks `[changeover]`: two registers, and recipes that there are, each with a number of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::document::Path;
use super::super::file;
use super::super::findings::{Findings, advice};
use super::super::settings::Changeover;
use super::is_host_and_port;
use crate::name::Name;

/// Checks the table; `None` where there is none, or it has a hole.
pub(super) fn changeover(file: &file::File, findings: &mut Findings<'_>) -> Option<Changeover> {
    let told = file.changeover.as_ref()?;
    let table = Path::of(&["changeover"]);
    let address = told.address.clone();
    if let Some(address) = address.as_ref().filter(|address| !is_host_and_port(address)) {
        let message = format!("`changeover.address` is {address:?}");
        findings.value(&table.then("address"), message, "want `host:port`, such as \"plc:502\"");
    }
    if told.register.is_some() && told.register == told.acknowledge {
        let message = "`changeover.acknowledge` is the register that is read";
        findings.value(&table.then("acknowledge"), message, "want a register of its own");
    }
    let recipes = recipes(file, told, &table, findings);
    let (register, acknowledge) = (told.register?, told.acknowledge?);
    let every = Duration::from_millis(told.every_ms);
    Some(Changeover { address: address?, unit: told.unit, register, acknowledge, every, recipes })
}

/// The recipes by their numbers: both ways one for one, and each one that the line can be changed over to.
fn recipes(
    file: &file::File,
    told: &file::Changeover,
    table: &Path,
    findings: &mut Findings<'_>,
) -> BTreeMap<u16, Name> {
    let conditions = file.routes.iter().flatten().flat_map(|route| &route.when);
    let mut known: BTreeSet<&str> =
        conditions.filter_map(|condition| condition.recipe.as_ref().map(Name::as_str)).collect();
    known.insert(&file.line.recipe);
    let mut recipes: BTreeMap<u16, Name> = BTreeMap::new();
    for (place, entry) in told.recipes.iter().flatten().enumerate() {
        let (Some(number), Some(recipe)) = (entry.number, entry.recipe.as_ref()) else { continue };
        let path = table.then("recipes").then(place);
        if !known.contains(recipe.as_str()) {
            let message = format!(
                "{} is \"{recipe}\", of which no route speaks",
                findings.document().describe(&path.then("recipe"))
            );
            findings
                .value(&path.then("recipe"), message, "want a recipe of a route's `when`, or `line.recipe`")
                .help(advice(recipe.as_str(), known.iter().copied()));
        }
        if let Some((first, _)) = recipes.iter().find(|(_, other)| *other == recipe) {
            let message = format!("recipe {recipe} has the numbers {first} and {number}");
            findings.value(&path.then("number"), message, "want one number for each recipe");
        }
        if let Some(first) = recipes.insert(number, recipe.clone()) {
            let message = format!("number {number} stands for {first} and {recipe}");
            findings.value(&path.then("number"), message, "want one recipe for each number");
        }
    }
    recipes
}
