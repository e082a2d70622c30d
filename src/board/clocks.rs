//! Clocks and load of the GPU, clocks of the processor's clusters, and the fan, in the homes they have had.

use std::path::{Path, PathBuf};

use super::files::{Figure, hwmon, label, numbered};
use super::readings::Clock;

/// Where the GPU's load is told, the newest home first: Orin with `JetPack` 6 and 7, Orin with 5, Xavier, TX2, Nano and TX1.
const LOADS: [&str; 11] = [
    "sys/devices/platform/bus@0/17000000.gpu/load",
    "sys/devices/platform/17000000.gpu/load",
    "sys/devices/platform/gpu.0/load",
    "sys/devices/17000000.ga10b/load",
    "sys/devices/platform/17000000.ga10b/load",
    "sys/devices/17000000.gv11b/load",
    "sys/devices/platform/17000000.gv11b/load",
    "sys/devices/17000000.gp10b/load",
    "sys/devices/57000000.gpu/load",
    "sys/devices/platform/57000000.gpu/load",
    "sys/devices/gpu.0/load",
];

/// Where the GPU's clock is told: Orin, Xavier, TX2, Nano, Thor.
const GPU_CLOCKS: [&str; 7] = [
    "sys/class/devfreq/17000000.gpu",
    "sys/class/devfreq/17000000.ga10b",
    "sys/class/devfreq/17000000.gv11b",
    "sys/devices/17000000.gv11b/devfreq/17000000.gv11b",
    "sys/class/devfreq/17000000.gp10b",
    "sys/class/devfreq/57000000.gpu",
    "sys/class/devfreq/gpu-gpc-0",
];

/// Names of a Jetson's GPU in the device tree, for a board whose devfreq has another name.
const GPU_NODES: [&str; 5] = ["gpu", "ga10b", "gv11b", "gp10b", "gb10b"];

/// The fastest clock that is believed, in hertz.
const FASTEST: i64 = 100_000_000_000;

/// One clock: its files, and hertz in their unit.
#[derive(Debug, Clone)]
pub(super) struct FoundClock {
    now: Figure,
    most: Figure,
    least: Figure,
    unit: f64,
}

impl FoundClock {
    fn new(folder: &Path, [now, most, least]: [&str; 3], unit: u16) -> Self {
        let fastest = FASTEST / i64::from(unit);
        let figure = |file: &str, least: i64| Figure::new(folder.join(file), least..=fastest);
        Self { now: figure(now, 0), most: figure(most, 1), least: figure(least, 0), unit: unit.into() }
    }

    /// Reads it.
    pub(super) fn read(&self) -> Option<Clock> {
        Some(Clock { hertz: self.now.float()? * self.unit, most_hertz: self.most.float()? * self.unit })
    }

    /// Whether it is held at one value.
    pub(super) fn is_locked(&self) -> Option<bool> {
        Some(self.least.read()? == self.most.read()?)
    }

    fn complaints(&self, what: &str) -> Vec<String> {
        [&self.now, &self.most, &self.least].into_iter().filter_map(|figure| figure.complaint(what)).collect()
    }
}

/// The file with the GPU's load per mille.
pub(super) fn gpu_load(root: &Path, notes: &mut Vec<String>) -> Option<Figure> {
    let device = gpu_folder(root).map(|folder| folder.join("device/load"));
    let homes = LOADS.iter().map(|home| root.join(home)).chain(device);
    let load = homes.into_iter().find_map(|home| Figure::of_file(home, 0..=1000))?;
    notes.extend(load.complaint("GPU load"));
    Some(load)
}

/// The GPU's clock.
pub(super) fn gpu_clock(root: &Path, notes: &mut Vec<String>) -> Option<FoundClock> {
    let clock = FoundClock::new(&gpu_folder(root)?, ["cur_freq", "max_freq", "min_freq"], 1);
    notes.extend(clock.complaints("GPU clock"));
    Some(clock)
}

fn gpu_folder(root: &Path) -> Option<PathBuf> {
    let known = GPU_CLOCKS.iter().map(|home| root.join(home)).find(|folder| folder.is_dir());
    known.or_else(|| {
        let entries = std::fs::read_dir(root.join("sys/class/devfreq")).ok()?;
        let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        folders.sort();
        // The device tree ends its texts with a null byte, which is no part of a label.
        let node = |folder: &Path| super::files::document(&folder.join("device/of_node/name")).unwrap_or_default();
        folders.into_iter().find(|folder| GPU_NODES.contains(&node(folder).trim_matches(['\0', '\n'])))
    })
}

/// The clocks of the processor's clusters, in the order of their first core.
pub(super) fn clusters(root: &Path, notes: &mut Vec<String>) -> Vec<FoundClock> {
    const FILES: [&str; 3] = ["scaling_cur_freq", "scaling_max_freq", "scaling_min_freq"];
    let system = root.join("sys/devices/system/cpu");
    let mut folders = numbered(&system.join("cpufreq"), "policy");
    if folders.is_empty() {
        // A copy of a tree without its links, or a kernel before 4.2: every core has a folder of its own.
        let cores = numbered(&system, "cpu").into_iter().map(|(core, folder)| (core, folder.join("cpufreq")));
        folders = cores.filter(|(_, folder)| folder.is_dir()).collect();
    }
    let clocks = folders.into_iter().map(|(core, folder)| (core, FoundClock::new(&folder, FILES, 1000)));
    let clocks = clocks.map(|(core, clock)| {
        let figures = [&clock.now, &clock.most];
        notes.extend(figures.iter().filter_map(|figure| figure.complaint(&format!("Clock of cpu{core}"))));
        clock
    });
    clocks.collect()
}

/// The file with the fan's drive, 0 to 255: hwmon `pwmfan`, and the `pwm-fan` of `JetPack` 4.
pub(super) fn fan(root: &Path, notes: &mut Vec<String>) -> Option<Figure> {
    let newer = hwmon(root, "pwmfan").into_iter().map(|folder| folder.join("pwm1"));
    let homes = newer.chain([root.join("sys/devices/pwm-fan/target_pwm")]);
    let fan = homes.into_iter().find_map(|home| Figure::of_file(home, 0..=255))?;
    notes.extend(fan.complaint("Fan"));
    Some(fan)
}

/// The file with the fan's turns in a minute: hwmon `pwm_tach` or `tegra_tach`, and the `pwm-fan` of `JetPack` 4.
pub(super) fn fan_rpm(root: &Path, notes: &mut Vec<String>) -> Option<Figure> {
    let newer = ["pwm_tach", "tegra_tach"].into_iter().flat_map(|name| hwmon(root, name));
    let newer = newer.flat_map(|folder| [folder.join("rpm"), folder.join("fan1_input")]);
    let homes = newer.chain([root.join("sys/devices/pwm-fan/rpm_measured")]);
    let turns = homes.into_iter().find_map(|home| Figure::of_file(home, 0..=100_000))?;
    notes.extend(turns.complaint("Fan"));
    Some(turns)
}

/// The counters of over-current and under-voltage events, by the kernel's name.
pub(super) fn over_currents(root: &Path, notes: &mut Vec<String>) -> Vec<(String, Figure)> {
    let Some(folder) = hwmon(root, "soctherm_oc").into_iter().next() else { return Vec::new() };
    let counters = ["oc1", "oc2", "oc3"].into_iter().filter_map(|name| {
        let counter = Figure::of_file(folder.join(format!("{name}_event_cnt")), 0..=i64::from(u32::MAX))?;
        notes.extend(counter.complaint(&format!("Counter {name}")));
        Some((name.to_owned(), counter))
    });
    counters.collect()
}

/// Whether the machine is a Jetson: by its model, its release or its alerts, for any of these may be missing.
pub(super) fn is_jetson(root: &Path) -> bool {
    let model = super::files::document(&root.join("proc/device-tree/model")).unwrap_or_default().to_ascii_lowercase();
    let alert = |folder: &Path| label(&folder.join("type")).is_ok_and(|told| told.ends_with("-alert"));
    model.contains("jetson")
        || model.contains("tegra")
        || root.join("etc/nv_tegra_release").exists()
        || numbered(&root.join("sys/class/thermal"), "cooling_device").iter().any(|(_, folder)| alert(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_load_is_found_in_every_home_and_is_per_mille() {
        for home in LOADS.iter().copied().chain(["sys/class/devfreq/17000000.gpu/device/load"]) {
            let root = tree(&[(home, "453\n"), ("sys/class/devfreq/17000000.gpu/cur_freq", "1")]);
            let mut notes = Vec::new();
            assert_eq!(gpu_load(root.path(), &mut notes).unwrap().read(), Some(453), "{home}");
            std::fs::write(root.path().join(home), "1001").unwrap();
            assert_eq!(gpu_load(root.path(), &mut notes).unwrap().read(), None);
            assert_eq!(notes, ["GPU load: load tells \"1001\", want a whole number from 0 to 1000."]);
        }
        assert!(gpu_load(tree(&[]).path(), &mut Vec::new()).is_none());
    }

    #[test]
    fn the_clock_is_found_in_every_home_and_by_its_node() {
        let clock = |files: &[(&str, &str)]| {
            let root = tree(files);
            let found = gpu_clock(root.path(), &mut Vec::new())?;
            Some((found.read()?, found.is_locked()?))
        };
        for home in GPU_CLOCKS.iter().copied().chain(["sys/class/devfreq/9000000.engine"]) {
            let file = |name: &str| format!("{home}/{name}");
            let node = file("device/of_node/name");
            let (now, most, least) = (file("cur_freq"), file("max_freq"), file("min_freq"));
            let files = [
                (now.as_str(), "612000000"),
                (&most, "1020000000"),
                (&least, "306000000"),
                (&node, "ga10b\0"),
                ("sys/class/devfreq/15340000.vic/device/of_node/name", "vic\0"),
            ];
            let wanted = Clock { hertz: 612e6, most_hertz: 1020e6 };
            assert_eq!(clock(&files), Some((wanted, false)), "{home}");
            let mut locked = files;
            locked[2].1 = "1020000000";
            assert_eq!(clock(&locked).map(|clock| clock.1), Some(true));
        }
        assert_eq!(clock(&[("sys/class/devfreq/15340000.vic/cur_freq", "1")]), None, "not every engine is the GPU");
    }

    #[test]
    fn a_cluster_has_one_clock_in_the_order_of_its_first_core() {
        let root = tree(&[
            ("sys/devices/system/cpu/cpufreq/policy10/scaling_cur_freq", "1000"),
            ("sys/devices/system/cpu/cpufreq/policy10/scaling_max_freq", "2000"),
            ("sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "1510400"),
            ("sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq", "1728000"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "7"),
        ]);
        let told = |root: &Path| clusters(root, &mut Vec::new()).iter().map(FoundClock::read).collect::<Vec<_>>();
        let clock = |hertz, most_hertz| Some(Clock { hertz, most_hertz });
        assert_eq!(told(root.path()), [clock(1_510_400e3, 1_728_000e3), clock(1e6, 2e6)]);
        let copy = tree(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "7"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "0"),
            ("sys/devices/system/cpu/cpu1/online", "1"),
        ]);
        assert_eq!(told(copy.path()), [None], "no clock has a most of zero");
    }

    #[test]
    fn the_fan_is_found_by_name_wherever_it_is_numbered() {
        let drive = |files: &[(&str, &str)]| fan(tree(files).path(), &mut Vec::new())?.read();
        let files = [("sys/class/hwmon/hwmon2/name", "pwm_tach"), ("sys/class/hwmon/hwmon10/name", "pwmfan\n")];
        assert_eq!(drive(&files), None, "a fan that tells no drive");
        // Looked at while the tree lasts.
        let root = tree(&[files[0], files[1], ("sys/class/hwmon/hwmon10/pwm1", "80\n")]);
        assert_eq!(fan(root.path(), &mut Vec::new()).unwrap().read(), Some(80));
        let root = tree(&[("sys/devices/pwm-fan/target_pwm", "256")]);
        assert_eq!(fan(root.path(), &mut Vec::new()).unwrap().read(), None, "beyond a byte");
    }

    #[test]
    fn the_tachometer_is_found_in_every_home() {
        let homes = [
            [("sys/class/hwmon/hwmon7/name", "pwm_tach"), ("sys/class/hwmon/hwmon7/rpm", "2140\n")],
            [("sys/class/hwmon/hwmon3/name", "tegra_tach\n"), ("sys/class/hwmon/hwmon3/fan1_input", "2140")],
            [("sys/class/hwmon/hwmon3/name", "pwmfan"), ("sys/devices/pwm-fan/rpm_measured", "2140")],
        ];
        for files in homes {
            let root = tree(&files);
            assert_eq!(fan_rpm(root.path(), &mut Vec::new()).unwrap().read(), Some(2140), "{files:?}");
        }
        let other = [("sys/class/hwmon/hwmon3/name", "nct6775"), ("sys/class/hwmon/hwmon3/fan1_input", "2140")];
        assert!(fan_rpm(tree(&other).path(), &mut Vec::new()).is_none(), "not the fan that the board drives");
    }

    #[test]
    fn a_jetson_is_known_by_any_of_three_marks() {
        for file in ["etc/nv_tegra_release", "sys/class/thermal/cooling_device11/type", "proc/device-tree/model"] {
            let text = if file.ends_with("type") { "hot-surface-alert" } else { "NVIDIA Jetson\0" };
            assert!(is_jetson(tree(&[(file, text)]).path()), "{file}");
        }
        assert!(!is_jetson(tree(&[("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")]).path()));
    }
}
