//! A trigger that was accepted and came to nothing: whoever sent it is told, once, over the way it came; nothing is told of one that
//! became a verdict in time.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::daemon::{Daemon, Line};
use crate::support::mosquitto::{Mosquitto, Subscriber, ask_text};

/// A line whose camera is triggered by the sensor `gate` and gives no frame before somebody writes to the pipe `go`, and then one
/// after the other.
fn configure(line: &Line, gate: &str, rest: &str) -> PathBuf {
    let go = line.path().join("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    let camera = format!(
        "silence_ms = 600000\nraw = {{ format = \"grey\", width = 8, height = 8 }}\npace = \"triggered\"\n\
         trigger_sensor = \"gate\"\n[sensors.gate]\npart_key = \"part\"\nacknowledge = true\n{gate}"
    );
    let config = line.configure(&camera, rest);
    let command = format!("read go <{}; while head -c 64 /dev/zero; do :; done", go.display());
    let pipe = format!("kind = \"pipe\"\ncommand = [\"sh\", \"-c\", \"{command}\"]");
    let text = std::fs::read_to_string(&config).unwrap().replace("kind = \"replay\"\npath = \"parts\"", &pipe);
    std::fs::write(&config, text).unwrap();
    config
}

/// The verdicts of the journal.
fn verdicts(line: &Line) -> Vec<Value> {
    let journal = rusqlite::Connection::open(line.path().join("state/journal.sqlite")).unwrap();
    let mut rows = journal.prepare("SELECT body FROM verdict ORDER BY seq").unwrap();
    let bodies = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    bodies.map(|body| serde_json::from_slice(&body.unwrap()).unwrap()).collect()
}

#[test]
fn a_program_on_a_unix_socket_is_told_that_no_frame_came() {
    let (line, runtime) = (Line::with_parts(0), tempfile::tempdir().unwrap());
    let config = configure(&line, "kind = \"unix-listen\"\npath = \"trigger.sock\"", "[join]\nwindow_ms = 30");
    let daemon = Daemon::start_with(&config, &[("RUNTIME_DIRECTORY", runtime.path())]);
    daemon.wait_for("ready: 1 cameras", 1);
    let mut program = UnixStream::connect(runtime.path().join("trigger.sock")).unwrap();
    writeln!(program, "part=A").unwrap();
    program.shutdown(Shutdown::Write).unwrap();
    let mut told = String::new();
    program.read_to_string(&mut told).unwrap();
    assert_eq!(told, "accepted A\nmissed A: no frame of camera top came\n");
    daemon.wait_for("part_judged", 1);
    assert!(daemon.terminate().success());
    let verdicts = verdicts(&line);
    assert_eq!(verdicts.len(), 1);
    assert_eq!((&verdicts[0]["part"], &verdicts[0]["verdict"]), (&"A".into(), &"undecided".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_triggers_over_mqtt_is_told_that_no_verdict_came_in_time_and_no_second_time() {
    let (line, broker) = (Line::with_parts(0), Mosquitto::start());
    let told = Subscriber::connect(broker.port, "answers/1");
    let rest = format!(
        "[join]\nwindow_ms = 60000\n[mqtt]\nbroker = \"{}\"\n[outputs.ejector]\nkind = \"modbus\"\n\
         address = \"127.0.0.1:1\"\nunit = 7\ncoil = 16\ndelay_ms = 20\npulse_ms = 5\n",
        broker.address()
    );
    let config = configure(&line, "kind = \"mqtt\"\ntopic = \"line/gate\"", &rest);
    let daemon = Daemon::start(&config);
    daemon.wait_for("sensor topics are heard", 1);
    daemon.wait_for("ready: 1 cameras", 1);
    let ask = |word: &str, payload: &str| ask_text(broker.port, "line/gate", word, Some(payload));
    assert_eq!(ask("one", "part=B"), ("one".into(), "accepted B".into()));
    let words = ["accepted", "missed", "duplicate", "garbled"];
    let all = told.lines(&words, 2);
    assert_eq!(all, ["accepted B", "missed B: no verdict in time for output ejector"]);
    assert_eq!(ask("two", "part=B"), ("two".into(), "duplicate B".into()));
    let (correlation, garbled) = ask("three", "nonsense");
    assert!(correlation == "three" && garbled.starts_with("garbled: "), "{correlation} {garbled}");

    std::fs::write(line.path().join("go"), "go\n").unwrap();
    daemon.wait_for("part_judged", 1);
    assert_eq!(daemon.count("event=trigger_missed"), 1);
    assert!(daemon.terminate().success());
    assert_eq!(told.lines(&words, 4).len(), 4, "the late verdict is not told of again");
    let verdicts = verdicts(&line);
    assert_eq!((verdicts.len(), &verdicts[0]["part"]), (1, &"B".into()));
    assert_eq!(verdicts[0]["frames"].as_array().unwrap().len(), 1);
}
