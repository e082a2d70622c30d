//! Reload: configuration, models and fits are taken over while parts flow, or refused, and no part is lost or judged twice.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fit::Place;
use crate::support::daemon::Daemon;
use crate::support::mosquitto::{Mosquitto, Subscriber, ask, publish_retained};

const ONE: &str = "members = [{ model = \"one\" }]";

/// The good pictures by their file stems, in the order in which they are replayed: 105, 110, ... 250.
fn stems() -> Vec<String> {
    (21..=50).map(|step| format!("{:03}", step * 5)).collect()
}

/// The first so many parts that the camera gives: from the second round on with the number of the round.
pub(crate) fn replayed(count: usize) -> BTreeSet<String> {
    let rounds = (1..).flat_map(|round| {
        let named = move |stem: String| if round == 1 { stem } else { format!("{stem}#{round}") };
        stems().into_iter().map(named)
    });
    rounds.take(count).collect()
}

pub(crate) fn text<'v>(verdict: &'v Value, key: &str) -> &'v str {
    verdict[key].as_str().unwrap_or_default()
}

/// A place whose camera begins again after the last picture.
pub(crate) fn endless() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/endless.toml"), "[cameras.top]\nrepeat = true\n").unwrap();
    place
}

#[test]
fn a_fit_becomes_live_while_parts_flow_and_what_is_broken_changes_nothing() {
    let (place, broker) = (endless(), Mosquitto::start());
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/#");
    let mqtt = format!("[mqtt]\nbroker = \"{}\"", broker.address());
    let fitted = format!("[fits]\nfolder = \"state/fits\"\n{mqtt}");
    place.configure(ONE, &mqtt);
    let config = place.path("kenpin.toml");
    let daemon = Daemon::start(&config);
    daemon.wait_for("part_judged", 60);

    let output = place.fit(&[]);
    assert!(output.status.success(), "{output:?}");
    place.configure(ONE, &fitted);
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 1);
    daemon.wait_for_more("part_judged", 90);

    // A key that nobody knows; a key that cannot change; a model that is not what its passport says.
    let refused = |count: usize, why: &str| {
        daemon.hang_up();
        daemon.wait_for("reload_refused", count);
        daemon.wait_for(why, 1);
        told.wait("kenpin.status/1", "the refusal in the status", |all| {
            all.last().is_some_and(|status| text(status, "reload_refused").contains(why))
        });
        daemon.wait_for_more("part_judged", 30);
    };
    place.configure(ONE, &format!("{fitted}\nretain = true"));
    refused(1, "unknown key `retain`");
    place.configure(ONE, &format!("{fitted}\n[journal]\npath = \"other.sqlite\""));
    refused(2, "`journal` cannot change while the daemon runs: restart it");
    place.configure(ONE, &fitted);
    let graph = std::fs::read(place.path("one/model.onnx")).unwrap();
    std::fs::write(place.path("one/model.onnx"), "spoilt").unwrap();
    refused(3, "one/model.onnx");
    std::fs::write(place.path("one/model.onnx"), graph).unwrap();
    place.configure("members = [{ model = \"three\" }]", &fitted);
    refused(4, "three");

    // Back to the config's own values.
    place.configure(ONE, &fitted);
    assert!(place.kenpin(&["fit", "kenpin.toml", "--rollback"]).status.success());
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 2);
    let taken = |all: &[Value]| all.last().is_some_and(|status| status.get("reload_refused").is_none());
    told.wait("kenpin.status/1", "the refusal gone from the status", taken);
    daemon.wait_for_more("part_judged", 90);
    assert!(daemon.terminate().success());

    let verdicts = place.verdicts("default");
    let parts: BTreeSet<String> = verdicts.iter().map(|verdict| text(verdict, "part").to_owned()).collect();
    assert_eq!(parts.len(), verdicts.len(), "no part is judged twice");
    assert_eq!(parts, replayed(verdicts.len()), "none is lost");
    let sha256 = |verdict: &Value| verdict.get("fit").and_then(Value::as_str).map(str::to_owned);
    let mut in_turn: Vec<&Value> = verdicts.iter().collect();
    in_turn.sort_by_key(|verdict| verdict["seq"].as_u64());
    let mut plans: Vec<&str> = in_turn.iter().map(|verdict| text(verdict, "plan")).collect();
    let (first, last) = (plans[0], plans[plans.len() - 1]);
    assert_eq!(first, last, "without the fit the plan is the first again");
    plans.sort_unstable();
    plans.dedup();
    assert_eq!(plans.len(), 2, "what was refused has judged nothing");
    for verdict in &verdicts {
        let (dark, fitted) = (text(verdict, "part")[..3].parse::<u16>().unwrap() < 128, text(verdict, "plan") != first);
        let wanted = if dark && !fitted { "reject" } else { "pass" };
        assert_eq!((text(verdict, "verdict"), sha256(verdict).is_some()), (wanted, fitted), "{verdict}");
        assert_eq!(verdict["degraded"], serde_json::json!([]));
    }
    let births = told.wait("kenpin.birth/1", "three births", |births| births.len() >= 3);
    let born: Vec<&str> = births.iter().map(|birth| text(birth, "plan")).collect();
    assert_eq!((born[0], born.len(), born[2]), (first, 3, first), "each plan is announced");
    assert_ne!(born[1], first);
    assert!(births.iter().all(|birth| birth["started"] == births[0]["started"]));
}

#[test]
fn other_models_are_opened_beside_the_old_ones_which_go_with_their_last_part() {
    let place = endless();
    place.configure(ONE, "");
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("part_judged", 60);
    place.configure("members = [{ model = \"one\" }, { model = \"two\" }]", "[runtime]\nthreads_per_session = 2");
    daemon.hang_up();
    daemon.wait_for("its models were opened anew", 1);
    daemon.wait_for_more("part_judged", 60);
    daemon.wait_for("the last part of an old plan is judged, its models are closed", 1);
    daemon.wait_for_more("part_judged", 30);
    assert!(daemon.terminate().success());
    let verdicts = place.verdicts("default");
    let parts: BTreeSet<String> = verdicts.iter().map(|verdict| text(verdict, "part").to_owned()).collect();
    assert_eq!((parts.len(), &parts), (verdicts.len(), &replayed(verdicts.len())), "none is lost or judged twice");
    let votes: BTreeSet<(usize, &str)> =
        verdicts.iter().map(|verdict| (verdict["votes"].as_array().unwrap().len(), text(verdict, "plan"))).collect();
    assert_eq!(votes.len(), 2, "one vote by the old plan, two by the new: {votes:?}");
    assert!(verdicts.iter().all(|verdict| verdict["degraded"] == serde_json::json!([])));
}

#[test]
fn a_reload_by_command_is_answered_to_whoever_asked() {
    let (place, broker) = (endless(), Mosquitto::start());
    let mqtt = format!("[mqtt]\nbroker = \"{}\"", broker.address());
    place.configure(ONE, &mqtt);
    publish_retained(broker.port, "kenpin/v1/line-1/command/reload", "now");
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("commands are heard on kenpin/v1/line-1/command/+", 1);
    daemon.wait_for("is retained: a command is left alone that would come again", 1);
    let told = |verb: &str, correlation: &str| {
        let (data, answer) = ask(broker.port, &format!("kenpin/v1/line-1/command/{verb}"), correlation);
        assert_eq!((data.as_str(), text(&answer, "schema")), (correlation, "kenpin.reply/1"));
        assert_eq!((text(&answer, "device"), text(&answer, "command")), ("line-1", verb));
        (answer["done"].as_bool().unwrap(), text(&answer, "told").to_owned())
    };
    assert_eq!(daemon.count("plan_reloaded"), 0);
    place.configure(&format!("reject_from = 0.4\npass_below = 0.3\n{ONE}"), &mqtt);
    let (done, why) = told("reload", "first");
    assert!(done && why.starts_with("parts captured from now on are judged by plan "), "{why}");
    place.configure("members = [{ model = \"three\" }]", &mqtt);
    let (done, why) = told("reload", "second");
    assert!(!done && why.contains("three"), "{why}");
    assert_eq!(told("restart", "third"), (false, "there is no command \"restart\"".into()));
    assert!(daemon.terminate().success());
}

#[test]
fn a_ladder_comes_stays_changes_and_goes_with_reloads() {
    let ladder = |part_ms: f64| {
        format!(
            "[[ladder]]\nrung = \"full\"\naccuracy = 0.9\npart_ms = {part_ms}\nwatts = 3\n\
             [[ladder]]\nrung = \"light\"\naccuracy = 0.8\npart_ms = 1\nwatts = 1\n"
        )
    };
    let light = "[routes.rungs]\nlight = { members = [{ model = \"two\" }] }\n";
    let place = endless();
    place.configure(ONE, "");
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("part_judged", 30);
    let reload = |count: usize| {
        daemon.hang_up();
        daemon.wait_for("plan_reloaded", count);
        daemon.wait_for_more("part_judged", 30);
    };
    place.configure(ONE, &format!("{light}{}", ladder(5.0)));
    reload(1);
    daemon.wait_for("the governor begins on rung light of [full, light]", 1);
    place.configure(&format!("reject_from = 0.6\n{ONE}"), &format!("{light}{}", ladder(5.0)));
    reload(2);
    assert_eq!(daemon.count("the governor begins on rung"), 1, "with the same ladder it goes on where it was");
    place.configure(ONE, &format!("{light}{}", ladder(6.0)));
    reload(3);
    daemon.wait_for("the governor begins on rung light of [full, light]", 2);
    place.configure(ONE, "");
    reload(4);
    assert!(daemon.terminate().success());

    let verdicts = place.verdicts("default");
    let parts: BTreeSet<String> = verdicts.iter().map(|verdict| text(verdict, "part").to_owned()).collect();
    assert_eq!((parts.len(), &parts), (verdicts.len(), &replayed(verdicts.len())), "none is lost or judged twice");
    let judged: BTreeSet<(&str, &str)> =
        verdicts.iter().map(|verdict| (text(verdict, "plan"), text(verdict, "rung"))).collect();
    let without = judged.iter().filter(|(_, rung)| rung.is_empty()).count();
    assert_eq!(without, 1, "the first plan comes again and has no rungs: {judged:?}");
    assert!(judged.iter().all(|(_, rung)| ["", "full", "light"].contains(rung)), "{judged:?}");
    assert!(verdicts.iter().all(|verdict| text(verdict, "verdict") != "undecided"), "every rung judges");
}
