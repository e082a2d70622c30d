//! What a board can be asked, found once below a root, and read again and again.
//!
//! [`Sensors::find`] walks folders; [`Sensors::read`] reads a few dozen small files by the paths found then, and takes no memory
//! but for what it gives. A file that has vanished since is `None`. When all zones are silent the devices may have got new
//! numbers: [`Readings::is_blind`] tells, and finding again is up to the caller. Needs no rights and never writes.
//!
//! Written after the paths and values in NVIDIA's kernel sources, device trees and third parties' listings; never run on a
//! Jetson.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::clocks::{self, FoundClock};
use super::cooling::Cooling;
use super::fake;
use super::files::Figure;
use super::power::PowerMonitor;
use super::readings::Readings;
use super::release::{self, Release};
use super::zones;

/// What was found on a board.
#[derive(Debug, Clone)]
pub struct Sensors {
    zones: Vec<zones::Found>,
    cooling: Cooling,
    over_currents: Vec<(String, Figure)>,
    power: Option<PowerMonitor>,
    gpu_load: Option<Figure>,
    gpu_clock: Option<FoundClock>,
    clusters: Vec<FoundClock>,
    fan: Option<Figure>,
    fan_rpm: Option<Figure>,
    /// The file with the power mode.
    status: PathBuf,
    power_modes: BTreeMap<u32, String>,
    release: Option<Release>,
    simulated: bool,
    notes: Vec<String>,
    missing: Vec<String>,
}

impl Sensors {
    /// Finds what the machine below `root` can be asked. Finds nothing at worst: [`Self::missing`] says what.
    #[must_use]
    pub fn find(root: &Path) -> Self {
        let (mut notes, jetson) = (Vec::new(), clocks::is_jetson(root));
        let mut found = Self {
            zones: zones::find(root, jetson, &mut notes),
            cooling: Cooling::find(root, &mut notes),
            over_currents: clocks::over_currents(root, &mut notes),
            power: PowerMonitor::find(root),
            gpu_load: clocks::gpu_load(root, &mut notes),
            gpu_clock: clocks::gpu_clock(root, &mut notes),
            clusters: clocks::clusters(root, &mut notes),
            fan: clocks::fan(root, &mut notes),
            fan_rpm: clocks::fan_rpm(root, &mut notes),
            status: root.join("var/lib/nvpmodel/status"),
            power_modes: release::power_modes(root),
            release: Release::read(root),
            simulated: fake::is_one(root),
            notes: Vec::new(),
            missing: Vec::new(),
        };
        notes.extend(found.power.iter().flat_map(PowerMonitor::complaints));
        if found.status.exists() {
            notes.extend(release::power_mode(&found.status).err().map(|why| format!("Power mode: status {why}.")));
        }
        // In an order that does not hang on the numbers of devices.
        notes.sort();
        found.notes = notes;
        found.missing = found.lacks(jetson).into_iter().map(str::to_owned).collect();
        found
    }

    /// Reads everything anew.
    #[must_use]
    pub fn read(&self) -> Readings {
        let per = |figure: &Option<Figure>, whole: f64| Some(figure.as_ref()?.float()? / whole);
        let power = self.power.as_ref();
        Readings {
            zones: self.zones.iter().map(zones::Found::read).collect(),
            alerts: self.alerts(),
            caps: self.cooling.caps.iter().filter_map(super::cooling::FoundCap::read).collect(),
            over_currents: self.over_currents(),
            over_limit: power.map(PowerMonitor::over_limit).unwrap_or_default(),
            // A board that draws less than nothing is a monitor that is wrong.
            power_mw: power.and_then(PowerMonitor::milliwatts).filter(|power| *power >= 0.0),
            rails: power.map(PowerMonitor::rails).unwrap_or_default(),
            gpu_load: per(&self.gpu_load, 1000.0),
            gpu_clock: self.gpu_clock.as_ref().and_then(FoundClock::read),
            gpu_clock_locked: self.gpu_clock.as_ref().and_then(FoundClock::is_locked),
            cpu_clocks: self.clusters.iter().filter_map(FoundClock::read).collect(),
            fan: per(&self.fan, 255.0),
            fan_rpm: per(&self.fan_rpm, 1.0),
            power_mode: release::power_mode(&self.status).ok(),
        }
    }

    /// Whether the zones are throttled, by zone; of several alerts with one name any counts.
    fn alerts(&self) -> BTreeMap<String, bool> {
        let mut alerts = BTreeMap::new();
        for (zone, state) in &self.cooling.alerts {
            if let Some(state) = state.read() {
                *alerts.entry(zone.clone()).or_default() |= state == 1;
            }
        }
        alerts
    }

    fn over_currents(&self) -> BTreeMap<String, u64> {
        let count = |(name, figure): &(String, Figure)| Some((name.clone(), u64::try_from(figure.read()?).ok()?));
        self.over_currents.iter().filter_map(count).collect()
    }

    /// The release of NVIDIA's system; `None` on other machines.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.release.as_ref()
    }

    /// The names of the power modes that the board has, by number.
    #[must_use]
    pub fn power_modes(&self) -> &BTreeMap<u32, String> {
        &self.power_modes
    }

    /// Whether the tree is one that `kenpin board fake` wrote: its figures are made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// A sentence for each thing that was found odd: what is left out and why, what could not be read then.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A sentence for each kind of figure that the machine does not tell.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// What is missing; what only Jetsons have is not missed elsewhere.
    fn lacks(&self, jetson: bool) -> Vec<&'static str> {
        let slows = self.zones.iter().any(|zone| zone.read().throttle_celsius.is_some());
        let lacks = [
            (self.zones.is_empty(), "No thermal zone: temperatures are not known."),
            (
                !self.zones.is_empty() && !slows,
                "No zone says where the kernel slows the machine down: only alerts and held clocks can tell.",
            ),
            (
                jetson && self.cooling.alerts.is_empty(),
                "No throttle alerts (JetPack 6 and later have them): held clocks must tell of throttling.",
            ),
            (self.cooling.caps.is_empty(), "No clock of which the kernel says how far heat holds it down."),
            (jetson && self.over_currents.is_empty(), "No counters of over-current and under-voltage (soctherm_oc)."),
            (self.power.is_none(), "No power monitor (INA3221, INA238): what the machine draws is not known."),
            (
                jetson && self.gpu_load.is_none(),
                "No GPU load in any known place; that of Thor is told by NVML only, which is not asked.",
            ),
            (jetson && self.gpu_clock.is_none(), "No GPU clock in any known place."),
            (self.clusters.is_empty(), "No clock of the processor (cpufreq)."),
            (self.fan.is_none(), "No fan that tells its drive (hwmon pwmfan, pwm-fan)."),
            (
                self.fan.is_some() && self.fan_rpm.is_none(),
                "No tachometer (hwmon pwm_tach, tegra_tach): a fan that stands still is not seen.",
            ),
            (jetson && !self.status.exists(), "No power mode (/var/lib/nvpmodel/status)."),
            (jetson && self.release.is_none(), "No release of Jetson Linux (/etc/nv_tegra_release)."),
            (
                !jetson,
                "This is no Jetson: what only Jetsons tell (power modes, GPU, throttle alerts) is not listed here.",
            ),
        ];
        lacks.into_iter().filter_map(|(lack, sentence)| lack.then_some(sentence)).collect()
    }
}
