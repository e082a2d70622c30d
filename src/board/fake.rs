//! A miniature board: the files that a Jetson's kernel shows, in a folder, with made-up figures. For trying a policy without a
//! board, and for tests.
//!
//! Every tree holds a file that says so ([`MARKER`]), and whatever reads it says that its figures are simulated. A folder that
//! holds anything else is refused. Each file is replaced by renaming: a reader sees the old figure or the new one.
//! What boards have is in `boards.rs`, with what was copied from real ones and what is only plausible.

mod boards;
pub mod curve;
mod kernel;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

pub use kernel::Kernel;
use tree::{Content, Entry, tree};

/// The file in the root of a tree that says it is none of a board.
pub const MARKER: &str = "kenpin-fake-board";

/// What a tree may hold beside the marker.
const FOLDERS: [&str; 4] = ["etc", "proc", "sys", "var"];

/// The kinds of boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Jetson Orin Nano Super, `JetPack` 6.2.
    OrinNano,
    /// Jetson AGX Orin, `JetPack` 5.1.2: older names, no alerts, rails without a total.
    AgxOrin,
    /// Jetson Xavier NX, `JetPack` 5.1.2.
    XavierNx,
    /// Jetson Nano, `JetPack` 4.6.4: the older power driver.
    Nano,
    /// Jetson AGX Thor, `JetPack` 7.0.
    Thor,
    /// An x86 machine.
    Linux,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::OrinNano, Self::AgxOrin, Self::XavierNx, Self::Nano, Self::Thor, Self::Linux];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrinNano => "orin-nano",
            Self::AgxOrin => "agx-orin",
            Self::XavierNx => "xavier-nx",
            Self::Nano => "nano",
            Self::Thor => "thor",
            Self::Linux => "linux",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a miniature board is made to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Degrees Celsius of all zones of the chip.
    pub celsius: f64,
    /// Whether the throttle alerts are raised, where the board has any, but for parts of the chip that are switched off.
    pub throttled: bool,
    /// Steps by which clocks are held down, as far as each goes, in the order of the board's devices: the last counts for all
    /// behind it too, so one number is for every clock and none leaves them free.
    pub caps: Vec<u32>,
    /// The counters of over-current events since boot: `oc1`, `oc2`, `oc3`.
    pub over_currents: [u32; 3],
    /// Whether the first rail of each hwmon monitor is above its critical limit.
    pub over_limit: bool,
    /// Milliwatt that the board draws, shared out among its rails.
    pub power_mw: f64,
    /// The share of time the GPU works, 0 to 1. Its clock follows it as far as it is not held down.
    pub gpu_load: f64,
    /// The fan's drive, 0 to 1.
    pub fan: f64,
    /// Whether the fan turns where it is driven.
    pub fan_turns: bool,
    /// The power mode; the board's usual one when not given.
    pub power_mode: Option<u32>,
}

impl Default for Heat {
    /// A board that works and is not hot; figures of an Orin Nano.
    fn default() -> Self {
        Self {
            celsius: 51.687,
            throttled: false,
            caps: Vec::new(),
            over_currents: [0, 0, 2],
            over_limit: false,
            power_mw: 9250.304,
            gpu_load: 0.453,
            fan: 80.0 / 255.0,
            fan_turns: true,
            power_mode: None,
        }
    }
}

impl Heat {
    /// Turns of the fan in a minute.
    fn fan_rpm(&self) -> f64 {
        if self.fan_turns { MOST_RPM * self.fan } else { 0.0 }
    }

    fn check(&self) -> Result<()> {
        let share = |name: &str, share: f64| {
            let fits = (0.0..=1.0).contains(&share);
            if fits { Ok(()) } else { Err(invalid(format!("{name} is {share}, want 0 to 1"))) }
        };
        share("gpu_load", self.gpu_load)?;
        share("fan", self.fan)?;
        for (name, figure) in [("celsius", self.celsius), ("power_mw", self.power_mw)] {
            if !figure.is_finite() {
                return Err(invalid(format!("{name} is {figure}, want a finite number")));
            }
        }
        Ok(())
    }
}

/// Turns in a minute of a fan at full drive (plausible).
const MOST_RPM: f64 = 6820.0;

/// What may be wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It holds these bytes.
    Bytes(Vec<u8>),
    /// A folder stands in its place, so that reading it fails.
    Folder,
}

/// A miniature board in a folder.
#[derive(Debug)]
pub struct Fake {
    root: PathBuf,
    kind: Kind,
    /// Whether the devices have the numbers of another boot.
    turned: bool,
    spoilt: BTreeMap<String, Fault>,
}

impl Fake {
    /// Writes the tree of a board, cool and at work, into a folder that is new, empty, or holds such a tree already.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when the folder holds anything else; whatever the system says when a file cannot be written.
    pub fn create(root: &Path, kind: Kind) -> Result<Self> {
        let fake = Self { root: root.to_owned(), kind, turned: false, spoilt: BTreeMap::new() };
        fs::create_dir_all(root)?;
        match fs::read_to_string(root.join(MARKER)) {
            Ok(told) if told == fake.marker() => {}
            Ok(_) => fake.clear()?,
            Err(_) if fs::read_dir(root)?.next().is_none() => {}
            Err(_) => {
                let why = format!("{} holds other files, want a new or empty folder for a fake board", root.display());
                return Err(Error::new(ErrorKind::AlreadyExists, why));
            }
        }
        fake.write_all(&Heat::default())?;
        Ok(fake)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes the board tell this from now on; files that are spoilt stay so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a share beyond 0 to 1 or a figure that is not finite; whatever the system says when a file
    /// cannot be written.
    pub fn set(&self, heat: &Heat) -> Result<()> {
        heat.check()?;
        let entries = tree(self.kind, self.turned, heat).into_iter().filter(|entry| entry.live);
        entries.filter(|entry| !self.spoilt.contains_key(&entry.path)).try_for_each(|entry| self.write(&entry))
    }

    /// The paths of all files below the root, sorted; links are not among them.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let entries = tree(self.kind, self.turned, &Heat::default()).into_iter();
        let files = entries.filter(|entry| matches!(entry.content, Content::Text(_))).map(|entry| entry.path);
        let mut files: Vec<String> = files.collect();
        files.sort();
        files
    }

    /// The paths of the files in which thermal zones tell their temperatures.
    #[must_use]
    pub fn temperatures(&self) -> Vec<String> {
        self.files().into_iter().filter(|path| path.contains("/thermal_zone") && path.ends_with("/temp")).collect()
    }

    /// Spoils a file, by its path below the root, until [`Self::mend`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the board has no such file; whatever the system says.
    pub fn spoil(&mut self, path: &str, fault: Fault) -> Result<()> {
        if !self.files().iter().any(|file| file == path) {
            return Err(Error::new(ErrorKind::NotFound, format!("{path} is no file of this board")));
        }
        let file = self.root.join(path);
        remove(&file)?;
        match &fault {
            Fault::Missing => {}
            Fault::Bytes(bytes) => fs::write(&file, bytes)?,
            Fault::Folder => fs::create_dir(&file)?,
        }
        self.spoilt.insert(path.to_owned(), fault);
        Ok(())
    }

    /// Mends every file and makes the board tell `heat`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn mend(&mut self, heat: &Heat) -> Result<()> {
        for path in std::mem::take(&mut self.spoilt).into_keys() {
            remove(&self.root.join(path))?;
        }
        self.write_all(heat)
    }

    /// Mends one file and makes it tell what it does of `heat`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn mend_one(&mut self, path: &str, heat: &Heat) -> Result<()> {
        heat.check()?;
        if self.spoilt.remove(path).is_some() {
            remove(&self.root.join(path))?;
        }
        let entries = tree(self.kind, self.turned, heat).into_iter().filter(|entry| entry.path == path);
        entries.into_iter().try_for_each(|entry| self.write(&entry))
    }

    /// Gives thermal zones, cooling devices and hwmon other numbers, as another boot may; mends every file.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn renumber(&mut self, heat: &Heat) -> Result<()> {
        self.clear()?;
        self.spoilt.clear();
        self.turned = !self.turned;
        self.write_all(heat)
    }

    fn marker(&self) -> String {
        let (board, boot) = (self.kind.name(), if self.turned { "another boot" } else { "first boot" });
        format!("This is no board: `kenpin board fake` made up every figure below here.\n{board}, {boot}\n")
    }

    fn clear(&self) -> Result<()> {
        FOLDERS.iter().try_for_each(|folder| remove(&self.root.join(folder)))
    }

    /// The marker comes first: a tree that is written in part is known as one.
    fn write_all(&self, heat: &Heat) -> Result<()> {
        heat.check()?;
        fs::write(self.root.join(MARKER), self.marker())?;
        tree(self.kind, self.turned, heat).iter().try_for_each(|entry| self.write(entry))
    }

    fn write(&self, entry: &Entry) -> Result<()> {
        let path = self.root.join(&entry.path);
        let Some(folder) = path.parent() else { return Ok(()) };
        let new = folder.join(".kenpin-new");
        replace(&path, &new, &entry.content).or_else(|_| {
            // The folder is new, or a process that was killed has left its last file behind.
            fs::create_dir_all(folder)?;
            remove(&new)?;
            replace(&path, &new, &entry.content)
        })
    }
}

/// Makes a file or link as `new` and puts it in the place of `path`.
fn replace(path: &Path, new: &Path, content: &Content) -> Result<()> {
    match content {
        Content::Text(text) => fs::write(new, text)?,
        Content::Link(target) => std::os::unix::fs::symlink(target, new)?,
    }
    fs::rename(new, path)
}

/// Whether a folder holds a tree that [`Fake`] wrote.
#[must_use]
pub fn is_one(root: &Path) -> bool {
    root.join(MARKER).exists()
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

/// Removes a file, a link or a folder, where there is one.
fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(seen) if seen.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests;
