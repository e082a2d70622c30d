//! The whole road as a process: from files to a subscriber, through kills, outages and signals.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::support::daemon::{Daemon, Line, library};
use crate::support::mosquitto::{Mosquitto, Subscriber, publish_retained};

const VERDICT: &str = "kenpin.verdict/1";
const TOPIC: &str = "kenpin/v1/line-1/verdict";

fn mqtt(broker: &Mosquitto) -> String {
    format!("[mqtt]\nbroker = \"{}\"", broker.address())
}

/// Each seq with its part and decision; fails when one seq, or one part, has two meanings, or first deliveries are out of order.
fn meanings(messages: &[Value]) -> BTreeMap<u64, (String, String)> {
    let (mut told, mut parts) = (BTreeMap::new(), BTreeSet::new());
    for message in messages {
        let seq = message["seq"].as_u64().unwrap();
        let text = |key: &str| message[key].as_str().unwrap().to_owned();
        let meaning = (text("part"), text("verdict"));
        let newest = told.keys().last().copied().unwrap_or(0);
        if let Some(before) = told.get(&seq) {
            assert_eq!(before, &meaning, "verdict {seq} has two meanings");
        } else {
            assert_eq!(seq, newest + 1, "first deliveries are in order and without gaps");
            assert!(parts.insert(meaning.0.clone()), "part {} has two verdicts", meaning.0);
            told.insert(seq, meaning);
        }
    }
    told
}

/// Whether this many different verdicts have come.
fn distinct(count: usize) -> impl Fn(&[Value]) -> bool {
    move |messages| messages.iter().map(|message| message["seq"].as_u64()).collect::<BTreeSet<_>>().len() >= count
}

fn expected(part: usize) -> &'static str {
    if part.is_multiple_of(3) { "reject" } else { "pass" }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_and_an_outage_lose_nothing_and_change_nothing() {
    const PARTS: usize = 1600;
    let line = Line::with_parts(PARTS);
    let mut broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, TOPIC);
    let config = line.configure("", &mqtt(&broker));

    for kill in 0..20 {
        let daemon = Daemon::start(&config);
        daemon.wait_for("part_judged", 1 + 3 * kill);
        daemon.kill_nine();
    }
    broker.stop();
    let daemon = Daemon::start(&config);
    daemon.wait_for("part_judged", 300); // of which at most one group commit, 64, is not yet in the journal
    daemon.kill_nine();
    broker.restart();
    assert!(Daemon::start(&config).wait().success(), "the last run comes to its end by itself");

    let messages = subscriber.wait(VERDICT, "every verdict", distinct(PARTS));
    let told = meanings(&messages);
    assert_eq!(told.len(), PARTS);
    for (part, verdict) in told.into_values() {
        let number: usize = part.trim_start_matches('p').parse().unwrap();
        assert_eq!(verdict, expected(number), "part {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_drains_the_road_and_says_goodbye() {
    let line = Line::with_parts(3);
    let broker = Mosquitto::start();
    let verdicts = Subscriber::connect(broker.port, "kenpin/v1/line-1/#");
    let daemon = Daemon::start(&line.configure("repeat = true", &mqtt(&broker)));
    daemon.wait_for("part_judged", 50);
    assert!(daemon.terminate().success());
    let states = verdicts.wait("kenpin.status/1", "the offline status", |told| {
        told.last().is_some_and(|status| status["state"] == "offline")
    });
    let last = states.last().unwrap()["last_seq"].as_u64().unwrap();
    assert!(last >= 50);
    let told = meanings(&verdicts.wait(VERDICT, "every verdict", distinct(usize::try_from(last).unwrap())));
    assert_eq!(told.len() as u64, last);
    assert_eq!(told[&4], ("p0001#2".into(), "pass".into()), "from the second round on, part ids carry the round");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_was_cut_off_becomes_undecided_interrupted() {
    let line = Line::with_parts(2);
    let broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, TOPIC);
    let camera = "pace = \"triggered\"\ntrigger_sensor = \"plc\"\n\
                  [sensors.plc]\nkind = \"stdin\"\npart_key = \"part\"\n\
                  [sensors.lot]\nkind = \"tcp-listen\"\naddress = \"127.0.0.1:0\"\npart_key = \"part\"\n\
                  [join]\nwindow_ms = 60000";
    // The lot of part A never comes, so the part is open when the daemon dies: its picture is taken, its window not over.
    let config = line.configure(camera, &mqtt(&broker));
    let mut daemon = Daemon::start(&config);
    writeln!(daemon.stdin(), "part=A").unwrap();
    daemon.wait_for("frame_captured", 1);
    daemon.kill_nine();

    let daemon = Daemon::start(&config);
    let messages = subscriber.wait(VERDICT, "the interrupted part", distinct(1));
    daemon.kill_nine();
    let [message] = messages.as_slice() else { panic!("{messages:#?}") };
    assert_eq!((message["part"].as_str(), message["verdict"].as_str()), (Some("A"), Some("undecided")));
    assert_eq!(message["reasons"], serde_json::json!([{ "reason": "interrupted" }]));
    assert_eq!(message["score"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_on_any_topic_of_a_filter_triggers() {
    let line = Line::with_parts(1);
    let broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, TOPIC);
    let camera = "pace = \"triggered\"\ntrigger_sensor = \"plc\"\n\
                  [sensors.plc]\nkind = \"mqtt\"\ntopic = \"line/+/trigger\"\npart_key = \"part\"";
    publish_retained(broker.port, "line/7/trigger", "part=A");
    let daemon = Daemon::start(&line.configure(camera, &mqtt(&broker)));
    let messages = subscriber.wait(VERDICT, "the triggered part", distinct(1));
    assert_eq!((messages[0]["part"].as_str(), messages[0]["verdict"].as_str()), (Some("A"), Some("pass")));
    assert!(daemon.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_model_file_stops_its_model_and_the_parts_stay_undecided() {
    let line = Line::with_parts(3);
    let broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, TOPIC);
    let config = line.configure("", &mqtt(&broker));
    let altered = line.path().join("brightness");
    std::fs::create_dir(&altered).unwrap();
    let original = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
    std::fs::copy(original.join("passport.toml"), altered.join("passport.toml")).unwrap();
    let mut bytes = std::fs::read(original.join("model.onnx")).unwrap();
    bytes.push(0);
    std::fs::write(altered.join("model.onnx"), bytes).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&original.display().to_string(), "brightness")).unwrap();

    assert!(Daemon::start(&config).wait().success());
    let messages = subscriber.wait(VERDICT, "every verdict", distinct(3));
    for message in &messages {
        assert_eq!((message["verdict"].as_str(), &message["score"]), (Some("undecided"), &Value::Null));
        assert_eq!(message["reasons"][0]["reason"], "required_member_failed");
        let why = message["reasons"][0]["why"].as_str().unwrap();
        let hashes = why.split_whitespace().filter(|word| word.trim_end_matches(',').len() == 64).count();
        assert_eq!(hashes, 2, "the hash seen and the hash wanted: {why}");
    }
}

#[test]
fn a_camera_that_fails_for_good_ends_the_daemon_with_its_name() {
    let line = Line::with_parts(0);
    std::fs::write(line.path().join("parts/broken.png"), "no picture").unwrap();
    let daemon = Daemon::start(&line.configure("repeat = true", ""));
    daemon.wait_for("kenpin: camera top: ", 1);
    assert_eq!(daemon.wait().code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_ends_comes_back_and_another_goes_on_without_it() {
    let line = Line::with_parts(3);
    let side = "[cameras.side]\nkind = \"pipe\"\ncommand = [\"sh\", \"-c\", \"echo warming up >&2; head -c 64 /dev/zero\"]\n\
                raw = { format = \"grey\", width = 8, height = 8 }\nexpected = false\n";
    let config = line.configure("repeat = true\npace = \"paced\"\nframes_per_second = 50\n", side);
    let daemon = Daemon::start(&config);
    daemon.wait_for("command sh: warming up", 1);
    daemon.wait_for("camera_lost", 1);
    daemon.wait_for("part_judged", 3);
    daemon.wait_for("camera_connected", 2);
    daemon.wait_for("part_judged", 3);
    assert!(daemon.terminate().success());
}

#[test]
fn without_the_library_one_sentence_says_what_is_missing() {
    let line = Line::with_parts(1);
    let config = line.configure("", "[runtime]\nonnxruntime_library = \"no-such-library.so\"");
    let output = Command::new(env!("CARGO_BIN_EXE_kenpin")).arg("run").arg(config).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stderr).unwrap();
    let told = told.lines().last().unwrap();
    assert!(told.starts_with("kenpin: ") && told.contains("no-such-library.so"), "{told}");
}

#[test]
fn eval_prints_what_the_line_would_have_said() {
    let line = Line::with_parts(9);
    let config = line.configure("", "");
    let rows = (1..=9).map(|part| {
        let truth = if part == 9 { "good" } else { ["defective", "good", "good"][part % 3] };
        format!("parts/p{part:04}.png,{truth}\n")
    });
    let list = line.path().join("list.csv");
    std::fs::write(&list, "image,truth\n".to_owned() + &rows.collect::<String>()).unwrap();
    let mut eval = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    let output =
        eval.arg("eval").arg(config).arg(list).arg("--json").env("ORT_DYLIB_PATH", library()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |key: &str| figures[key].as_u64().unwrap();
    assert_eq!((count("parts"), count("true_rejects"), count("true_passes")), (9, 2, 6));
    assert_eq!((count("false_rejects"), count("escapes"), count("undecided")), (1, 0, 0));
    assert_eq!(figures["accuracy"], 8.0 / 9.0);
    assert_eq!(figures["members"]["brightness"]["accuracy"], 8.0 / 9.0);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut schema = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    let mut child =
        schema.arg("schema").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
