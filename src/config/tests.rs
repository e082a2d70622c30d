//! Holds the default file to the code, the laying over of fragments to its rule, and small files to their defaults.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::document::{Document, Path as Way};
use super::*;
use crate::value::Value as Told;

fn read(files: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let files: Vec<_> = files.iter().map(|&(label, text)| (label.to_owned(), text.to_owned())).collect();
    settings(
        "kenpin.toml",
        &files,
        &Surroundings {
            folder: "line".into(),
            credentials: Some("/run/secrets".into()),
            runtime: Some("/run/kenpin".into()),
        },
    )
}

const SMALL: &str = r#"
    device.id = "station-3"
    [cameras.top]
    kind = "replay"
    path = "parts"
    [models.scratches]
    folder = "models/scratches"
    [[routes]]
    name = "all"
    members = [{ model = "scratches" }]
"#;

#[test]
fn a_first_file_is_small_and_the_rest_has_defaults() {
    let settings = read(&[("kenpin.toml", SMALL)]).unwrap();
    assert_eq!(settings.device, *"station-3");
    assert_eq!(settings.line.recipe, *"default");
    let top = &settings.cameras["top"];
    assert_eq!((&top.pace, top.expected, top.delay), (&Pace::FreeRunning, true, Duration::ZERO));
    let CameraSource::Replay(replay) = &top.source else { panic!("not a replay") };
    assert_eq!(replay.path, Path::new("line/parts"), "relative to the folder of the file");
    assert_eq!(settings.join.window, Duration::from_millis(250));
    let Station::Panel(Panel { members, thresholds, .. }) = &settings.routes[0].station else { panic!("not a panel") };
    assert!(members[0].required);
    assert_eq!(*thresholds, Thresholds { reject_from: 0.5, pass_below: 0.5 });
    assert_eq!(settings.journal.max_bytes, 1024 * 1024 * 1024);
    assert_eq!((settings.images, settings.mqtt), (None, None));
}

#[test]
#[cfg(all(feature = "v4l", target_os = "linux"))]
fn live_cameras_say_what_they_are_to_give() {
    let text = r#"
        [cameras.front]
        kind = "v4l"
        card = "Cam"
        mode = { format = "bayer-grbg12", width = 640, height = 480, frames_per_second = 29.97, sample_shift = 0 }
        controls = { auto_exposure = "Manual Mode", gain = 12, hflip = true }
        [cameras.back]
        kind = "v4l"
        device = "/dev/video3"
        mode = { format = "mjpeg", width = 640, height = 480 }
        jpeg_scale = "1/2"
        silence_ms = 60000
        [cameras.net]
        kind = "pipe"
        command = ["ffmpeg", "-i", "x"]
        raw = { format = "nv12", width = 8, height = 6, stride = 16 }
    "#;
    let settings = read(&[("kenpin.toml", SMALL), ("conf.d/10.toml", text)]).unwrap_or_else(|error| panic!("{error}"));
    let [CameraSource::V4l(back), CameraSource::V4l(front), CameraSource::Pipe(net)] =
        ["back", "front", "net"].map(|name| settings.cameras[name].source.clone())
    else {
        panic!("other kinds")
    };
    assert_eq!(front.device, VideoDevice::Card { card: "Cam".into(), bus: None });
    assert_eq!((front.mode.format, front.mode.frames_per_second), (FrameFormat::BayerGrbg12, Some(29.97)));
    assert_eq!((front.mode.sample_shift, front.silence), (Some(0), None));
    let told: Vec<_> = front.controls.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let wanted = [
        ("auto_exposure", Told::Text("Manual Mode".into())),
        ("gain", Told::Number(12.0)),
        ("hflip", Told::Flag(true)),
    ];
    assert_eq!(told, wanted);
    assert_eq!(back.device, VideoDevice::Path("/dev/video3".into()));
    assert_eq!((back.jpeg_scale, back.silence), (JpegScale::Half, Some(Duration::from_mins(1))));
    assert_eq!((net.command.len(), net.silence, net.raw.unwrap().stride), (3, Duration::from_secs(5), Some(16)));
    let net = &settings.cameras["net"];
    assert!(!net.waits() && net.supersedes() && net.every(), "a live camera is not held up");
    let top = &settings.cameras["top"];
    assert!(top.waits() && !top.supersedes(), "files are");
}

#[test]
fn a_fragment_is_laid_over_key_by_key_and_replaces_lists() {
    let first = "cameras.top.pace = \"paced\"\ncameras.top.frames_per_second = 5\n[mqtt]\nbroker = \"mqtt:1883\"\n";
    let second = "[[routes]]\nname = \"night\"\nreject_from = 0.25\nmembers = [{ model = \"scratches\" }]\n\
                  [mqtt]\nbroker = \"other:1883\"\npassword_credential = \"mqtt\"";
    let settings = read(&[("kenpin.toml", SMALL), ("conf.d/10.toml", first), ("conf.d/20.toml", second)]).unwrap();
    assert_eq!(settings.cameras["top"].pace, Pace::Paced { frames_per_second: 5.0 });
    assert_eq!(settings.routes.iter().map(|route| route.name.as_str()).collect::<Vec<_>>(), ["night"]);
    let mqtt = settings.mqtt.unwrap();
    assert_eq!(mqtt.broker, Broker::Remote { address: "other:1883".to_owned() });
    assert_eq!(mqtt.password_file.unwrap(), Path::new("/run/secrets/mqtt"));
}

#[test]
fn fragments_are_read_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kenpin.toml");
    std::fs::write(&file, SMALL).unwrap();
    assert_eq!(load(&file).unwrap().line.run, *"default");
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, run) in [("b.toml", "second"), ("a.toml", "first"), ("c.toml~", "never")] {
        std::fs::write(folder.path().join("conf.d").join(name), format!("line.run = \"{run}\"")).unwrap();
    }
    let settings = load(&file).unwrap();
    assert_eq!(settings.line.run, *"second");
    assert_eq!(settings.models["scratches"], folder.path().join("models/scratches"));
}

#[test]
fn every_test_of_a_condition_arrives() {
    let when = |condition: &str| {
        let text = SMALL.replace("name = \"all\"", &format!("name = \"all\"\nwhen = [{{ key = \"a\", {condition} }}]"));
        let settings = read(&[("kenpin.toml", &text)]).unwrap();
        match settings.routes[0].when.as_slice() {
            [Condition::Sensor { sensor: None, key, test }] if key == "a" => test.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(when("equals = 3"), Test::Equals(Told::Number(3.0)));
    assert_eq!(when("not_equals = true"), Test::NotEquals(Told::Flag(true)));
    assert_eq!(when("one_of = [\"x\"]"), Test::OneOf(vec![Told::Text("x".to_owned())]));
    assert_eq!(when("at_least = 1"), Test::AtLeast(1.0));
    assert_eq!(when("at_most = 1.5"), Test::AtMost(1.5));
    assert_eq!(when("above = -1"), Test::Above(-1.0));
    assert_eq!(when("below = 0"), Test::Below(0.0));
    assert_eq!(when("present = false"), Test::Present(false));
}

/// The default file with everything switched on that is switched off in it.
fn switched_on() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
        _ => line,
    };
    DEFAULT.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Follows a `$ref` of a schema.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// Walks a document along its schema; `tell` gets each key with the schema of its table and of its value.
fn walk(root: &Value, schema: &Value, value: &Value, at: &Way, tell: &mut impl FnMut(&Way, &Value, &Value, &Value)) {
    let schema = resolved(root, schema);
    let child = |key: &str| schema.get("properties")?.get(key);
    let entry = || schema.get("patternProperties")?.as_object()?.values().next();
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let at = at.then(key);
                if let Some(property) = child(key) {
                    tell(&at, schema, property, value);
                    walk(root, property, value, &at, tell);
                } else if let Some(entry) = entry() {
                    walk(root, entry, value, &at, tell);
                }
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                if let Some(items) = schema.get("items") {
                    walk(root, items, value, &at.then(index), tell);
                }
            }
        }
        _ => {}
    }
}

/// Every key of every table of a schema, as `description: key`.
fn all_keys(root: &Value) -> BTreeSet<String> {
    let tables = root["$defs"].as_object().unwrap().values().chain([root]);
    tables.flat_map(keys_of).collect()
}

fn keys_of(table: &Value) -> Vec<String> {
    let properties = table.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.map(|(key, _)| named(table, key)).collect()
}

fn named(table: &Value, key: &str) -> String {
    format!("{} `{key}`", table["description"].as_str().unwrap())
}

#[test]
fn the_default_file_is_a_file_without_findings() {
    let settings = read(&[("default.toml", DEFAULT)]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.routes.len(), 1);
}

#[test]
fn the_default_file_has_every_key_of_the_schema() {
    let document = Document::parse(&[("default.toml".to_owned(), switched_on())]).unwrap();
    let (file, findings) = schema::read::<file::File>(&document);
    assert!(file.is_some() && findings.is_empty(), "{:#?}", findings.into_sorted());
    let root = schema::of::<file::File>().to_value();
    let mut missing = all_keys(&root);
    walk(&root, &root, &document.json(), &Way::default(), &mut |at, table, _, _| {
        missing.remove(&named(table, at.last().unwrap()));
    });
    assert!(missing.is_empty(), "the default file lacks {missing:#?}");
}

#[test]
fn the_default_file_prints_the_defaults_of_the_code() {
    let text = switched_on();
    let document = Document::parse(&[("default.toml".to_owned(), text.clone())]).unwrap();
    let root = schema::of::<file::File>().to_value();
    let number = |value: &Value| value.as_f64();
    let mut compared = 0;
    walk(&root, &root, &document.json(), &Way::default(), &mut |at, _, property, value| {
        let line = text[..document.key_place(at).span.start].lines().count().max(1) - 1;
        let line = if text[..document.key_place(at).span.start].ends_with('\n') { line + 1 } else { line };
        let original = DEFAULT.lines().nth(line).unwrap();
        if !original.starts_with('#')
            || original.starts_with("#[")
            || original.ends_with("# example")
            || value.is_object()
        {
            return;
        }
        let inside_example = original.starts_with("#{");
        let default = resolved(&root, property).get("default").or_else(|| property.get("default"));
        if inside_example || (default.is_none() && at.steps().len() > 2 && original.starts_with("#fusion")) {
            return;
        }
        let default = default.unwrap_or_else(|| panic!("{original}: the code has no default, mark it as an example"));
        let equal = default == value || (number(default).is_some() && number(default) == number(value));
        assert!(equal, "{original}: the code's default is {default}");
        compared += 1;
    });
    assert!(compared > 25, "only {compared} defaults were compared");
}

#[test]
fn the_schema_describes_every_key_and_knows_no_null() {
    let text = schema::of::<file::File>().to_value().to_string();
    assert!(!text.contains("\"null\"") && !text.contains(":null"), "{text}");
    let root = schema::of::<file::File>().to_value();
    for table in root["$defs"].as_object().unwrap().values().chain([&root]) {
        for (key, property) in table.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(property.get("description").is_some(), "{key} is not described");
        }
    }
}

/// The small file with a ladder of three rungs, and what its route says of them.
fn laddered(rungs: &str) -> Result<Settings, ConfigError> {
    let ladder =
        "[[ladder]]\nrung = \"full\"\n[[ladder]]\nrung = \"student\"\npart_ms = 2.5\n[[ladder]]\nrung = \"nobody\"\n";
    read(&[("kenpin.toml", &format!("{SMALL}{rungs}\n{ladder}"))])
}

#[test]
fn a_route_says_who_judges_on_each_rung() {
    let student = "rungs.student = { members = [{ model = \"scratches\" }], reject_from = 0.3 }";
    let settings = laddered(&format!("{student}\nrungs.nobody = {{ undecided = true }}")).unwrap();
    let named: Vec<_> = settings.ladder.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!((named, settings.ladder[1].part_seconds), (vec!["full", "student", "nobody"], Some(0.0025)));
    let [Lighter::Panel(student), Lighter::Undecided] = settings.routes[0].lighter.as_slice() else { panic!("two") };
    assert_eq!(student.thresholds, Thresholds { reject_from: 0.3, pass_below: 0.3 });
    assert!(read(&[("kenpin.toml", SMALL)]).unwrap().routes[0].lighter.is_empty());
}

#[test]
fn a_rung_that_nobody_speaks_of_or_that_is_not_there_is_told() {
    let told = |rungs: &str| {
        let found = laddered(rungs).unwrap_err().into_findings();
        found.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ")
    };
    let whole = "rungs.student = { undecided = true }\nrungs.nobody = { undecided = true }\n";
    let missing = told("rungs.nobody = { undecided = true }");
    assert!(missing.contains("no `student`, though the ladder has that rung"), "{missing}");
    let unknown = told(&format!("{whole}rungs.half = {{ undecided = true }}"));
    assert!(unknown.ends_with("stands for no rung of the ladder"), "{unknown}");
    let first = told(&format!("{whole}rungs.full = {{ undecided = true }}"));
    assert!(first.ends_with("stands for the first rung"), "{first}");
    let both = "{ undecided = true, members = [{ model = \"scratches\" }] }";
    let both = told(&format!("rungs.nobody = {{ undecided = true }}\nrungs.student = {both}"));
    assert!(both.contains("who would not be asked"), "{both}");
    let neither = told("rungs.nobody = { undecided = true }\nrungs.student = { reject_from = 0.2 }");
    assert!(neither.contains("has no `members`"), "{neither}");
}
