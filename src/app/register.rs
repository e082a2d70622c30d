//! The register by which a controller changes the line over: read again and again, obeyed when its number changes, and
//! answered in another register.
//!
//! Promises: the answer is the number of the recipe in force, whoever asked for it, and only while everything that it needs is
//! warm; else it is 0. A number that stands for no recipe, or whose recipe is refused, changes nothing, and is not tried again
//! before it has changed. While the controller cannot be reached the recipe stays, which is told; it is tried again with
//! growing pauses, and a number that changed meanwhile is obeyed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::settle::Desk;
use super::shift::{Changer, changeover};
use crate::config::{Changeover, Settings};
use crate::flow::infer::Crews;
use crate::flow::plan::terms::{InForce, Terms};
use crate::flow::retry::{Retry, draw};
use crate::modbus::Server;
use crate::telemetry::Event;

/// Follows one register.
pub(super) struct Register {
    settings: Changeover,
    terms: Arc<Terms>,
    crews: Arc<Crews>,
    desk: Arc<Desk>,
    changer: Changer,
}

/// What has been read and written so far.
#[derive(Debug, Default)]
struct Seen {
    /// The number that was read last.
    number: Option<u16>,
    /// The number that was written last over the connection that stands.
    answered: Option<u16>,
}

impl Seen {
    /// What a number that was read asks for: each time it changes, but for 0, which asks for nothing.
    fn order(&mut self, number: u16) -> Option<u16> {
        (self.number.replace(number) != Some(number) && number != 0).then_some(number)
    }
}

/// What follows the register that the config names, if it names one.
pub(super) fn of(
    settings: &Settings,
    terms: &Arc<Terms>,
    crews: &Arc<Crews>,
    desk: &Arc<Desk>,
    changer: &Changer,
) -> Option<Register> {
    let settings = settings.changeover.clone()?;
    let (terms, crews, desk) = (Arc::clone(terms), Arc::clone(crews), Arc::clone(desk));
    Some(Register { settings, terms, crews, desk, changer: changer.clone() })
}

impl Register {
    /// Follows it until `stop`.
    pub(super) async fn follow(self, stop: CancellationToken) {
        let mut server = Server::new(self.settings.address.clone(), self.settings.unit);
        let (mut seen, mut failures) = (Seen::default(), 0);
        loop {
            let Some(looked) = stop.run_until_cancelled(self.look(&mut server, &mut seen)).await else { return };
            let pause = match looked {
                Ok(()) => {
                    self.found(failures);
                    failures = 0;
                    self.settings.every
                }
                Err(why) => {
                    failures += 1;
                    seen.answered = None;
                    self.lost(why, failures);
                    Retry::default().after(failures, draw())
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Reads the number, does what it asks for, and answers with the one in force.
    async fn look(&self, server: &mut Server, seen: &mut Seen) -> Result<(), String> {
        let Changeover { register, acknowledge, .. } = self.settings;
        let number = server.read_register(register).await?;
        if let Some(order) = seen.order(number) {
            self.obey(order).await;
        }
        let answer = self.in_force();
        if seen.answered != Some(answer) {
            server.write_register(acknowledge, answer).await?;
            seen.answered = Some(answer);
        }
        Ok(())
    }

    /// Changes over to the recipe of a number; what came of it is told where that is decided.
    async fn obey(&self, number: u16) {
        let Changeover { address, register, recipes, .. } = &self.settings;
        if let Some(recipe) = recipes.get(&number) {
            tracing::info!("register {register} of {address} holds {number}: recipe {recipe}");
            let _ = self.changer.change_over(recipe.as_str()).await;
        } else {
            let known: Vec<String> = recipes.iter().map(|(number, recipe)| format!("{number} ({recipe})")).collect();
            let why = format!(
                "register {register} of {address} holds {number}, which stands for no recipe; known are {}",
                known.join(", ")
            );
            changeover::refuse(&self.desk, &self.terms.newest().recipe, &why);
        }
    }

    /// The number of the recipe in force; 0 where it has none, or something that it needs is not warm.
    fn in_force(&self) -> u16 {
        let InForce { plan, recipe, .. } = self.terms.newest();
        let warm = changeover::warm(&recipe, &plan, &self.crews.newest()).is_ok();
        let number = self.settings.recipes.iter().find(|(_, known)| **known == recipe).map(|(number, _)| *number);
        number.filter(|_| warm).unwrap_or(0)
    }

    /// The controller was reached after so many failures.
    fn found(&self, failures: u32) {
        if failures > 0 {
            tracing::info!("{} is reached again", self.settings.address);
            self.desk.health.send_modify(|health| health.standing.recipe_register = None);
        }
    }

    /// The controller was not reached, so many times in a row: told when that begins.
    fn lost(&self, why: String, failures: u32) {
        if failures == 1 {
            let recipe = self.terms.newest().recipe;
            self.desk.telemetry.tell(Event::RecipeRegisterLost, format_args!("{why}; recipe {recipe} stays"));
        }
        self.desk.health.send_modify(|health| health.standing.recipe_register = Some(why));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_obeyed_once_each_time_it_comes_and_0_never(numbers in prop::collection::vec(0_u16..4, 0..40)) {
            let mut seen = Seen::default();
            let orders: Vec<u16> = numbers.iter().filter_map(|number| seen.order(*number)).collect();
            let mut wanted = numbers.clone();
            wanted.dedup();
            wanted.retain(|number| *number != 0);
            prop_assert_eq!(orders, wanted);
        }
    }
}
