//! Labels: what people say a judged part really is, beside the verdicts that they confirm or overrule.
//!
//! Owns the table `label` and its SQL, on whoever's connection. Promises: a label is for a verdict of this journal that is still
//! kept; a later one on the same verdict supersedes it and takes nothing away; each keeps who, when, by which way, and with what
//! chance the verdict was put up for review. Deliberately does not know what the verdict says.

use std::fmt;
use std::path::Path;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use uuid::Uuid;

use super::JournalError;
use super::store::{explain, number};
use crate::flow::review::Truth;
use crate::name::Name;

/// By which way a label came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// As a command over MQTT.
    Mqtt,
    /// By `kenpin label`.
    Cli,
}

impl Way {
    /// The way's name in tables and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Cli => "cli",
        }
    }
}

/// What somebody says of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLabel {
    /// The journal's identity.
    pub epoch: Uuid,
    /// The verdict.
    pub seq: u64,
    /// What the part really is.
    pub truth: Truth,
    /// What kind of defect, or of good part, it is, in the operator's word.
    pub class: Option<Name>,
    /// Who says so.
    pub by: Name,
    /// By which way it came.
    pub way: Way,
}

/// A label in the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// The verdict.
    pub seq: u64,
    /// What the part really is.
    pub truth: Truth,
    /// What kind of defect, or of good part, it is.
    pub class: Option<String>,
    /// Who says so.
    pub by: String,
    /// When, UTC in RFC 3339.
    pub at: String,
    /// By which way it came.
    pub way: Way,
    /// How likely the verdict was to be put up for review; `None` where it was not put up: nobody knows how likely it then was
    /// to be labelled.
    pub probability: Option<f64>,
    /// Whether a later label on the same verdict stands in its place.
    pub superseded: bool,
}

/// What came of a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// The verdict.
    pub seq: u64,
    /// Its part.
    pub part: String,
    /// What is said of it.
    pub truth: Truth,
    /// Who says so.
    pub by: Name,
    /// The label that stood before.
    pub before: Option<Label>,
    /// Whether the same person had said the same: then nothing was written.
    pub said_before: bool,
    probability: Option<f64>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, part, truth, by, before, said_before, .. } = self;
        write!(f, "verdict {seq} on part {part:?}: {}, says {by}", truth.as_str())?;
        match before {
            Some(_) if *said_before => f.write_str(", as before"),
            Some(Label { truth, by, .. }) => write!(f, "; before that: {}, said {by}", truth.as_str()),
            None => Ok(()),
        }
    }
}

/// The columns of a [`Label`]; what stands in its place is one that came later.
const COLUMNS: &str = "label.seq, truth, class, said_by, said_utc, way, probability,
    EXISTS (SELECT 1 FROM label AS later WHERE later.seq = label.seq AND later.id > label.id)";

/// Holds a label against the journal on `connection`, which is of `epoch`; writes nothing.
///
/// # Errors
/// [`JournalError::OtherEpoch`], [`JournalError::NoVerdict`] or [`JournalError::Pruned`]: what is wrong with it; any other when
/// the disk fails.
pub(super) fn weigh(
    connection: &Connection,
    path: &Path,
    epoch: Uuid,
    label: &NewLabel,
) -> Result<Taken, JournalError> {
    let told = |error: rusqlite::Error| explain(path, &error);
    let NewLabel { seq, truth, class, by, .. } = label;
    if label.epoch != epoch {
        return Err(JournalError::OtherEpoch { seen: label.epoch, wanted: epoch });
    }
    let key = seq.cast_signed();
    let found = connection
        .prepare_cached("SELECT part, asked FROM verdict WHERE seq = ?1")
        .and_then(|mut query| query.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(told)?;
    let Some((part, probability)) = found else {
        // The counter in the file is behind while a group is under way, and all of that group is in the table.
        let last = connection.query_row(
            "SELECT max((SELECT next_seq FROM meta) - 1, ifnull((SELECT max(seq) FROM verdict), 0))",
            [],
            |row| number(row, 0),
        );
        let last = last.map_err(told)?;
        let pruned = (1..=last).contains(seq);
        return Err(if pruned {
            JournalError::Pruned { seq: *seq }
        } else {
            JournalError::NoVerdict { seq: *seq, last }
        });
    };
    let before = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM label WHERE seq = ?1 ORDER BY id DESC LIMIT 1"))
        .and_then(|mut query| query.query_row([key], read).optional())
        .map_err(told)?;
    let said_before = before.as_ref().is_some_and(|before| {
        before.truth == *truth
            && before.by == by.as_str()
            && before.class.as_deref() == class.as_ref().map(Name::as_str)
    });
    Ok(Taken { seq: *seq, part, truth: *truth, by: by.clone(), before, said_before, probability })
}

/// Writes a label that was weighed, unless it was said before.
pub(super) fn insert(connection: &Connection, label: &NewLabel, taken: &Taken) -> Result<(), rusqlite::Error> {
    if taken.said_before {
        return Ok(());
    }
    let NewLabel { seq, truth, class, by, way, .. } = label;
    let class = class.as_ref().map(Name::as_str);
    let now = jiff::Timestamp::now().to_string();
    connection
        .prepare_cached(
            "INSERT INTO label (seq, truth, class, said_by, said_utc, way, probability)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![seq.cast_signed(), truth, class, by.as_str(), now, way, taken.probability])
        .map(drop)
}

/// All labels in the order in which they were given.
pub(super) fn all(connection: &Connection) -> Result<Vec<Label>, rusqlite::Error> {
    connection.prepare(&format!("SELECT {COLUMNS} FROM label ORDER BY id"))?.query_map([], read)?.collect()
}

/// A label in force with the body of its verdict, where that is kept.
pub(super) type InForce = (Label, Option<Vec<u8>>);

/// Up to `limit` labels in force on verdicts above `after`, by their verdicts, each with what that says, where it is kept.
pub(super) fn in_force(connection: &Connection, after: u64, limit: usize) -> Result<Vec<InForce>, rusqlite::Error> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, body FROM label LEFT JOIN verdict ON verdict.seq = label.seq
             WHERE label.seq > ?1
               AND NOT EXISTS (SELECT 1 FROM label AS later WHERE later.seq = label.seq AND later.id > label.id)
             ORDER BY label.seq LIMIT ?2"
        ))?
        .query_map(params![after.cast_signed(), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((read(row)?, row.get(8)?))
        })?
        .collect()
}

/// Up to `limit` verdicts above `after` that are put up for review and that nobody has labelled, oldest first.
pub(super) fn unanswered(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Vec<u8>)>, rusqlite::Error> {
    connection
        .prepare_cached(&format!(
            "SELECT seq, body FROM verdict WHERE seq > ?1 AND {UNANSWERED} ORDER BY seq LIMIT ?2"
        ))?
        .query_map(params![after.cast_signed(), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((number(row, 0)?, row.get(1)?))
        })?
        .collect()
}

/// How many they are.
pub(super) fn count_unanswered(connection: &Connection) -> Result<u64, rusqlite::Error> {
    connection.query_row(&format!("SELECT count(*) FROM verdict WHERE {UNANSWERED}"), [], |row| number(row, 0))
}

/// Put up for review, and nobody has said anything.
const UNANSWERED: &str = "asked IS NOT NULL AND NOT EXISTS (SELECT 1 FROM label WHERE label.seq = verdict.seq)";

fn read(row: &Row<'_>) -> Result<Label, rusqlite::Error> {
    Ok(Label {
        seq: number(row, 0)?,
        truth: row.get(1)?,
        class: row.get(2)?,
        by: row.get(3)?,
        at: row.get(4)?,
        way: row.get(5)?,
        probability: row.get(6)?,
        superseded: row.get(7)?,
    })
}

impl ToSql for Truth {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Truth {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [Self::Good, Self::Bad].into_iter().find(|truth| truth.as_str() == text).ok_or(FromSqlError::InvalidType)
    }
}

impl ToSql for Way {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Way {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [Self::Mqtt, Self::Cli].into_iter().find(|way| way.as_str() == text).ok_or(FromSqlError::InvalidType)
    }
}
