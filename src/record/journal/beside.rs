//! A second hand on the journal, for a command line beside a running daemon or without one: writes labels, reads them and the
//! verdicts.
//!
//! The daemon's thread stays the only one that writes verdicts and gives numbers. A label needs neither, so it is written
//! straight into the file, which SQLite's write-ahead log keeps sound between processes: the command works with no broker, and
//! with no daemon, and what it was told is on the disk when it says so. The price: while it commits, a few milliseconds, the
//! daemon's next group waits. Reading goes by pages, each a transaction of its own, so that the log can be folded between them.
//! Deliberately makes no journal where there is none, and takes the journal's lock only to bring an older schema up to date.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::JournalError;
use super::labels::{self, Label, NewLabel, Taken};
use super::store::{explain, identity_of, lock, prepare, recognise};
use crate::config;

/// How long to wait for another process that writes: more than a group of the daemon's takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rows of one page.
const PAGE: usize = 256;

/// An open journal that somebody else may be writing to.
#[derive(Debug)]
pub struct Beside {
    connection: Connection,
    path: PathBuf,
    epoch: Uuid,
}

impl Beside {
    /// Opens the journal that is there.
    ///
    /// # Errors
    /// [`JournalError::Absent`] where there is none; [`JournalError::OlderSchema`] where a daemon of an older build has it open;
    /// others when it is no sound journal or cannot be read.
    pub fn open(settings: &config::Journal) -> Result<Self, JournalError> {
        let path = settings.path.as_path();
        let absent = |cause: std::io::Error| JournalError::Absent { path: path.to_owned(), cause: cause.to_string() };
        std::fs::metadata(path).map_err(absent)?;
        let told = |error: rusqlite::Error| explain(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(told)?;
        connection.busy_timeout(PATIENCE).map_err(told)?;
        let (seen, wanted) = recognise(&connection, path)?;
        if seen < wanted {
            bring_up_to_date(&mut connection, settings, seen, wanted)?;
        }
        connection.execute_batch("PRAGMA synchronous = FULL").map_err(told)?;
        let (epoch, _) = identity_of(&connection, path)?;
        Ok(Self { connection, path: path.to_owned(), epoch })
    }

    /// The identity of the journal.
    #[must_use]
    pub const fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// Writes a label; it is on the disk when this returns.
    ///
    /// # Errors
    /// As [`super::Journal::label`].
    pub fn label(&mut self, label: &NewLabel) -> Result<Taken, JournalError> {
        let (path, epoch) = (self.path.as_path(), self.epoch);
        let told = |error: rusqlite::Error| explain(path, &error);
        let group =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(told)?;
        let taken = labels::weigh(&group, path, epoch, label)?;
        labels::insert(&group, label, &taken).map_err(told)?;
        group.commit().map_err(told)?;
        Ok(taken)
    }

    /// All labels in the order in which they were given, those that were superseded too.
    ///
    /// # Errors
    /// [`JournalError`] when they cannot be read.
    pub fn labels(&self) -> Result<Vec<Label>, JournalError> {
        self.told(labels::all(&self.connection))
    }

    /// Hands over each label in force, by its verdict, with the body of the verdict, where it is kept.
    ///
    /// # Errors
    /// [`JournalError`] when they cannot be read.
    pub fn each_in_force(&self, mut take: impl FnMut(Label, Option<Vec<u8>>)) -> Result<(), JournalError> {
        let mut after = 0;
        loop {
            let page = self.told(labels::in_force(&self.connection, after, PAGE))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = last.seq;
            for (label, body) in page {
                take(label, body);
            }
        }
    }

    /// Hands over each verdict that is put up for review and that nobody has labelled, oldest first, with its body; no more
    /// than `limit`.
    ///
    /// # Errors
    /// [`JournalError`] when they cannot be read.
    pub fn each_unanswered(&self, limit: usize, mut take: impl FnMut(u64, Vec<u8>)) -> Result<(), JournalError> {
        let (mut after, mut left) = (0, limit);
        loop {
            let page = self.told(labels::unanswered(&self.connection, after, PAGE.min(left)))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            (after, left) = (*last, left - page.len());
            for (seq, body) in page {
                take(seq, body);
            }
        }
    }

    /// How many verdicts are put up for review and have no label.
    ///
    /// # Errors
    /// [`JournalError`] when they cannot be counted.
    pub fn count_unanswered(&self) -> Result<u64, JournalError> {
        self.told(labels::count_unanswered(&self.connection))
    }

    fn told<T>(&self, result: Result<T, rusqlite::Error>) -> Result<T, JournalError> {
        result.map_err(|error| explain(&self.path, &error))
    }
}

/// Brings an older schema up to date, where nobody has the journal open.
fn bring_up_to_date(
    connection: &mut Connection,
    settings: &config::Journal,
    seen: i64,
    wanted: i64,
) -> Result<(), JournalError> {
    let older = |path: &Path| JournalError::OlderSchema { path: path.to_owned(), seen, wanted };
    let _lock = lock(&settings.path).map_err(|error| match error {
        JournalError::InUse { path } => older(&path),
        error => error,
    })?;
    prepare(connection, settings)
}
