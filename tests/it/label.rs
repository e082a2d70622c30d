//! Labels: what operators say comes into the journal by both ways, is learned from, changes verdicts as the evidence says, and is
//! taken back exactly.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ChildStdin;

use kenpin::config;
use kenpin::flow::review::{Review, Truth, draw};
use kenpin::flow::verdict::Decision;
use kenpin::name::Name;
use kenpin::record::journal::beside::Beside;
use kenpin::record::journal::labels::{NewLabel, Way};
use serde_json::{Value, json};

use crate::fit::{Place, stderr, stdout};
use crate::support::daemon::Daemon;
use crate::support::mosquitto::{Mosquitto, ask_with};

const ONE: &str = "members = [{ model = \"one\" }]";

/// The pictures of the line by their levels: 20 that are bad, 20 that are good and called dark, 20 that are plainly good.
fn levels() -> Vec<u16> {
    (20..100).step_by(4).chain(108..128).chain((130..250).step_by(6)).collect()
}

/// What an operator sees: defective below 100.
fn truth(level: u16) -> Truth {
    if level < 100 { Truth::Bad } else { Truth::Good }
}

/// A line whose pictures are taken one by one, when they are named on standard input, and begin again after the last.
fn line() -> Place {
    let place = Place::new();
    for folder in ["line", "conf.d", "state/fits"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    for level in levels() {
        let picture = image::GrayImage::from_pixel(8, 8, image::Luma([u8::try_from(level).unwrap()]));
        picture.save(place.path(&format!("line/{level:03}.png"))).unwrap();
    }
    let triggered = "[cameras.top]\npath = \"line\"\nrepeat = true\npart_id = \"none\"\npace = \"triggered\"\n\
                     trigger_sensor = \"plc\"\n[sensors.plc]\nkind = \"stdin\"\npart_key = \"part\"\n";
    std::fs::write(place.path("conf.d/triggered.toml"), triggered).unwrap();
    place
}

/// Shows the daemon each picture once; parts are called by level and round.
fn show(daemon: &Daemon, plc: &mut ChildStdin, round: &str) {
    for level in levels() {
        let before = daemon.count("part_judged");
        writeln!(plc, "part={level:03}-{round}").unwrap();
        daemon.wait_for("part_judged", before + 1);
    }
}

/// A round's verdicts by the level of their picture.
fn of_round<'v>(verdicts: &'v [Value], round: &str) -> BTreeMap<u16, &'v Value> {
    let of = verdicts.iter().filter_map(|verdict| {
        let (level, of) = verdict["part"].as_str()?.split_once('-')?;
        (of == round).then(|| (level.parse().unwrap(), verdict))
    });
    of.collect()
}

/// What stays of a verdict that must come out the same: all but its number, its times and what hangs on its number.
fn lasting(verdict: &Value) -> Value {
    let mut lasting = verdict.clone();
    let all = lasting.as_object_mut().unwrap();
    for key in ["seq", "part", "captured", "judged", "milliseconds", "frames", "review", "readings"] {
        assert!(all.remove(key).is_some(), "{key}: {verdict}");
    }
    for vote in all["votes"].as_array_mut().unwrap() {
        vote.as_object_mut().unwrap().remove("milliseconds");
    }
    lasting
}

fn label(epoch: &Value, seq: &Value, truth: Truth, by: &str) -> Value {
    json!({ "schema": "kenpin.label/1", "epoch": epoch, "seq": seq, "truth": truth.as_str(), "by": by })
}

/// Tells the device a label and gives whether it was taken, and what it said.
fn tell(broker: &Mosquitto, payload: &str) -> (bool, String) {
    let (data, answer) = ask_with(broker.port, "kenpin/v1/line-1/command/label", "asked", Some(payload));
    assert_eq!(
        (data.as_str(), &answer["schema"], &answer["command"]),
        ("asked", &"kenpin.reply/1".into(), &"label".into())
    );
    (answer["done"].as_bool().unwrap(), answer["told"].as_str().unwrap().to_owned())
}

fn reload(broker: &Mosquitto) {
    let (_, answer) = ask_with(broker.port, "kenpin/v1/line-1/command/reload", "asked", None);
    assert_eq!(answer["done"], true, "{answer}");
}

#[test]
fn a_full_circle_from_overruled_verdicts_to_new_ones_and_back() {
    let (place, broker) = (line(), Mosquitto::start());
    let mqtt = format!("[mqtt]\nbroker = \"{}\"", broker.address());
    place.configure(ONE, &format!("[fits]\nfolder = \"state/fits\"\n[review]\naudit_share = 0.5\n{mqtt}"));
    let mut daemon = Daemon::start(&place.path("kenpin.toml"));
    let mut plc = daemon.stdin();
    daemon.wait_for("commands are heard", 1);
    show(&daemon, &mut plc, "before");

    // What is put up for review: all rejects, and those passes whose draw says so.
    let output = place.kenpin(&["label", "kenpin.toml", "--queue", "--limit", "100", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let queue: Value = serde_json::from_slice(&output.stdout).unwrap();
    let asked = queue["verdicts"].as_array().unwrap();
    let rejects = asked.iter().filter(|one| one["verdict"] == "reject").count();
    assert_eq!((rejects, queue["waiting"].as_u64()), (40, Some(asked.len() as u64)), "{queue}");

    // An operator overrules the 20 that were rejected and are good, and confirms the rest at the command line.
    let mut overruled = 0;
    for one in asked {
        let level: u16 = one["part"].as_str().unwrap()[..3].parse().unwrap();
        let (seq, truth) = (&one["seq"], truth(level));
        if one["verdict"] == "reject" && truth == Truth::Good {
            let (done, told) = tell(&broker, &label(&queue["epoch"], seq, truth, "anna").to_string());
            assert_eq!((done, told), (true, format!("verdict {seq} on part {}: good, says anna", one["part"])));
            overruled += 1;
        } else {
            let output = place.kenpin(&["label", "kenpin.toml", &seq.to_string(), truth.as_str(), "--by", "berta"]);
            assert!(output.status.success(), "{}", stderr(&output));
        }
    }
    assert_eq!(overruled, 20);

    let output = place.kenpin(&["fit", "kenpin.toml", "--journal", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (fit, passes) = (&report["fit"], asked.len() - 40);
    assert_eq!((&fit["scores"], &report["labels"]["used"]), (&"journal".into(), &asked.len().into()), "{report}");
    let reviewed = &fit["reviewed"];
    assert_eq!((&reviewed["rejects"], &reviewed["passes"]), (&40.into(), &passes.into()), "{reviewed}");
    // Kish: the square of the sum of the weights over the sum of their squares, a pass counting twice.
    let (sum, squares) = (40.0 + 2.0 * as_f64(passes), 40.0 + 4.0 * as_f64(passes));
    assert!((reviewed["effective"].as_f64().unwrap() - sum * sum / squares).abs() < 1e-6, "{reviewed}");
    assert_eq!(fit["evidence"]["fused"]["auc"]["value"], 1.0, "no good part scores as high as a bad one: {report}");

    reload(&broker);
    show(&daemon, &mut plc, "fitted");
    let sha256 = kenpin::models::catalogue::sha256(&place.path("state/fits/all.toml")).unwrap();
    let back = place.kenpin(&["fit", "kenpin.toml", "--rollback"]);
    assert!(stdout(&back).contains("the route judges by its config again"), "{}", stderr(&back));
    reload(&broker);
    show(&daemon, &mut plc, "after");
    assert!(daemon.terminate().success());

    let verdicts = place.verdicts("default");
    let [before, fitted, after] = ["before", "fitted", "after"].map(|round| of_round(&verdicts, round));
    assert_eq!([before.len(), fitted.len(), after.len()], [60; 3]);
    for level in levels() {
        let [before, fitted, after] = [before[&level], fitted[&level], after[&level]];
        let decided = |verdict: &Value| verdict["verdict"].as_str().unwrap().to_owned();
        let wanted = if level < 100 { "reject" } else { "pass" };
        assert_eq!(decided(before), if level < 128 { "reject" } else { "pass" }, "{before}");
        assert_eq!((decided(fitted).as_str(), &fitted["fit"]), (wanted, &sha256.as_str().into()), "{fitted}");
        assert_eq!(lasting(after), lasting(before), "what was taken back judges as before, to the last bit");
        let bits = |verdict: &Value| verdict["score"].as_f64().unwrap().to_bits();
        assert_eq!(bits(after), bits(before));
        assert_ne!(fitted["plan"], before["plan"]);
        for verdict in [before, fitted, after] {
            let epoch = verdict["epoch"].as_str().unwrap().parse().unwrap();
            let decision: Decision = serde_json::from_value(verdict["verdict"].clone()).unwrap();
            let review = Review::of(decision, 0.5, epoch, verdict["seq"].as_u64().unwrap());
            assert_eq!(verdict["review"], serde_json::to_value(review).unwrap(), "{verdict}");
        }
    }
    let changed = levels().into_iter().filter(|level| fitted[level]["verdict"] != before[level]["verdict"]);
    assert_eq!(changed.collect::<Vec<_>>(), (108..128).collect::<Vec<_>>(), "the overruled ones, and no other");
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[test]
fn what_is_no_label_is_refused_and_what_was_answered_outlives_a_kill() {
    let (place, mut broker) = (line(), Mosquitto::start());
    place.configure(ONE, &format!("[mqtt]\nbroker = \"{}\"", broker.address()));
    let mut daemon = Daemon::start(&place.path("kenpin.toml"));
    let mut plc = daemon.stdin();
    daemon.wait_for("commands are heard", 1);
    for (part, count) in [("a", 1), ("b", 2)] {
        writeln!(plc, "part={part}").unwrap();
        daemon.wait_for("part_judged", count);
    }
    daemon.wait_for("verdict_published", 2);
    let verdicts = place.verdicts("default");
    assert!(verdicts.iter().all(|verdict| verdict.get("review").is_none()), "nobody is asked: {verdicts:?}");
    let epoch = &verdicts[0]["epoch"];
    let sound = label(epoch, &1.into(), Truth::Bad, "anna");
    let changed = |key: &str, value: Value| {
        let mut changed = sound.clone();
        changed[key] = value;
        tell(&broker, &changed.to_string())
    };
    let other = "00000000-0000-0000-0000-000000000007";
    for (told, wanted) in [
        (changed("seq", 9.into()), "there is no verdict 9: the last one is 2".to_owned()),
        (
            changed("epoch", other.into()),
            format!("the label is for epoch {other}, this journal is of epoch {}", text(epoch)),
        ),
        (changed("truth", "fine".into()), "unknown variant `fine`, expected `good` or `bad`".into()),
        (changed("note", "x".into()), "unknown field `note`".into()),
        (changed("schema", "kenpin.label/2".into()), "want \"kenpin.label/1\"".into()),
        (tell(&broker, "17 bad"), "the payload is no kenpin.label/1: ".into()),
    ] {
        assert!(!told.0 && told.1.contains(&wanted), "{told:?}, want {wanted}");
    }
    assert_eq!(tell(&broker, &sound.to_string()), (true, "verdict 1 on part \"a\": bad, says anna".into()));
    let superseded = tell(&broker, &label(epoch, &1.into(), Truth::Good, "berta").to_string());
    assert_eq!(superseded, (true, "verdict 1 on part \"a\": good, says berta; before that: bad, said anna".into()));

    // While the broker is away the command line labels; when it is back, commands are heard again.
    broker.stop();
    daemon.wait_for(", commands: ", 1);
    let output = place.kenpin(&["label", "kenpin.toml", "2", "bad", "--class", "stain", "--by", "anna"]);
    assert_eq!(stdout(&output), "verdict 2 on part \"b\": bad, says anna\n", "{}", stderr(&output));
    broker.restart();
    daemon.wait_for("commands are heard", 2);
    assert!(tell(&broker, &label(epoch, &2.into(), Truth::Good, "berta").to_string()).0);
    daemon.kill_nine();

    let output = place.kenpin(&["label", "kenpin.toml", "--list", "--json"]);
    let labels: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = labels.as_array().unwrap().iter().map(|one| {
        (
            one["seq"].as_u64().unwrap(),
            text(&one["truth"]),
            text(&one["by"]),
            text(&one["way"]),
            one["superseded"] == true,
        )
    });
    let wanted = [
        (1, "bad", "anna", "mqtt", true),
        (1, "good", "berta", "mqtt", false),
        (2, "bad", "anna", "cli", true),
        (2, "good", "berta", "mqtt", false),
    ];
    assert_eq!(said.collect::<Vec<_>>(), wanted);
    assert_eq!((&labels[2]["class"], &labels[2]["probability"]), (&"stain".into(), &Value::Null));
    let table = stdout(&place.kenpin(&["label", "kenpin.toml", "--list"]));
    assert!(table.contains("bad, superseded") && table.contains("not put up"), "{table}");
    let unknown = place.kenpin(&["label", "kenpin.toml", "3", "bad", "--by", "anna"]);
    assert_eq!(
        (unknown.status.code(), stderr(&unknown).as_str()),
        (Some(1), "kenpin: there is no verdict 3: the last one is 2\n")
    );
    assert_eq!(place.kenpin(&["label", "kenpin.toml", "3", "fine"]).status.code(), Some(2));
    assert_eq!(place.kenpin(&["label", "kenpin.toml", "3"]).status.code(), Some(2));
    // Nobody was asked to look at them, so nothing is learned from them.
    let fit = place.kenpin(&["fit", "kenpin.toml", "--journal"]);
    assert_eq!(fit.status.code(), Some(1));
    assert!(stderr(&fit).contains("2 on verdicts that were not put up for review"), "{}", stderr(&fit));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Judges the pictures of the line once, by a daemon that ends with them, into a journal of its own.
fn judged(place: &Place, journal: &str, audit_share: f64, rest: &str) -> Beside {
    let tables = format!("[review]\naudit_share = {audit_share}\n[journal]\npath = \"{journal}\"\n{rest}");
    place.configure(ONE, &tables);
    std::fs::write(place.path("conf.d/triggered.toml"), "[cameras.top]\npath = \"line\"\n").unwrap();
    let output = place.kenpin(&["run", "kenpin.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    Beside::open(&config::Journal { path: place.path(journal), max_bytes: 1 << 30 }).unwrap()
}

/// Labels what is put up for review and `of` says; the numbers of the verdicts with the levels of their pictures.
fn label_all(journal: &mut Beside, of: impl Fn(u64) -> bool) -> Vec<(u64, u16)> {
    let mut asked = Vec::new();
    journal
        .each_unanswered(usize::MAX, |seq, body| {
            let verdict: Value = serde_json::from_slice(&body).unwrap();
            asked.push((seq, text(&verdict["part"]).parse().unwrap()));
        })
        .unwrap();
    asked.retain(|(seq, _)| of(*seq));
    for (seq, level) in &asked {
        let (epoch, by) = (journal.epoch(), Name::new("anna").unwrap());
        let label = NewLabel { epoch, seq: *seq, truth: truth(*level), class: None, by, way: Way::Cli };
        journal.label(&label).unwrap();
    }
    asked
}

fn fitted(place: &Place, arguments: &[&str]) -> Value {
    let output = place.kenpin(&[&["fit", "kenpin.toml", "--dry-run", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn labels_on_all_verdicts_fit_as_the_same_pictures_do_to_the_last_bit() {
    let place = line();
    let mut journal = judged(&place, "all.sqlite", 1.0, "[images]\nfolder = \"kept\"");
    let labelled = label_all(&mut journal, |_| true);
    assert_eq!(labelled.len(), 60);
    // In the order of the verdicts, by which parts are dealt out to folds.
    let row =
        |(_, level): &(u64, u16)| format!("line/{level:03}.png,{}\n", if *level < 100 { "defective" } else { "good" });
    let list = labelled.iter().map(row).fold("image,truth\n".to_owned(), |all, row| all + &row);
    std::fs::write(place.path("list.csv"), list).unwrap();
    for aim in [&["--escape-cost", "3"][..], &["--escape-bound", "0.3", "--confidence", "0.9"]] {
        let (by_list, by_journal) =
            (fitted(&place, &[&["list.csv"], aim].concat()), fitted(&place, &[&["--journal"], aim].concat()));
        for key in ["evidence", "thresholds", "members", "method", "promise"] {
            assert_eq!(by_journal["fit"][key], by_list["fit"][key], "{key} with {aim:?}");
        }
        assert_eq!(by_journal["fit"]["reviewed"]["effective"], 60.0);
    }

    // A part that a member was trained on is left out where its picture is kept, and told where it is not.
    let pixels = |level: u8| kenpin::models::catalogue::sha256_of(&[b"8 8 L\n".as_slice(), &[level; 64]].concat());
    std::fs::write(place.path("pixels.csv"), format!("part,sha256\ncell1,{}\n", pixels(130))).unwrap();
    std::fs::write(place.path("train.txt"), "cell1\n").unwrap();
    std::fs::remove_file(std::fs::read_dir(place.path("kept")).unwrap().map(|one| one.unwrap().path()).min().unwrap())
        .unwrap();
    let guarded = fitted(&place, &["--journal", "--trained", "train.txt", "--pixels", "pixels.csv"]);
    let labels = &guarded["labels"];
    assert_eq!(
        (&labels["used"], &labels["trained_on"], &labels["pixels_unknown"]),
        (&59.into(), &1.into(), &1.into()),
        "{labels}"
    );

    // Other model files under the same name: what the old ones said is not theirs.
    place.model("one", "independent", "stain");
    let refused = place.kenpin(&["fit", "kenpin.toml", "--journal"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("none of 60 labels is of use for route all: 60 on verdicts of other model files"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_bound_is_shown_by_a_plain_random_sample_that_is_labelled_whole_or_refused() {
    let place = line();
    let bound = ["--journal", "--escape-bound", "0.5", "--confidence", "0.5"];
    let refused = |arguments: &[&str]| {
        let output = place.kenpin(&[&["fit", "kenpin.toml", "--dry-run"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        stderr(&output)
    };
    let mut journal = judged(&place, "unaudited.sqlite", 0.0, "");
    assert_eq!(label_all(&mut journal, |_| true).len(), 40);
    assert!(refused(&bound).contains("no audited pass is among 40 labelled parts: nobody knows what escapes"));
    let output = place.kenpin(&["fit", "kenpin.toml", "--dry-run", "--journal"]);
    assert!(
        stdout(&output).contains("no audited pass is among them: how many defective parts pass is not known"),
        "{}",
        stderr(&output)
    );

    let share = 0.9;
    let mut journal = judged(&place, "audited.sqlite", share, "");
    let epoch = journal.epoch();
    let sample: Vec<u64> = (1..=60).filter(|seq| draw(epoch, *seq) < share).collect();
    let first = sample[0];
    let mut labelled = label_all(&mut journal, |seq| seq != first);
    let told = refused(&bound);
    assert!(told.contains(&format!("1 of the {} parts in the random sample up to verdict", sample.len())), "{told}");
    labelled.extend(label_all(&mut journal, |_| true));
    let (rest, passes) = (labelled.len(), labelled.iter().filter(|(_, level)| *level >= 128).count());
    assert_eq!(rest - passes, 40);
    let report = fitted(&place, &bound);
    let labels = &report["labels"];
    assert_eq!(
        (&labels["used"], &labels["outside_sample"]),
        (&sample.len().into(), &(rest - sample.len()).into()),
        "{report}"
    );
    let reviewed = &report["fit"]["reviewed"];
    assert_eq!((&reviewed["passes"], &reviewed["effective"]), (&passes.into(), &as_f64(sample.len()).into()));
    assert_eq!(report["fit"]["promise"]["kind"], "escape-bound");
    let weighted = fitted(&place, &["--journal"]);
    assert_eq!(weighted["labels"]["used"], rest, "without a bound all count, by how likely they were to be looked at");
}
