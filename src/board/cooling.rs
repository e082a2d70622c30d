//! Cooling devices: throttle alerts of zones, and clocks that heat may hold down.
//!
//! The alerts are those of the driver `thermal-trip-event` of `JetPack` 6 and 7, types `*-throttle-alert`: 0 idle, 1 active, 2 the
//! driver is going away. `hot-surface-alert` warns people and `pwm-fan` is the fan's usual work: neither is throttling.

use std::path::{Path, PathBuf};

use super::files::{Figure, label, numbered};
use super::readings::Cap;
use super::zones;

/// What types of devices that hold a clock down begin with. The longer ones are those of older kernels.
const CLOCKS: [&str; 4] = ["cpufreq-", "devfreq-", "thermal-cpufreq-", "thermal-devfreq-"];

/// What the types of alerts end in.
const ALERT: &str = "-throttle-alert";

/// The most steps that are believed; Thor has 182.
const MOST_STEPS: i64 = 100_000;

/// The cooling devices of a board.
#[derive(Debug, Clone, Default)]
pub(super) struct Cooling {
    /// By the zone's name.
    pub(super) alerts: Vec<(String, Figure)>,
    pub(super) caps: Vec<FoundCap>,
}

/// One clock that may be held down.
#[derive(Debug, Clone)]
pub(super) struct FoundCap {
    device: String,
    steps: Figure,
    most: u32,
}

impl Cooling {
    /// Finds the devices below `root`, in the order of their names; says in `notes` what is odd of them.
    pub(super) fn find(root: &Path, notes: &mut Vec<String>) -> Self {
        let mut found = Self::default();
        for (number, folder) in numbered(&root.join("sys/class/thermal"), "cooling_device") {
            match label(&folder.join("type")) {
                Ok(told) => found.add(&told, &folder, notes),
                Err(refusal) => notes.push(format!("Cooling device {number} is left out: its type {refusal}.")),
            }
        }
        found.alerts.sort_by(|one, other| one.0.cmp(&other.0));
        found.caps.sort_by(|one, other| one.device.cmp(&other.device));
        found
    }

    fn add(&mut self, told: &str, folder: &Path, notes: &mut Vec<String>) {
        let (kind, what) = (told.to_ascii_lowercase(), format!("Cooling device {told}"));
        if let Some(zone) = kind.strip_suffix(ALERT) {
            let state = Figure::new(folder.join("cur_state"), 0..=1);
            notes.extend(state.complaint(&what));
            self.alerts.push((zones::name(zone), state));
        } else if CLOCKS.iter().any(|clock| kind.starts_with(clock)) {
            match FoundCap::of(told, folder) {
                Ok(cap) => {
                    notes.extend(cap.steps.complaint(&what));
                    self.caps.push(cap);
                }
                Err(why) => notes.push(format!("{what} is left out: {why}.")),
            }
        }
    }
}

impl FoundCap {
    fn of(told: &str, folder: &Path) -> Result<Self, String> {
        let most = Figure::new(folder.join("max_state"), 1..=MOST_STEPS).look();
        let most = most.map_err(|refusal| format!("max_state {refusal}"))?;
        let steps = Figure::new(PathBuf::from(folder).join("cur_state"), 0..=most);
        Ok(Self { device: told.to_owned(), steps, most: u32::try_from(most).map_err(|error| error.to_string())? })
    }

    /// Reads it.
    pub(super) fn read(&self) -> Option<Cap> {
        let steps = u32::try_from(self.steps.read()?).ok()?;
        Some(Cap { device: self.device.clone(), steps, most: self.most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alerts by zone.
    type Alerts = Vec<(String, Option<i64>)>;

    /// Devices, each a type, `cur_state` and `max_state`; what was found is read.
    fn found(devices: &[(&str, &str, &str)]) -> (Alerts, Vec<Cap>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        for (number, (kind, state, most)) in devices.iter().enumerate() {
            // Numbers that sort otherwise as text.
            let folder = root.path().join(format!("sys/class/thermal/cooling_device{}", number + 8));
            std::fs::create_dir_all(&folder).unwrap();
            for (file, text) in [("type", kind), ("cur_state", state), ("max_state", most)] {
                std::fs::write(folder.join(file), format!("{text}\n")).unwrap();
            }
        }
        let mut notes = Vec::new();
        let cooling = Cooling::find(root.path(), &mut notes);
        let alerts = cooling.alerts.iter().map(|(zone, state)| (zone.clone(), state.read())).collect();
        (alerts, cooling.caps.iter().filter_map(FoundCap::read).collect(), notes)
    }

    #[test]
    fn alerts_and_held_clocks_are_told_apart_from_fans_and_warm_hands() {
        let (alerts, caps, notes) = found(&[
            ("gpu-throttle-alert", "1", "2"),
            ("cpu-throttle-alert", "0", "2"),
            ("soc0-throttle-alert", "2", "2"),
            ("hot-surface-alert", "1", "2"),
            ("pwm-fan", "3", "10"),
            ("devfreq-17000000.gpu", "2", "6"),
            ("cpufreq-cpu4", "0", "25"),
            ("cpufreq-cpu0", "26", "25"),
            ("thermal-cpufreq-0", "4294967296", "4294967296"),
            ("tegra-dram", "1", "1"),
        ]);
        let wanted = [("cpu", Some(0)), ("gpu", Some(1)), ("soc0", None)];
        assert_eq!(alerts, wanted.map(|(zone, state)| (zone.to_owned(), state)), "2: the driver is going away");
        let cap = |device: &str, steps, most| Cap { device: device.into(), steps, most };
        assert_eq!(caps, [cap("cpufreq-cpu4", 0, 25), cap("devfreq-17000000.gpu", 2, 6)]);
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert_eq!(notes[1], "Cooling device cpufreq-cpu0: cur_state tells \"26\", want a whole number from 0 to 25.");
    }
}
