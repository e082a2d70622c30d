//! Room: memory, swap, disks.

use std::collections::BTreeMap;

use super::board::is_jetson;
use crate::doctor::facts::{Disk, Facts};
use crate::doctor::report::{Check, Finding};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Memory up to which building an engine has been seen to be killed without swap: boards sold with 8 GB.
const SMALL: u64 = 9 * GIB;

/// The swap on disk that such a board should have.
const SWAP: u64 = 4 * GIB;

/// The least memory that is available before anything is started.
const AVAILABLE: u64 = 512 * MIB;

/// Free room below which nothing can be written for long, and below which a person should look.
const FULL: (u64, u64) = (256 * MIB, GIB);

pub(in crate::doctor) fn all(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = memory(facts).into_iter().chain(swap(facts)).collect();
    let mut by_device: BTreeMap<u64, Vec<&Disk>> = BTreeMap::new();
    for disk in &facts.disks {
        by_device.entry(disk.device).or_default().push(disk);
    }
    found.extend(by_device.values().map(|disks| room(disks)));
    found
}

fn memory(facts: &Facts) -> Option<Finding> {
    let (total, available) = (facts.memory.total?, facts.memory.available);
    let found = format!(
        "{} of memory{}",
        size(total),
        available.map_or_else(String::new, |free| format!(", {} available", size(free)))
    );
    if available.is_some_and(|available| available < AVAILABLE) {
        return Some(Finding::warn(Check::Memory, found).want(format!("{} available", size(AVAILABLE))).mend(
            "ps aux --sort=-rss | head   # see who has it; without a screen: sudo systemctl set-default multi-user.target",
        ));
    }
    Some(Finding::ok(Check::Memory, found))
}

fn swap(facts: &Facts) -> Option<Finding> {
    let memory = facts.memory;
    let total = memory.total?;
    let zram = if memory.swap_in_memory > 0 {
        format!(" ({} in compressed memory)", size(memory.swap_in_memory))
    } else {
        String::new()
    };
    let found = format!("{} of swap on disk{zram}", size(memory.swap_on_disk));
    let builds = facts.wants.tensorrt && (is_jetson(facts) || total <= SMALL);
    if builds && total <= SMALL && memory.swap_on_disk < SWAP {
        let wanted = format!(
            "{} on disk, best on NVMe: TensorRT's builder is killed on boards with {} and no swap; compressed memory does not help",
            size(SWAP),
            size(total)
        );
        return Some(Finding::warn(Check::Swap, found).want(wanted).mend(
            "sudo fallocate -l 4G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile && \
             echo '/swapfile none swap sw 0 0' | sudo tee -a /etc/fstab",
        ));
    }
    Some(Finding::ok(Check::Swap, found))
}

/// The room on one file system, for all that grows on it.
fn room(disks: &[&Disk]) -> Finding {
    let what =
        disks.iter().map(|disk| format!("{} ({})", disk.what, disk.path.display())).collect::<Vec<_>>().join(", ");
    let (free, total) = disks.first().map_or((0, 0), |disk| (disk.free, disk.total));
    let grows = disks.iter().fold(0_u64, |sum, disk| sum.saturating_add(disk.grows));
    let found = format!("{} of {} free for {what}", size(free), size(total));
    let clean = "sudo apt clean && sudo journalctl --vacuum-size=100M";
    if free < FULL.0 {
        return Finding::fail(Check::Disk, format!("{found}: nearly full"))
            .want(format!("{} free or more", size(FULL.1)))
            .mend(clean);
    }
    if free < grows {
        return Finding::warn(Check::Disk, found)
            .want(format!("room for the {} by which they may still grow", size(grows)))
            .mend(format!("lower `[journal] max_mib` or `[images] max_mib` in the config, or make room: {clean}"));
    }
    if free < FULL.1 {
        return Finding::warn(Check::Disk, found).want(format!("{} free or more", size(FULL.1))).mend(clean);
    }
    Finding::ok(Check::Disk, found)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    if bytes < GIB { format!("{} MiB", bytes / MIB) } else { format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB) }
}
