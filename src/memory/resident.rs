//! How much memory this process has in the machine, as the kernel tells it.

/// Resident memory of this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Now.
    pub now: u64,
    /// At most, since it started or since [`forget_peak`].
    pub peak: u64,
}

impl Resident {
    /// Reads it; `None` where the kernel does not tell (Linux, `Documentation/filesystems/proc.rst`: `VmRSS`, `VmHWM`).
    #[must_use]
    pub fn read() -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn of(status: &str) -> Option<Self> {
        let bytes = |key: &str| {
            let told = status.lines().find_map(|line| line.strip_prefix(key))?.trim();
            Some(told.strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
        };
        Some(Self { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }
}

/// Lets the peak begin anew at what is resident now.
///
/// # Errors
/// What the kernel says where it does not allow it (`/proc/self/clear_refs`, value 5).
pub fn forget_peak() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_bytes() {
        let told = Resident::of("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n");
        assert_eq!(told, Some(Resident { now: 1 << 20, peak: 2 << 20 }));
        assert_eq!(Resident::of("VmRSS:\t1024 kB\n"), None);
    }
}
