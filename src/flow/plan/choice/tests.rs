//! The rules by example, and first match and totality for any part and plan.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::Monotonic;
use crate::config::Thresholds;
use crate::flow::fakes::{at, grey_frame, id, name, valued};
use crate::flow::plan::{Panel, Route, Station};
use crate::fusion::{Fusion, Over, Rule};

fn plan(routes: Vec<(Vec<Condition>, bool)>) -> Plan {
    let panel = || {
        let fusion = Fusion { rule: Rule::Mean, over: Over::Defect, boxes: None };
        let thresholds = Thresholds { reject_from: 0.5, pass_below: 0.5 };
        Station::Panel(Panel { members: Vec::new(), fusion, thresholds, deadline: None, order: Vec::new(), fit: None })
    };
    let route = |(index, (when, by_gate_only))| Route {
        name: name(&format!("r{index}")),
        when,
        by_gate_only,
        station: panel(),
        lighter: Vec::new(),
    };
    Plan::without_models(routes.into_iter().enumerate().map(route).collect())
}

/// A part with a dark frame of `side`, a bright one of `top`, and two readings.
fn part() -> Part {
    let text = |text: &str| Value::Text(text.into());
    Part {
        id: id("p"),
        id_given: true,
        recipe: name("mono"),
        captured: at(0),
        joined: Monotonic::default(),
        frames: vec![grey_frame("side", None, at(0), 51), grey_frame("top", None, at(0), 204)],
        readings: Arc::new(vec![
            valued("scale", None, at(0), "weight", Value::Number(12.5)),
            valued("type", None, at(0), "type", text("mono")),
        ]),
        notes: Vec::new(),
        plan: Arc::new(plan(Vec::new())),
        route: None,
        rung: 0,
    }
}

fn taken(part: &Part, plan: &Plan) -> Option<String> {
    route(part, plan).map(|index| plan.route(index).name.to_string())
}

fn sensor(sensor: Option<&str>, key: &str, test: Test) -> Condition {
    Condition::Sensor { sensor: sensor.map(name), key: key.into(), test }
}

fn image(camera: Option<&str>, test: Test) -> Condition {
    Condition::Image { statistic: Statistic::Brightness, camera: camera.map(name), test }
}

#[test]
fn each_condition_holds_when_it_should() {
    let text = |text: &str| Value::Text(text.into());
    let number = Value::Number;
    let table = [
        (Condition::Camera(name("top")), true),
        (Condition::Camera(name("back")), false),
        (Condition::Recipe(name("mono")), true),
        (Condition::Recipe(name("poly")), false),
        (sensor(None, "type", Test::Equals(text("mono"))), true),
        (sensor(Some("scale"), "type", Test::Equals(text("mono"))), false),
        (sensor(Some("type"), "type", Test::NotEquals(text("poly"))), true),
        (sensor(Some("type"), "type", Test::NotEquals(text("mono"))), false),
        (sensor(None, "colour", Test::NotEquals(text("mono"))), false),
        (sensor(None, "type", Test::OneOf(vec![text("poly"), text("mono")])), true),
        (sensor(None, "type", Test::OneOf(vec![])), false),
        (sensor(None, "weight", Test::Equals(number(12.5))), true),
        (sensor(None, "weight", Test::Equals(text("12.5"))), true),
        (sensor(None, "weight", Test::AtLeast(12.5)), true),
        (sensor(None, "weight", Test::AtMost(12.5)), true),
        (sensor(None, "weight", Test::Above(12.5)), false),
        (sensor(None, "weight", Test::Below(12.5)), false),
        (sensor(None, "type", Test::AtLeast(0.0)), false),
        (sensor(None, "weight", Test::Present(true)), true),
        (sensor(None, "weight", Test::Present(false)), false),
        (sensor(Some("type"), "weight", Test::Present(false)), true),
        (sensor(None, "colour", Test::Present(true)), false),
        (image(Some("top"), Test::AtLeast(0.79)), true),
        (image(None, Test::Below(0.21)), true),
        (image(Some("back"), Test::AtLeast(0.0)), false),
        (image(Some("back"), Test::Present(false)), true),
    ];
    let part = part();
    for (condition, want) in table {
        assert_eq!(View::of(&part).holds(&condition), want, "{condition:?}");
    }
}

#[test]
fn the_first_route_that_holds_is_taken_and_gate_routes_are_passed_over() {
    let poly = || vec![Condition::Recipe(name("poly"))];
    let plan =
        plan(vec![(poly(), false), (vec![], true), (vec![Condition::Recipe(name("mono"))], false), (vec![], false)]);
    assert_eq!(taken(&part(), &plan).as_deref(), Some("r2"));
    assert_eq!(taken(&part(), &super::tests::plan(vec![(poly(), false)])), None);
}

#[test]
fn a_statistic_is_computed_only_when_a_rule_comes_to_it() {
    let part = part();
    let view = View::of(&part);
    let known = |view: &View| view.known.iter().map(|known| known.brightness.get().is_some()).collect::<Vec<_>>();
    assert!(view.holds(&Condition::Camera(name("top"))));
    assert_eq!(known(&view), [false, false]);
    assert!(view.holds(&image(Some("top"), Test::AtLeast(0.5))));
    assert_eq!(known(&view), [false, true]);
    assert!(view.known.iter().all(|known| known.sharpness.get().is_none()));
}

fn any_test() -> impl Strategy<Value = Test> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Flag),
        (-2..20).prop_map(|number| Value::Number(f64::from(number) / 2.0)),
        "[a-b]{0,2}".prop_map(Value::Text)
    ];
    prop_oneof![
        value.clone().prop_map(Test::Equals),
        value.clone().prop_map(Test::NotEquals),
        proptest::collection::vec(value, 0..3).prop_map(Test::OneOf),
        any::<f64>().prop_map(Test::AtLeast),
        any::<f64>().prop_map(Test::AtMost),
        any::<f64>().prop_map(Test::Above),
        any::<f64>().prop_map(Test::Below),
        any::<bool>().prop_map(Test::Present),
    ]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let camera = proptest::sample::select(vec!["side", "top", "back"]);
    let maybe = proptest::option::of(proptest::sample::select(vec!["side", "top", "back", "scale", "type"]));
    let key = proptest::sample::select(vec!["weight", "type", "colour"]);
    prop_oneof![
        camera.prop_map(|camera| Condition::Camera(name(camera))),
        "(mono|poly)".prop_map(|recipe| Condition::Recipe(name(&recipe))),
        (maybe.clone(), key, any_test()).prop_map(|(of, key, test)| sensor(of, key, test)),
        (maybe, any_test()).prop_map(|(camera, test)| image(camera, test)),
    ]
}

proptest! {
    #[test]
    fn any_part_gets_the_first_route_that_holds_or_none(
        routes in proptest::collection::vec((proptest::collection::vec(any_condition(), 0..3), any::<bool>()), 0..6),
    ) {
        let part = part();
        let holds = |when: &[Condition]| when.iter().all(|condition| View::of(&part).holds(condition));
        let first = routes.iter().position(|(when, by_gate_only)| !by_gate_only && holds(when));
        prop_assert_eq!(taken(&part, &plan(routes)), first.map(|index| format!("r{index}")));
    }

    #[test]
    fn a_test_and_its_opposite_never_both_pass(bound in any::<f64>(), value in any::<f64>()) {
        let value = Value::Number(value);
        for (test, opposite) in [
            (Test::AtLeast(bound), Test::Below(bound)),
            (Test::AtMost(bound), Test::Above(bound)),
            (Test::Equals(Value::Number(bound)), Test::NotEquals(Value::Number(bound))),
        ] {
            prop_assert!(!(passes(&test, &value) && passes(&opposite, &value)));
        }
        prop_assert!(!any_passes(&Test::AtLeast(bound), std::iter::empty()));
    }
}
