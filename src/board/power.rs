//! The power monitor INA3221 of Jetson boards, as the kernel's hwmon shows it.
//!
//! hwmon is found by its `name`, for numbers change between boots. A board has one or two monitors of three channels each;
//! a channel is a rail when it has a label other than `NC` and tells a current. Where a rail is the total (`VDD_IN`), it
//! alone is read; elsewhere the rails are added up.
//! Written after the kernel's `Documentation/hwmon/ina3221.rst` and the rails of `JetPack` 5 to 7; never run on a board.

use std::path::{Path, PathBuf};

/// The label of the rail that feeds all others.
const TOTAL: &str = "VDD_IN";

/// The rails that are read, one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerMonitor {
    rails: Vec<Rail>,
}

/// One channel of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rail {
    label: String,
    /// The file with its voltage in millivolt.
    voltage: PathBuf,
    /// The file with its current in milliampere.
    current: PathBuf,
}

impl PowerMonitor {
    /// Finds the monitors below `root`/sys/class/hwmon; `None` where there is none with a rail.
    #[must_use]
    pub fn find(root: &Path) -> Option<Self> {
        let entries = std::fs::read_dir(root.join("sys/class/hwmon")).ok()?;
        let mut monitors: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        monitors.retain(|folder| text(&folder.join("name")).as_deref() == Some("ina3221"));
        monitors.sort();
        let channels = monitors.iter().flat_map(|folder| (1..=3).filter_map(|channel| Rail::of(folder, channel)));
        let mut rails: Vec<Rail> = channels.collect();
        if rails.iter().any(|rail| rail.label == TOTAL) {
            rails.retain(|rail| rail.label == TOTAL);
        }
        (!rails.is_empty()).then_some(Self { rails })
    }

    /// The labels of the rails that are read.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.rails.iter().map(|rail| rail.label.clone()).collect()
    }

    /// Milliwatt of all rails now; `None` where one of them cannot be read at the moment.
    #[must_use]
    pub fn milliwatts(&self) -> Option<f64> {
        self.rails.iter().map(Rail::milliwatts).sum()
    }
}

impl Rail {
    fn of(folder: &Path, channel: u8) -> Option<Self> {
        let label =
            text(&folder.join(format!("in{channel}_label"))).filter(|label| !label.is_empty() && label != "NC")?;
        let (voltage, current) =
            (folder.join(format!("in{channel}_input")), folder.join(format!("curr{channel}_input")));
        (voltage.is_file() && current.is_file()).then_some(Self { label, voltage, current })
    }

    fn milliwatts(&self) -> Option<f64> {
        let number = |path: &Path| text(path)?.parse::<f64>().ok();
        Some(number(&self.voltage)? * number(&self.current)? / 1e3)
    }
}

fn text(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
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
    fn a_machine_without_a_monitor_tells_nothing() {
        assert_eq!(PowerMonitor::find(tree(&[("hwmon0/name", "pwmfan")]).path()), None);
        assert_eq!(PowerMonitor::find(tree(&[("hwmon0/name", "ina3221")]).path()), None);
        assert_eq!(PowerMonitor::find(tempfile::tempdir().unwrap().path()), None);
    }
}
