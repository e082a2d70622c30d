//! The energy of a picture: what the board draws while a model is run again and again, less what it drew before.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::board::power::PowerMonitor;
use crate::models::price::Energy;

/// How long the board is watched at rest.
const REST: Duration = Duration::from_secs(1);

/// How long the model is run.
const WORK: Duration = Duration::from_secs(3);

/// Between two looks at the monitor, which has fresh values about 77 times a second.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Measures the energy of each of many `work`s; `None` where the board below `root` has no power monitor, or one that tells
/// nothing.
///
/// # Errors
/// What `work` says.
pub(super) fn measure(root: &Path, work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Option<Energy>> {
    let Some(monitor) = PowerMonitor::find(root) else { return Ok(None) };
    let (at_rest, ()) = watched(&monitor, || std::thread::sleep(REST));
    let begun = Instant::now();
    let (at_work, pictures) = watched(&monitor, || repeat(WORK, work));
    let (pictures, seconds) = (pictures?, begun.elapsed().as_secs_f64());
    Ok(energy(monitor.labels(), &at_rest, &at_work, seconds / f64::from(pictures)))
}

/// Does something while the monitor is looked at; gives the milliwatts seen.
fn watched<T>(monitor: &PowerMonitor, work: impl FnOnce() -> T) -> (Vec<f64>, T) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                seen.extend(monitor.milliwatts());
                std::thread::sleep(LOOK_EVERY);
            }
            seen
        });
        let given = work();
        done.store(true, Ordering::Relaxed);
        (watch.join().unwrap_or_default(), given)
    })
}

/// Does something again and again for a while, once at least; gives how often.
fn repeat(span: Duration, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<u32> {
    let (begun, mut count) = (Instant::now(), 0);
    while count == 0 || begun.elapsed() < span {
        work()?;
        count += 1;
    }
    Ok(count)
}

/// From milliwatts to the millijoules of one picture; `None` where either was never seen.
fn energy(rails: Vec<String>, at_rest: &[f64], at_work: &[f64], seconds_each: f64) -> Option<Energy> {
    let (idle_mw, running_mw) = (mean(at_rest)?, mean(at_work)?);
    Some(Energy { rails, idle_mw, running_mw, picture_mj: (running_mw - idle_mw) * seconds_each })
}

fn mean(numbers: &[f64]) -> Option<f64> {
    let count = u32::try_from(numbers.len()).ok().filter(|count| *count > 0)?;
    Some(numbers.iter().sum::<f64>() / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_power_above_rest_over_time() {
        let rails = || vec!["VDD_IN".to_owned()];
        let seen = energy(rails(), &[4000.0, 6000.0], &[7000.0, 8000.0, 9000.0], 0.25).unwrap();
        assert_eq!((seen.idle_mw, seen.running_mw, seen.picture_mj), (5000.0, 8000.0, 750.0));
        assert_eq!(energy(rails(), &[], &[1.0], 0.25), None, "what was not seen is not zero");
        assert_eq!(energy(rails(), &[1.0], &[], 0.25), None);
    }

    #[test]
    fn work_is_counted_and_its_failure_told() {
        assert_eq!(repeat(Duration::ZERO, || Ok(())).unwrap(), 1);
        assert_eq!(repeat(Duration::ZERO, || anyhow::bail!("no")).unwrap_err().to_string(), "no");
    }

    #[test]
    fn a_board_without_a_monitor_has_no_energy() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(measure(root.path(), || anyhow::bail!("is not run")).unwrap(), None);
    }
}
