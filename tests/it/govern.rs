//! The governed daemon on a made-up board that grows hot and cools down: rungs change, no part is lost, the verdicts and the
//! broker tell the story.

use kenpin::board::fake::{Fake, Heat, Kind};
use serde_json::Value;

use crate::support::daemon::{Daemon, Line};
use crate::support::mosquitto::{Mosquitto, Subscriber};

const GOVERNOR: &str = "kenpin.governor/1";
const VERDICT: &str = "kenpin.verdict/1";

/// Two rungs that judge, told apart by their models' names here, and one on which nobody does.
fn ladder(board: &str, broker: &Mosquitto) -> String {
    let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/colour");
    format!(
        "[models.student]\nfolder = \"{}\"\n\
         [[ladder]]\nrung = \"full\"\naccuracy = 0.9\npart_ms = 2.0\nwatts = 5.0\n\
         [[ladder]]\nrung = \"student\"\naccuracy = 0.8\npart_ms = 1.0\nwatts = 2.0\n\
         [[ladder]]\nrung = \"nobody\"\n\
         [governor]\nboard_root = \"{board}\"\nevery_ms = 100\ndwell_s = 1\nhold_s = 20\n\
         [mqtt]\nbroker = \"{}\"\ncounters_every_s = 1\n",
        model.display(),
        broker.address()
    )
}

/// The rungs that governor messages tell, each once for as long as it is in force.
fn story(messages: &[Value]) -> Vec<String> {
    let mut rungs: Vec<String> = messages.iter().map(|message| message["rung"].as_str().unwrap().to_owned()).collect();
    rungs.dedup();
    rungs
}

#[tokio::test(flavor = "multi_thread")]
async fn heat_changes_the_rung_and_loses_no_part() {
    let line = Line::with_parts(3);
    let board = line.path().join("board");
    let fake = Fake::create(&board, Kind::OrinNano).unwrap();
    let cool = Heat { celsius: 45.0, ..Heat::default() };
    let hot = Heat { celsius: 99.5, throttled: true, caps: vec![2], ..Heat::default() };
    fake.set(&cool).unwrap();

    let broker = Mosquitto::start();
    let governor = Subscriber::connect(broker.port, "kenpin/v1/line-1/governor");
    let verdicts = Subscriber::connect(broker.port, "kenpin/v1/line-1/verdict");
    let camera = "repeat = true";
    let route = "rungs.student = { members = [{ model = \"student\" }] }\nrungs.nobody = { undecided = true }";
    let config = line.configure(camera, &ladder(&board.display().to_string(), &broker));
    let text = std::fs::read_to_string(&config).unwrap();
    let members = "members = [{ model = \"brightness\" }]";
    std::fs::write(&config, text.replace(members, &format!("{members}\n{route}"))).unwrap();

    let daemon = Daemon::start(&config);
    let told = |rungs: &[&str]| {
        let rungs: Vec<String> = rungs.iter().map(ToString::to_string).collect();
        move |messages: &[Value]| story(messages) == rungs
    };
    governor.wait(GOVERNOR, "the heaviest rung, for it is cool", told(&["full"]));
    fake.set(&hot).unwrap();
    governor.wait(GOVERNOR, "the lightest rung, for it is throttled", |messages| {
        story(messages).last().is_some_and(|rung| rung == "nobody")
    });
    fake.set(&cool).unwrap();
    let messages = governor.wait(GOVERNOR, "the heaviest again", |messages| {
        story(messages).len() > 2 && story(messages).last().is_some_and(|rung| rung == "full")
    });
    let throttled = messages.iter().find(|message| message["from"] == "full").unwrap();
    assert_eq!(throttled["cause"], "throttled");
    assert!(throttled["told"].as_str().unwrap().contains("cpu zone"), "{throttled}");
    assert_eq!((throttled["celsius"].as_f64(), throttled["trip_celsius"].as_f64()), (Some(99.5), Some(99.0)));

    assert!(daemon.terminate().success());
    let rungs = |messages: &[Value]| {
        let mut rungs: Vec<_> = messages.iter().map(|message| message["rung"].as_str().unwrap().to_owned()).collect();
        rungs.dedup();
        rungs
    };
    let messages = verdicts.wait(VERDICT, "verdicts of every rung", |messages| rungs(messages).len() > 2);
    let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "none is lost, none doubled");
    for message in &messages {
        let asked: Vec<_> =
            message["votes"].as_array().unwrap().iter().map(|vote| vote["model"].as_str().unwrap()).collect();
        let (models, degraded): (&[&str], usize) = match message["rung"].as_str().unwrap() {
            "full" => (&["brightness"], 0),
            "student" => (&["colour"], 1),
            _ => (&[], 1),
        };
        assert_eq!((asked.as_slice(), message["degraded"].as_array().unwrap().len()), (models, degraded), "{message}");
        if models.is_empty() {
            assert_eq!(message["verdict"], "undecided");
            assert_eq!(message["reasons"], serde_json::json!([{ "reason": "not_on_this_rung", "rung": "nobody" }]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rung_without_a_price_is_told_at_start() {
    let line = Line::with_parts(1);
    let ladder = "[[ladder]]\nrung = \"full\"\n[[ladder]]\nrung = \"nobody\"\n";
    let config = line.configure("", ladder);
    let text = std::fs::read_to_string(&config).unwrap();
    let members = "members = [{ model = \"brightness\" }]";
    std::fs::write(&config, text.replace(members, &format!("{members}\nrungs.nobody = {{ undecided = true }}")))
        .unwrap();
    let daemon = Daemon::start(&config);
    daemon.wait_for("[[ladder]] rung full: its `part_ms` is not told: model brightness has no price on", 1);
    assert_eq!(daemon.wait().code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_take_more_memory_than_they_may_are_told_at_start() {
    let line = Line::with_parts(1);
    // 13 MB of weights.
    let teacher = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/elpv-teacher");
    let large = format!("[models.large]\nfolder = \"{}\"\n[runtime]\nmemory_mib = 1\n", teacher.display());
    let daemon = Daemon::start(&line.configure("", &large));
    daemon.wait_for("`[runtime] memory_mib` allows 1 MiB: take some off the routes or rungs", 1);
    daemon.wait_for("(elpv-teacher ", 1);
    assert_eq!(daemon.wait().code(), Some(3));
}
