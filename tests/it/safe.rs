//! Safe mode: what keeps failing under a service manager gives way to the configuration that last ran well, and everybody is told.

use serde_json::Value;

use crate::notify::Manager;
use crate::support::daemon::{Daemon, Line};
use crate::support::mosquitto::{Mosquitto, Subscriber};

/// Longer than any test: these have no watchdog to wait for.
const UNWATCHED: &str = "3600000000";

fn safe(verdict: &Value) -> bool {
    verdict["degraded"].as_array().unwrap().iter().any(|told| told.as_str().unwrap().starts_with("safe mode: "))
}

#[test]
fn a_config_that_keeps_failing_gives_way_to_the_one_that_last_ran_well_until_it_is_mended() {
    let (line, broker) = (Line::with_parts(3), Mosquitto::start());
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/#");
    let manager = Manager::new(&line);
    let mqtt = format!("[mqtt]\nbroker = \"{}\"", broker.address());
    let start = |config| manager.start(config, UNWATCHED);
    let config = line.configure("repeat = true", &mqtt);
    let good = std::fs::read_to_string(&config).unwrap();
    let daemon = start(&config);
    daemon.wait_for("part_judged", 3);
    assert!(daemon.terminate().success(), "it ended in good order: its config is kept");

    std::fs::write(&config, good.replace("repeat", "repaet")).unwrap();
    for _ in 0..3 {
        assert_eq!(start(&config).wait().code(), Some(1), "findings");
    }
    let daemon = start(&config);
    daemon.wait_for("safe_mode", 1);
    manager.until("READY=1");
    let last_safe = |all: &[Value]| all.last().is_some_and(safe);
    let verdicts = told.wait("kenpin.verdict/1", "a verdict in safe mode", last_safe);
    assert!(!safe(&verdicts[0]), "the first run was none");
    let why = verdicts.last().unwrap()["degraded"][0].as_str().unwrap();
    assert!(why.contains("the last 3 starts with") && why.contains("unknown key `repaet`"), "{why}");
    told.wait("kenpin.status/1", "safe mode in the status", |all| {
        all.last().is_some_and(|status| status["safe_mode"] == why)
    });

    // A reload of what is still broken changes nothing; of what is mended, it ends safe mode.
    daemon.hang_up();
    daemon.wait_for("reload_refused", 1);
    std::fs::write(&config, format!("{good}\n[governor]\ndwell_s = 1\n")).unwrap();
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 1);
    told.wait("kenpin.verdict/1", "a verdict out of safe mode", |all| all.last().is_some_and(|verdict| !safe(verdict)));
    let ended = |all: &[Value]| all.last().is_some_and(|status| status.get("safe_mode").is_none());
    told.wait("kenpin.status/1", "no safe mode in the status", ended);
    assert!(daemon.terminate().success());
    let daemon = start(&config);
    daemon.wait_for("part_judged", 3);
    assert_eq!(daemon.count("safe_mode"), 0, "the mended one begins as any other");
    assert!(daemon.terminate().success());
}

#[test]
fn a_config_that_crashes_the_daemon_three_times_is_one_that_fails_and_by_hand_nobody_counts() {
    let line = Line::with_parts(3);
    let manager = Manager::new(&line);
    let config = line.configure("repeat = true", "");
    let daemon = manager.start(&config, UNWATCHED);
    daemon.wait_for("part_judged", 3);
    assert!(daemon.terminate().success());
    // Another threshold is another config; that it crashes is played by kill -9.
    let other = std::fs::read_to_string(&config).unwrap() + "\n[join]\nwindow_ms = 99\n";
    std::fs::write(&config, other).unwrap();
    for crash in 0..3 {
        let daemon = manager.start(&config, UNWATCHED);
        daemon.wait_for("part_judged", 3);
        assert_eq!(daemon.count("safe_mode"), 0, "crash {crash}");
        daemon.kill_nine();
    }
    let by_hand = Daemon::start(&config);
    by_hand.wait_for("part_judged", 3);
    assert_eq!(by_hand.count("safe_mode"), 0);
    by_hand.kill_nine();
    let daemon = manager.start(&config, UNWATCHED);
    daemon.wait_for("failed (the daemon ended each time), so the configuration that last ran well is run", 1);
    daemon.wait_for("part_judged", 3);
    assert!(daemon.terminate().success());
}
