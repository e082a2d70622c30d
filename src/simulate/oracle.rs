//! The oracle: it knows the drawn figures of the board, the hall, the line and every part that will arrive. It minimises
//! missed parts, then seconds above the trip, then maximises accuracy.
//!
//! # How, and how near to the best
//!
//! What a watt now costs in accuracy later is found by dynamic programming backwards over the shift, in blocks of [`BLOCK`]
//! seconds, over a grid of the two slow temperatures (heat sink, housing); the chip follows within seconds and is taken at
//! rest. In a block any mix of rungs may run: their mean power may not bring the chip above its limit, so the bound is never
//! met by chance of the grid. Then the shift is played forward second by second on the board itself: among the rungs that
//! miss no part and keep the chip below its limit in the coming second, all three masses computed, the one with the best
//! accuracy less the price of its heat runs.
//!
//! The penalty of a cautious plan reaches a cell of the grid too far. So a bold plan is played first; only where that misses a
//! part or gets above the trip, a cautious one and the lightest rung alone are played too, and the best of the three counts.
//!
//! It is not exact: the price is interpolated on the grid, and it is shaded by a fifth, because while the limit is held two
//! rungs are worth exactly the same and an error of the grid would choose the lighter one. Tests hold that no other policy is
//! better than it by more than 0.0005 of accuracy.
//!
//! Source: R. Bellman, *Dynamic Programming* (1957); the price of a state is the costate of L. Pontryagin's principle.

use super::plant::{Around, Heat, Plant, flows, idle, sink_resistance};
use super::policy::Seen;
use super::scenario::{DEADLINE, Scenario};
use crate::govern::ladder::{Ladder, Rung};

/// Seconds of a block.
pub const BLOCK: u32 = 60;

/// Grid points of the heat sink and of the housing.
const SINKS: usize = 20;
const HOUSINGS: usize = 10;

/// Of the price of heat, what counts.
const SHADE: f64 = 0.8;

/// Right parts that a kelvin beyond the grid costs a cautious plan: more than a block can give.
const PENALTY: f64 = 1e4;

/// The plan of a shift.
#[derive(Debug)]
pub struct Oracle<'l> {
    ladder: &'l Ladder,
    scenario: &'l Scenario,
    plant: Plant,
    /// The chip's limit: what its sensor does not yet tell as the trip.
    limit: f64,
    grid: Grid,
    /// Right parts that a kelvin beyond the grid costs.
    penalty: f64,
    /// For each block the parts that can still be judged right, over the grid; one block more, of nothing.
    values: Vec<Values>,
}

type Values = [[f64; HOUSINGS]; SINKS];

/// Where the grid begins and how wide its cells are.
#[derive(Debug, Clone, Copy)]
struct Grid {
    sink: (f64, f64),
    housing: (f64, f64),
}

/// A choice in a block.
#[derive(Debug, Clone, Copy)]
struct Choice {
    watts: f64,
    accuracy: f64,
}

impl<'l> Oracle<'l> {
    /// Plans a shift of some seconds on this board. A cautious plan pays for every kelvin by which not even the lightest rung
    /// would keep the chip below its limit; a bold one trusts that this does not happen.
    #[must_use]
    pub fn new(ladder: &'l Ladder, plant: &Plant, scenario: &'l Scenario, seconds: u32, cautious: bool) -> Self {
        let throttle = &plant.board().throttle;
        let limit = throttle.trip_celsius - plant.board().sensors.celsius_step / 2.0 - 0.02;
        // Above this heat sink not even the lightest rung keeps the chip below its limit: the grid ends there.
        let light = ladder.rung(ladder.lightest_judging());
        let light = plant.board().power.factor * light.power.watts * light.busy(scenario.rate(1.0), 1.0);
        let top = limit - plant.board().heat.chip_to_sink_kelvin_per_watt * (idle(plant.board(), limit) + light);
        let coldest =
            [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| scenario.around(share).celsius).into_iter().fold(top, f64::min);
        let from = coldest.min(plant.heat().sink) - 1.0;
        let cell = |points: usize| (top - from) / f64::from(u32::try_from(points - 1).unwrap_or(1));
        let grid = Grid { sink: (from, cell(SINKS)), housing: (from, cell(HOUSINGS)) };
        let blocks = seconds.div_ceil(BLOCK);
        let mut oracle = Self {
            ladder,
            scenario,
            plant: plant.clone(),
            limit,
            grid,
            penalty: if cautious { PENALTY } else { 0.0 },
            values: vec![[[0.0; HOUSINGS]; SINKS]],
        };
        for block in (0..blocks).rev() {
            let share = (f64::from(block) + 0.5) * f64::from(BLOCK) / f64::from(seconds.max(1));
            let values = oracle.block(share);
            oracle.values.push(values);
        }
        oracle.values.reverse();
        oracle
    }

    /// What runs in this second.
    #[must_use]
    pub fn rung(&self, seen: Seen<'_>) -> usize {
        if !seen.plant.on() {
            return self.ladder.lightest();
        }
        let (heat, mut best) = (seen.plant.heat(), None::<(f64, usize)>);
        let block = (seen.second / BLOCK) as usize + 1;
        let price = self.values.get(block).or(self.values.last()).map_or(0.0, |values| self.grid.price(values, heat));
        let price = SHADE * price / seen.plant.board().heat.sink_joules_per_kelvin;
        let around = self.scenario.around(seen.share);
        for (place, rung) in self.ladder.allowed() {
            let Some(busy) = serves(rung, &seen) else { continue };
            let watts = seen.plant.watts(rung.power.watts, busy, seen.plant.clock());
            let worth = rung.accuracy.value * seen.arrivals - price * watts;
            let better = best.is_none_or(|(most, _)| worth > most);
            if better && next_chip(seen.plant, watts, around) <= self.limit {
                best = Some((worth, place));
            }
        }
        best.map_or(self.ladder.lightest_judging(), |(_, place)| place)
    }

    /// The values of a block, from those of the block after it.
    fn block(&self, share: f64) -> Values {
        let (around, rate) = (self.scenario.around(share), self.scenario.rate(share));
        let choices = self.choices(rate);
        let after = self.values.last().copied().unwrap_or([[0.0; HOUSINGS]; SINKS]);
        let mut values = [[0.0; HOUSINGS]; SINKS];
        let mut sink = self.grid.sink.0;
        for row in &mut values {
            let mut housing = self.grid.housing.0;
            for value in row {
                *value = self.value(&choices, rate, around, (sink, housing), &after);
                housing += self.grid.housing.1;
            }
            sink += self.grid.sink.1;
        }
        values
    }

    /// The best that can be made of one block from two temperatures on.
    fn value(&self, choices: &[Choice], rate: f64, around: Around, (sink, housing): (f64, f64), after: &Values) -> f64 {
        let board = self.plant.board();
        let resting = idle(board, sink + board.heat.chip_to_sink_kelvin_per_watt * board.power.idle_watts);
        // What keeps the chip at its limit, above idle.
        let most = (self.limit - sink) / board.heat.chip_to_sink_kelvin_per_watt - resting;
        let worth = |choice: Choice| {
            let (sink, housing) = self.pass(sink, housing, resting + choice.watts, around);
            let beyond = (sink - self.grid.sink_top()).max(0.0);
            rate * choice.accuracy * f64::from(BLOCK) + self.grid.at(after, sink, housing).0 - self.penalty * beyond
        };
        let lightest = choices.last().copied().unwrap_or(Choice { watts: 0.0, accuracy: 0.0 });
        let cool = choices.iter().copied().filter(|choice| choice.watts <= most).chain(mixed(choices, most));
        let best = cool.map(worth).fold(f64::NEG_INFINITY, f64::max);
        if best.is_finite() { best } else { worth(lightest) }
    }

    /// The allowed rungs that keep pace, as choices, the heaviest first; the lightest that judges where none does.
    fn choices(&self, rate: f64) -> Vec<Choice> {
        let factor = self.plant.board().power.factor;
        let choice = |rung: &Rung| Choice {
            watts: factor * rung.power.watts * rung.busy(rate, 1.0),
            accuracy: rung.accuracy.value,
        };
        let keeps = |rung: &Rung| rate * rung.service.mean_seconds <= 1.0 && rung.service.p99_seconds < DEADLINE;
        let kept: Vec<Choice> =
            self.ladder.allowed().filter(|(_, rung)| keeps(rung)).map(|(_, rung)| choice(rung)).collect();
        if kept.is_empty() { vec![choice(self.ladder.rung(self.ladder.lightest_judging()))] } else { kept }
    }

    /// The two slow temperatures after a block at this power: each relaxes exponentially towards where the other one lets it.
    fn pass(&self, sink: f64, housing: f64, watts: f64, around: Around) -> (f64, f64) {
        let (board, span) = (self.plant.board(), f64::from(BLOCK));
        let heat = &board.heat;
        let resistance = sink_resistance(board, sink + heat.chip_to_sink_kelvin_per_watt * watts, around.fan);
        let end = housing + resistance * watts;
        let fade = (-span / (resistance * heat.sink_joules_per_kelvin)).exp();
        let later = end + (sink - end) * fade;
        // What left the sink: what came in less what it stored.
        let flow = watts - heat.sink_joules_per_kelvin * (later - sink) / span;
        let wall = heat.housing_to_hall_kelvin_per_watt * around.filter;
        let end = around.celsius + wall * flow;
        let fade = (-span / (wall * heat.housing_joules_per_kelvin)).exp();
        (later, end + (housing - end) * fade)
    }
}

/// The share of the coming second that a rung works to serve all that waits and arrives; `None` where it cannot within the
/// second and the deadline.
fn serves(rung: &Rung, seen: &Seen<'_>) -> Option<f64> {
    let clock = seen.plant.clock();
    let busy = (seen.load.queued + seen.arrivals) * rung.service.mean_seconds / clock;
    (busy <= 1.0 && rung.service.p99_seconds / clock <= DEADLINE).then_some(busy)
}

/// The chip after the coming second at this power.
fn next_chip(plant: &Plant, watts: f64, around: Around) -> f64 {
    let mut heat = plant.heat();
    for _ in 0..4 {
        let (chip, sink, housing) = flows(plant.board(), heat, watts, around);
        heat =
            Heat { chip: heat.chip + chip / 4.0, sink: heat.sink + sink / 4.0, housing: heat.housing + housing / 4.0 };
    }
    heat.chip
}

/// The best mix of two choices whose mean power is exactly `watts`; none where all are below or all above.
fn mixed(choices: &[Choice], watts: f64) -> Option<Choice> {
    let above = choices.iter().filter(|choice| choice.watts > watts);
    let pairs =
        above.flat_map(|above| choices.iter().filter(|choice| choice.watts <= watts).map(move |below| (above, below)));
    let mix = |(above, below): (&Choice, &Choice)| {
        let share = (watts - below.watts) / (above.watts - below.watts);
        below.accuracy + share * (above.accuracy - below.accuracy)
    };
    pairs.map(mix).reduce(f64::max).map(|accuracy| Choice { watts, accuracy })
}

impl Grid {
    fn sink_top(&self) -> f64 {
        self.sink.0 + self.sink.1 * f64::from(u32::try_from(SINKS - 1).unwrap_or(1))
    }

    /// The value at two temperatures, bilinear, and its slope along the heat sink. Outside of the grid, that of its border.
    fn at(&self, values: &Values, sink: f64, housing: f64) -> (f64, f64) {
        let (row, up) = place(sink, self.sink, SINKS);
        let (column, right) = place(housing, self.housing, HOUSINGS);
        let along = |row: usize| values[row][column] + right * (values[row][column + 1] - values[row][column]);
        let (low, high) = (along(row), along(row + 1));
        (low + up * (high - low), (high - low) / self.sink.1)
    }

    /// Right parts that a kelvin more of the heat sink costs; never less than nothing. Taken one cell below: the cells at the
    /// limit have a bend in them, beyond which a kelvin costs far more than it does before.
    fn price(&self, values: &Values, heat: Heat) -> f64 {
        (-self.at(values, heat.sink - self.sink.1, heat.housing).1).max(0.0)
    }
}

/// The cell below a temperature, and the share of it above its border. The last cell for what is beyond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place of a small grid"
)]
fn place(celsius: f64, (from, cell): (f64, f64), points: usize) -> (usize, f64) {
    let place = ((celsius - from) / cell).clamp(0.0, (points - 1) as f64);
    let whole = (place as usize).min(points - 2);
    (whole, place - whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_the_power_asked_for_and_the_best_accuracy() {
        let choices = [(10.0, 0.9), (6.0, 0.88), (2.0, 0.8)].map(|(watts, accuracy)| Choice { watts, accuracy });
        assert!((mixed(&choices, 4.0).unwrap().accuracy - 0.84).abs() < 1e-12, "half of 0.88 and of 0.8, above 0.825");
        assert!((mixed(&choices, 9.0).unwrap().accuracy - 0.895).abs() < 1e-12);
        assert!(mixed(&choices, 1.0).is_none() && mixed(&choices, 10.0).is_none());
    }

    #[test]
    fn the_grid_is_exact_on_planes_and_flat_outside() {
        let grid = Grid { sink: (20.0, 4.0), housing: (20.0, 8.0) };
        let mut values = [[0.0; HOUSINGS]; SINKS];
        for (row, cells) in (0_u32..).zip(&mut values) {
            for (column, cell) in (0_u32..).zip(cells) {
                *cell = 100.0 - 2.0 * f64::from(row) - f64::from(column);
            }
        }
        let (value, slope) = grid.at(&values, 30.0, 24.0);
        assert!((value - (100.0 - 5.0 - 0.5)).abs() < 1e-12 && (slope + 0.5).abs() < 1e-12);
        assert!((grid.at(&values, -100.0, 0.0).0 - 100.0).abs() < 1e-12);
        assert!((grid.at(&values, 1e9, 1e9).0 - (100.0 - 38.0 - 9.0)).abs() < 1e-12);
    }
}
