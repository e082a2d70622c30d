//! Small files of the kernel: one figure or one label each.
//!
//! Promises that a file can neither block the reader, nor make it take more than a few hundred bytes, nor give a figure
//! outside the range that is believed. Nothing is ever written.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The longest text of a figure or label, in bytes. One that fills it is refused, for its end was not seen.
const LONGEST: usize = 128;

/// The longest label: the kernel allows 20 bytes for a thermal zone, drivers of hwmon use a little more.
const LONGEST_LABEL: usize = 64;

/// The longest file of several lines, in bytes; `/etc/nvpmodel.conf` has about 20 000.
const LONGEST_DOCUMENT: u64 = 1 << 18;

/// The most devices of one kind that are looked at.
const MOST_DEVICES: usize = 256;

/// Why a file gives no figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not there.
    Missing,
    /// The kernel said EAGAIN: the part of the chip with the sensor is switched off.
    Off,
    /// It cannot be read, and what the system said.
    Failed(String),
    /// What it tells is no such figure: what was seen, and what was wanted.
    Unfit(String, String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Off => f.write_str("cannot be read now: its part of the chip is switched off (EAGAIN)"),
            Self::Failed(why) => write!(f, "cannot be read: {why}"),
            Self::Unfit(seen, wanted) => write!(f, "tells {seen}, want {wanted}"),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing,
            ErrorKind::WouldBlock => Self::Off,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// One figure: the file that tells it and the range in which it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figure {
    path: PathBuf,
    believed: RangeInclusive<i64>,
}

impl Figure {
    /// The figure that `path` tells.
    pub(super) fn new(path: PathBuf, believed: RangeInclusive<i64>) -> Self {
        Self { path, believed }
    }

    /// The figure that `path` tells, where there is such a file.
    pub(super) fn of_file(path: PathBuf, believed: RangeInclusive<i64>) -> Option<Self> {
        path.exists().then(|| Self::new(path, believed))
    }

    /// Reads it.
    pub(super) fn look(&self) -> Result<i64, Refusal> {
        let mut buffer = [0; LONGEST];
        let text = text(&self.path, &mut buffer)?;
        let number = text.parse().ok().filter(|number| self.believed.contains(number));
        number.ok_or_else(|| {
            let (low, high) = (self.believed.start(), self.believed.end());
            Refusal::Unfit(shown(text), format!("a whole number from {low} to {high}"))
        })
    }

    /// Reads it; `None` where it cannot be read or believed now.
    pub(super) fn read(&self) -> Option<i64> {
        self.look().ok()
    }

    /// The same as a floating-point number.
    pub(super) fn float(&self) -> Option<f64> {
        self.read().map(float)
    }

    /// A sentence where it cannot be read or believed now, for the report of what was found.
    pub(super) fn complaint(&self, what: &str) -> Option<String> {
        let refusal = self.look().err()?;
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        Some(format!("{what}: {file} {refusal}."))
    }
}

/// A figure as a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "every range that is believed ends far below 2^53")]
pub(super) fn float(number: i64) -> f64 {
    number as f64
}

/// A label: printable ASCII of moderate length, for it goes to terminals and names things.
pub(super) fn label(path: &Path) -> Result<String, Refusal> {
    let mut buffer = [0; LONGEST];
    let text = text(path, &mut buffer)?;
    let printable = text.len() <= LONGEST_LABEL && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !printable {
        return Err(Refusal::Unfit(shown(text), format!("at most {LONGEST_LABEL} printable letters")));
    }
    Ok(text.to_owned())
}

/// A file of several lines, where it can be read; what is not UTF-8 in it is replaced.
pub(super) fn document(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    open(path).ok()?.take(LONGEST_DOCUMENT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The entries `<prefix><number>` of a folder, in the order of their numbers: 2 before 10.
pub(super) fn numbered(folder: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let number = |name: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
    let entries = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((number(entry.file_name().to_str()?)?, entry.path()))
    });
    let mut entries: Vec<(u32, PathBuf)> = entries.collect();
    entries.sort();
    entries.truncate(MOST_DEVICES);
    entries
}

/// The folders of `sys/class/hwmon` whose `name` is `name`, in the order of their numbers.
pub(super) fn hwmon(root: &Path, name: &str) -> Vec<PathBuf> {
    let folders = numbered(&root.join("sys/class/hwmon"), "hwmon").into_iter().map(|(_, folder)| folder);
    folders.filter(|folder| label(&folder.join("name")).is_ok_and(|told| told == name)).collect()
}

/// The folders of `sys/class/hwmon` of which nobody can say what they are: their `name` cannot be read, or says nothing.
pub(super) fn nameless_hwmon(root: &Path) -> Vec<PathBuf> {
    let folders = numbered(&root.join("sys/class/hwmon"), "hwmon").into_iter().map(|(_, folder)| folder);
    folders.filter(|folder| label(&folder.join("name")).map_or(true, |told| told.is_empty())).collect()
}

/// Opens a file without waiting for anybody: a pipe in its place must not hold the reader.
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// The text of a file without the spaces around it.
fn text<'b>(path: &Path, buffer: &'b mut [u8; LONGEST]) -> Result<&'b str, Refusal> {
    let mut file = open(path)?;
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if length == LONGEST {
        return Err(Refusal::Unfit(format!("{LONGEST} bytes or more"), "a short text".to_owned()));
    }
    let unfit = |_| Refusal::Unfit("bytes that are no text".to_owned(), "a short text".to_owned());
    std::str::from_utf8(&buffer[..length]).map(str::trim_ascii).map_err(unfit)
}

/// What was seen, for a sentence.
fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("temp");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn told(bytes: &[u8]) -> Result<i64, String> {
        let (_folder, path) = file(bytes);
        Figure::new(path, -40_000..=200_000).look().map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_figure_is_believed_within_its_range_only() {
        assert_eq!(told(b"51687\n"), Ok(51_687));
        assert_eq!(told(b" -40000"), Ok(-40_000));
        let wanted = "want a whole number from -40000 to 200000";
        assert_eq!(told(b"-256000\n"), Err(format!("tells \"-256000\", {wanted}")));
        assert_eq!(told(b"200001\n"), Err(format!("tells \"200001\", {wanted}")));
        assert_eq!(told(b"\n"), Err(format!("tells nothing, {wanted}")));
        assert_eq!(told(b"51.6"), Err(format!("tells \"51.6\", {wanted}")));
        assert_eq!(told(b"51687\0"), Err(format!("tells \"51687\\0\", {wanted}")));
        assert_eq!(told(&[b'5'; 400]), Err("tells 128 bytes or more, want a short text".to_owned()));
        assert_eq!(told(b"\xff\xfe"), Err("tells bytes that are no text, want a short text".to_owned()));
    }

    #[test]
    fn what_is_no_file_is_refused_and_a_pipe_does_not_hold_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let look = |name: &str| Figure::new(folder.path().join(name), 0..=1).look();
        assert_eq!(look("none"), Err(Refusal::Missing));
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        assert!(matches!(look("folder"), Err(Refusal::Failed(_))));
        assert_eq!(look("folder/none/none"), Err(Refusal::Missing));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(look("pipe").unwrap_err().to_string(), "tells nothing, want a whole number from 0 to 1");
        // A writer that says nothing: the kernel answers EAGAIN, as for a sensor whose block is switched off.
        let _writer = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        assert_eq!(look("pipe"), Err(Refusal::Off));
    }

    #[test]
    fn labels_are_printable() {
        let (_folder, path) = file(b"sum of shunt voltages\n");
        assert_eq!(label(&path), Ok("sum of shunt voltages".to_owned()));
        assert_eq!(label(&path.with_file_name("none")), Err(Refusal::Missing));
        let (_folder, path) = file(b"\x1b[2Jcpu");
        assert!(matches!(label(&path), Err(Refusal::Unfit(..))), "no escape sequence reaches a terminal");
        let (_folder, path) = file(&[b'a'; 65]);
        assert!(matches!(label(&path), Err(Refusal::Unfit(..))));
    }

    #[test]
    fn devices_are_sorted_by_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hwmon10", "hwmon2", "hwmon", "hwmon-1", "other3"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let numbers: Vec<u32> = numbered(folder.path(), "hwmon").into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [2, 10]);
        assert!(numbered(&folder.path().join("none"), "hwmon").is_empty());
    }
}
