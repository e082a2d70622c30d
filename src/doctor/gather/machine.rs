//! Memory, disks, clocks, cameras, the broker's port, the clock and the service.

use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::is_this_machine;
use super::libraries::below;
use super::people::numbered;
use crate::clock;
use crate::config::{self, Settings, VideoDevice};
use crate::doctor::facts::{Broker, Disk, Memory, Unit};
use crate::memory::machine;

/// How long a broker may take to accept a connection.
const REACH: Duration = Duration::from_secs(3);

/// The most files of a folder that are added up.
const MOST_FILES: usize = 1 << 18;

/// A folder that is written to.
#[derive(Debug)]
pub(super) struct Place {
    /// What lies there.
    what: &'static str,
    /// The folder, or the nearest above it that is there.
    pub(super) exists: PathBuf,
    /// Bytes by which it may still grow.
    grows: u64,
    /// Whether the daemon writes there: not so where no config says it.
    pub(super) is_written: bool,
}

/// Where a config has things written; without one the root, which is only looked at.
pub(super) fn places(root: &Path, settings: Option<&Settings>) -> Vec<Place> {
    let Some(settings) = settings else {
        return vec![Place { what: "the system", exists: root.to_owned(), grows: 0, is_written: false }];
    };
    let place = |what, folder: &Path, budget: Option<u64>, used: u64| Place {
        what,
        exists: existing(folder),
        grows: budget.map_or(0, |budget| budget.saturating_sub(used)),
        is_written: true,
    };
    let journal = &settings.journal;
    let folder = journal.path.parent().unwrap_or(Path::new(""));
    let size = std::fs::metadata(&journal.path).map_or(0, |seen| seen.len());
    let mut places = vec![place("the journal", folder, Some(journal.max_bytes), size)];
    if let Some(images) = &settings.images {
        places.push(place("kept images", &images.folder, Some(images.max_bytes), bytes_in(&images.folder)));
    }
    if settings.runtime.providers.contains(&config::Provider::TensorRt) {
        places.push(place("the engine cache", &settings.runtime.tensorrt.folder, None, 0));
    }
    places
}

/// The nearest folder of a path that is there.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| !folder.as_os_str().is_empty() && folder.is_dir());
    there.unwrap_or(Path::new(".")).to_owned()
}

/// Bytes of the files in a folder and the folders below it.
fn bytes_in(folder: &Path) -> u64 {
    let (mut bytes, mut open, mut left) = (0_u64, vec![folder.to_owned()], MOST_FILES);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().take(left) {
            left = left.saturating_sub(1);
            match entry.metadata() {
                Ok(seen) if seen.is_dir() => open.push(entry.path()),
                Ok(seen) => bytes = bytes.saturating_add(seen.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// The disks of these places.
pub(super) fn disks(places: &[Place]) -> Vec<Disk> {
    let disk = |place: &Place| {
        let seen = rustix::fs::statvfs(&place.exists).ok()?;
        let device = std::fs::metadata(&place.exists).ok()?.dev();
        let (free, total) = (seen.f_bavail.saturating_mul(seen.f_frsize), seen.f_blocks.saturating_mul(seen.f_frsize));
        let (what, path, grows) = (place.what.to_owned(), place.exists.clone(), place.grows);
        Some(Disk { what, path, device, free, total, grows })
    };
    places.iter().filter_map(disk).collect()
}

/// Memory, and the swap of `proc/swaps`, which counts in KiB.
pub(super) fn memory(root: &Path) -> Memory {
    let text = std::fs::read_to_string(root.join("proc/swaps")).unwrap_or_default();
    let mut memory = Memory { total: machine::total(root), available: machine::available(root), ..Memory::default() };
    for line in text.lines().skip(1) {
        let mut words = line.split_ascii_whitespace();
        let (Some(device), Some(kib)) = (words.next(), words.nth(1).and_then(|kib| kib.parse::<u64>().ok())) else {
            continue;
        };
        let kind = if device.contains("zram") { &mut memory.swap_in_memory } else { &mut memory.swap_on_disk };
        *kind = kind.saturating_add(kib.saturating_mul(1024));
    }
    memory
}

/// The governors of the processor's clocks.
pub(super) fn governors(root: &Path) -> BTreeSet<String> {
    let folders = numbered(root, "sys/devices/system/cpu/cpufreq", "policy").into_iter();
    let told = folders.filter_map(|folder| std::fs::read_to_string(folder.join("scaling_governor")).ok());
    told.map(|text| text.trim().chars().filter(char::is_ascii_graphic).take(32).collect()).collect()
}

/// The cameras with the names of their cards.
pub(super) fn cameras(root: &Path) -> Vec<(PathBuf, String)> {
    let nodes = numbered(root, "dev", "video").into_iter().filter_map(|path| {
        let name = path.file_name()?.to_owned();
        let card = root.join("sys/class/video4linux").join(&name).join("name");
        let card = std::fs::read_to_string(card).unwrap_or_default();
        let card = card.trim().chars().filter(|c| !c.is_control()).take(64).collect();
        Some((Path::new("/dev").join(name), card))
    });
    nodes.collect()
}

/// The V4L2 cameras of the config that are not among `cameras`, each with the device that was asked for.
pub(super) fn missing(root: &Path, settings: &Settings, cameras: &[(PathBuf, String)]) -> Vec<(String, String)> {
    let wanted = settings.cameras.iter().filter_map(|(name, camera)| {
        let config::CameraSource::V4l(v4l) = &camera.source else { return None };
        let (there, device) = match &v4l.device {
            VideoDevice::Path(path) => (below(root, path).exists(), path.display().to_string()),
            VideoDevice::Card { card, .. } => (cameras.iter().any(|(_, seen)| seen == card), format!("card {card:?}")),
        };
        (!there).then(|| (name.to_string(), device))
    });
    wanted.collect()
}

/// Whether somebody answers at the broker's address; `None` for the embedded one.
pub(super) fn broker(settings: &Settings) -> Option<Broker> {
    let config::Broker::Remote { address } = &settings.mqtt.as_ref()?.broker else { return None };
    Some(Broker { address: address.clone(), reached: reach(address) })
}

fn reach(address: &str) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let mut last = Err("the name has no address".to_owned());
    for address in address.to_socket_addrs().map_err(told)?.take(4) {
        last = TcpStream::connect_timeout(&address, REACH).map(drop).map_err(told);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Whether the clock is held by an outside source: by the kernel's own account, or in a copied tree by systemd's.
pub(super) fn synchronised(root: &Path) -> Option<bool> {
    if is_this_machine(root) {
        return Some(clock::synchronised());
    }
    let folder = root.join("run/systemd/timesync");
    folder.is_dir().then(|| folder.join("synchronized").exists())
}

/// What systemd says of the service, on a machine that it runs.
pub(super) fn unit(root: &Path) -> Option<Unit> {
    if !is_this_machine(root) || !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let properties = "--property=LoadState,ActiveState,Result,NRestarts";
    let output = Command::new("systemctl").args(["show", "kenpin.service", properties]).output().ok()?;
    Some(parse_unit(&String::from_utf8_lossy(&output.stdout)))
}

fn parse_unit(text: &str) -> Unit {
    let told = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
    Unit {
        load: told("LoadState").to_owned(),
        active: told("ActiveState").to_owned(),
        result: told("Result").to_owned(),
        restarts: told("NRestarts").parse().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_in_compressed_memory_is_told_apart() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        let swaps = "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 639800 0 5\n/dev/zram1 partition 200 0 5\n\
                     /swapfile file 8388604 0 -2\nbroken\n";
        std::fs::write(root.path().join("proc/swaps"), swaps).unwrap();
        let seen = memory(root.path());
        assert_eq!((seen.swap_on_disk, seen.swap_in_memory), (8_388_604 * 1024, 640_000 * 1024));
        assert_eq!((seen.total, seen.available), (None, None));
    }

    #[test]
    fn a_service_is_read_by_key() {
        let unit = parse_unit("NRestarts=3\nLoadState=loaded\nActiveState=failed\nResult=watchdog\n");
        let (load, active, result) = ("loaded".into(), "failed".into(), "watchdog".into());
        assert_eq!(unit, Unit { load, active, result, restarts: 3 });
        assert_eq!(parse_unit(""), Unit::default());
    }

    #[test]
    fn a_closed_port_is_told_and_an_open_one_is_reached() {
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = open.local_addr().unwrap().to_string();
        assert_eq!(reach(&address), Ok(()));
        drop(open);
        assert!(reach(&address).unwrap_err().contains("refused"));
        assert!(reach("no address").is_err());
    }
}
