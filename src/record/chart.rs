//! The control charts of a line, kept over a restart.
//!
//! Owns one file beside the journal, `<journal>.chart.json`; each change is one rename of a whole file. What stands in it says up to
//! which verdict it counts, so that the rest is read from the journal: the file may be old, and may be gone, but never ahead.
//! Knows nothing of what it keeps.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::whole;

/// The file in which the charts of one line are kept.
#[derive(Debug, Clone)]
pub struct Kept(PathBuf);

impl Kept {
    /// The file of the line whose journal is `journal`.
    #[must_use]
    pub fn beside(journal: &Path) -> Self {
        Self(journal.with_added_extension("chart.json"))
    }

    /// What was kept last; `None` where nothing was.
    ///
    /// # Errors
    /// One sentence naming the file that cannot be read.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, String> {
        whole::read(&self.0).map_err(|error| format!("{} cannot be read: {error}", self.0.display()))
    }

    /// Keeps something; it is on the disk when this returns.
    ///
    /// # Errors
    /// One sentence naming the file that cannot be written.
    pub fn write(&self, content: &impl Serialize) -> Result<(), String> {
        whole::write(&self.0, content).map_err(|error| format!("{} cannot be written: {error}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_and_what_is_spoilt_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::beside(&folder.path().join("state/journal.sqlite"));
        assert_eq!(kept.read::<Vec<u8>>(), Ok(None));
        kept.write(&[1, 2]).unwrap();
        assert_eq!(kept.read(), Ok(Some(vec![1, 2])));
        std::fs::write(folder.path().join("state/journal.sqlite.chart.json"), "[1,").unwrap();
        assert!(kept.read::<Vec<u8>>().unwrap_err().contains("journal.sqlite.chart.json cannot be read"));
    }
}
