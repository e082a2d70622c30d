//! What must be true of the journal's file before the store uses it: the lock, the schema, durability, its identity.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use rusqlite_migration::{M, Migrations};
use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::super::JournalError;
use super::{explain, number};
use crate::config;

/// Marks an SQLite file as a Kenpin journal: the letters `KENP`.
const APPLICATION: i64 = 0x4b45_4e50;

/// The schema, one migration a version. A version that was released is never changed.
const STEPS: &[M<'static>] = &[
    M::up(
        "CREATE TABLE meta (
             one INTEGER PRIMARY KEY CHECK (one = 1),
             epoch TEXT NOT NULL,
             next_seq INTEGER NOT NULL
         ) STRICT;
         CREATE TABLE open_part (
             run TEXT NOT NULL,
             part TEXT NOT NULL,
             opened_utc TEXT NOT NULL,
             PRIMARY KEY (run, part)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE verdict (
             seq INTEGER PRIMARY KEY,
             run TEXT NOT NULL,
             part TEXT NOT NULL,
             body BLOB NOT NULL,
             state TEXT NOT NULL CHECK (state IN ('waiting', 'acknowledged')),
             refusal_code INTEGER,
             refusals INTEGER NOT NULL DEFAULT 0,
             UNIQUE (run, part)
         ) STRICT;
         CREATE INDEX verdict_waiting ON verdict (seq) WHERE state = 'waiting';
         CREATE INDEX verdict_acknowledged ON verdict (seq) WHERE state = 'acknowledged';",
    ),
    M::up(
        "ALTER TABLE verdict ADD COLUMN asked REAL;
         CREATE INDEX verdict_asked ON verdict (seq) WHERE asked IS NOT NULL;
         CREATE TABLE label (
             id INTEGER PRIMARY KEY,
             seq INTEGER NOT NULL,
             truth TEXT NOT NULL CHECK (truth IN ('good', 'bad')),
             class TEXT,
             said_by TEXT NOT NULL,
             said_utc TEXT NOT NULL,
             way TEXT NOT NULL CHECK (way IN ('mqtt', 'cli')),
             probability REAL
         ) STRICT;
         CREATE INDEX label_seq ON label (seq, id);",
    ),
];

/// Makes the folder where it is missing and takes the lock beside the journal.
pub(in super::super) fn lock(path: &Path) -> Result<File, JournalError> {
    let unwritable = |cause: String| JournalError::Unwritable { path: path.to_owned(), cause };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| unwritable(format!("folder {}: {error}", folder.display())))?;
    }
    let beside = beside(path, ".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(|error| unwritable(format!("{}: {error}", beside.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::InUse { path: path.to_owned() }),
        Err(error) => Err(unwritable(format!("{} cannot be locked: {error}", beside.display()))),
    }
}

/// The path with `ending` behind its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Refuses what is no journal of this or an older version; a file without a page is none yet. The version of the schema in the
/// file, and that of this build.
pub(in super::super) fn recognise(connection: &Connection, path: &Path) -> Result<(i64, i64), JournalError> {
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|error| explain(path, &error))
    };
    let (application, version, pages) = (pragma("application_id")?, pragma("user_version")?, pragma("page_count")?);
    if pages > 0 && application != APPLICATION {
        let cause = format!("its application id is {application:#x}, want {APPLICATION:#x}");
        return Err(JournalError::Damaged { path: path.to_owned(), cause });
    }
    let newest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version > newest {
        return Err(JournalError::NewerSchema { path: path.to_owned(), seen: version, wanted: newest });
    }
    Ok((version, newest))
}

/// Refuses what is no journal of this or an older version, then sets durability and brings the schema up to date.
pub(in super::super) fn prepare(connection: &mut Connection, settings: &config::Journal) -> Result<(), JournalError> {
    let path = settings.path.as_path();
    recognise(connection, path)?;
    // Half a megabyte of pages is enough for the newest rows and the way to them; SQLite's default holds two.
    // The log is folded into the file after a sixteenth of the budget, at most SQLite's own default of 1,000 pages.
    let log_pages = (settings.max_bytes / 4096 / 16).clamp(16, 1000);
    connection
        .execute_batch(&format!(
            "PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA application_id = {APPLICATION};
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -512;
             PRAGMA wal_autocheckpoint = {log_pages};"
        ))
        .map_err(|error| explain(path, &error))?;
    Migrations::from_slice(STEPS).to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => explain(path, &err),
        other => JournalError::Damaged { path: path.to_owned(), cause: other.to_string() },
    })
}

/// The epoch and the next number; both are made with the file.
pub(super) fn identity(connection: &Connection, path: &Path) -> Result<(Uuid, u64), JournalError> {
    connection
        .execute(
            "INSERT OR IGNORE INTO meta (one, epoch, next_seq) VALUES (1, ?1, 1)",
            params![Uuid::now_v7().to_string()],
        )
        .map_err(|error| explain(path, &error))?;
    identity_of(connection, path)
}

/// The epoch and the next number, as they stand in the file.
pub(in super::super) fn identity_of(connection: &Connection, path: &Path) -> Result<(Uuid, u64), JournalError> {
    connection
        .query_row("SELECT epoch, next_seq FROM meta", [], |row| Ok((row.get(0)?, number(row, 1)?)))
        .map_err(|error| explain(path, &error))
        .and_then(|(epoch, next_seq): (String, u64)| match Uuid::parse_str(&epoch) {
            Ok(epoch) if next_seq > 0 => Ok((epoch, next_seq)),
            _ => Err(JournalError::Damaged {
                path: path.to_owned(),
                cause: format!("epoch {epoch:?} and next number {next_seq}, want a UUID and a number from 1"),
            }),
        })
}
