//! Which route a part takes: the first one whose conditions all hold. Pure, and total over every part and plan.
//!
//! A statistic of a picture is computed only when a condition comes to ask for it, and at most once a frame.

use std::cell::OnceCell;

use super::{Plan, RouteIndex};
use crate::config::{Condition, Statistic, Test};
use crate::flow::statistics::{brightness, sharpness};
use crate::flow::{Frame, Part};
use crate::name::Name;
use crate::value::Value;

/// The first route of `plan`, in its order, whose conditions all hold for `part`; routes that only gates lead to are not
/// tried. `None` when none holds.
#[must_use]
pub fn route(part: &Part, plan: &Plan) -> Option<RouteIndex> {
    route_besides(part, plan, &[])
}

/// As [`route`], once more for a part that has learned something on its way: routes already `taken` are not tried.
#[must_use]
pub fn route_besides(part: &Part, plan: &Plan, taken: &[RouteIndex]) -> Option<RouteIndex> {
    let view = View::of(part);
    plan.routes()
        .filter(|(index, _)| !taken.contains(index))
        .find(|(_, route)| !route.by_gate_only && route.when.iter().all(|condition| view.holds(condition)))
        .map(|(index, _)| index)
}

/// Whether any route of `plan` may ask for a statistic of a picture.
pub(in crate::flow) fn looks_at_pixels(plan: &Plan) -> bool {
    let mut tried = plan.routes().filter(|(_, route)| !route.by_gate_only);
    tried.any(|(_, route)| route.when.iter().any(|condition| matches!(condition, Condition::Image { .. })))
}

/// A part with what has been computed of its frames so far.
struct View<'a> {
    part: &'a Part,
    known: Vec<Known>,
}

#[derive(Default)]
struct Known {
    brightness: OnceCell<f64>,
    sharpness: OnceCell<f64>,
}

impl<'a> View<'a> {
    fn of(part: &'a Part) -> Self {
        Self { part, known: part.frames.iter().map(|_| Known::default()).collect() }
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Camera(camera) => self.part.frames.iter().any(|frame| frame.camera == *camera),
            Condition::Recipe(recipe) => self.part.recipe == *recipe,
            Condition::Sensor { sensor, key, test } => {
                let asked = |name: &Name| sensor.as_ref().is_none_or(|sensor| sensor == name);
                let readings = self.part.readings.iter().filter(|reading| asked(&reading.sensor));
                any_passes(test, readings.filter_map(|reading| reading.values.get(key)))
            }
            Condition::Image { statistic, camera, test } => {
                let value = self.frame(camera.as_ref()).map(|(frame, known)| known.value(*statistic, frame));
                any_passes(test, value.map(Value::Number).iter())
            }
        }
    }

    /// The frame of `camera`, or the part's first frame, and what is known of it.
    fn frame(&self, camera: Option<&Name>) -> Option<(&Frame, &Known)> {
        let mut frames = self.part.frames.iter().zip(&self.known);
        let found = frames.find(|(frame, _)| camera.is_none_or(|camera| frame.camera == *camera));
        found.map(|(frame, known)| (&**frame, known))
    }
}

impl Known {
    fn value(&self, statistic: Statistic, frame: &Frame) -> f64 {
        match statistic {
            Statistic::Brightness => *self.brightness.get_or_init(|| brightness(&frame.image)),
            Statistic::Sharpness => *self.sharpness.get_or_init(|| sharpness(&frame.image)),
        }
    }
}

/// Whether any of `values` passes; no value passes only a test for absence, which in turn no value may break.
fn any_passes<'a>(test: &Test, mut values: impl Iterator<Item = &'a Value>) -> bool {
    match test {
        Test::Present(wanted) => values.next().is_some() == *wanted,
        _ => values.any(|value| passes(test, value)),
    }
}

fn passes(test: &Test, value: &Value) -> bool {
    match test {
        Test::Equals(wanted) => equal(value, wanted),
        Test::NotEquals(unwanted) => !equal(value, unwanted),
        Test::OneOf(wanted) => wanted.iter().any(|wanted| equal(value, wanted)),
        Test::AtLeast(bound) => number(value).is_some_and(|number| number >= *bound),
        Test::AtMost(bound) => number(value).is_some_and(|number| number <= *bound),
        Test::Above(bound) => number(value).is_some_and(|number| number > *bound),
        Test::Below(bound) => number(value).is_some_and(|number| number < *bound),
        Test::Present(wanted) => *wanted,
    }
}

const fn number(value: &Value) -> Option<f64> {
    if let Value::Number(number) = value { Some(*number) } else { None }
}

/// Numbers as numbers, everything else as text.
#[expect(clippy::float_cmp, reason = "the person who wrote the rule asked for exactly this number")]
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other,
        _ => one.to_string() == other.to_string(),
    }
}

#[cfg(test)]
mod tests;
