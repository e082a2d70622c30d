//! Changeover: the line goes on with another recipe, for the parts that are captured from then on.
//!
//! Promises: a recipe is taken, and said to be, only when a route or the config's `[line] recipe` speaks of it and every model
//! that its parts may need is open and warm; else the old one stays, with the reason in the answer, the log, the status and a
//! counter. It is on the disk before it is in force: what was acknowledged is in force after a power cut too. One cut between
//! the two may leave a recipe for the next start that nobody was told of, and the log of that start tells it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Shift;
use crate::app::settle::Desk;
use crate::clock::Monotonic;
use crate::config::Settings;
use crate::flow::infer::Crew;
use crate::flow::plan::Plan;
use crate::flow::plan::terms::InForce;
use crate::name::Name;
use crate::record::recipe::{Beginning, Changeover, Kept, beginning};
use crate::telemetry::Event;

/// How much of a text that names no recipe is shown, in characters.
const SHOWN: usize = 80;

/// The recipe that this start begins with; the log says why, and the status where it is not that of the last changeover.
pub(in crate::app) fn begin(settings: &Settings, plan: &Plan, desk: &Desk) -> Name {
    let configured = &settings.line.recipe;
    let kept = Kept::beside(&settings.journal.path).read();
    let Beginning { recipe, why, lost } =
        beginning(configured, &kept, |recipe| known(plan, configured).contains(recipe));
    if lost {
        desk.telemetry.tell(Event::RecipeRefused, format_args!("recipe {recipe} is in force: {why}"));
        desk.health.send_modify(|health| health.standing.recipe_lost = Some(why));
    } else {
        tracing::info!("recipe {recipe} is in force: {why}");
    }
    recipe
}

/// Tells that the line goes on with `recipe`, and why another one was refused.
pub(in crate::app) fn refuse(desk: &Desk, recipe: &Name, why: &str) {
    desk.telemetry.tell(Event::RecipeRefused, format_args!("the line goes on with {recipe}: {why}"));
    desk.health.send_modify(|health| health.standing.recipe_refused = Some(why.into()));
}

impl Shift {
    /// Changes over to the recipe that `text` names, and says since when and what is warm for it; or why not, in one sentence.
    pub(super) async fn change_over(&self, text: &str) -> Result<String, String> {
        let before = self.terms.newest().recipe;
        let done = self.take_recipe(text).await;
        let desk = &self.desk;
        match &done {
            Ok(told) if self.terms.newest().recipe != before => {
                desk.telemetry.tell(Event::RecipeChanged, format_args!("{told}"));
            }
            Ok(told) => tracing::info!("{told}"),
            Err(why) => refuse(desk, &before, why),
        }
        done
    }

    async fn take_recipe(&self, text: &str) -> Result<String, String> {
        let InForce { plan, recipe: before, .. } = self.terms.newest();
        let configured = &self.settings.line.recipe;
        let recipe = named(text, &plan, configured)?;
        let warm = warm(&recipe, &plan, &self.crews.newest())?;
        let changeover = Changeover { recipe: recipe.clone(), configured: configured.clone(), at: Timestamp::now() };
        let kept = Kept::beside(&self.settings.journal.path);
        let kept = tokio::task::spawn_blocking(move || kept.write(&changeover)).await;
        kept.map_err(|error| format!("keeping the recipe broke off: {error}"))??;
        let told = if recipe == before {
            format!("parts are made by recipe {recipe} already; {warm}")
        } else {
            self.terms.change_over(Monotonic::now(), &recipe);
            format!("parts captured from now on are made by recipe {recipe}, those before by {before}; {warm}")
        };
        self.birth.send_if_modified(|birth| std::mem::replace(&mut birth.recipe, recipe.clone()) != recipe);
        self.desk.health.send_modify(|health| {
            (health.standing.recipe_refused, health.standing.recipe_lost) = (None, None);
        });
        Ok(told)
    }
}

/// The recipes that the line can be changed over to: those that routes speak of, and the way back to that of the config.
fn known<'p>(plan: &'p Plan, configured: &'p Name) -> BTreeSet<&'p Name> {
    let mut known = plan.recipes();
    known.insert(configured);
    known
}

/// The recipe that a text names, or why it names none.
pub(super) fn named(text: &str, plan: &Plan, configured: &Name) -> Result<Name, String> {
    let known = known(plan, configured);
    let found = known.iter().find(|recipe| recipe.as_str() == text.trim());
    found.copied().cloned().ok_or_else(|| {
        let seen: String = text.chars().take(SHOWN).collect();
        let known: Vec<&str> = known.iter().map(|recipe| recipe.as_str()).collect();
        format!("no route speaks of recipe {seen:?}; known are {}", known.join(", "))
    })
}

/// Says that every model that parts of `recipe` may need is warm, or which is not.
pub(in crate::app) fn warm(recipe: &Name, plan: &Plan, crew: &Crew) -> Result<String, String> {
    let needed = plan.models_for(recipe);
    let cold: Vec<String> = crew
        .stopped()
        .filter(|(model, _)| needed.contains(model))
        .map(|(model, why)| format!("model {model}, which recipe {recipe} needs, is stopped: {why}"))
        .collect();
    if !cold.is_empty() {
        return Err(cold.join("; "));
    }
    let models: Vec<&str> = needed.iter().map(|model| model.as_str()).collect();
    Ok(if models.is_empty() { "it needs no model".into() } else { format!("warm for it: {}", models.join(", ")) })
}
