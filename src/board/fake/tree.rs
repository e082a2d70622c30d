//! The files of a miniature board: a pure function of its kind, its numbering and its heat.

use super::boards::{Fan, Rails, Spec, Tells, spec};
use super::{Heat, Kind};

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Below the root.
    pub(super) path: String,
    pub(super) content: Content,
    /// Whether heat changes it.
    pub(super) live: bool,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// A link to a path relative to its own folder.
    Link(String),
}

/// Millivolt of the rails: copied for `VDD_IN` of an Orin Nano, plausible for all others.
const MILLIVOLT: f64 = 4984.0;

/// The clock that the processor asks for, as a share of its most: 1 510 400 of 1 728 000 kHz, copied.
const ASKED: f64 = 0.8741;

/// The files of a board. `turned` gives its devices the numbers of another boot.
pub(super) fn tree(kind: Kind, turned: bool, heat: &Heat) -> Vec<Entry> {
    let mut tree = Tree { spec: spec(kind), turned, heat, entries: Vec::new() };
    tree.identity();
    tree.zones();
    tree.cooling();
    tree.hwmon();
    tree.older_power();
    tree.gpu();
    tree.clusters();
    tree.modes();
    tree.entries
}

struct Tree<'a> {
    spec: &'a Spec,
    turned: bool,
    heat: &'a Heat,
    entries: Vec<Entry>,
}

impl Tree<'_> {
    fn put(&mut self, path: String, text: impl std::fmt::Display) {
        self.entries.push(Entry { path, content: Content::Text(format!("{text}\n")), live: false });
    }

    fn live(&mut self, path: String, text: impl std::fmt::Display) {
        self.entries.push(Entry { path, content: Content::Text(format!("{text}\n")), live: true });
    }

    /// The number of the device at `place` of `count`: in another boot they come the other way round, some beyond 10.
    fn number(&self, place: usize, count: usize) -> usize {
        if self.turned { count - place + 6 } else { place }
    }

    fn identity(&mut self) {
        if let Some(model) = self.spec.model {
            let content = Content::Text(format!("{model}\0"));
            self.entries.push(Entry { path: "proc/device-tree/model".into(), content, live: false });
        }
        if let Some(processor) = self.spec.processor {
            self.put("proc/cpuinfo".into(), format_args!("processor\t: 0\nmodel name\t: {processor}"));
        }
        if let Some(release) = self.spec.release {
            self.put("etc/nv_tegra_release".into(), release);
        }
    }

    fn zones(&mut self) {
        let zones = self.spec.zones;
        for (place, zone) in zones.iter().enumerate() {
            let folder = format!("sys/class/thermal/thermal_zone{}", self.number(place, zones.len()));
            self.put(format!("{folder}/type"), zone.kind);
            self.put(format!("{folder}/policy"), "step_wise");
            match zone.tells {
                Tells::Chip => self.live(format!("{folder}/temp"), rounded(self.heat.celsius * 1e3)),
                Tells::Always(thousandths) => self.put(format!("{folder}/temp"), thousandths),
                Tells::Nothing => {}
            }
            for (number, (kind, thousandths)) in zone.trips.iter().enumerate() {
                self.put(format!("{folder}/trip_point_{number}_type"), kind);
                self.put(format!("{folder}/trip_point_{number}_temp"), thousandths);
                let hysteresis = if *thousandths == HOT_SURFACE { 8000 } else { 0 };
                self.put(format!("{folder}/trip_point_{number}_hyst"), hysteresis);
            }
        }
    }

    fn cooling(&mut self) {
        let heat = self.heat;
        let caps = self.spec.caps.iter().enumerate();
        let mut devices: Vec<(String, u32, u32)> =
            caps.map(|(place, (kind, most))| ((*kind).to_owned(), self.held(place, *most), *most)).collect();
        // A part of the chip that is switched off raises none.
        let on = |alert: &str| {
            let zone = self.spec.zones.iter().find(|zone| zone.kind.starts_with(alert));
            zone.is_some_and(|zone| matches!(zone.tells, Tells::Chip))
        };
        let alerts = self.spec.alerts.iter();
        devices.extend(alerts.map(|zone| (format!("{zone}-throttle-alert"), u32::from(heat.throttled && on(zone)), 2)));
        let warns = self.spec.zones.iter().any(|zone| zone.trips.iter().any(|trip| trip.1 == HOT_SURFACE));
        if warns && !self.spec.alerts.is_empty() {
            let hot = heat.celsius * 1e3 >= f64::from(HOT_SURFACE);
            devices.push(("hot-surface-alert".into(), hot.into(), 2));
        }
        if self.spec.fan != Fan::None {
            devices.push(("pwm-fan".into(), 3, 10));
        }
        let count = devices.len();
        for (place, (kind, state, most)) in devices.into_iter().enumerate() {
            let folder = format!("sys/class/thermal/cooling_device{}", self.number(place, count));
            self.put(format!("{folder}/type"), kind);
            self.put(format!("{folder}/max_state"), most);
            self.live(format!("{folder}/cur_state"), state);
        }
    }

    /// The monitors as hwmon shows them, each with its name.
    fn hwmon(&mut self) {
        let heat = self.heat;
        let mut devices: Vec<(&str, Vec<Part>)> = Vec::new();
        if self.spec.fan == Fan::Hwmon {
            devices.push(("pwmfan", vec![live("pwm1", rounded(heat.fan * 255.0)), fixed("pwm1_enable", 1)]));
        }
        if let Rails::Hwmon(monitors, input) = &self.spec.rails {
            devices.extend(monitors.iter().map(|channels| ("ina3221", monitor(channels, heat))));
            if *input {
                devices.push(("ina238", vec![live("power1_input", rounded(heat.power_mw * 1e3))]));
            }
        }
        if self.spec.fan == Fan::Hwmon {
            devices.push(("pwm_tach", vec![live("rpm", rounded(heat.fan_rpm()))]));
        }
        if self.spec.counters {
            let counters = heat.over_currents.iter().zip(1..).flat_map(|(count, number)| {
                [live(&format!("oc{number}_event_cnt"), count), fixed(&format!("oc{number}_throt_en"), 1)]
            });
            devices.push(("soctherm_oc", counters.collect()));
        }
        let count = devices.len();
        for (place, (name, files)) in devices.into_iter().enumerate() {
            let folder = format!("sys/class/hwmon/hwmon{}", self.number(place, count));
            self.put(format!("{folder}/name"), name);
            for (file, text, changes) in files {
                let path = format!("{folder}/{file}");
                if changes { self.live(path, text) } else { self.put(path, text) }
            }
        }
    }

    /// The monitor and the fan of `JetPack` 4.
    fn older_power(&mut self) {
        if let Rails::Iio(channels) = self.spec.rails {
            let folder = format!("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device{}", u8::from(self.turned));
            for (channel, label, share) in channels {
                let power = self.heat.power_mw * share;
                self.put(format!("{folder}/rail_name_{channel}"), label);
                self.live(format!("{folder}/in_power{channel}_input"), rounded(power));
                self.put(format!("{folder}/in_voltage{channel}_input"), rounded(MILLIVOLT));
                self.live(format!("{folder}/in_current{channel}_input"), rounded(power / MILLIVOLT * 1e3));
                self.put(format!("{folder}/crit_current_limit_{channel}"), "32760 ma");
            }
        }
        if self.spec.fan == Fan::Older {
            self.live("sys/devices/pwm-fan/target_pwm".into(), rounded(self.heat.fan * 255.0));
            self.live("sys/devices/pwm-fan/rpm_measured".into(), rounded(self.heat.fan_rpm()));
            self.put("sys/devices/pwm-fan/temp_control".into(), 1);
        }
    }

    fn gpu(&mut self) {
        let Some(gpu) = &self.spec.gpu else { return };
        if let Some(folder) = gpu.load {
            self.live(format!("{folder}/load"), rounded(self.heat.gpu_load * 1e3));
        }
        let (least, most) = (f64::from(gpu.least), f64::from(gpu.most));
        let allowed = self.allowed("devfreq-", least, most);
        let asked = least + (most - least) * self.heat.gpu_load;
        // In whole megahertz: the steps of a real GPU are coarser.
        let now = (asked.min(allowed) / 1e6).floor() * 1e6;
        self.live(format!("{}/cur_freq", gpu.clock), rounded(now));
        self.live(format!("{}/max_freq", gpu.clock), rounded(allowed));
        self.put(format!("{}/min_freq", gpu.clock), gpu.least);
        self.put(format!("{}/governor", gpu.clock), "nvhost_podgov");
    }

    fn clusters(&mut self) {
        let system = "sys/devices/system/cpu";
        let mut cores = 0;
        for (first, count, least, most) in self.spec.clusters {
            let (folder, last) = (format!("{system}/cpufreq/policy{first}"), first + count - 1);
            let allowed = self.allowed("cpufreq-", f64::from(*least), f64::from(*most));
            self.live(format!("{folder}/scaling_cur_freq"), rounded(allowed.min(f64::from(*most) * ASKED)));
            self.live(format!("{folder}/scaling_max_freq"), rounded(allowed));
            self.put(format!("{folder}/scaling_min_freq"), least);
            self.put(format!("{folder}/cpuinfo_max_freq"), most);
            self.put(format!("{folder}/scaling_governor"), "schedutil");
            for core in *first..=last {
                let content = Content::Link(format!("../cpufreq/policy{first}"));
                self.entries.push(Entry { path: format!("{system}/cpu{core}/cpufreq"), content, live: false });
            }
            cores = last;
        }
        self.put(format!("{system}/online"), format_args!("0-{cores}"));
    }

    /// The most that a clock may have while heat holds it down: equal steps from its most to its least. The kernel lowers the
    /// files of the most by it too, as devfreq and cpufreq cooling do through `PM QoS` (plausible for NVIDIA's kernels).
    fn allowed(&self, device: &str, least: f64, most: f64) -> f64 {
        let cap = self.spec.caps.iter().enumerate().find(|(_, (kind, _))| kind.contains(device));
        let held = cap.map_or(0.0, |(place, (_, steps))| f64::from(self.held(place, *steps)) / f64::from(*steps));
        most - (most - least) * held
    }

    /// Steps by which the clock at `place` is held down.
    fn held(&self, place: usize, most: u32) -> u32 {
        let caps = &self.heat.caps;
        caps.get(place).or(caps.last()).copied().unwrap_or(0).min(most)
    }

    fn modes(&mut self) {
        let (names, set) = self.spec.modes;
        if names.is_empty() {
            return;
        }
        let set = self.heat.power_mode.unwrap_or(set);
        self.live("var/lib/nvpmodel/status".into(), format_args!("pmode:{set:04}"));
        let modes = names.iter().enumerate().map(|(id, name)| format!("< POWER_MODEL ID={id} NAME={name} >\n"));
        let modes: String = modes.collect::<Vec<_>>().concat();
        self.put("etc/nvpmodel.conf".into(), format_args!("{modes}< PM_CONFIG DEFAULT={set} >"));
    }
}

/// The trip of Orin's warning of a hot surface, in thousandths of a degree Celsius.
const HOT_SURFACE: u32 = 70_000;

/// One file of a device: its name, its text, and whether heat changes it.
type Part = (String, String, bool);

fn live(file: &str, text: impl std::fmt::Display) -> Part {
    (file.to_owned(), text.to_string(), true)
}

fn fixed(file: &str, text: impl std::fmt::Display) -> Part {
    (file.to_owned(), text.to_string(), false)
}

/// One INA3221: the files of its channels, and of the sum of shunt voltages that is no rail. The limits are copied from one
/// Orin Nano and plausible for all others.
fn monitor(channels: &[(u8, &str, f64)], heat: &Heat) -> Vec<Part> {
    let mut files =
        vec![fixed("in7_label", "sum of shunt voltages"), fixed("in7_input", 5), fixed("curr4_crit_alarm", 0)];
    for (channel, label, share) in channels {
        let current = rounded(heat.power_mw * share / MILLIVOLT * 1e3);
        let over = *channel == 1 && heat.over_limit;
        files.extend([
            fixed(&format!("in{channel}_label"), label),
            fixed(&format!("in{channel}_input"), rounded(MILLIVOLT)),
            live(&format!("curr{channel}_input"), current),
            fixed(&format!("curr{channel}_max"), 4984),
            fixed(&format!("curr{channel}_crit"), 4984),
            fixed(&format!("curr{channel}_max_alarm"), 0),
            live(&format!("curr{channel}_crit_alarm"), u8::from(over)),
        ]);
    }
    files
}

/// A figure as the kernel prints it: a whole number.
fn rounded(figure: f64) -> String {
    format!("{figure:.0}")
}
