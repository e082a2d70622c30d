//! The miniature boards: what each of them has.
//!
//! Marks, as in the notes these come from: *copied* stands in a device tree, a driver's source or a listing of a real board;
//! *plausible* is invented so that the tree is whole. Nothing here was read from a board by us. Unmarked: copied.

use super::Kind;

/// What a board has.
pub(super) struct Spec {
    /// `proc/device-tree/model`; none on an x86 machine, which has a processor's name in its place.
    pub(super) model: Option<&'static str>,
    pub(super) processor: Option<&'static str>,
    /// The first line of `etc/nv_tegra_release`.
    pub(super) release: Option<&'static str>,
    pub(super) zones: &'static [ZoneSpec],
    /// Zones with a throttle alert, by name.
    pub(super) alerts: &'static [&'static str],
    /// Cooling devices that hold a clock down, and their most steps.
    pub(super) caps: &'static [(&'static str, u32)],
    pub(super) rails: Rails,
    pub(super) gpu: Option<Gpu>,
    /// Clusters: first core, cores, least and most kilohertz.
    pub(super) clusters: &'static [(u32, u32, u32, u32)],
    pub(super) fan: Fan,
    /// Whether it has counters of over-current.
    pub(super) counters: bool,
    /// Power modes in the order of their numbers, and the number of the one that is set.
    pub(super) modes: (&'static [&'static str], u32),
}

/// A thermal zone: its type, what it tells, its trips (type, temperature in thousandths of a degree).
pub(super) struct ZoneSpec {
    pub(super) kind: &'static str,
    pub(super) tells: Tells,
    pub(super) trips: &'static [(&'static str, u32)],
}

/// What a zone's temperature is.
#[derive(Clone, Copy)]
pub(super) enum Tells {
    /// That of the chip.
    Chip,
    /// Always the same, in thousandths of a degree.
    Always(i32),
    /// Nothing: the part of the chip is switched off. The real file is there and its read fails with EAGAIN, which no plain
    /// file can do; here it is absent.
    Nothing,
}

/// The power monitors. A rail is its channel, label and share of the board's power; volts are plausible but for `VDD_IN`.
pub(super) enum Rails {
    None,
    /// INA3221 in hwmon: one list a monitor, and whether an INA238 measures the input.
    Hwmon(&'static [&'static [(u8, &'static str, f64)]], bool),
    /// INA3221 of the older driver, one monitor.
    Iio(&'static [(u8, &'static str, f64)]),
}

/// The GPU: where its load is told, where its clock is, least and most hertz.
pub(super) struct Gpu {
    pub(super) load: Option<&'static str>,
    pub(super) clock: &'static str,
    pub(super) least: u32,
    pub(super) most: u32,
}

/// The fan's driver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fan {
    None,
    /// hwmon `pwmfan`, and `pwm_tach` beside it.
    Hwmon,
    /// `sys/devices/pwm-fan`.
    Older,
}

/// Trips of Orin's zones. Their order is plausible.
const ORIN: &[(&str, u32)] = &[("passive", 70_000), ("passive", 99_000), ("critical", 104_500)];

/// Trips of Xavier's zones, all plausible.
const XAVIER: &[(&str, u32)] = &[("passive", 97_000), ("critical", 104_500)];

const fn chip(kind: &'static str, trips: &'static [(&'static str, u32)]) -> ZoneSpec {
    ZoneSpec { kind, tells: Tells::Chip, trips }
}

const fn always(kind: &'static str, celsius: i32, trips: &'static [(&'static str, u32)]) -> ZoneSpec {
    ZoneSpec { kind, tells: Tells::Always(celsius), trips }
}

const fn nothing(kind: &'static str) -> ZoneSpec {
    ZoneSpec { kind, tells: Tells::Nothing, trips: ORIN }
}

/// `JetPack` 6.2. Least clocks and the shares of the rails are plausible.
const ORIN_NANO: Spec = Spec {
    model: Some("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"),
    processor: None,
    release: Some("# R36 (release), REVISION: 4.3, GCID: 0, BOARD: generic, EABI: aarch64, DATE: x"),
    zones: &[
        chip("cpu-thermal", ORIN),
        chip("gpu-thermal", ORIN),
        nothing("cv0-thermal"),
        nothing("cv1-thermal"),
        nothing("cv2-thermal"),
        chip("soc0-thermal", ORIN),
        chip("soc1-thermal", ORIN),
        chip("soc2-thermal", ORIN),
        chip("tj-thermal", &[("active", 74_000), ("active", 95_000), ("critical", 104_500)]),
    ],
    alerts: &["cpu", "gpu", "cv0", "cv1", "cv2", "soc0", "soc1", "soc2"],
    caps: &[("cpufreq-cpu0", 25), ("cpufreq-cpu4", 25), ("devfreq-17000000.gpu", 6)],
    rails: Rails::Hwmon(&[&[(1, "VDD_IN", 1.0), (2, "VDD_CPU_GPU_CV", 0.4), (3, "VDD_SOC", 0.25)]], false),
    gpu: Some(Gpu {
        load: Some("sys/devices/platform/bus@0/17000000.gpu"),
        clock: "sys/class/devfreq/17000000.gpu",
        least: 306_000_000,
        most: 1_020_000_000,
    }),
    clusters: &[(0, 4, 115_200, 1_728_000), (4, 2, 115_200, 1_728_000)],
    fan: Fan::Hwmon,
    counters: true,
    modes: (&["15W", "25W", "MAXN_SUPER", "7W"], 2),
};

/// `JetPack` 5.1.2: zones and GPU by their older names, no alerts. Clocks, modes and the shares of the rails are plausible.
const AGX_ORIN: Spec = Spec {
    model: Some("NVIDIA Jetson AGX Orin Developer Kit"),
    release: Some("# R35 (release), REVISION: 4.1, GCID: 0, BOARD: t186ref, EABI: aarch64, DATE: x"),
    zones: &[
        chip("CPU-therm", ORIN),
        chip("GPU-therm", ORIN),
        always("CV0-therm", -256_000, ORIN),
        always("CV1-therm", -256_000, ORIN),
        always("CV2-therm", -256_000, ORIN),
        chip("SOC0-therm", ORIN),
        chip("SOC1-therm", ORIN),
        chip("SOC2-therm", ORIN),
        chip("tj-therm", &[("active", 85_000), ("active", 105_000), ("critical", 104_500)]),
        always("Tboard_tegra", 35_000, &[]),
        always("Tdiode_tegra", 36_500, &[]),
    ],
    alerts: &[],
    caps: &[("cpufreq-cpu0", 25), ("cpufreq-cpu4", 25), ("cpufreq-cpu8", 25), ("devfreq-17000000.ga10b", 10)],
    rails: Rails::Hwmon(
        &[
            &[(1, "VDD_GPU_SOC", 0.4), (2, "VDD_CPU_CV", 0.2), (3, "VIN_SYS_5V0", 0.3)],
            &[(1, "NC", 0.0), (2, "VDDQ_VDD2_1V8AO", 0.1), (3, "NC", 0.0)],
        ],
        false,
    ),
    gpu: Some(Gpu {
        load: Some("sys/devices/17000000.ga10b"),
        clock: "sys/class/devfreq/17000000.ga10b",
        least: 306_000_000,
        most: 1_300_500_000,
    }),
    clusters: &[(0, 4, 115_200, 2_201_600), (4, 4, 115_200, 2_201_600), (8, 4, 115_200, 2_201_600)],
    modes: (&["MAXN", "MODE_15W", "MODE_30W", "MODE_50W"], 0),
    ..ORIN_NANO
};

/// `JetPack` 5.1.2. Trips, clocks, modes and the shares of the rails are plausible.
const XAVIER_NX: Spec = Spec {
    model: Some("NVIDIA Jetson Xavier NX Developer Kit"),
    release: Some("# R35 (release), REVISION: 4.1, GCID: 0, BOARD: t186ref, EABI: aarch64, DATE: x"),
    zones: &[
        chip("CPU-therm", XAVIER),
        chip("GPU-therm", XAVIER),
        chip("AUX-therm", XAVIER),
        chip("AO-therm", &[("critical", 104_500)]),
        always("PMIC-Die", 100_000, &[("critical", 150_000)]),
        always("thermal-fan-est", 42_000, &[("active", 51_000)]),
    ],
    alerts: &[],
    caps: &[("cpufreq-cpu0", 25), ("devfreq-17000000.gv11b", 9)],
    gpu: Some(Gpu {
        load: Some("sys/devices/17000000.gv11b"),
        clock: "sys/devices/17000000.gv11b/devfreq/17000000.gv11b",
        least: 114_750_000,
        most: 1_109_250_000,
    }),
    clusters: &[(0, 2, 115_200, 1_907_200), (2, 2, 115_200, 1_907_200), (4, 2, 115_200, 1_907_200)],
    counters: false,
    modes: (&["MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE"], 2),
    ..ORIN_NANO
};

/// `JetPack` 4.6.4. Clocks are plausible, and so are types and steps of what holds them down.
const NANO: Spec = Spec {
    model: Some("NVIDIA Jetson Nano Developer Kit"),
    release: Some("# R32 (release), REVISION: 7.4, GCID: 0, BOARD: t210ref, EABI: aarch64, DATE: x"),
    zones: &[
        chip("AO-therm", &[("critical", 110_000)]),
        chip("CPU-therm", &[("passive", 97_000), ("hot", 100_500), ("critical", 102_000)]),
        chip("GPU-therm", &[("passive", 97_500), ("hot", 101_000), ("critical", 102_500)]),
        chip("PLL-therm", &[("passive", 70_000)]),
        always("PMIC-Die", 100_000, &[("critical", 120_000)]),
        always("thermal-fan-est", 42_000, &[("active", 51_000)]),
    ],
    alerts: &[],
    caps: &[("thermal-cpufreq-0", 14), ("thermal-devfreq-0", 11)],
    rails: Rails::Iio(&[(0, "POM_5V_IN", 1.0), (1, "POM_5V_GPU", 0.3), (2, "POM_5V_CPU", 0.25)]),
    gpu: Some(Gpu {
        load: Some("sys/devices/57000000.gpu"),
        clock: "sys/class/devfreq/57000000.gpu",
        least: 76_800_000,
        most: 921_600_000,
    }),
    clusters: &[(0, 4, 102_000, 1_479_000)],
    fan: Fan::Older,
    counters: false,
    modes: (&["MAXN", "5W"], 0),
    ..ORIN_NANO
};

/// Trips of Thor's zones but `tj`. A developer kit told 114 500.
const THOR_ZONE: &[(&str, u32)] = &[("critical", 113_000)];

/// `JetPack` 7.0. Clocks, modes, clusters and the shares of the rails are plausible.
const THOR: Spec = Spec {
    model: Some("NVIDIA Jetson AGX Thor Developer Kit"),
    release: Some("# R38 (release), REVISION: 2.0, GCID: 0, BOARD: generic, EABI: aarch64, DATE: x"),
    zones: &[
        chip("cpu-thermal", THOR_ZONE),
        chip("gpu-thermal", THOR_ZONE),
        chip("soc012-thermal", THOR_ZONE),
        chip("soc345-thermal", THOR_ZONE),
        chip("tj-thermal", &[("passive", 109_000), ("critical", 113_000)]),
    ],
    alerts: &["cpu", "gpu", "soc012", "soc345"],
    caps: &[
        ("cpufreq-cpu0", 48),
        ("cpufreq-cpu4", 48),
        ("cpufreq-cpu8", 48),
        ("cpufreq-cpu12", 48),
        ("devfreq-gpu-gpc-0", 169),
        ("devfreq-gpu-nvd-0", 182),
    ],
    rails: Rails::Hwmon(&[&[(1, "VDD_GPU", 0.4), (2, "VDD_CPU_SOC_MSS", 0.3), (3, "VIN_SYS_5V0", 0.2)]], true),
    gpu: Some(Gpu { load: None, clock: "sys/class/devfreq/gpu-gpc-0", least: 315_000_000, most: 1_575_000_000 }),
    clusters: &[
        (0, 4, 972_000, 2_601_000),
        (4, 4, 972_000, 2_601_000),
        (8, 4, 972_000, 2_601_000),
        (12, 2, 972_000, 2_601_000),
    ],
    modes: (&["MAXN", "120W"], 1),
    ..ORIN_NANO
};

/// An x86 machine, all plausible: names and the meaning of its trips are those of the kernel's drivers.
const LINUX: Spec = Spec {
    model: None,
    processor: Some("Simulated Processor at 3.00 GHz"),
    release: None,
    zones: &[
        chip("x86_pkg_temp", &[("passive", 0), ("passive", 0)]),
        chip("acpitz", &[("passive", 95_000), ("critical", 105_000)]),
    ],
    alerts: &[],
    caps: &[],
    rails: Rails::None,
    gpu: None,
    clusters: &[(0, 1, 800_000, 3_000_000), (1, 1, 800_000, 3_000_000)],
    fan: Fan::None,
    counters: false,
    modes: (&[], 0),
};

/// What a kind of board has.
pub(super) fn spec(kind: Kind) -> &'static Spec {
    match kind {
        Kind::OrinNano => &ORIN_NANO,
        Kind::AgxOrin => &AGX_ORIN,
        Kind::XavierNx => &XAVIER_NX,
        Kind::Nano => &NANO,
        Kind::Thor => &THOR,
        Kind::Linux => &LINUX,
    }
}
