//! Boards: what the reader makes of miniature trees of each, whole and broken, and what `kenpin board` prints of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kenpin::board::fake::{Fake, Fault, Heat, Kind};
use kenpin::board::readings::{Cap, Clock, Readings, Zone};
use kenpin::board::sensors::Sensors;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

fn kenpin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    command.args(arguments).env("NO_COLOR", "1").env("COLUMNS", "100");
    command
}

fn run(arguments: &[&str]) -> Output {
    kenpin(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A board in a folder of its own.
fn board(kind: Kind) -> (tempfile::TempDir, Fake) {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::create(folder.path(), kind).unwrap();
    (folder, fake)
}

#[test]
fn each_board_tells_what_its_snapshot_says() {
    let schema: Value = serde_json::from_str(&stdout(&run(&["schema", "--board"]))).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for kind in Kind::ALL {
        let (folder, _fake) = board(kind);
        let root = folder.path().to_str().unwrap();
        let mut report: Value = serde_json::from_str(&stdout(&run(&["board", "--root", root, "--json"]))).unwrap();
        assert!(
            schema.is_valid(&report),
            "{:?}",
            schema.iter_errors(&report).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        report["read"] = "(time)".into();
        insta::assert_snapshot!(format!("board_{}", kind.name()), serde_json::to_string_pretty(&report).unwrap());
    }
}

#[test]
fn people_get_tables_and_sentences() {
    let (folder, fake) = board(Kind::OrinNano);
    let root = folder.path().to_str().unwrap();
    let hot = Heat { celsius: 100.25, throttled: true, caps: vec![2, 0], over_limit: true, ..Heat::default() };
    fake.set(&hot).unwrap();
    insta::assert_snapshot!("board_table_throttled", stdout(&run(&["board", "--root", root])));
    let (folder, _fake) = board(Kind::Nano);
    insta::assert_snapshot!("board_table_nano", stdout(&run(&["board", "--root", folder.path().to_str().unwrap()])));
}

/// Whether a figure is the one of a sound board, or is not told.
fn same_or_none<T: PartialEq>(seen: Option<&T>, sound: Option<&T>) -> bool {
    seen.is_none() || seen == sound
}

/// What a fault in one file has changed, but for figures that it took away.
fn changed(seen: &Readings, sound: &Readings) -> Vec<String> {
    let mut changed = Vec::new();
    let mut check = |what: &str, fits: bool| changed.extend((!fits).then(|| what.to_owned()));
    for zone in &seen.zones {
        let twin = sound.zones.iter().find(|twin| twin.name == zone.name);
        let fits = twin.is_some_and(|twin| {
            same_or_none(zone.celsius.as_ref(), twin.celsius.as_ref())
                && same_or_none(zone.throttle_celsius.as_ref(), twin.throttle_celsius.as_ref())
                && same_or_none(zone.critical_celsius.as_ref(), twin.critical_celsius.as_ref())
        });
        check(&format!("zone {}", zone.name), fits);
    }
    check("alerts", seen.alerts.iter().all(|(zone, alert)| sound.alerts.get(zone) == Some(alert)));
    check("caps", seen.caps.iter().all(|cap| sound.caps.contains(cap)));
    check("counters", seen.over_currents.iter().all(|(name, count)| sound.over_currents.get(name) == Some(count)));
    check("over limit", seen.over_limit.iter().all(|label| sound.over_limit.contains(label)));
    check("power", same_or_none(seen.power_mw.as_ref(), sound.power_mw.as_ref()));
    check("rails", seen.rails.iter().all(|rail| sound.rails.contains(rail)));
    check("load", same_or_none(seen.gpu_load.as_ref(), sound.gpu_load.as_ref()));
    check("clock", same_or_none(seen.gpu_clock.as_ref(), sound.gpu_clock.as_ref()));
    check("locked", same_or_none(seen.gpu_clock_locked.as_ref(), sound.gpu_clock_locked.as_ref()));
    check("clusters", seen.cpu_clocks.iter().all(|clock| sound.cpu_clocks.contains(clock)));
    check("fan", same_or_none(seen.fan.as_ref(), sound.fan.as_ref()));
    check("turns", same_or_none(seen.fan_rpm.as_ref(), sound.fan_rpm.as_ref()));
    check("mode", same_or_none(seen.power_mode.as_ref(), sound.power_mode.as_ref()));
    changed
}

/// Everything that may stand in a file instead of its figure. The last two are labels, where a label is wanted.
fn faults() -> [Fault; 9] {
    let bytes = |bytes: &[u8]| Fault::Bytes(bytes.to_vec());
    [
        Fault::Missing,
        Fault::Folder,
        bytes(b""),
        bytes(b"\x1b[31mgarbage"),
        bytes(&[b'9'; 400]),
        bytes(b"1\x002\n"),
        bytes(b"\xff\xfe\x00"),
        bytes(b"99999999999999999999\n"),
        bytes(b"-256000\n"),
    ]
}

/// Whether a fault is one in this file: a number may be a label, and one that is empty says that its channel is no rail.
fn may_meet(path: &str, fault: usize) -> bool {
    let label = path.ends_with("_label") || path.contains("rail_name");
    !(fault >= 7 && (label || path.ends_with("type") || path.ends_with("name")) || fault == 2 && label)
}

#[test]
fn a_broken_file_takes_figures_away_and_changes_none() {
    // Everything raised and busy, so that a zero in the place of a figure would show.
    let heat = Heat {
        celsius: 99.5,
        throttled: true,
        caps: vec![3, 2, 1],
        over_currents: [1, 2, 3],
        over_limit: true,
        ..Heat::default()
    };
    for kind in Kind::ALL {
        let (folder, mut fake) = board(kind);
        fake.set(&heat).unwrap();
        let sensors = Sensors::find(folder.path());
        let sound = sensors.read();
        let mut taken = BTreeSet::new();
        for (place, path) in fake.files().iter().enumerate() {
            for (number, fault) in faults().into_iter().enumerate() {
                // Every fault in every file of one board that is read; in those of the others they take turns.
                let turn =
                    if kind == Kind::OrinNano { number == 0 || taken.contains(path) } else { place % 9 == number };
                if !turn || !may_meet(path, number) {
                    continue;
                }
                fake.spoil(path, fault.clone()).unwrap();
                for (when, seen) in [("after", sensors.read()), ("before", Sensors::find(folder.path()).read())] {
                    assert_eq!(changed(&seen, &sound), Vec::<String>::new(), "{path}: {fault:?} {when} it was found");
                    if seen != sound {
                        taken.insert(path.clone());
                    }
                }
                fake.mend_one(path, &heat).unwrap();
            }
        }
        assert_eq!(Sensors::find(folder.path()).read(), sound, "mended");
        assert!(taken.len() * 3 > fake.files().len(), "{}: only {taken:?} are read", kind.name());
    }
}

#[test]
fn files_that_may_not_be_read_are_not_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, fake) = board(Kind::OrinNano);
    let sensors = Sensors::find(folder.path());
    let sound = sensors.read();
    let secret = folder.path().join(&fake.temperatures()[0]);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&secret).is_ok() {
        return; // Root reads everything.
    }
    let seen = sensors.read();
    assert_eq!(changed(&seen, &sound), Vec::<String>::new());
    assert_eq!(seen.zones[0].celsius, None);
    assert!(Sensors::find(folder.path()).notes().iter().any(|note| note.contains("ermission denied")));
}

#[test]
fn other_numbers_tell_the_same() {
    for kind in Kind::ALL {
        let (folder, mut fake) = board(kind);
        let heat = Heat { celsius: 99.5, throttled: true, caps: vec![3, 2, 1], ..Heat::default() };
        fake.set(&heat).unwrap();
        let before = Sensors::find(folder.path());
        let sound = before.read();
        fake.renumber(&heat).unwrap();
        let after = Sensors::find(folder.path());
        assert_eq!(after.read(), sound, "{}", kind.name());
        assert_eq!((after.notes(), after.missing()), (before.notes(), before.missing()));
        fake.renumber(&heat).unwrap();
        assert_eq!(Sensors::find(folder.path()).read(), sound);
    }
}

#[test]
fn a_board_that_goes_away_is_blind_until_it_is_found_again() {
    let (folder, mut fake) = board(Kind::OrinNano);
    let sensors = Sensors::find(folder.path());
    let sound = sensors.read();
    assert!(!sound.is_blind());
    fs::remove_dir_all(folder.path().join("sys")).unwrap();
    fs::remove_dir_all(folder.path().join("var")).unwrap();
    let gone = sensors.read();
    assert!(gone.is_blind());
    assert_eq!(gone.zones.len(), 9, "it still knows which there were");
    assert_eq!(gone.zones[0].throttle_celsius, Some(99.0));
    let bare = Readings { zones: gone.zones.clone(), ..Readings::default() };
    assert_eq!(gone, bare, "nothing else is told");
    fake.mend(&Heat::default()).unwrap();
    assert_eq!(sensors.read(), sound);
    let nothing = Sensors::find(&folder.path().join("none"));
    assert_eq!(nothing.read(), Readings::default());
    assert!(!nothing.missing().is_empty() && nothing.notes().is_empty());
}

#[test]
fn a_raspberry_pi_is_read_as_any_linux_machine() {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0"),
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone0/temp", "48250\n"),
        ("sys/class/thermal/thermal_zone0/trip_point_0_type", "critical\n"),
        ("sys/class/thermal/thermal_zone0/trip_point_0_temp", "110000\n"),
        ("sys/class/thermal/thermal_zone0/trip_point_1_type", "active\n"),
        ("sys/class/thermal/thermal_zone0/trip_point_1_temp", "50000\n"),
        ("sys/class/thermal/thermal_zone0/trip_point_2_type", "passive\n"),
        ("sys/class/thermal/thermal_zone0/trip_point_2_temp", "70000\n"),
        ("sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n"),
        ("sys/class/thermal/cooling_device0/cur_state", "0\n"),
        ("sys/class/thermal/cooling_device0/max_state", "9\n"),
        ("sys/class/hwmon/hwmon3/name", "pwmfan\n"),
        ("sys/class/hwmon/hwmon3/pwm1", "51\n"),
        ("sys/class/hwmon/hwmon4/name", "tegra_tach\n"),
        ("sys/class/hwmon/hwmon4/fan1_input", "0\n"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1500000\n"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "2400000\n"),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let sensors = Sensors::find(root.path());
    let wanted = Readings {
        zones: vec![Zone {
            name: "cpu".into(),
            celsius: Some(48.25),
            throttle_celsius: Some(70.0),
            critical_celsius: Some(110.0),
        }],
        caps: vec![Cap { device: "cpufreq-cpu0".into(), steps: 0, most: 9 }],
        cpu_clocks: vec![Clock { hertz: 1.5e9, most_hertz: 2.4e9 }],
        fan: Some(0.2),
        fan_rpm: Some(0.0),
        ..Readings::default()
    };
    assert_eq!(sensors.read(), wanted, "70 °C slows a machine that is no Jetson");
    assert!(sensors.release().is_none() && sensors.notes().is_empty() && !sensors.is_simulated());
}

/// Whether every figure lies where figures of boards lie.
fn within(readings: &Readings) -> bool {
    let celsius = |celsius: Option<f64>| celsius.is_none_or(|celsius| (-40.0..=200.0).contains(&celsius));
    let share = |share: Option<f64>| share.is_none_or(|share| (0.0..=1.0).contains(&share));
    let clock =
        |clock: &Clock| clock.hertz >= 0.0 && clock.most_hertz > 0.0 && clock.hertz.max(clock.most_hertz) <= 1e11;
    let plain = |name: &str| name.len() <= 64 && name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let zones = readings.zones.iter();
    zones.clone().all(|zone| celsius(zone.celsius) && celsius(zone.throttle_celsius) && celsius(zone.critical_celsius))
        && zones.clone().all(|zone| plain(&zone.name) && !zone.name.is_empty())
        && readings.caps.iter().all(|cap| cap.steps <= cap.most && plain(&cap.device))
        && readings.rails.iter().all(|rail| plain(&rail.label) && (-1e5..=1e7).contains(&rail.milliwatts))
        && readings.power_mw.is_none_or(|power| (0.0..=6e7).contains(&power))
        && share(readings.gpu_load)
        && share(readings.fan)
        && readings.fan_rpm.is_none_or(|turns| (0.0..=1e5).contains(&turns))
        && readings.gpu_clock.iter().all(clock)
        && readings.cpu_clocks.iter().all(clock)
        && readings.over_currents.values().all(|count| u32::try_from(*count).is_ok())
        && readings.power_mode.is_none_or(|mode| mode <= 9999)
}

/// What may be written into files instead of what belongs there, each by its place among them.
fn spoilt() -> impl Strategy<Value = Vec<(prop::sample::Index, Vec<u8>)>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        (-1_000_i64..300_000).prop_map(|number| number.to_string().into_bytes()),
        "[ -~]{0,80}".prop_map(String::into_bytes),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), bytes), 1..12)
}

#[test]
fn no_bytes_in_any_files_make_a_figure_out_of_range() {
    for kind in Kind::ALL {
        let (folder, fake) = board(kind);
        let (sensors, files) = (Sensors::find(folder.path()), fake.files());
        let fake = std::cell::RefCell::new(fake);
        let mut runner = TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
        let judged = runner.run(&spoilt(), |spoilt| {
            let mut fake = fake.borrow_mut();
            for (place, bytes) in &spoilt {
                let file: &String = place.get(&files);
                fake.spoil(file, Fault::Bytes(bytes.clone())).unwrap();
            }
            let (before, after) = (sensors.read(), Sensors::find(folder.path()).read());
            for (place, _) in &spoilt {
                let file: &String = place.get(&files);
                fake.mend_one(file, &Heat::default()).unwrap();
            }
            prop_assert!(within(&before), "{before:?}");
            prop_assert!(within(&after), "{after:?}");
            Ok(())
        });
        judged.unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
    }
}

/// The first lines that a process prints, which is then left alone: it ends when nobody reads.
fn first_lines(command: &mut Command, count: usize) -> Vec<String> {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(count).map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "a reader that has seen enough is no error");
    lines
}

#[test]
fn watching_prints_one_reading_a_line() {
    let (folder, _fake) = board(Kind::OrinNano);
    let root = folder.path().to_str().unwrap();
    let lines = first_lines(&mut kenpin(&["board", "--root", root, "--json", "--watch", "0.01"]), 3);
    let readings = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let readings: Vec<Value> = readings.map(|report| report["readings"].clone()).collect();
    assert_eq!(readings.len(), 3);
    assert!(readings.iter().all(|reading| *reading == readings[0]) && readings[0]["zones"][0]["celsius"] == 51.687);
    let lines = first_lines(&mut kenpin(&["board", "--root", root, "--watch=0.01"]), 2);
    assert!(lines[1].contains(" cpu 51.7 °C, gpu 51.7 °C") && lines[1].ends_with("no throttling"), "{lines:?}");
}

#[test]
fn watching_finds_devices_that_got_new_numbers() {
    let (folder, mut fake) = board(Kind::OrinNano);
    let root = folder.path().to_str().unwrap().to_owned();
    let mut child = kenpin(&["board", "--root", &root, "--watch", "0.01"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("cpu 51.7 °C"));
    fake.renumber(&Heat { celsius: 77.0, ..Heat::default() }).unwrap();
    assert!(lines.any(|line| line.contains("cpu 77.0 °C")));
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_heat_curve_is_played_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (root, curve) = (folder.path().join("tree"), folder.path().join("curve.txt"));
    fs::write(&curve, "0s 100C # above the trip at once\n0.05s 103.5C\n").unwrap();
    let heat = format!("@{}", curve.display());
    let root = root.to_str().unwrap();
    let output = run(&["board", "fake", root, "--board", "orin-nano", "--heat", &heat, "--rate", "100"]);
    assert!(stdout(&output).ends_with("0.0 s, 100.0 °C: the board throttles\n"), "{}", stdout(&output));
    let told = Sensors::find(Path::new(root)).read();
    let tj = told.zones.iter().find(|zone| zone.name == "tj").unwrap();
    assert_eq!(tj.celsius, Some(103.5));
    let raised = told.alerts.iter().filter(|(_, raised)| **raised).map(|(zone, _)| zone.as_str());
    assert_eq!(raised.collect::<Vec<_>>(), ["cpu", "gpu", "soc0", "soc1", "soc2"], "CV is switched off");
    assert_eq!(told.caps.iter().map(|cap| cap.steps).collect::<Vec<_>>(), [1, 1, 1]);
    let clock = told.gpu_clock.unwrap();
    assert!(clock.most_hertz < 1_020e6 && (clock.hertz - clock.most_hertz).abs() < 1e6, "{clock:?}");

    let wrong = |arguments: &[&str]| run(&[&["board", "fake", root], arguments].concat());
    let usage = wrong(&["--board", "nano", "--heat", "0s 45C, hot"]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&usage.stderr).contains("\"hot\" is no point"), "{usage:?}");
    assert_eq!(wrong(&["--board", "orin"]).status.code(), Some(2));
    assert_eq!(run(&["board", "fake", folder.path().to_str().unwrap(), "--board", "nano"]).status.code(), Some(3));
    assert_eq!(run(&["board", "--root", "/no/such/folder"]).status.code(), Some(3));
    assert_eq!(run(&["board", "--watch", "0"]).status.code(), Some(2));
}
