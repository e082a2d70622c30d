//! The control chart through the binary: a line in control, one that goes out of it, and what is no journal; and the alarm of a
//! running line, over restarts, with its evidence.

use std::io::Write as _;

use serde_json::Value;

use crate::drift::{PARTS, pictures};
use crate::fit::Place;
use crate::support::daemon::Daemon;
use crate::support::mosquitto::{Mosquitto, Subscriber, ask_with};

/// The daemon over pictures of which a part is dark, and from some part on all are where `factors` say so.
fn judged(factors: &[f64]) -> Place {
    let place = Place::new();
    pictures(&place, "line", factors);
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/line.toml"), "[cameras.top]\npath = \"line\"\n").unwrap();
    let output = place.kenpin(&["run", "kenpin.toml"]);
    assert!(output.status.success(), "{output:?}");
    place
}

#[test]
fn a_rate_that_rises_is_out_of_control_and_one_that_stays_is_not() {
    let place = judged(&[1.0, 0.4]);
    let output = place.kenpin(&["chart", "kenpin.toml", "--parts=40", "--json", "--plot=chart.svg"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let subgroups = report["subgroups"].as_array().unwrap();
    assert_eq!((subgroups.len(), &report["left_out"], &report["in_control"]), (16, &0.into(), &false.into()));
    let rejected = |told: &[Value]| told.iter().map(|told| told["rejected"].as_u64().unwrap()).sum::<u64>();
    let (before, after) = subgroups.split_at(8);
    assert_eq!(rejected(after), PARTS as u64, "every dark part is rejected");
    // 20 of 45 levels are below 128: 142 of 320 are to be expected, with a standard error of 9.
    assert!((106..=178).contains(&rejected(before)), "{}", rejected(before));
    assert!(after[7]["violated"].as_array().unwrap().contains(&"eight-on-one-side".into()), "{report}");
    assert!(after.iter().all(|told| told["distance"].as_f64().unwrap() > 2.0), "{report}");
    let svg = std::fs::read_to_string(place.path("chart.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("reject rate"), "{svg}");

    // The journal by itself; only the first half would be in control.
    let output = place.kenpin(&["chart", "state/journal.sqlite", "--parts=600"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("600 parts in 1 subgroups") && told.contains("the newest 40 parts wait"), "{told}");
    let output = place.kenpin(&["chart", "state/journal.sqlite", "--run=other"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let output = place.kenpin(&["chart", "set/good/200.png"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && told.contains("200.png"), "{told}");
}

/// A line whose pictures are taken one by one, when they are named on standard input; the first 50 are bright and dark in turns,
/// and all after them dark.
fn one_by_one(broker: &Mosquitto) -> Place {
    let place = Place::new();
    for folder in ["line", "dark", "conf.d"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    for number in 0..60_u8 {
        let level = if number < 50 && number % 2 == 0 { 220 } else { 20 };
        for (folder, level) in [("line", level), ("dark", 20)] {
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([level]));
            picture.save(place.path(&format!("{folder}/{number:02}.png"))).unwrap();
        }
    }
    let rest = format!("[chart]\nparts = 10\nbaseline = 5\n[mqtt]\nbroker = \"{}\"\n", broker.address());
    place.configure("members = [{ model = \"one\" }]", &rest);
    pictures_from(&place, "line");
    place
}

/// Has the pictures taken from this folder.
fn pictures_from(place: &Place, folder: &str) {
    let camera = format!(
        "[cameras.top]\npath = \"{folder}\"\nrepeat = true\npart_id = \"none\"\npace = \"triggered\"\ntrigger_sensor = \"plc\"\n\
         [sensors.plc]\nkind = \"stdin\"\npart_key = \"part\"\n"
    );
    std::fs::write(place.path("conf.d/triggered.toml"), camera).unwrap();
}

/// Shows these parts, one after the other; returns when all verdicts are in the journal and sent.
fn show(daemon: &Daemon, plc: &mut std::process::ChildStdin, parts: std::ops::Range<usize>) {
    let before = daemon.count("event=verdict_published");
    for (shown, part) in parts.enumerate() {
        writeln!(plc, "part=p{part}").unwrap();
        daemon.wait_for("event=verdict_published", before + shown + 1);
    }
}

#[test]
fn an_alarm_outlives_power_cuts_and_a_lost_file_and_ends_when_it_is_acknowledged() {
    let broker = Mosquitto::start();
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/chart");
    let last = |what: &str, enough: &dyn Fn(&Value) -> bool| {
        let all = told.wait("kenpin.chart/1", what, |all| all.last().is_some_and(enough));
        all.last().unwrap().clone()
    };
    let place = one_by_one(&broker);
    let config = place.path("kenpin.toml");
    let mut daemon = Daemon::start(&config);
    let mut plc = daemon.stdin();
    show(&daemon, &mut plc, 0..54);
    daemon.wait_for("event=chart_begun", 1);
    daemon.wait_for("25 of the first 50 give the mean of 50.00 %", 1);
    assert_eq!(
        (last("no alarm", &|_| true)["in_control"].as_bool(), daemon.count("event=chart_alarm")),
        (Some(true), 0)
    );
    daemon.kill_nine();

    // Six more dark pictures fill the subgroup that the power cut left with four.
    pictures_from(&place, "dark");
    let mut daemon = Daemon::start(&config);
    let mut plc = daemon.stdin();
    show(&daemon, &mut plc, 54..60);
    let alarmed = last("the alarm", &|message| message["in_control"] == false);
    let alarm = &alarmed["alarms"][0];
    assert_eq!((alarm["first_seq"].as_u64(), alarm["last_seq"].as_u64()), (Some(51), Some(60)), "{alarmed}");
    assert_eq!(
        (alarm["parts"].as_u64(), alarm["counted"].as_u64(), alarm["share"].as_f64()),
        (Some(10), Some(10), Some(1.0))
    );
    assert_eq!(
        (&alarm["recipe"], &alarm["route"], &alarm["rate"]),
        (&"default".into(), &"all".into(), &"rejected".into())
    );
    assert_eq!(alarm["rules"], serde_json::json!(["beyond-three"]));
    assert_eq!(alarm["baseline"], serde_json::json!({ "parts": 50, "counted": 25, "mean": 0.5, "beyond": 0 }));
    let near = |key: &str, wanted: f64| assert!((alarm[key].as_f64().unwrap() - wanted).abs() < 1e-9, "{alarm}");
    // 0.5 +- 3 sqrt(0.5 x 0.5 / 10), and (1 - 0.5) over that standard error.
    near("lower", 0.025_658_350_974_743_1);
    near("upper", 0.974_341_649_025_256_9);
    near("distance", 3.162_277_660_168_379_5);
    daemon.wait_for("event=chart_alarm", 1);
    daemon.kill_nine();

    // From the journal alone, as from what was kept beside it.
    for lost in [false, true] {
        let kept = place.path("state/journal.sqlite.chart.json");
        if lost {
            std::fs::remove_file(&kept).unwrap();
        }
        let daemon = Daemon::start(&config);
        daemon.wait_for("it stands since", 1);
        daemon.wait_for("event=broker_connected", 1);
        assert_eq!(last("the same alarm", &|message| message["in_control"] == false), alarmed);
        daemon.wait_for("commands are heard", 1);
        let ask = |payload| ask_with(broker.port, "kenpin/v1/line-1/command/chart", "one", Some(payload)).1;
        if lost {
            assert_eq!(ask("forget")["told"], "the payload is \"forget\", want \"acknowledge\" or \"baseline\"");
            let answer = ask("acknowledge");
            assert_eq!((&answer["done"], &answer["command"]), (&true.into(), &"chart".into()), "{answer}");
            assert_eq!(last("the end", &|message| message["in_control"] == true)["alarms"], serde_json::json!([]));
            assert_eq!(ask("acknowledge")["done"], false, "no alarm stands any more");
        }
        assert!(daemon.terminate().success());
    }
    // What was acknowledged stays so; that the line is no better is told again.
    let mut daemon = Daemon::start(&config);
    let mut plc = daemon.stdin();
    show(&daemon, &mut plc, 60..69);
    assert_eq!(
        (daemon.count("event=chart_alarm"), last("the end", &|_| true)["in_control"].as_bool()),
        (0, Some(true))
    );
    show(&daemon, &mut plc, 69..70);
    let again = last("the next alarm", &|message| message["in_control"] == false);
    assert_eq!(again["alarms"][0]["first_seq"], 61, "{again}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_line_that_comes_back_ends_its_alarm_and_a_changed_plan_begins_anew() {
    let broker = Mosquitto::start();
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/chart");
    let place = Place::new();
    pictures(&place, "line", &[1.0, 0.4, 1.0]);
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/line.toml"), "[cameras.top]\npath = \"line\"\n").unwrap();
    let rest = format!("[chart]\nparts = 20\nbaseline = 10\n[mqtt]\nbroker = \"{}\"\n", broker.address());
    place.configure("members = [{ model = \"one\" }]", &rest);
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    let lines = daemon.lines.clone();
    assert!(daemon.wait().success());
    let count = |event: &str| {
        lines.wait(event, |lines| Some(lines.iter().filter(|line| line.contains(&format!("event={event}"))).count()))
    };
    // Of a line that varies by chance only there may be more alarms than the one that the dark pictures raise.
    let raised = count("chart_alarm");
    assert!((1..=4).contains(&raised) && count("chart_begun") == 1, "{raised}");
    let messages =
        told.wait("kenpin.chart/1", "the alarm", |all| all.iter().any(|message| message["in_control"] == false));
    let dark = |message: &Value| message["alarms"].as_array().unwrap().iter().any(|alarm| alarm["share"] == 1.0);
    let at = messages.iter().position(dark).expect("an alarm by the dark pictures");
    assert!(messages[at]["alarms"][0]["first_seq"].as_u64().unwrap() >= PARTS as u64 - 20, "{}", messages[at]);
    assert!(count("chart_over") >= 1 && messages[at + 1..].iter().any(|message| message["in_control"] == true));

    // Other thresholds, another rate: what the old plan made is no baseline for it.
    place.configure("reject_from = 0.9\npass_below = 0.9\nmembers = [{ model = \"one\" }]", &rest);
    std::fs::write(place.path("conf.d/run.toml"), "[line]\nrun = \"two\"\n").unwrap();
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    let lines = daemon.lines.clone();
    assert!(daemon.wait().success());
    let begun = lines.wait("the chart of the new plan", |lines| {
        lines.iter().find(|line| line.contains("event=chart_begun")).cloned()
    });
    assert!(begun.contains("of the first 200 give the mean"), "{begun}");
}

#[test]
fn a_line_without_charts_says_so() {
    let broker = Mosquitto::start();
    let place = Place::new();
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/endless.toml"), "[cameras.top]\nrepeat = true\n").unwrap();
    place.configure("members = [{ model = \"one\" }]", &format!("[mqtt]\nbroker = \"{}\"\n", broker.address()));
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("commands are heard", 1);
    let (_, answer) = ask_with(broker.port, "kenpin/v1/line-1/command/chart", "one", Some("acknowledge"));
    assert_eq!(answer["told"], "nobody draws control charts: the config has no [chart]");
    assert!(daemon.terminate().success());
}
