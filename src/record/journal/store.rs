//! The journal's file: with [`file`], [`super::labels`] and [`super::beside`] the only place that speaks SQL. Owns the connection and the lock; leaves grouping to the
//! writer.

mod file;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use uuid::Uuid;

use super::labels::{self, NewLabel, Taken};
use super::{Backlog, Entry, JournalError, OpenPart};
use crate::config;
use crate::flow::publish::Row;
use file::{beside, identity};
pub(super) use file::{identity_of, lock, prepare, recognise};

/// The fewest rows that one step of pruning removes: one group commit's worth.
const PRUNED_AT_LEAST: u64 = 64;

/// The most rows that one step of pruning removes, so that its write-ahead log stays small.
const PRUNED_AT_MOST: u64 = 4096;

/// What a row is taken to weigh at most when a step of pruning is measured out: more than any verdict does.
const HEAVY_ROW: u64 = 65_536;

/// Pages that go back to the file system in one transaction.
const FREED_AT_ONCE: u32 = 1024;

/// An open journal file.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    log: PathBuf,
    epoch: Uuid,
    next_seq: u64,
    backlog: Backlog,
    /// The next number and the backlog as they were when the group began: what a group that fails falls back to.
    before: (u64, Backlog),
    /// Whether a group that failed could not be taken back and still hangs in the connection.
    stuck: bool,
    #[cfg(test)]
    roll_backs_fail: bool,
    /// Held as long as the store lives; the system gives it back even when the process is killed.
    _lock: File,
}

impl Store {
    pub(super) fn open(settings: &config::Journal) -> Result<Self, JournalError> {
        let path = settings.path.as_path();
        let lock = lock(path)?;
        let mut connection = Connection::open(path).map_err(|error| explain(path, &error))?;
        prepare(&mut connection, settings)?;
        let (epoch, next_seq) = identity(&connection, path)?;
        let backlog = Backlog { max_bytes: settings.max_bytes, ..Backlog::default() };
        let log = beside(path, "-wal");
        let mut store = Self {
            connection,
            path: path.to_owned(),
            log,
            epoch,
            next_seq,
            backlog,
            before: (next_seq, backlog),
            stuck: false,
            #[cfg(test)]
            roll_backs_fail: false,
            _lock: lock,
        };
        store.recount()?;
        Ok(store)
    }

    pub(super) const fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// The last number that was given: durable whenever no group is under way.
    pub(super) const fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    pub(super) const fn backlog(&self) -> Backlog {
        self.backlog
    }

    pub(super) fn open_parts(&self) -> Result<Vec<OpenPart>, JournalError> {
        let read = || {
            self.connection
                .prepare("SELECT run, part, opened_utc FROM open_part ORDER BY opened_utc, part")?
                .query_map([], |row| Ok(OpenPart { run: row.get(0)?, part: row.get(1)?, opened_utc: row.get(2)? }))?
                .collect()
        };
        self.told(read())
    }

    pub(super) fn begin(&mut self) -> Result<(), JournalError> {
        self.unstick()?;
        self.change("BEGIN IMMEDIATE", [])?;
        self.before = (self.next_seq, self.backlog);
        Ok(())
    }

    /// Makes the group durable. The counter travels in the same transaction, so a number is never given twice.
    pub(super) fn commit(&mut self) -> Result<(), JournalError> {
        if self.connection.is_autocommit() {
            return Err(self.storage("the group was taken back by a failure of the disk"));
        }
        let done = self
            .connection
            .prepare_cached("UPDATE meta SET next_seq = ?1")
            .and_then(|mut update| update.execute(params![self.next_seq.cast_signed()]))
            .and_then(|_| self.connection.prepare_cached("COMMIT"))
            .and_then(|mut commit| commit.execute([]));
        self.told(done).map(drop)
    }

    /// Takes the group back, and with it the numbers it had used: those at once and from memory, whatever the disk says.
    pub(super) fn roll_back(&mut self) -> Result<(), JournalError> {
        (self.next_seq, self.backlog) = self.before;
        self.stuck = !self.connection.is_autocommit();
        self.unstick()
    }

    /// Takes back the group that still hangs in the connection, if one does; nothing it holds may be read or kept.
    fn unstick(&mut self) -> Result<(), JournalError> {
        #[cfg(test)]
        if self.roll_backs_fail && self.stuck {
            return Err(self.storage("no roll-back today"));
        }
        if self.stuck && !self.connection.is_autocommit() {
            self.told(self.connection.execute_batch("ROLLBACK"))?;
        }
        self.stuck = false;
        Ok(())
    }

    /// The verdict that `part` has: `None` when it has none, or none any more.
    pub(super) fn verdict_of(&mut self, run: &str, part: &str) -> Result<Option<u64>, JournalError> {
        self.unstick()?;
        let found = self
            .connection
            .prepare_cached("SELECT seq FROM verdict WHERE run = ?1 AND part = ?2")
            .and_then(|mut query| query.query_row(params![run, part], |row| number(row, 0)).optional());
        self.told(found)
    }

    pub(super) fn insert_open(&self, run: &str, part: &str, opened_utc: &str) -> Result<(), JournalError> {
        self.change("INSERT INTO open_part (run, part, opened_utc) VALUES (?1, ?2, ?3)", params![run, part, opened_utc])
            .map(drop)
    }

    /// Inserts a verdict under the next number and closes its part; returns number and body.
    pub(super) fn insert_verdict(
        &mut self,
        run: &str,
        part: &str,
        body: super::Body,
        waiting: bool,
    ) -> Result<Row, JournalError> {
        let seq = self.next_seq;
        let Entry { body, asked } = body(seq);
        let state = if waiting { "waiting" } else { "acknowledged" };
        self.change(
            "INSERT INTO verdict (seq, run, part, body, state, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![seq.cast_signed(), run, part, body, state, asked],
        )?;
        self.change("DELETE FROM open_part WHERE run = ?1 AND part = ?2", params![run, part])?;
        self.next_seq += 1;
        self.backlog.waiting += u64::from(waiting);
        Ok((seq, body))
    }

    pub(super) fn acknowledge(&mut self, seq: u64) -> Result<(), JournalError> {
        let refused = self.change(
            "UPDATE verdict SET refusal_code = NULL WHERE seq = ?1 AND refusal_code IS NOT NULL",
            params![seq.cast_signed()],
        )?;
        let changed = self.change(
            "UPDATE verdict SET state = 'acknowledged' WHERE seq = ?1 AND state = 'waiting'",
            params![seq.cast_signed()],
        )?;
        self.backlog.refused = self.backlog.refused.saturating_sub(refused);
        self.backlog.waiting = self.backlog.waiting.saturating_sub(changed);
        Ok(())
    }

    pub(super) fn refuse(&mut self, seq: u64, code: u8) -> Result<(), JournalError> {
        let first = self.change(
            "UPDATE verdict SET refusal_code = 0 WHERE seq = ?1 AND state = 'waiting' AND refusal_code IS NULL",
            params![seq.cast_signed()],
        )?;
        self.change(
            "UPDATE verdict SET refusal_code = ?2, refusals = refusals + 1 WHERE seq = ?1 AND state = 'waiting'",
            params![seq.cast_signed(), code],
        )?;
        self.backlog.refused += first;
        Ok(())
    }

    /// Holds a label against the verdicts; writes nothing.
    pub(super) fn weigh_label(&mut self, label: &NewLabel) -> Result<Taken, JournalError> {
        self.unstick()?;
        labels::weigh(&self.connection, &self.path, self.epoch, label)
    }

    pub(super) fn insert_label(&self, label: &NewLabel, taken: &Taken) -> Result<(), JournalError> {
        self.told(labels::insert(&self.connection, label, taken))
    }

    pub(super) fn waiting(&mut self, after: u64, limit: usize) -> Result<Vec<Row>, JournalError> {
        self.unstick()?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT seq, body FROM verdict WHERE state = 'waiting' AND seq > ?1 ORDER BY seq LIMIT ?2",
                )?
                .query_map(params![after.cast_signed(), limit], |row| Ok((number(row, 0)?, row.get(1)?)))?
                .collect()
        };
        self.told(read())
    }

    /// Measures the file and its write-ahead log.
    pub(super) fn measure(&mut self) -> Result<u64, JournalError> {
        let pages = self
            .connection
            .prepare_cached("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            .and_then(|mut statement| statement.query_row([], |row| number(row, 0)));
        let log = std::fs::metadata(&self.log).map_or(0, |file| file.len());
        self.backlog.bytes = self.told(pages)? + log;
        Ok(self.backlog.bytes)
    }

    /// When the file is over its budget, prunes acknowledged verdicts, oldest first, down to fifteen sixteenths of it, or until
    /// there are none: so not every commit prunes. Labelled ones, from which is learned, are spared while they are less than half
    /// of those. Not inside a group.
    pub(super) fn make_room(&mut self) -> Result<(), JournalError> {
        self.unstick()?;
        if self.measure()? <= self.backlog.max_bytes {
            return Ok(());
        }
        self.shrink()?;
        let enough = self.backlog.max_bytes - self.backlog.max_bytes / 16;
        loop {
            let excess = self.measure()?.saturating_sub(enough);
            if excess == 0 {
                return Ok(());
            }
            let rows = (excess / HEAVY_ROW).clamp(PRUNED_AT_LEAST, PRUNED_AT_MOST);
            if self.prune(rows)? == 0 {
                return Ok(());
            }
            self.shrink()?;
        }
    }

    /// Deletes the oldest acknowledged verdicts; how many there were.
    fn prune(&self, rows: u64) -> Result<u64, JournalError> {
        const LABELLED: &str = "EXISTS (SELECT 1 FROM label WHERE label.seq = verdict.seq)";
        let counted = self.connection.query_row(
            &format!("SELECT count(*), ifnull(sum({LABELLED}), 0) FROM verdict WHERE state = 'acknowledged'"),
            [],
            |row| Ok((number(row, 0)?, number(row, 1)?)),
        );
        let (all, labelled) = self.told(counted)?;
        // So that there are more others than are deleted, and the newest stays.
        let spared = if 2 * labelled.max(rows) < all { format!("AND NOT {LABELLED}") } else { String::new() };
        let oldest = format!("SELECT seq FROM verdict WHERE state = 'acknowledged' {spared} ORDER BY seq LIMIT ?1");
        self.change(&format!("DELETE FROM verdict WHERE seq IN ({oldest})"), params![rows.cast_signed()])
    }

    /// Gives all free pages back to the file system and empties the write-ahead log.
    fn shrink(&self) -> Result<(), JournalError> {
        loop {
            let free = self.told(self.connection.query_row("PRAGMA freelist_count", [], |row| number(row, 0)))?;
            self.told(self.free_pages())?;
            let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
            if self.told(busy)? {
                return Err(self.storage("its write-ahead log cannot be emptied while another process reads it"));
            }
            if free <= u64::from(FREED_AT_ONCE) {
                return Ok(());
            }
        }
    }

    /// SQLite frees one page a step, so the statement has to be stepped to its end.
    fn free_pages(&self) -> Result<(), rusqlite::Error> {
        let mut vacuum = self.connection.prepare_cached(&format!("PRAGMA incremental_vacuum({FREED_AT_ONCE})"))?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        Ok(())
    }

    /// Plays a full disk: the file may have no more than this many pages.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        self.connection.pragma_update(None, "max_page_count", pages).unwrap();
    }

    /// Plays a disk on which a group cannot be taken back.
    #[cfg(test)]
    pub(super) fn fail_roll_backs(&mut self, fail: bool) {
        self.roll_backs_fail = fail;
    }

    fn recount(&mut self) -> Result<(), JournalError> {
        let counted = self.connection.query_row(
            "SELECT count(*), count(refusal_code) FROM verdict WHERE state = 'waiting'",
            [],
            |row| Ok((number(row, 0)?, number(row, 1)?)),
        );
        (self.backlog.waiting, self.backlog.refused) = self.told(counted)?;
        self.measure().map(drop)
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<u64, JournalError> {
        let rows = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        self.told(rows).map(|rows| u64::try_from(rows).unwrap_or(u64::MAX))
    }

    fn storage(&self, cause: &str) -> JournalError {
        JournalError::Storage { path: self.path.clone(), cause: cause.into() }
    }

    fn told<T>(&self, result: Result<T, rusqlite::Error>) -> Result<T, JournalError> {
        result.map_err(|error| explain(&self.path, &error))
    }
}

/// A column that holds a count: SQLite's integers are signed, ours never are.
pub(super) fn number(row: &rusqlite::Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    let cause = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => JournalError::Damaged { path, cause },
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            JournalError::Unwritable { path, cause }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::InUse { path },
        Some(ErrorCode::DiskFull) => JournalError::Storage { path, cause: format!("the disk is full: {cause}") },
        _ => JournalError::Storage { path, cause },
    }
}
