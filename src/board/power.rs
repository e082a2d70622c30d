//! The power monitors of Jetson boards: INA3221 as hwmon shows it (`JetPack` 5 to 7) and as the older IIO driver does
//! (`JetPack` 4), and the INA238 of Thor.
//!
//! Monitors are found by their `name`, for numbers change between boots. A board has one or two INA3221 of three channels each;
//! a channel is a rail when it has a label other than `NC` and tells a current. Where a rail feeds all others (`VDD_IN`,
//! `POM_5V_IN`, and what the INA238 measures), it alone is the board's power; elsewhere the rails are added up, unless one is
//! known to lack.
//! Written after the kernel's `Documentation/hwmon/ina3221.rst` and the rails of `JetPack` 4 to 7; never run on a board.

use std::path::{Path, PathBuf};

use super::files::{Figure, Refusal, hwmon, label, nameless_hwmon, numbered};
use super::readings::Rail;

/// The labels of rails that feed all others: `VDD_IN` of Orin and Xavier NX, `POM_5V_IN` of Nano, and [`INPUT`].
const TOTALS: [&str; 3] = ["VDD_IN", "POM_5V_IN", INPUT];

/// Rails that are only met beside one that feeds them: without it, their sum is not what the board draws.
const FED: [&str; 4] = ["VDD_CPU_GPU_CV", "POM_5V_GPU", "POM_5V_CPU", "VDD_CPU_SOC_MSS"];

/// What the INA238 of Thor measures, by the name that tegrastats has for it: the board's input. Its driver has no labels.
const INPUT: &str = "VIN";

/// Millivolt that are believed.
const MILLIVOLT: std::ops::RangeInclusive<i64> = 0..=100_000;

/// Milliampere that are believed. Rails at rest tell a few less than zero: the monitor's own offset.
const MILLIAMPERE: std::ops::RangeInclusive<i64> = -1_000..=100_000;

/// Milliwatt that are believed.
const MILLIWATT: std::ops::RangeInclusive<i64> = -10_000..=1_000_000;

/// Microwatt that are believed.
const MICROWATT: std::ops::RangeInclusive<i64> = 0..=1_000_000_000;

/// The rails, one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerMonitor {
    /// In the order of their labels; those that make the board's power come first.
    rails: Vec<Channel>,
    /// How many of them make the board's power.
    counted: usize,
    /// Whether they are all it draws; else the board's power is not known.
    whole: bool,
    /// Rails that can tell of a current above its critical limit, by label.
    alarms: Vec<(String, Figure)>,
}

/// One channel of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Channel {
    label: String,
    told: Told,
}

/// How a channel tells its power.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// Millivolt and milliampere.
    Apart(Figure, Figure),
    /// Milliwatt.
    Milliwatt(Figure),
    /// Microwatt.
    Microwatt(Figure),
}

/// What a monitor's channel turned out to be.
enum Found {
    Rail(Channel),
    /// It tells a current and not of what: the rails that are known may not be all.
    Nameless,
}

impl PowerMonitor {
    /// Finds the monitors below `root`; `None` where there is none with a rail.
    #[must_use]
    pub fn find(root: &Path) -> Option<Self> {
        let monitors = hwmon(root, "ina3221");
        let channels =
            monitors.iter().flat_map(|folder| (1..=3).filter_map(|channel| Channel::of_hwmon(folder, channel)));
        let older = iio(root);
        let older = older.iter().flat_map(|folder| (0..=2).filter_map(|channel| Channel::of_iio(folder, channel)));
        let input = hwmon(root, "ina238").into_iter().filter_map(|folder| {
            let power = Figure::of_file(folder.join("power1_input"), MICROWATT)?;
            Some(Found::Rail(Channel { label: INPUT.to_owned(), told: Told::Microwatt(power) }))
        });
        let currents = |folder: &PathBuf| (1..=3).any(|channel| folder.join(format!("curr{channel}_input")).exists());
        let (mut rails, mut whole) = (Vec::new(), !nameless_hwmon(root).iter().any(currents));
        for found in channels.chain(older).chain(input) {
            match found {
                Found::Rail(rail) => rails.push(rail),
                Found::Nameless => whole = false,
            }
        }
        let total = |rail: &Channel| TOTALS.contains(&rail.label.as_str());
        rails.sort_by(|one, other| total(other).cmp(&total(one)).then_with(|| one.label.cmp(&other.label)));
        let totals = rails.iter().filter(|rail| total(rail)).count();
        let counted = if totals == 0 { rails.len() } else { totals };
        whole = totals > 0 || (whole && !rails.iter().any(|rail| FED.contains(&rail.label.as_str())));
        let alarms = monitors.iter().flat_map(|folder| (1..=4).filter_map(|channel| alarm(folder, channel))).collect();
        (!rails.is_empty()).then_some(Self { rails, counted, whole, alarms })
    }

    /// The labels of the rails that make the board's power.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.rails.iter().take(self.counted).map(|rail| rail.label.clone()).collect()
    }

    /// Milliwatt that the board draws now; `None` where one of the rails that make it cannot be read at the moment, or where
    /// the rails are known not to be all.
    #[must_use]
    pub fn milliwatts(&self) -> Option<f64> {
        let rails = self.whole.then_some(&self.rails)?;
        rails.iter().take(self.counted).map(Channel::milliwatts).sum()
    }

    /// Every rail that can be read now, in the order of their labels, also those that another one feeds.
    #[must_use]
    pub fn rails(&self) -> Vec<Rail> {
        let told = |rail: &Channel| Some(Rail { label: rail.label.clone(), milliwatts: rail.milliwatts()? });
        let mut rails: Vec<Rail> = self.rails.iter().filter_map(told).collect();
        rails.sort_by(|one, other| one.label.cmp(&other.label));
        rails
    }

    /// The labels of the rails whose current is above its critical limit now, in their order.
    #[must_use]
    pub fn over_limit(&self) -> Vec<String> {
        let raised = self.alarms.iter().filter(|(_, alarm)| alarm.read() == Some(1));
        let mut labels: Vec<String> = raised.map(|(label, _)| label.clone()).collect();
        labels.sort();
        labels
    }

    /// A sentence for each rail that cannot be read now, and for rails that are not all.
    pub(super) fn complaints(&self) -> Vec<String> {
        let figures = |rail: &Channel| match &rail.told {
            Told::Apart(voltage, current) => vec![voltage.clone(), current.clone()],
            Told::Milliwatt(power) | Told::Microwatt(power) => vec![power.clone()],
        };
        let rails = self.rails.iter().flat_map(|rail| {
            let what = format!("Rail {}", rail.label);
            figures(rail).into_iter().filter_map(move |figure| figure.complaint(&what))
        });
        let part = "What the board draws is not known: the rails that have a name are not all it has.";
        rails.chain((!self.whole).then(|| part.to_owned())).collect()
    }
}

impl Channel {
    /// Channel 1 to 3 of a monitor that hwmon shows.
    fn of_hwmon(folder: &Path, channel: u8) -> Option<Found> {
        let (voltage, current) =
            (folder.join(format!("in{channel}_input")), folder.join(format!("curr{channel}_input")));
        let told = || Told::Apart(Figure::new(voltage.clone(), MILLIVOLT), Figure::new(current.clone(), MILLIAMPERE));
        named(&folder.join(format!("in{channel}_label")), voltage.exists() && current.exists(), told)
    }

    /// Channel 0 to 2 of a monitor that the IIO driver `ina3221x` shows.
    fn of_iio(folder: &Path, channel: u8) -> Option<Found> {
        let power = folder.join(format!("in_power{channel}_input"));
        let told = || Told::Milliwatt(Figure::new(power.clone(), MILLIWATT));
        named(&folder.join(format!("rail_name_{channel}")), power.exists(), told)
    }

    fn milliwatts(&self) -> Option<f64> {
        match &self.told {
            Told::Apart(voltage, current) => Some(voltage.float()? * current.float()? / 1e3),
            Told::Milliwatt(power) => power.float(),
            Told::Microwatt(power) => Some(power.float()? / 1e3),
        }
    }
}

/// What a channel is, from the file of its label and whether those of its figures are there. A rail that feeds all others is
/// one even without them: without it, the sum of the others would be taken for what the board draws.
fn named(file: &Path, figures: bool, told: impl Fn() -> Told) -> Option<Found> {
    match label(file) {
        Ok(label) if label.is_empty() || label == "NC" => None,
        Ok(label) if figures || TOTALS.contains(&label.as_str()) => Some(Found::Rail(Channel { label, told: told() })),
        Err(Refusal::Missing) if !figures => None,
        Err(_) if figures => Some(Found::Nameless),
        _ => None,
    }
}

/// The alarm of a channel and its rail's label; channel 4 is the sum of the others.
fn alarm(folder: &Path, channel: u8) -> Option<(String, Figure)> {
    let label = if channel == 4 {
        "sum of rails".to_owned()
    } else {
        let label = label(&folder.join(format!("in{channel}_label"))).ok()?;
        (!label.is_empty() && label != "NC").then_some(label)?
    };
    Some((label, Figure::of_file(folder.join(format!("curr{channel}_crit_alarm")), 0..=1)?))
}

/// The folders of the IIO driver: `sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0`, or `iio_device` in its place.
fn iio(root: &Path) -> Vec<PathBuf> {
    let Ok(devices) = std::fs::read_dir(root.join("sys/bus/i2c/drivers/ina3221x")) else { return Vec::new() };
    let mut devices: Vec<PathBuf> = devices.filter_map(|device| Some(device.ok()?.path())).collect();
    devices.retain(|device| device.file_name().is_some_and(|name| name.to_string_lossy().contains('-')));
    devices.sort();
    let folder = |device: PathBuf| {
        let numbered = numbered(&device, "iio:device").into_iter().map(|(_, folder)| folder).next();
        numbered.or_else(|| Some(device.join("iio_device")).filter(|folder| folder.is_dir()))
    };
    devices.into_iter().filter_map(folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A miniature tree: files below `sys/class/hwmon` with their texts.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("sys/class/hwmon").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        root
    }

    #[test]
    fn the_total_rail_alone_is_read_where_there_is_one() {
        let root = tree(&[
            ("hwmon0/name", "pwmfan"),
            ("hwmon1/name", "ina3221"),
            ("hwmon1/in1_label", "VDD_IN"),
            ("hwmon1/in1_input", "4984"),
            ("hwmon1/curr1_input", "1856"),
            ("hwmon1/in2_label", "VDD_CPU_GPU_CV"),
            ("hwmon1/in2_input", "4984"),
            ("hwmon1/curr2_input", "700"),
            ("hwmon1/in7_label", "sum of shunt voltages"),
            ("hwmon1/in7_input", "5"),
        ]);
        let monitor = PowerMonitor::find(root.path()).unwrap();
        assert_eq!(monitor.labels(), ["VDD_IN"]);
        assert!((monitor.milliwatts().unwrap() - 9250.304).abs() < 1e-9, "4.984 V x 1.856 A");
        std::fs::write(root.path().join("sys/class/hwmon/hwmon1/curr1_input"), "").unwrap();
        assert_eq!(monitor.milliwatts(), None, "a rail that does not tell is not zero");
    }

    #[test]
    fn rails_without_a_total_are_added_up_over_two_monitors() {
        let root = tree(&[
            ("hwmon4/name", "ina3221"),
            ("hwmon4/in1_label", "VDD_GPU_SOC"),
            ("hwmon4/in1_input", "5000"),
            ("hwmon4/curr1_input", "1000"),
            ("hwmon4/in2_label", "NC"),
            ("hwmon4/in2_input", "5000"),
            ("hwmon4/curr2_input", "9999"),
            ("hwmon4/in3_label", "VIN_SYS_5V0"),
            ("hwmon4/in3_input", "5000"),
            ("hwmon10/name", "ina3221"),
            ("hwmon10/in2_label", "VDDQ_VDD2_1V8AO"),
            ("hwmon10/in2_input", "1800"),
            ("hwmon10/curr2_input", "500"),
        ]);
        let monitor = PowerMonitor::find(root.path()).unwrap();
        assert_eq!(monitor.labels(), ["VDDQ_VDD2_1V8AO", "VDD_GPU_SOC"], "no label, no current: no rail");
        assert!((monitor.milliwatts().unwrap() - 5900.0).abs() < 1e-9);
    }

    #[test]
    fn the_older_driver_tells_milliwatt() {
        let root = tree(&[]);
        for folder in ["iio:device0", "iio_device"] {
            let folder = root.path().join("sys/bus/i2c/drivers/ina3221x/6-0040").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for (file, text) in [
                ("rail_name_0", "POM_5V_IN"),
                ("in_power0_input", "4321"),
                ("rail_name_1", "POM_5V_GPU"),
                ("in_power1_input", "-8"),
                ("rail_name_2", "POM_5V_CPU"),
                ("in_power2_input", "1000"),
            ] {
                std::fs::write(folder.join(file), text).unwrap();
            }
            let monitor = PowerMonitor::find(root.path()).unwrap();
            assert_eq!((monitor.labels(), monitor.milliwatts()), (vec!["POM_5V_IN".to_owned()], Some(4321.0)));
            let rails = monitor.rails().into_iter().map(|rail| (rail.label, rail.milliwatts));
            let wanted = [("POM_5V_CPU", 1000.0), ("POM_5V_GPU", -8.0), ("POM_5V_IN", 4321.0)];
            assert_eq!(rails.collect::<Vec<_>>(), wanted.map(|(label, power)| (label.to_owned(), power)));
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn thor_tells_the_power_of_its_input() {
        let root = tree(&[
            ("hwmon3/name", "ina238"),
            ("hwmon3/power1_input", "23456000"),
            ("hwmon4/name", "ina3221"),
            ("hwmon4/in1_label", "VDD_GPU"),
            ("hwmon4/in1_input", "10000"),
            ("hwmon4/curr1_input", "-39"),
        ]);
        let monitor = PowerMonitor::find(root.path()).unwrap();
        assert_eq!((monitor.labels(), monitor.milliwatts()), (vec!["VIN".to_owned()], Some(23_456.0)));
        assert_eq!(monitor.rails()[0], Rail { label: "VDD_GPU".into(), milliwatts: -390.0 });
    }

    const NANO: [(&str, &str); 7] = [
        ("hwmon1/name", "ina3221"),
        ("hwmon1/in1_label", "VDD_IN"),
        ("hwmon1/in1_input", "5000"),
        ("hwmon1/curr1_input", "2000"),
        ("hwmon1/in2_label", "VDD_CPU_GPU_CV"),
        ("hwmon1/in2_input", "5000"),
        ("hwmon1/curr2_input", "700"),
    ];

    #[test]
    fn a_part_of_the_board_is_not_taken_for_all_of_it() {
        let milliwatts = |files: &[(&str, &str)]| PowerMonitor::find(tree(files).path()).unwrap().milliwatts();
        assert_eq!(milliwatts(&NANO), Some(10_000.0));
        for lost in 1..=3 {
            let mut files = NANO.to_vec();
            files.remove(lost);
            assert_eq!(milliwatts(&files), None, "without {}", NANO[lost].0);
            let mut files = NANO.to_vec();
            files[lost].1 = "";
            assert_eq!(milliwatts(&files), None, "{} is empty", NANO[lost].0);
        }
        let agx = |label| {
            tree(&[
                ("hwmon1/name", "ina3221"),
                ("hwmon1/in1_label", "VDD_GPU_SOC"),
                ("hwmon1/in1_input", "5000"),
                ("hwmon1/curr1_input", "2000"),
                ("hwmon1/in2_label", label),
                ("hwmon1/in2_input", "5000"),
                ("hwmon1/curr2_input", "700"),
            ])
        };
        let lost = agx("VDD_CPU_CV");
        let nameless = lost.path().join("sys/class/hwmon/hwmon3");
        std::fs::create_dir(&nameless).unwrap();
        assert_eq!(PowerMonitor::find(lost.path()).unwrap().milliwatts(), Some(13_500.0));
        std::fs::write(nameless.join("curr1_input"), "1").unwrap();
        assert_eq!(
            PowerMonitor::find(lost.path()).unwrap().milliwatts(),
            None,
            "what does not say its name may be a monitor"
        );
        let root = agx("VDD\0CPU");
        let monitor = PowerMonitor::find(root.path()).unwrap();
        assert_eq!(monitor.milliwatts(), None, "a channel that does not say what it is");
        assert_eq!(monitor.complaints().len(), 1);
        assert_eq!(
            PowerMonitor::find(agx("NC").path()).unwrap().milliwatts(),
            Some(10_000.0),
            "one that is not connected"
        );
    }

    #[test]
    fn rails_above_their_limit_are_named() {
        let root = tree(&NANO);
        let alarm = |channel: u8, text: &str| {
            std::fs::write(root.path().join(format!("sys/class/hwmon/hwmon1/curr{channel}_crit_alarm")), text).unwrap();
        };
        for (channel, text) in [(1, "0"), (2, "1"), (3, "1"), (4, "0")] {
            alarm(channel, text);
        }
        let monitor = PowerMonitor::find(root.path()).unwrap();
        assert_eq!(monitor.over_limit(), ["VDD_CPU_GPU_CV"], "channel 3 is no rail");
        alarm(1, "1");
        alarm(2, "2");
        alarm(4, "1");
        assert_eq!(monitor.over_limit(), ["VDD_IN", "sum of rails"]);
    }

    #[test]
    fn a_machine_without_a_monitor_tells_nothing() {
        assert_eq!(PowerMonitor::find(tree(&[("hwmon0/name", "pwmfan")]).path()), None);
        assert_eq!(PowerMonitor::find(tree(&[("hwmon0/name", "ina3221")]).path()), None);
        assert_eq!(PowerMonitor::find(tempfile::tempdir().unwrap().path()), None);
    }
}
