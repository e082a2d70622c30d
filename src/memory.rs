//! What starting used goes back to the system before the first part: the parsers of the config, and ONNX Runtime's reading of
//! the model files, leave tens of megabytes with the allocator, and as many of code, that a steady road never asks for again.
//!
//! Promises that nothing changes but where memory lies. Code that was given back and is called all the same is mapped again
//! from the system's cache of the file.

pub mod budget;
pub mod machine;
pub mod resident;

#[cfg(target_os = "linux")]
use std::ops::Range;

/// Gives back what the allocator holds and nobody uses, and the pages of code and constants that this process has touched.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    trim();
    #[cfg(target_os = "linux")]
    unmap_code();
}

#[expect(unsafe_code, reason = "malloc_trim is only reachable through the C library")]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: the call takes no pointer and locks what it touches.
    unsafe { libc::malloc_trim(0) };
}

#[expect(unsafe_code, reason = "advice on memory is given by address")]
#[cfg(target_os = "linux")]
fn unmap_code() {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for Range { start, end } in clean_code(&maps) {
        // SAFETY: these are whole mappings of files that cannot be written to and of which no page differs from its file, so
        // the next access reads the same bytes again.
        let advised =
            unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(start), end - start, libc::MADV_DONTNEED) };
        if advised != 0 {
            tracing::debug!("code at {start:x} stays: {}", std::io::Error::last_os_error());
        }
    }
}

/// The mappings of files, of all that `/proc/<pid>/smaps` lists, that cannot be written to and have no page of their own: no
/// relocation, no breakpoint (Linux, `Documentation/filesystems/proc.rst`: `Anonymous`, `Swap`).
#[cfg(target_os = "linux")]
fn clean_code(maps: &str) -> Vec<Range<usize>> {
    let mut clean: Vec<(Range<usize>, [bool; 2])> = Vec::new();
    let mut wanted = false;
    for line in maps.lines() {
        if let Some(range) = mapping(line) {
            wanted = unwritable_file(line);
            if wanted {
                clean.push((range, [false; 2]));
            }
        } else if let (true, Some((_, own))) = (wanted, clean.last_mut()) {
            let untouched = |key: &str| line.strip_prefix(key).is_some_and(|size| size.trim() == "0 kB");
            own[0] |= untouched("Swap:");
            own[1] |= untouched("Anonymous:");
        }
    }
    clean.into_iter().filter(|(_, none)| none.iter().all(|none| *none)).map(|(range, _)| range).collect()
}

/// The addresses of a mapping, where the line begins one.
#[cfg(target_os = "linux")]
fn mapping(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

/// Whether the first line of a mapping is that of a file on disk that is mapped privately and cannot be written to.
#[cfg(target_os = "linux")]
fn unwritable_file(line: &str) -> bool {
    let mut fields = line.split_ascii_whitespace();
    let (rights, path) = (fields.nth(1).unwrap_or_default(), fields.nth(3).unwrap_or_default());
    rights.starts_with("r-") && rights.ends_with('p') && path.starts_with('/') && !line.ends_with("(deleted)")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const MAPS: &str = "\
00001000-00003000 r--p 00000000 fe:00 1      /usr/bin/one
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me sd
00003000-00005000 r-xp 00002000 fe:00 1      /usr/bin/one
Anonymous:             0 kB
Swap:                  0 kB
00005000-00006000 r--p 00004000 fe:00 1      /usr/bin/one
Anonymous:             4 kB
Swap:                  0 kB
00006000-00007000 r--p 00005000 fe:00 1      /usr/bin/one
Anonymous:             0 kB
Swap:                  4 kB
00007000-00008000 rw-p 00005000 fe:00 1      /usr/bin/one
Anonymous:             0 kB
Swap:                  0 kB
00008000-00009000 r-xp 00000000 00:00 0      [vdso]
Anonymous:             0 kB
Swap:                  0 kB
00009000-0000a000 r-xp 00000000 fe:00 2      /usr/lib/replaced.so (deleted)
Anonymous:             0 kB
Swap:                  0 kB
0000a000-0000b000 r--s 00000000 fe:00 3      /usr/share/shared
Anonymous:             0 kB
Swap:                  0 kB
0000b000-0000c000 r-xp 00000000 fe:00 4      /usr/lib/untold.so
";

    #[test]
    fn only_mappings_that_a_file_can_give_again_go_back() {
        assert_eq!(clean_code(MAPS), [0x1000..0x3000, 0x3000..0x5000]);
        assert!(clean_code("").is_empty() && clean_code("no map at all\n-\nr-xp").is_empty());
    }

    #[test]
    fn the_process_goes_on_with_less() {
        let held = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap().trim().to_owned();
            line.trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let before = held();
        unmap_code();
        let after = held();
        assert!(after < before, "{after} kB of {before}");
        assert!(!clean_code(&std::fs::read_to_string("/proc/self/smaps").unwrap()).is_empty());
    }
}
