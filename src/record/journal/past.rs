//! Verdicts of the past, read from a journal that a daemon may be writing at this moment: no lock is taken, nothing is changed,
//! nothing is made.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use super::JournalError;
use super::store::{explain, identity_of, recognise};

/// A journal, opened to look back.
#[derive(Debug)]
pub struct Past {
    connection: Connection,
    path: PathBuf,
    epoch: Uuid,
    last_seq: u64,
}

impl Past {
    /// Opens the journal at `path` to read.
    ///
    /// # Errors
    /// [`JournalError`]: not there, no Kenpin journal, damaged, of a newer schema, or not to be read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let absent = |cause: String| JournalError::Absent { path: path.to_owned(), cause };
        std::fs::metadata(path).map_err(|error| absent(error.to_string()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))?;
        recognise(&connection, path)?;
        let (epoch, next_seq) = identity_of(&connection, path)?;
        Ok(Self { connection, path: path.to_owned(), epoch, last_seq: next_seq - 1 })
    }

    /// The identity of the file.
    #[must_use]
    pub const fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// The last sequence number that was given, 0 before the first.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The first sequence number that is still kept; `None` where there is none.
    ///
    /// # Errors
    /// [`JournalError`] when the file cannot be read.
    pub fn first_seq(&self) -> Result<Option<u64>, JournalError> {
        let first = self.connection.query_row("SELECT min(seq) FROM verdict", [], |row| row.get::<_, Option<i64>>(0));
        first.map(|first| first.map(i64::cast_unsigned)).map_err(|error| explain(&self.path, &error))
    }

    /// The body of a verdict, as it was published; `None` where it was never given, or is kept no more.
    ///
    /// # Errors
    /// [`JournalError`] when the file cannot be read.
    pub fn verdict(&self, seq: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let Ok(key) = i64::try_from(seq) else { return Ok(None) };
        let body = self.connection.query_row("SELECT body FROM verdict WHERE seq = ?1", params![key], |row| row.get(0));
        body.optional().map_err(|error| explain(&self.path, &error))
    }
}
