//! How much memory the machine has, as the kernel tells it.

use std::path::Path;

/// Bytes of memory that are available, by `proc/meminfo` below `root`.
#[must_use]
pub fn available(root: &Path) -> Option<u64> {
    told(root, "MemAvailable:")
}

/// Bytes of memory of the machine, by `proc/meminfo` below `root`.
#[must_use]
pub fn total(root: &Path) -> Option<u64> {
    told(root, "MemTotal:")
}

/// A line of `proc/meminfo`, which counts in KiB (`man 5 proc_meminfo`).
fn told(root: &Path, line: &str) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let rest = text.lines().find_map(|told| told.strip_prefix(line))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let root = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(root.path().join("proc/meminfo"), text).unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        write("MemTotal:       7853268 kB\nMemFree: 1 kB\nMemAvailable: 5 kB\n");
        assert_eq!((available(root.path()), total(root.path())), (Some(5120), Some(7_853_268 * 1024)));
        write("MemAvailable: many kB\nMemTotal: 7\n");
        assert_eq!((available(root.path()), total(root.path())), (None, None));
        assert_eq!(available(Path::new("/no/such/root")), None);
    }
}
