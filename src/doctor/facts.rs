//! What is known of a machine: plain values, gathered once. What could not be found out is `None`, never a zero.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::board::release::Release;
use crate::flow::infer::library;

/// Everything the doctor judges by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// What the board tells of itself.
    pub board: String,
    /// Whether it was made up by `kenpin board fake`.
    pub simulated: bool,
    /// The chip, on a Jetson of a known kind.
    pub chip: Option<Chip>,
    /// The release of NVIDIA's system.
    pub release: Option<Release>,
    /// What the config asks of the machine, or what a Jetson without a config is presumed to be for.
    pub wants: Wants,
    /// libonnxruntime, or one sentence on where it was looked for.
    pub onnxruntime: Option<Result<Library, String>>,
    /// NVIDIA's libraries.
    pub toolkit: Toolkit,
    /// Memory and swap.
    pub memory: Memory,
    /// The disks that will be written to.
    pub disks: Vec<Disk>,
    /// The number of the power mode, and the names of all modes by number.
    pub power: (Option<u32>, BTreeMap<u32, String>),
    /// Whether the GPU's clock is held at one value, as `jetson_clocks` does.
    pub clocks_locked: Option<bool>,
    /// The governors of the processor's clocks.
    pub governors: BTreeSet<String>,
    /// The cameras the kernel shows: device node and the card's name.
    pub cameras: Vec<(PathBuf, String)>,
    /// The V4L2 cameras of the config that the kernel does not show: name, and the device that was asked for.
    pub missing_cameras: Vec<(String, String)>,
    /// Who runs, or will run, the daemon.
    pub person: Person,
    /// The device nodes and folders that matter.
    pub nodes: Vec<Node>,
    /// The broker of the config.
    pub broker: Option<Broker>,
    /// Whether the clock is held by an outside source.
    pub synchronised: Option<bool>,
    /// What checking the config gave: one sentence, or its findings.
    pub config: Option<Result<String, Vec<String>>>,
    /// The systemd unit.
    pub unit: Option<Unit>,
}

/// What is asked of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for or not, whatever the others are")]
pub struct Wants {
    /// That models run on CUDA.
    pub cuda: bool,
    /// That models run on TensorRT.
    pub tensorrt: bool,
    /// That readings bring their own time, which is trusted only while the clock is right.
    pub wall_time: bool,
    /// That lines of a GPIO chip are driven or heard.
    pub gpio: bool,
}

/// A Jetson's chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip {
    /// As people call it.
    pub name: &'static str,
    /// The name in the device tree.
    pub tree: &'static str,
    /// The compute capability of its GPU: 87 is 8.7.
    pub capability: u32,
}

/// The chips of Jetsons. Source: NVIDIA's table of compute capabilities, and the device trees of Linux for Tegra.
pub const CHIPS: [Chip; 5] = [
    Chip { name: "Thor", tree: "tegra264", capability: 110 },
    Chip { name: "Orin", tree: "tegra234", capability: 87 },
    Chip { name: "Xavier", tree: "tegra194", capability: 72 },
    Chip { name: "TX2", tree: "tegra186", capability: 62 },
    Chip { name: "Nano", tree: "tegra210", capability: 53 },
];

/// libonnxruntime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// Its version, from its name, its package or itself.
    pub version: Option<String>,
    /// The package it came in, as `onnxruntime-gpu 1.31.1`.
    pub package: Option<String>,
    /// The processor it was built for: `aarch64`, `x86_64`.
    pub processor: Option<&'static str>,
    /// What a child said that loaded it: its version or why not; `None` where none was asked.
    pub loaded: Option<Result<String, String>>,
    /// The CUDA provider beside it.
    pub cuda: Option<Plug>,
    /// The TensorRT provider beside it.
    pub tensorrt: Option<Plug>,
}

/// An execution provider's library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plug {
    /// The compute capabilities it has machine code for; empty where it holds none.
    pub code: BTreeSet<u32>,
    /// The compute capabilities it has intermediate code (PTX) for, which newer GPUs translate.
    pub portable: BTreeSet<u32>,
    /// Libraries that it, or what it needs, asks for and that are nowhere: each with who asks.
    pub lacks: BTreeMap<String, String>,
    /// What came of a session on it in a child; `None` where none was tried.
    pub tried: Option<Result<(), String>>,
}

/// NVIDIA's libraries, each by its version; `None` is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolkit {
    /// The CUDA runtime.
    pub cuda: Option<String>,
    /// cuDNN.
    pub cudnn: Option<String>,
    /// TensorRT.
    pub tensorrt: Option<String>,
    /// Whether TensorRT's library asks for `libnvdla_compiler.so`; `None` where that cannot be read.
    pub needs_dla_compiler: Option<bool>,
    /// That file, and how many bytes it has: containers have an empty one where the host has none.
    pub dla_compiler: Option<(PathBuf, u64)>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: Option<u64>,
    /// What is free or can be made so.
    pub available: Option<u64>,
    /// Swap on disks.
    pub swap_on_disk: u64,
    /// Swap in compressed memory (zram).
    pub swap_in_memory: u64,
}

/// A disk on which something grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What lies there, for people: "the journal".
    pub what: String,
    /// Where.
    pub path: PathBuf,
    /// The file system's number.
    pub device: u64,
    /// Bytes that may still be written by those without special rights.
    pub free: u64,
    /// Bytes of the file system.
    pub total: u64,
    /// Bytes by which what lies there may still grow, by the config.
    pub grows: u64,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The login name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The numbers of all groups.
    pub groups: BTreeSet<u32>,
}

/// A device node or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its path, as the machine has it.
    pub path: PathBuf,
    /// What it is for.
    pub role: Role,
    /// The permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group, and that one's name.
    pub group: (u32, Option<String>),
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A camera.
    Camera,
    /// The GPU.
    Gpu,
    /// A GPIO chip.
    Gpio,
    /// A folder the daemon writes to.
    Folder,
}

impl Node {
    /// Whether `person` may read and write it: by owner, else by group, else as anybody (POSIX.1-2017, 4.5); the superuser may
    /// always. Access lists are not looked at.
    #[must_use]
    pub fn is_open_to(&self, person: &Person) -> bool {
        let wanted = if self.role == Role::Folder { 0o7 } else { 0o6 };
        let bits = if person.uid == self.uid {
            self.mode >> 6
        } else if person.groups.contains(&self.group.0) {
            self.mode >> 3
        } else {
            self.mode
        };
        person.uid == 0 || bits & wanted == wanted
    }
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// `host:port`.
    pub address: String,
    /// Whether a connection could be made, or why not.
    pub reached: Result<(), String>,
}

/// What systemd says of `kenpin.service`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// `LoadState`: `loaded`, `not-found`.
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `failed`.
    pub active: String,
    /// `Result`: `success`, `watchdog`, `exit-code`, ...
    pub result: String,
    /// `NRestarts`.
    pub restarts: u32,
}

impl Library {
    /// The version as numbers: `1.23.0` is `[1, 23, 0]`.
    #[must_use]
    pub fn numbers(&self) -> Option<Vec<u64>> {
        self.version.as_deref().map(library::numbers)
    }
}
