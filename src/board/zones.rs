//! Thermal zones: which there are, where the kernel slows the board down and where it switches it off.
//!
//! The trips are read once; the temperature is what changes. Rules, after `nv-soc/tegra234-soc-thermal-*.dtsi` and a device
//! tree of a Nano:
//!
//! * the board slows at the highest passive trip of a zone, not at the first: on Orin the first, 70 °C, only warns of a hot
//!   surface, and on Nano that of `PLL` only makes the memory refresh faster;
//! * where a trip of a zone cannot be read, its highest passive trip is not known either;
//! * it is switched off at the lowest critical trip.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::{Figure, Refusal, float, label, numbered};
use super::readings::Zone;

/// The coldest temperature that is believed, in thousandths of a degree Celsius.
const COLDEST: i64 = -40_000;

/// The hottest temperature that is believed, in thousandths of a degree Celsius.
const HOTTEST: i64 = 200_000;

/// Where no Jetson slows down yet, in thousandths of a degree Celsius: its passive trips up to here do something else.
const NO_THROTTLE: i64 = 70_000;

/// Zones that are no sensors, and why.
const NO_SENSORS: [(&str, &str); 2] =
    [("pmic-die", "it always tells 100 °C"), ("thermal-fan-est", "it is a mean of others, for the fan")];

/// One zone: what was found of it, and where its temperature is told.
#[derive(Debug, Clone)]
pub(super) struct Found {
    name: String,
    temperature: Figure,
    throttle_celsius: Option<f64>,
    critical_celsius: Option<f64>,
}

impl Found {
    /// Reads the zone.
    pub(super) fn read(&self) -> Zone {
        Zone {
            name: self.name.clone(),
            celsius: self.temperature.float().map(|thousandths| thousandths / 1e3),
            throttle_celsius: self.throttle_celsius,
            critical_celsius: self.critical_celsius,
        }
    }
}

/// Finds the zones below `root`, in the order of their names; says in `notes` what is odd of them.
pub(super) fn find(root: &Path, jetson: bool, notes: &mut Vec<String>) -> Vec<Found> {
    let folders = numbered(&root.join("sys/class/thermal"), "thermal_zone");
    let mut zones: Vec<Found> =
        folders.iter().filter_map(|(number, folder)| zone(*number, folder, jetson, notes)).collect();
    // A stable sort: of several zones with one name, as the processors of one machine have, the numbers decide.
    zones.sort_by(|one, other| one.name.cmp(&other.name));
    zones
}

/// A type as the name of a zone: in lower case, without `-therm` or `-thermal`.
pub(super) fn name(told: &str) -> String {
    let name = told.to_ascii_lowercase();
    let short = ["-thermal", "-therm"].iter().find_map(|suffix| name.strip_suffix(suffix));
    short.filter(|short| !short.is_empty()).unwrap_or(&name).to_owned()
}

fn zone(number: u32, folder: &Path, jetson: bool, notes: &mut Vec<String>) -> Option<Found> {
    let told = match label(&folder.join("type")) {
        Ok(told) if !told.is_empty() => told,
        Ok(_) => {
            notes.push(format!("Thermal zone {number} is left out: it tells no type."));
            return None;
        }
        Err(refusal) => {
            notes.push(format!("Thermal zone {number} is left out: its type {refusal}."));
            return None;
        }
    };
    let name = name(&told);
    if let Some((_, why)) = NO_SENSORS.iter().find(|(zone, _)| *zone == name) {
        notes.push(format!("Zone {name} is left out: {why}."));
        return None;
    }
    let temperature = Figure::new(folder.join("temp"), COLDEST..=HOTTEST);
    notes.extend(temperature.complaint(&format!("Zone {name}")));
    let trips = trips(folder);
    let slows = |trip: &i64| trip_slows(&name, *trip, jetson);
    let (throttle, idle): (Vec<i64>, Vec<i64>) = trips.passive.iter().partition(|trip| slows(trip));
    let highest = throttle.into_iter().max().filter(|_| trips.unreadable.is_none());
    if let Some(why) = trips.unreadable {
        notes.push(format!("Zone {name}: where the board slows is not known: {why}."));
    } else if let (None, Some(trip)) = (highest, idle.into_iter().max()) {
        let celsius = float(trip) / 1e3;
        notes.push(format!("Zone {name}: its passive trip at {celsius} °C does not slow the board."));
    }
    let celsius = |trip: i64| float(trip) / 1e3;
    let critical_celsius = trips.critical.into_iter().min().map(celsius);
    Some(Found { name, temperature, throttle_celsius: highest.map(celsius), critical_celsius })
}

/// Whether a passive trip slows the board down. Those of `x86_pkg_temp` only tell user space (`thermald`).
fn trip_slows(zone: &str, trip: i64, jetson: bool) -> bool {
    zone != "x86_pkg_temp" && !(jetson && trip <= NO_THROTTLE)
}

/// The trips of a zone, in thousandths of a degree Celsius.
#[derive(Debug, Default)]
struct Trips {
    passive: Vec<i64>,
    critical: Vec<i64>,
    /// Why one of them is not known.
    unreadable: Option<String>,
}

fn trips(folder: &Path) -> Trips {
    let mut trips = Trips::default();
    for number in trip_numbers(folder) {
        match trip(folder, number) {
            Ok(Some((kind, trip))) if kind == "passive" => trips.passive.push(trip),
            Ok(Some((kind, trip))) if kind == "critical" => trips.critical.push(trip),
            Ok(_) => {}
            Err((file, refusal)) => trips.unreadable = Some(format!("{file} {refusal}")),
        }
    }
    trips
}

/// The numbers of the trips of which any file is there.
fn trip_numbers(folder: &Path) -> BTreeSet<u8> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let number = |name: &str| {
        let (number, part) = name.strip_prefix("trip_point_")?.split_once('_')?;
        matches!(part, "type" | "temp").then(|| number.parse().ok())?
    };
    entries.filter_map(|entry| number(entry.ok()?.file_name().to_str()?)).collect()
}

/// The type and the temperature of a trip; `None` for one that is switched off, which the kernel tells as zero or less.
fn trip(folder: &Path, number: u8) -> Result<Option<(String, i64)>, (String, Refusal)> {
    const KINDS: [&str; 4] = ["passive", "critical", "active", "hot"];
    let (kind_file, file) = (format!("trip_point_{number}_type"), format!("trip_point_{number}_temp"));
    let path = |file: &str| -> PathBuf { folder.join(file) };
    let kind = label(&path(&kind_file)).and_then(|kind| {
        let known = KINDS.contains(&kind.as_str());
        if known { Ok(kind) } else { Err(Refusal::Unfit(format!("{kind:?}"), KINDS.join(", "))) }
    });
    let kind = kind.map_err(|refusal| (kind_file, refusal))?;
    // The lowest that kernels tell is that of an invalid one, -274 °C.
    let trip = Figure::new(path(&file), -274_000..=HOTTEST).look().map_err(|refusal| (file, refusal))?;
    Ok((trip > 0).then_some((kind, trip)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The zones of a tree with one folder a zone, each with its files; and the notes.
    fn found(jetson: bool, zones: &[&[(&str, &str)]]) -> (Vec<Zone>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        for (number, files) in zones.iter().enumerate() {
            let folder = root.path().join(format!("sys/class/thermal/thermal_zone{number}"));
            std::fs::create_dir_all(&folder).unwrap();
            for (file, text) in *files {
                std::fs::write(folder.join(file), format!("{text}\n")).unwrap();
            }
        }
        let mut notes = Vec::new();
        let zones = find(root.path(), jetson, &mut notes).iter().map(Found::read).collect();
        (zones, notes)
    }

    const ORIN: [(&str, &str); 8] = [
        ("type", "cpu-thermal"),
        ("temp", "51687"),
        ("trip_point_0_type", "passive"),
        ("trip_point_0_temp", "70000"),
        ("trip_point_1_type", "critical"),
        ("trip_point_1_temp", "104500"),
        ("trip_point_2_type", "passive"),
        ("trip_point_2_temp", "99000"),
    ];

    #[test]
    fn the_board_slows_at_the_highest_passive_trip_wherever_it_stands() {
        let (zones, notes) = found(true, &[&ORIN]);
        let wanted = Zone {
            name: "cpu".into(),
            celsius: Some(51.687),
            throttle_celsius: Some(99.0),
            critical_celsius: Some(104.5),
        };
        assert_eq!((zones, notes), (vec![wanted], vec![]));
    }

    #[test]
    fn a_trip_that_cannot_be_read_leaves_no_lower_one_in_its_place() {
        for (at, text) in [(7, "garbage"), (7, ""), (7, "990000"), (6, "passife"), (6, "")] {
            let mut files = ORIN;
            files[at].1 = text;
            let (zones, notes) = found(true, &[&files]);
            assert_eq!(zones[0].throttle_celsius, None, "{at} {text}");
            assert_eq!(zones[0].critical_celsius, Some(104.5));
            assert!(notes[0].starts_with("Zone cpu: where the board slows is not known: trip_point_2_"), "{notes:?}");
        }
        let (zones, _) = found(true, &[&ORIN[..7]]);
        assert_eq!(zones[0].throttle_celsius, None, "a type without a temperature");
        let (zones, notes) = found(true, &[&ORIN[..6]]);
        assert_eq!(zones[0].throttle_celsius, None, "70 °C is no throttle even alone");
        assert_eq!(notes, ["Zone cpu: its passive trip at 70 °C does not slow the board."]);
        let (zones, _) = found(false, &[&ORIN[..6]]);
        assert_eq!(zones[0].throttle_celsius, Some(70.0), "on another machine it may be");
    }

    #[test]
    fn zones_that_are_no_sensors_are_left_out_and_said_so() {
        let (zones, notes) = found(
            true,
            &[
                &[("type", "PMIC-Die"), ("temp", "100000")],
                &[("type", "thermal-fan-est"), ("temp", "40000")],
                &[("type", ""), ("temp", "40000")],
                &[("temp", "40000")],
                &[("type", "GPU-therm"), ("temp", "40000")],
                &[("type", "tj-thermal"), ("temp", "-256000")],
                &[("type", "-therm"), ("temp", "0")],
            ],
        );
        let told: Vec<(&str, Option<f64>)> = zones.iter().map(|zone| (zone.name.as_str(), zone.celsius)).collect();
        assert_eq!(
            told,
            [("-therm", Some(0.0)), ("gpu", Some(40.0)), ("tj", None)],
            "never a zero for what is not told"
        );
        assert_eq!(notes.len(), 5, "{notes:?}");
        assert!(notes[4].starts_with("Zone tj: temp tells \"-256000\""), "{notes:?}");
    }

    #[test]
    fn trips_that_are_switched_off_or_for_others_count_for_nothing() {
        let package = [
            ("type", "x86_pkg_temp"),
            ("temp", "45000"),
            ("trip_point_0_type", "passive"),
            ("trip_point_0_temp", "80000"),
            ("trip_point_1_type", "passive"),
            ("trip_point_1_temp", "0"),
        ];
        let (zones, notes) = found(false, &[&package]);
        assert_eq!(zones[0].throttle_celsius, None);
        assert_eq!(notes, ["Zone x86_pkg_temp: its passive trip at 80 °C does not slow the board."]);
        let acpi = [
            ("type", "acpitz"),
            ("temp", "27800"),
            ("trip_point_0_type", "critical"),
            ("trip_point_0_temp", "119000"),
            ("trip_point_1_type", "hot"),
            ("trip_point_1_temp", "-274000"),
            ("trip_point_2_type", "active"),
            ("trip_point_2_temp", "50000"),
        ];
        let (zones, notes) = found(false, &[&acpi]);
        assert_eq!((zones[0].throttle_celsius, zones[0].critical_celsius, notes.len()), (None, Some(119.0), 0));
    }
}
