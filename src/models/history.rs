//! The versions before the one in force: in a folder of their own, called by their numbers, with those that were withdrawn.
//!
//! Knows nothing of what a version is: a file or a whole folder. Promises that every change is one rename, so a reader or a crash
//! meets the old version or the new one, and that an earlier one comes back as it was.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ModelError;

/// What a withdrawn version is called behind its number.
const WITHDRAWN: &str = "withdrawn";

/// The earlier versions of one thing.
#[derive(Debug, Clone)]
pub struct History {
    folder: PathBuf,
    suffix: &'static str,
}

impl History {
    /// Those in `folder`, which need not be there yet, each called by its number with `suffix` behind it.
    #[must_use]
    pub const fn new(folder: PathBuf, suffix: &'static str) -> Self {
        Self { folder, suffix }
    }

    /// Those that were not withdrawn, by their numbers.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when they cannot be listed.
    pub fn earlier(&self) -> Result<Vec<(u32, PathBuf)>, ModelError> {
        let refused = |cause: std::io::Error| self.refused(&cause);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(refused)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(refused)?.path();
            let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(self.suffix)?.parse().ok());
            found.extend(number.map(|number| (number, path)));
        }
        found.sort();
        Ok(found)
    }

    /// The number of the next version, where `current` is that of the one in force and 0 of none.
    ///
    /// # Errors
    /// As [`History::earlier`].
    pub fn next_number(&self, current: u32) -> Result<u32, ModelError> {
        let earlier = self.earlier()?.last().map_or(0, |(number, _)| *number);
        Ok(earlier.max(current) + 1)
    }

    /// Where the version of a number is kept once it is no longer in force; its folder is made.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when the folder cannot be made.
    pub fn place(&self, number: u32) -> Result<PathBuf, ModelError> {
        fs::create_dir_all(&self.folder).map_err(|error| self.refused(&error))?;
        Ok(self.folder.join(format!("{number}{}", self.suffix)))
    }

    /// Withdraws the version in force, which lies at `path` and has this number, and puts the one before it in its place; its
    /// number, or `None` where there was none.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when something cannot be moved.
    pub fn roll_back(&self, path: &Path, number: u32) -> Result<Option<u32>, ModelError> {
        let refused = |error: std::io::Error| ModelError::Unreadable { path: path.into(), cause: error.to_string() };
        fs::create_dir_all(&self.folder).map_err(|error| self.refused(&error))?;
        let before = self.earlier()?.into_iter().rev().find(|(earlier, _)| *earlier < number);
        fs::rename(path, self.withdrawn(number)).map_err(refused)?;
        let Some((earlier, kept)) = before else { return Ok(None) };
        fs::rename(&kept, path).map_err(refused)?;
        Ok(Some(earlier))
    }

    /// A free place for a withdrawn version: a number may be withdrawn more than once.
    fn withdrawn(&self, number: u32) -> PathBuf {
        let first = self.folder.join(format!("{number}.{WITHDRAWN}"));
        let further = (2_u32..).map(|time| self.folder.join(format!("{number}.{WITHDRAWN}-{time}")));
        std::iter::once(first.clone()).chain(further).find(|path| !path.exists()).unwrap_or(first)
    }

    fn refused(&self, error: &std::io::Error) -> ModelError {
        ModelError::Unreadable { path: self.folder.clone(), cause: error.to_string() }
    }
}
