//! The ladder of this line on this board: what each rung costs and is worth, by what was told and by the measured prices.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};

use crate::board::Board;
use crate::config::{LadderRung, Settings};
use crate::flow::infer::Crew;
use crate::flow::plan::{Panel, Plan};
use crate::govern::ladder::{Basis, Ladder, Power, Rung, Service};
use crate::models::passport::Model;
use crate::models::price::{self, Estimate, Price};

/// Watt above idling that working is assumed to draw, where neither the config nor a price tells.
const ASSUMED_WATTS: f64 = 6.0;

/// The ladder; `None` where the config has none.
///
/// A rung's time is that of the route that takes longest on it, the sum over its members. Its accuracy is the mean over the
/// routes of what the surest member of each is worth, and nothing for a route that nobody judges there.
///
/// # Errors
/// A model without a price on this board, where the config does not tell the figure that it lacks; rungs that do not go from
/// heavy to light.
pub(super) fn ladder(settings: &Settings, plan: &Plan, crew: &Crew) -> anyhow::Result<Option<Ladder>> {
    if settings.ladder.is_empty() {
        return Ok(None);
    }
    let state = settings.journal.path.parent().unwrap_or(Path::new("."));
    let board = Board::read(&settings.governor.board_root)?;
    let prices = Prices { state, board: &board, crew };
    let rungs = settings.ladder.iter().enumerate().map(|(place, told)| {
        let panels = panels(plan, place);
        rung(told, &panels, plan, &prices).with_context(|| format!("[[ladder]] rung {}", told.name))
    });
    Ok(Some(Ladder::new(rungs.collect::<anyhow::Result<_>>()?)?))
}

/// The panel of each route that ends at one; `None` where nobody judges on that rung.
fn panels(plan: &Plan, rung: usize) -> Vec<Option<&Panel>> {
    let judging = plan.routes().filter(|(route, _)| plan.panel(*route, 0).is_some());
    judging.map(|(route, _)| plan.panel(route, rung)).collect()
}

fn rung(told: &LadderRung, panels: &[Option<&Panel>], plan: &Plan, prices: &Prices<'_>) -> anyhow::Result<Rung> {
    if panels.iter().all(Option::is_none) {
        return Ok(Rung::skip(told.name.clone(), true));
    }
    let service = match told.part_seconds {
        Some(seconds) => Service { mean_seconds: seconds, p99_seconds: seconds },
        None => prices.service(panels, plan).context("its `part_ms` is not told")?,
    };
    let accuracy = match told.accuracy {
        Some(value) => Estimate { value, low: value, high: value },
        None => prices.accuracy(panels, plan).context("its `accuracy` is not told")?,
    };
    let power = match told.watts {
        Some(watts) => Power { watts, basis: Basis::Measured },
        None => prices.power(panels, plan),
    };
    Ok(Rung { name: told.name.clone(), service, power, accuracy, allowed: true })
}

/// The prices that were measured on a board.
struct Prices<'p> {
    state: &'p Path,
    board: &'p Board,
    crew: &'p Crew,
}

impl Prices<'_> {
    fn of(&self, model: &Arc<Model>) -> anyhow::Result<Price> {
        let passport = &model.passport;
        let placement = self.crew.placements().find(|(name, _)| **name == passport.name);
        let (_, placement) = placement.ok_or_else(|| anyhow!("model {} does not run", passport.name))?;
        let provider = if placement.backend == "tract" { "tract" } else { &placement.provider };
        let path = price::path(self.state, &passport.file.sha256, &self.board.name, provider);
        if !path.is_file() {
            let (name, board) = (&passport.name, &self.board.told);
            bail!(
                "model {name} has no price on {board} with {provider}: measure it with `kenpin models price`, which writes {}",
                path.display()
            );
        }
        Ok(Price::read(&path)?)
    }

    fn members(&self, panel: &Panel, plan: &Plan) -> anyhow::Result<Vec<Price>> {
        panel.members.iter().map(|member| self.of(plan.model(member.model))).collect()
    }

    /// The seconds of the route that takes longest.
    fn service(&self, panels: &[Option<&Panel>], plan: &Plan) -> anyhow::Result<Service> {
        let mut longest = Service { mean_seconds: 0.0, p99_seconds: 0.0 };
        for panel in panels.iter().flatten() {
            let prices = self.members(panel, plan)?;
            let mean: f64 = prices.iter().map(|price| price.cost.wall_ms / 1e3).sum();
            let late: f64 = prices.iter().map(|price| price.cost.run_ms_p99.max(price.cost.wall_ms) / 1e3).sum();
            longest.mean_seconds = longest.mean_seconds.max(mean);
            longest.p99_seconds = longest.p99_seconds.max(late);
        }
        Ok(longest)
    }

    /// The mean over the routes of what the surest member is worth.
    #[expect(clippy::cast_precision_loss, reason = "a count of routes")]
    fn accuracy(&self, panels: &[Option<&Panel>], plan: &Plan) -> anyhow::Result<Estimate> {
        let mut sum = Estimate { value: 0.0, low: 0.0, high: 0.0 };
        for panel in panels.iter().flatten() {
            let worths = self.members(panel, plan)?.into_iter().filter_map(|price| price.worth);
            let surest = worths.map(|worth| worth.accuracy).max_by(|a, b| a.value.total_cmp(&b.value));
            let surest = surest.context("none of its models has a price with a worth")?;
            sum = Estimate { value: sum.value + surest.value, low: sum.low + surest.low, high: sum.high + surest.high };
        }
        let routes = panels.len() as f64;
        Ok(Estimate { value: sum.value / routes, low: sum.low / routes, high: sum.high / routes })
    }

    /// The most that any of its models draws above idling; an assumption where one of them was measured without a monitor.
    fn power(&self, panels: &[Option<&Panel>], plan: &Plan) -> Power {
        let models = panels.iter().flatten().flat_map(|panel| &panel.members).map(|member| plan.model(member.model));
        let watts = models.map(|model| {
            let energy = self.of(model).ok()?.cost.energy?;
            Some((energy.running_mw - energy.idle_mw) / 1e3)
        });
        match watts.collect::<Option<Vec<f64>>>() {
            Some(watts) => Power { watts: watts.into_iter().fold(0.0, f64::max), basis: Basis::Measured },
            None => Power { watts: ASSUMED_WATTS, basis: Basis::Assumed },
        }
    }
}
