//! The sheet that a proposed passport is written on: TOML, each key that was worked out with the reason behind it.

use serde::Serialize;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

/// A passport in the making.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    document: DocumentMut,
    reasons: Vec<Reason>,
}

/// Why a key has its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The key, with its table.
    pub key: String,
    /// The value, as TOML.
    pub value: String,
    /// What it was worked out from.
    pub why: String,
}

impl Sheet {
    /// A key of the top level; `why` is empty for what needs no reason.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>, why: &str) {
        let value = self.with_reason(key, value.into(), why);
        self.document.insert(key, Item::Value(value));
    }

    /// The table at a path of the top level, such as `["task", "detection"]`, in lines `key, value, why`.
    pub(super) fn table(&mut self, path: &[&str], lines: Vec<Line>) {
        let name = path.join(".");
        let table = self.filled(&name, lines);
        let Some((last, parents)) = path.split_last() else { return };
        let mut at = self.document.as_table_mut();
        for parent in parents {
            let item = at.entry(parent).or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            });
            let Some(next) = item.as_table_mut() else { return };
            at = next;
        }
        at.insert(last, Item::Table(table));
    }

    /// One more table of a list, such as `[[inputs]]`.
    pub(super) fn push(&mut self, list: &str, lines: Vec<Line>) {
        let table = self.filled(list, lines);
        let tables = self.document.entry(list).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        if let Some(tables) = tables.as_array_of_tables_mut() {
            tables.push(table);
        }
    }

    /// The passport, and the reason of every key that has one.
    pub(super) fn done(self) -> (String, Vec<Reason>) {
        (self.document.to_string(), self.reasons)
    }

    fn filled(&mut self, name: &str, lines: Vec<Line>) -> Table {
        let mut table = Table::new();
        for Line { key, value, why } in lines {
            let value = self.with_reason(&format!("{name}.{key}"), value, &why);
            table.insert(&key, Item::Value(value));
        }
        table
    }

    fn with_reason(&mut self, key: &str, mut value: Value, why: &str) -> Value {
        if !why.is_empty() {
            self.reasons.push(Reason { key: key.to_owned(), value: value.to_string(), why: why.to_owned() });
            value.decor_mut().set_suffix(format!("  # {}", why.replace(['\n', '\r'], " ")));
        }
        value
    }
}

/// A key of a table.
#[derive(Debug, Clone)]
pub(super) struct Line {
    key: String,
    value: Value,
    why: String,
}

/// A key, its value and its reason.
pub(super) fn line(key: &str, value: impl Into<Value>, why: &str) -> Line {
    Line { key: key.to_owned(), value: value.into(), why: why.to_owned() }
}

/// A list of whole numbers.
pub(super) fn whole(numbers: &[usize]) -> Value {
    numbers.iter().map(|&number| i64::try_from(number).unwrap_or(i64::MAX)).collect::<Array>().into()
}

/// A list of texts.
pub(super) fn texts<T: AsRef<str>>(texts: &[T]) -> Value {
    texts.iter().map(|text| text.as_ref().to_owned()).collect::<Array>().into()
}
