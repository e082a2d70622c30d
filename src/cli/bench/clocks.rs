//! What this process has used: CPU time as a whole and by the names of its threads.

use std::collections::BTreeMap;

use crate::clock::{Monotonic, cpu_time, milliseconds};

/// One look at the clocks, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Clocks {
    /// CPU time of all threads, those that have ended too, the kernel's part included.
    pub(super) cpu: f64,
    /// Time on the wall since some moment.
    pub(super) wall: f64,
    /// CPU time by thread name, as long as the kernel has it (15 bytes); threads of one name together. Empty where the kernel
    /// keeps no `schedstat`.
    pub(super) threads: BTreeMap<String, f64>,
}

impl Clocks {
    /// Now.
    pub(super) fn now() -> Self {
        Self {
            cpu: milliseconds(cpu_time()),
            wall: milliseconds(Monotonic::now().since(Monotonic::default())),
            threads: threads(),
        }
    }

    /// What was used since `earlier`, per one of `count`.
    pub(super) fn since(&self, earlier: &Self, count: f64) -> Self {
        let spent = |(name, now): (&String, &f64)| {
            let before = earlier.threads.get(name).copied().unwrap_or_default();
            (name.clone(), (now - before) / count)
        };
        Self {
            cpu: (self.cpu - earlier.cpu) / count,
            wall: (self.wall - earlier.wall) / count,
            threads: self.threads.iter().map(spent).collect(),
        }
    }
}

/// CPU milliseconds of the living threads by name (Linux, `Documentation/scheduler/sched-stats.rst`: the first number of
/// `schedstat` is nanoseconds on the CPU).
fn threads() -> BTreeMap<String, f64> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
        if let (Some(name), Some(told)) = (read("comm"), read("schedstat"))
            && let Some(milliseconds) = on_cpu(&told)
        {
            *threads.entry(name.trim().to_owned()).or_default() += milliseconds;
        }
    }
    threads
}

/// The milliseconds on the CPU that a line of `schedstat` tells.
fn on_cpu(told: &str) -> Option<f64> {
    told.split_ascii_whitespace().next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_on_the_clock_of_its_thread() {
        let before = Clocks::now();
        let worker = std::thread::Builder::new().name("bench-worker".into());
        let (done, wait) = std::sync::mpsc::channel();
        let (told, heard) = std::sync::mpsc::channel();
        let thread = worker.spawn(move || {
            let begun = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            let used = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime) - begun;
            while used().tv_sec == 0 && used().tv_nsec < 4_000_000 {}
            told.send(()).unwrap();
            wait.recv().unwrap();
        });
        heard.recv().unwrap();
        let spent = Clocks::now().since(&before, 2.0);
        done.send(()).unwrap();
        thread.unwrap().join().unwrap();
        assert!(spent.cpu >= 1.0 && spent.wall >= 1.0, "{spent:?}");
        assert!(spent.threads.get("bench-worker").is_none_or(|spent| *spent >= 1.0), "{spent:?}");
    }

    #[test]
    fn schedstat_is_read_and_what_is_none_is_left() {
        assert_eq!(on_cpu("2500000 17 3\n"), Some(2.5));
        assert_eq!(on_cpu(""), None);
        assert_eq!(on_cpu("much"), None);
    }
}
