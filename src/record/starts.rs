//! The record of starts: how often in a row the daemon has failed with a configuration, and the one that last ran well.
//!
//! Owns two files in the state folder, `starts.json` and `last-good.json`; each change is one rename of a whole file. Kept for
//! a daemon under a service manager only. After [`LIMIT`] failures in a row with a configuration that is not the one that last
//! ran well, that one is run instead: safe mode. It ends with a reload that is taken, or a start with another configuration.
//! A start has failed unless the line then ran for [`WELL`], or ended in good order. Deliberately keeps no models and no
//! fits: those have passports, hashes and a shelf of their own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Monotonic;
use crate::config::Texts;
use crate::record::whole;

/// Starts that may fail in a row with one configuration.
pub const LIMIT: u32 = 3;

/// For how long the line must run for its start to count as good.
pub const WELL: Duration = Duration::from_mins(5);

/// The longest pause before a start.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What `starts.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    /// Starts in a row that have failed, or are under way.
    failures: u32,
    /// The configuration that was to be run; `None` where it could not be read.
    config: Option<Texts>,
}

/// How a start is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Starts in a row that have failed with this configuration.
    pub failures: u32,
    /// Whether the configuration that last ran well is to be run instead.
    pub safe: bool,
    /// How long to wait first.
    pub pause: Duration,
}

/// How the next start goes, by the last ones: pure.
fn decide(last: Option<&Record>, wanted: Option<&Texts>, last_good: Option<&Texts>) -> Decision {
    let failures = last.filter(|last| last.config.as_ref() == wanted).map_or(0, |last| last.failures);
    let safe = failures >= LIMIT && last_good.is_some_and(|good| Some(good) != wanted);
    let doublings = failures.saturating_sub(LIMIT).min(10);
    let pause = if doublings == 0 { Duration::ZERO } else { Duration::from_secs(1 << doublings).min(LONGEST_PAUSE) };
    Decision { failures, safe, pause }
}

/// The record of the start that is under way.
#[derive(Debug)]
pub struct Starts {
    folder: PathBuf,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    /// The configuration that runs.
    texts: Texts,
    /// Whether it is the last good one, in place of another.
    safe: bool,
    since: Monotonic,
    /// Whether its copy is kept.
    kept: bool,
}

impl Starts {
    /// Notes in `folder` that a start with the configuration `wanted` is under way, and says how it is to go: with the last
    /// good one where that is given back. What cannot be read or written there is told in the log and hinders no start.
    #[must_use]
    pub fn begin(folder: &Path, wanted: Option<&Texts>) -> (Decision, Option<Texts>) {
        let last_good: Option<Texts> = read(&folder.join("last-good.json"));
        let decision = decide(read(&starts(folder)).as_ref(), wanted, last_good.as_ref());
        write(&starts(folder), &Record { failures: decision.failures.saturating_add(1), config: wanted.cloned() });
        (decision, last_good.filter(|_| decision.safe))
    }

    /// The start in `folder` runs `texts` from `now` on; `safe` where those are the last good ones in place of others.
    #[must_use]
    pub fn running(folder: &Path, texts: Texts, safe: bool, now: Monotonic) -> Self {
        Self { folder: folder.into(), now: Mutex::new(Now { texts, safe, since: now, kept: false }) }
    }

    /// The line runs at `now`: once it has for long enough, its configuration is kept as the last good one.
    pub fn runs(&self, now: Monotonic) {
        let mut state = self.now();
        if !state.kept && now.since(state.since) >= WELL {
            self.keep(&mut state);
        }
    }

    /// Other texts were taken over at `now`, in a reload: they have their own time to prove themselves, and safe mode ends.
    pub fn taken_over(&self, texts: Texts, now: Monotonic) {
        *self.now() = Now { texts, safe: false, since: now, kept: false };
    }

    /// The daemon ended in good order.
    pub fn ended_well(&self) {
        self.keep(&mut self.now());
    }

    /// The daemon was told to stop before the line ran: that is no failure, and says nothing of the configuration.
    pub fn called_off(&self) {
        if let Some(record) = read::<Record>(&starts(&self.folder)) {
            write(&starts(&self.folder), &Record { failures: record.failures.saturating_sub(1), ..record });
        }
    }

    fn keep(&self, state: &mut Now) {
        state.kept = true;
        if !state.safe {
            write(&self.folder.join("last-good.json"), &state.texts);
            write(&starts(&self.folder), &Record { failures: 0, config: Some(state.texts.clone()) });
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn starts(folder: &Path) -> PathBuf {
    folder.join("starts.json")
}

/// Reads a file; `None` where there is none, or none that can be understood, which is told.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    whole::read(path)
        .inspect_err(|error| tracing::warn!("{} cannot be read and is passed over: {error}", path.display()))
        .ok()?
}

/// Writes a file as a whole, onto the disk.
fn write(path: &Path, content: &impl Serialize) {
    if let Err(error) = whole::write(path, content) {
        tracing::warn!("{} cannot be written, so failed starts are not counted: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Texts {
        Texts { path: "/etc/kenpin/kenpin.toml".into(), files: vec![("kenpin.toml".into(), text.into())] }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn after_three_failures_the_last_good_one_runs_until_the_config_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad, mended) = (texts("good"), texts("bad"), texts("mended"));
        let begin = |wanted: &Texts| Starts::begin(folder.path(), Some(wanted));
        assert_eq!(begin(&good), (Decision { failures: 0, safe: false, pause: Duration::ZERO }, None));
        let first = Starts::running(folder.path(), good.clone(), false, at(0));
        first.runs(at(299));
        assert!(!folder.path().join("last-good.json").exists());
        first.runs(at(300));
        for failures in 0..3 {
            let (decision, instead) = begin(&bad);
            assert_eq!((decision.failures, decision.safe, instead), (failures, false, None));
        }
        let (decision, instead) = begin(&bad);
        assert_eq!((decision.safe, decision.pause), (true, Duration::ZERO));
        Starts::running(folder.path(), good.clone(), true, at(0)).called_off();
        assert_eq!(begin(&bad), (decision, Some(good.clone())), "a stop before the line ran is no failure");
        let safe = Starts::running(folder.path(), instead.unwrap(), true, at(0));
        safe.runs(at(900));
        safe.ended_well();
        let (decision, instead) = begin(&bad);
        assert_eq!((decision.failures, instead.as_ref()), (4, Some(&good)), "safe mode forgives nothing");
        assert_eq!(decision.pause, Duration::from_secs(2));
        // What is taken over by a reload is on trial like any other.
        let safe = Starts::running(folder.path(), good.clone(), true, at(0));
        safe.taken_over(mended.clone(), at(1000));
        safe.runs(at(1299));
        assert_eq!(read::<Texts>(&folder.path().join("last-good.json")).unwrap(), good);
        safe.runs(at(1300));
        assert_eq!(read::<Texts>(&folder.path().join("last-good.json")).unwrap(), mended);
        assert_eq!(begin(&mended).0.failures, 0);
        assert_eq!(begin(&bad).0.failures, 0, "another config begins anew");
    }

    #[test]
    fn what_cannot_be_read_or_written_hinders_no_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("starts.json"), "{").unwrap();
        std::fs::write(folder.path().join("last-good.json"), "[]").unwrap();
        assert_eq!(Starts::begin(folder.path(), None).0.failures, 0);
        assert_eq!(Starts::begin(folder.path(), None).0.failures, 1, "a config that cannot be read is one that fails");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(Starts::begin(&file.join("state"), None).0.failures, 0);
    }

    proptest! {
        #[test]
        fn safe_mode_is_for_what_keeps_failing_only(failures in 0_u32..40, same in any::<bool>(), good in 0_usize..3) {
            let (wanted, other) = (texts("wanted"), texts("other"));
            let last = Record { failures, config: Some(if same { wanted.clone() } else { other.clone() }) };
            let last_good = [None, Some(wanted.clone()), Some(other)][good].clone();
            let decision = decide(Some(&last), Some(&wanted), last_good.as_ref());
            prop_assert_eq!(decision.failures, if same { failures } else { 0 });
            prop_assert_eq!(decision.safe, same && failures >= LIMIT && good == 2);
            prop_assert!(decision.pause <= LONGEST_PAUSE);
            prop_assert_eq!(decision.pause.is_zero(), !same || failures <= LIMIT);
            let once_more = Record { failures: failures + 1, ..last };
            prop_assert!(decide(Some(&once_more), Some(&wanted), None).pause >= decision.pause);
        }
    }
}
