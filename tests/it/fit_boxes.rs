//! Fits of boxes through the binary: two small detectors of which each sees half of the spots become one that sees all, the daemon
//! judges by that and takes it back, and labels that are none are told with their place.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::fit::{stderr, stdout};
use crate::support::daemon::{Daemon, library};

/// Pictures of 64 by 64 pixels, grey, with spots of 8 by 8 in some of their cells: simulated.
struct Spots {
    folder: tempfile::TempDir,
}

/// A simulated member: its name, which of the labelled spots it sees, and how many false ones a picture.
type Simulated<'m> = (&'m str, fn(usize) -> bool, usize);

/// How far the level of a spot lies from the grey; less is a shadow that nobody labelled.
const SPOT: [i16; 6] = [-100, 90, -70, 60, -50, 110];

impl Spots {
    /// A set of `pictures` pictures. Every fourth has no spot; each has a faint dark and a faint bright cell that are none.
    fn new(pictures: usize) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["set/images", "set/labels", "state"] {
            std::fs::create_dir_all(place.path(folder)).unwrap();
        }
        let mut random = fastrand::Rng::with_seed(7);
        for number in 0..pictures {
            let mut picture = image::GrayImage::from_pixel(64, 64, image::Luma([128]));
            let mut cells: Vec<u32> = (0..64).collect();
            random.shuffle(&mut cells);
            let spots = if number % 4 == 0 { 0 } else { 1 + number % 3 };
            let levels = (0..spots).map(|spot| SPOT[(number * 5 + spot) % SPOT.len()]).chain([-20, 20]);
            let mut labels = String::new();
            for (place, level) in levels.enumerate() {
                let (left, top) = (cells[place] % 8 * 8, cells[place] / 8 * 8);
                let level = u8::try_from(128 + level + random.i16(-6..=6)).unwrap();
                for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
                    picture.put_pixel(left + x, top + y, image::Luma([level]));
                }
                if place < spots {
                    // People label a little off.
                    let [x, y] = [left, top].map(|corner| (f64::from(corner) + 4.0 + random.f64() - 0.5) / 64.0);
                    let [width, height] = [(); 2].map(|()| (8.0 + 2.0 * random.f64() - 1.0) / 64.0);
                    writeln!(labels, "0 {x:.5} {y:.5} {width:.5} {height:.5}").unwrap();
                }
            }
            picture.save(place.path(&format!("set/images/p{number:03}.png"))).unwrap();
            // A picture without spots has an empty file, or none.
            if spots > 0 || number % 8 == 0 {
                std::fs::write(place.path(&format!("set/labels/p{number:03}.txt")), labels).unwrap();
            }
        }
        place.configure("[fits]\nfolder = \"state/fits\"\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, rest: &str) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spots");
        let mut text = "[device]\nid = \"line-1\"\n".to_owned();
        writeln!(text, "[cameras.top]\nkind = \"replay\"\npath = \"set/images\"\nrepeat = true").unwrap();
        for model in ["dark", "bright"] {
            writeln!(text, "[models.{model}]\nfolder = \"{}\"", fixtures.join(model).display()).unwrap();
        }
        writeln!(text, "[[routes]]\nname = \"all\"\nmembers = [{{ model = \"dark\" }}, {{ model = \"bright\" }}]")
            .unwrap();
        writeln!(
            text,
            "fusion = {{ over = \"boxes\", boxes = {{ method = \"nms\", iou_above = 0.9 }} }}\nreject_from = 0.05"
        )
        .unwrap();
        writeln!(text, "[journal]\npath = \"state/journal.sqlite\"\n{rest}").unwrap();
        std::fs::write(self.path("kenpin.toml"), text).unwrap();
    }

    fn kenpin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.args(arguments).current_dir(self.folder.path()).env("ORT_DYLIB_PATH", library());
        command.env("NO_COLOR", "1").output().unwrap()
    }

    fn fit(&self, further: &[&str]) -> Output {
        self.kenpin(&[&["fit", "kenpin.toml", "set"], further].concat())
    }

    /// Refuses; gives what was told.
    fn told(&self, further: &[&str]) -> String {
        let output = self.fit(further);
        assert!(!output.status.success(), "{}", stdout(&output));
        stderr(&output)
    }

    /// A file of simulated boxes for every picture: what `sees` of the labelled spots, and `noise` false ones a picture.
    fn boxes(&self, members: [Simulated<'_>; 2]) -> String {
        let mut random = fastrand::Rng::with_seed(11);
        let mut text = "picture,member,label,confidence,left,top,right,bottom\n".to_owned();
        let mut labels: Vec<PathBuf> =
            std::fs::read_dir(self.path("set/labels")).unwrap().map(|entry| entry.unwrap().path()).collect();
        labels.sort();
        let mut spot = 0;
        for path in labels {
            let picture = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut row = |member: &str, confidence: f64, [x, y, width, height]: [f64; 4]| {
                let [left, top, right, bottom] =
                    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0].map(|share| share * 64.0);
                writeln!(text, "{picture},{member},spot,{confidence},{left},{top},{right},{bottom}").unwrap();
            };
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let numbers: Vec<f64> = line.split(' ').skip(1).map(|number| number.parse().unwrap()).collect();
                for (member, sees, _) in members {
                    if sees(spot) {
                        let off = [0, 1, 2, 3].map(|at: usize| numbers[at] + 0.01 * (random.f64() - 0.5));
                        row(member, 0.3 + 0.7 * random.f64(), off);
                    }
                }
                spot += 1;
            }
            for (member, _, noise) in members {
                for _ in 0..noise {
                    row(member, random.f64(), [0.1 + 0.8 * random.f64(), 0.1 + 0.8 * random.f64(), 0.1, 0.1]);
                }
            }
        }
        std::fs::write(self.path("boxes.csv"), &text).unwrap();
        text
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", stderr(output)))
}

#[test]
fn two_detectors_of_which_each_sees_half_become_one_that_the_daemon_judges_by() {
    let place = Spots::new(48);
    let output = place.fit(&["--escape-cost", "10"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stdout(&output);
    assert!(
        told.contains("control: ") && told.contains("is beaten") && told.contains("fit 1 is in state/fits/all.toml")
    );
    println!("{told}");

    // The same again from what is kept, as JSON.
    let report = json(&place.fit(&["--json", "--dry-run", "--escape-cost", "10"]));
    let fit = &report["fit"];
    assert_eq!((fit["method"].as_str(), fit["scores"].as_str()), (Some("boxes"), Some("models")), "{fit}");
    let evidence = &fit["boxes"]["evidence"];
    let figure = |of: &Value| of["map50_95"]["value"].as_f64().unwrap();
    let members: Vec<f64> = evidence["members"].as_array().unwrap().iter().map(figure).collect();
    let fused = figure(&evidence["fused"]);
    assert!(members.iter().all(|member| fused > member + 0.1), "{members:?} {fused}");
    assert_eq!(evidence["control"]["significant"], true, "{evidence}");
    assert_eq!((evidence["pictures"].as_u64(), evidence["with_boxes"].as_u64()), (Some(48), Some(36)));
    assert_eq!(fit["boxes"]["without_file"], 6);
    assert_eq!(fit["reference"]["parts"], 48, "{fit}");

    // By the config a shadow is a defect; by the fit it is none, until the fit is taken back.
    let decisions = |run: &str| -> Vec<(String, String, Option<String>)> {
        let journal = rusqlite::Connection::open(place.path("state/journal.sqlite")).unwrap();
        let mut rows = journal.prepare("SELECT body FROM verdict WHERE run = ? ORDER BY seq").unwrap();
        let bodies = rows.query_map([run], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        let told = bodies.map(|body| {
            let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
            let text = |key: &str| body[key].as_str().map(str::to_owned);
            (text("part").unwrap(), text("verdict").unwrap(), text("fit"))
        });
        told.collect()
    };
    place.configure("");
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("part_judged", 60);
    place.configure("[fits]\nfolder = \"state/fits\"\n");
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 1);
    daemon.wait_for_more("part_judged", 110);
    assert!(place.kenpin(&["fit", "kenpin.toml", "--rollback"]).status.success());
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 2);
    daemon.wait_for_more("part_judged", 110);
    assert!(daemon.terminate().success());
    let decisions = decisions("default");
    let (fitted, bare): (Vec<_>, Vec<_>) = decisions.iter().partition(|(_, _, fit)| fit.is_some());
    assert!(fitted.len() >= 48 && bare.len() >= 100, "{} {}", fitted.len(), bare.len());
    assert!(decisions.last().unwrap().2.is_none(), "the fit is taken back");
    assert!(bare.iter().all(|(_, verdict, _)| verdict == "reject"), "{bare:?}");
    for (part, verdict, _) in fitted {
        let number: usize = part[1..4].parse().unwrap();
        let wanted = if number.is_multiple_of(4) { "pass" } else { "reject" };
        assert_eq!(verdict, wanted, "{part}");
    }
}

#[test]
fn a_member_of_pure_noise_is_no_help_and_nothing_is_written() {
    let place = Spots::new(40);
    // Simulated: one member sees nine spots of ten, the other none of them and six things a picture that are not there.
    place.boxes([("dark", |spot| spot % 10 != 0, 1), ("bright", |_| false, 6)]);
    let output = place.fit(&["--scores", "boxes.csv", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report = json(&output);
    assert_eq!(report["written"], Value::Null);
    assert!(report["not_written"].as_str().unwrap().contains("does not beat dark, its best member"), "{report}");
    let weight = |seat: usize| report["fit"]["members"][seat]["weight"].as_f64().unwrap();
    assert!(weight(0) >= 1.0 && weight(1) <= 0.25, "{report}");
    assert!(!place.path("state/fits").exists());
    let forced = place.fit(&["--scores", "boxes.csv", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert!(place.path("state/fits/all.toml").is_file());
    assert!(place.kenpin(&["check", "kenpin.toml"]).status.success());
}

#[test]
fn labels_that_are_none_are_told_with_their_place() {
    let place = Spots::new(16);
    let first = place.path("set/labels/p001.txt");
    let good = std::fs::read_to_string(&first).unwrap();
    let told = |text: &str| {
        std::fs::write(&first, text).unwrap();
        place.told(&[])
    };
    let wrong = told("0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1\n0 0.5 1.5 0.1 0.1\n");
    for line in [
        "set/labels/p001.txt line 2: the label is \"1\", want a whole number from 0 to 0",
        "set/labels/p001.txt line 3: there are 3 numbers behind the label, want 4 (centre x, centre y, width, height) or 8",
        "set/labels/p001.txt line 4: the centre's y is \"1.5\", want a number from 0 to 1: a share of the picture",
    ] {
        assert!(wrong.contains(line), "{wrong}");
    }
    std::fs::write(&first, &good).unwrap();
    std::fs::write(place.path("set/labels/stray.txt"), "").unwrap();
    assert!(place.told(&[]).contains("set/labels/stray.txt: there is no picture of that name in set/images"));
    std::fs::remove_file(place.path("set/labels/stray.txt")).unwrap();
    std::fs::write(place.path("set/classes.txt"), "spot\nscratch\n").unwrap();
    let classes = place.told(&[]);
    assert!(
        classes.contains("set/classes.txt names scratch, which no voting member finds; they find [`spot`]"),
        "{classes}"
    );
    std::fs::remove_file(place.path("set/classes.txt")).unwrap();
    let flag = place.told(&["--adaptive"]);
    assert!(flag.contains("--adaptive is for routes that join scores; route all fuses boxes"), "{flag}");

    let boxes = place.boxes([("dark", |spot| spot % 2 == 0, 1), ("bright", |spot| spot % 2 == 1, 1)]);
    let told = |row: &str| {
        std::fs::write(place.path("boxes.csv"), format!("{boxes}{row}\n")).unwrap();
        place.told(&["--scores", "boxes.csv"])
    };
    let line = boxes.lines().count() + 1;
    assert!(
        told("p001,dark,spot,1.5,0,0,1,1").contains(&format!("boxes.csv line {line}: confidence is 1.5, want 0 to 1"))
    );
    assert!(told("p001,dark,dent,0.5,0,0,1,1").contains("the label is \"dent\", want one of those of dark: `spot`"));
    assert!(
        told("p001,dark,spot,0.5,9,0,1,1")
            .contains("the box is 9, 0, 1, 1, want left below right and top below bottom")
    );
    assert!(told("p001,dark,spot,x,9,0,1,1").contains("confidence is \"x\", want a number"));
    std::fs::write(place.path("boxes.csv"), "picture,member\n").unwrap();
    assert!(
        place.told(&["--scores", "boxes.csv"]).contains("want picture,member,label,confidence,left,top,right,bottom")
    );
}

#[test]
fn pictures_that_a_member_was_trained_on_are_refused() {
    let place = Spots::new(16);
    let picture = image::open(place.path("set/images/p003.png")).unwrap().to_luma8();
    let mut pixels = b"64 64 L\n".to_vec();
    pixels.extend(picture.as_raw());
    let sha256 = kenpin::models::catalogue::sha256_of(&pixels);
    std::fs::write(place.path("pixels.csv"), format!("part,sha256\ncell9,{sha256}\n")).unwrap();
    std::fs::write(place.path("train.txt"), "cell9\n").unwrap();
    let told = place.told(&["--trained", "train.txt", "--pixels", "pixels.csv"]);
    assert!(
        told.contains("1 of 16 labelled pictures were trained on") && told.contains("it is cell9 of train.txt"),
        "{told}"
    );
}
