//! A TOML document as a tree that remembers, for every key and value, the file and the bytes it came from.
//!
//! Several files are laid over one another; the tree becomes JSON for the schema check, and every [`Path`] into that
//! JSON leads back to its place. Knows nothing of what the keys mean.

mod path;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use miette::NamedSource;
use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

pub use path::Path;

use super::findings::{Finding, Source};

/// The longest file that is read, in bytes: a thousand times a usual one.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The index of the file.
    pub file: usize,
    /// The bytes in it.
    pub span: Range<usize>,
}

/// A value of TOML that JSON cannot hold: a number that is not finite, a date.
#[derive(Debug, Clone)]
pub struct Unfit {
    /// Where it stands.
    pub path: Path,
    /// The value.
    pub seen: String,
    /// What is wanted instead.
    pub wanted: &'static str,
}

/// One key with its value.
#[derive(Debug, Clone)]
struct Node {
    key: Option<Place>,
    value: Option<Place>,
    body: Body,
}

/// What stands at a node.
#[derive(Debug, Clone)]
enum Body {
    Scalar(Value),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// Files laid over one another.
#[derive(Debug, Clone)]
pub struct Document {
    sources: Vec<Source>,
    root: Node,
    /// Values that JSON cannot hold.
    unfit: Vec<Unfit>,
}

/// Reads a file of at most one MiB; gives its label and its text.
///
/// # Errors
/// A finding when it cannot be read, is too long or is not UTF-8.
pub fn read(path: &FilePath) -> Result<(String, String), Finding> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|cause| Finding::of_file(path, &cause.to_string()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Finding::of_file(path, &format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok((path.display().to_string(), text))
}

impl Document {
    /// Parses files (label and text) and lays each over those before it.
    ///
    /// # Errors
    /// One finding for each file that is not TOML.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Vec<Finding>> {
        let source = |(label, text): &(String, String)| Arc::new(NamedSource::new(label, text.clone()));
        let root = Node { key: None, value: None, body: Body::Table(BTreeMap::new()) };
        let mut document = Self { sources: files.iter().map(source).collect(), root, unfit: Vec::new() };
        let mut broken = Vec::new();
        for (file, (_, text)) in files.iter().enumerate() {
            match toml_edit::Document::parse(text.as_str()) {
                Ok(parsed) => {
                    document.hide_secrets(file, text, parsed.as_table());
                    document.lay_over(file, parsed.as_table());
                }
                Err(error) => broken.push(document.not_toml(file, text, &error)),
            }
        }
        if broken.is_empty() { Ok(document) } else { Err(broken) }
    }

    /// The whole as JSON, without the values that JSON cannot hold.
    #[must_use]
    pub fn json(&self) -> Value {
        self.root.json()
    }

    /// Values that JSON cannot hold.
    #[must_use]
    pub fn unfit(&self) -> &[Unfit] {
        &self.unfit
    }

    /// Whether the files have something at `path`.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    /// The text of a file, for carets.
    pub(super) fn source(&self, file: usize) -> Source {
        self.sources.get(file).map_or_else(|| Arc::new(NamedSource::new("", String::new())), Arc::clone)
    }

    /// Where the value at `path`, or else of the nearest table around it, stands.
    #[must_use]
    pub fn value_place(&self, path: &Path) -> Place {
        let node = self.nearest(path);
        node.value.clone().or_else(|| node.key.clone()).unwrap_or(Place { file: 0, span: 0..0 })
    }

    /// Where the key at `path` stands: of a `[table]` its header, of an entry of a list the entry.
    #[must_use]
    pub fn key_place(&self, path: &Path) -> Place {
        let node = self.nearest(path);
        let headed = match (&node.key, &node.value) {
            (Some(key), Some(value)) => value.span.start <= key.span.start && key.span.end <= value.span.end,
            _ => false,
        };
        let (first, second) = if headed { (&node.value, &node.key) } else { (&node.key, &node.value) };
        first.clone().or_else(|| second.clone()).unwrap_or(Place { file: 0, span: 0..0 })
    }

    /// The path as a reader would say it: `` `cameras.top.path` ``; entries of a list by their name, else from 1 on.
    #[must_use]
    pub fn describe(&self, path: &Path) -> String {
        let mut text = String::new();
        let mut node = Some(&self.root);
        for step in path.steps() {
            let in_list = matches!(node.map(|node| &node.body), Some(Body::List(_)));
            node = node.and_then(|node| node.child(step));
            if in_list {
                let position = || step.parse::<usize>().map_or_else(|_| step.clone(), |index| (index + 1).to_string());
                let name = node.and_then(Node::name).map_or_else(position, str::to_owned);
                text.extend(["[", &name, "]"]);
            } else {
                text += if text.is_empty() { "" } else { "." };
                text += step;
            }
        }
        format!("`{text}`")
    }

    fn find(&self, path: &Path) -> Option<&Node> {
        path.steps().iter().try_fold(&self.root, |node, step| node.child(step))
    }

    /// The node at `path`, or the last one on the way that exists and has a place.
    fn nearest(&self, path: &Path) -> &Node {
        let mut found = &self.root;
        let mut node = &self.root;
        for step in path.steps() {
            let Some(child) = node.child(step) else { break };
            node = child;
            if node.key.is_some() || node.value.is_some() {
                found = node;
            }
        }
        found
    }

    fn lay_over(&mut self, file: usize, table: &dyn TableLike) {
        let mut reader = Reader { file, unfit: Vec::new() };
        let body = reader.table(table, &Path::default());
        self.unfit.extend(reader.unfit);
        self.root.lay_over(Node { key: None, value: None, body });
    }

    /// Puts asterisks over the values of `password` keys in what reports will show; places stay where they are.
    fn hide_secrets(&mut self, file: usize, text: &str, table: &toml_edit::Table) {
        let mut spans = Vec::new();
        secrets(table, &mut spans);
        if let (false, Some(source)) = (spans.is_empty(), self.sources.get_mut(file)) {
            let mut bytes = text.as_bytes().to_vec();
            for span in spans {
                for byte in bytes.get_mut(span).into_iter().flatten().filter(|byte| **byte != b'\n') {
                    *byte = b'*';
                }
            }
            let label = source.name().to_owned();
            *source = Arc::new(NamedSource::new(label, String::from_utf8(bytes).unwrap_or_default()));
        }
    }

    fn not_toml(&self, file: usize, text: &str, error: &toml_edit::TomlError) -> Finding {
        let span = error.span().unwrap_or(0..0);
        let span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end.min(text.len()));
        let mut lines = error.message().lines();
        let message = format!("this is not TOML: {}", lines.next().unwrap_or("syntax error"));
        let wanted = lines.collect::<Vec<_>>().join("; ");
        Finding::at(self.source(file), Place { file, span }, message, wanted)
    }
}

impl Node {
    fn child(&self, step: &str) -> Option<&Self> {
        match &self.body {
            Body::Scalar(_) => None,
            Body::List(entries) => entries.get(step.parse::<usize>().ok()?),
            Body::Table(table) => table.get(step),
        }
    }

    fn name(&self) -> Option<&str> {
        match &self.child("name")?.body {
            Body::Scalar(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    fn json(&self) -> Value {
        match &self.body {
            Body::Scalar(value) => value.clone(),
            Body::List(entries) => Value::Array(entries.iter().map(Self::json).collect()),
            Body::Table(table) => {
                let held = table.iter().filter(|(_, node)| !matches!(node.body, Body::Scalar(Value::Null)));
                Value::Object(held.map(|(key, node)| (key.clone(), node.json())).collect::<Map<_, _>>())
            }
        }
    }

    /// Tables are merged key by key, everything else is replaced.
    fn lay_over(&mut self, later: Self) {
        match (&mut self.body, later.body) {
            (Body::Table(table), Body::Table(over)) => {
                for (key, node) in over {
                    match table.get_mut(&key) {
                        Some(under) => under.lay_over(node),
                        None => drop(table.insert(key, node)),
                    }
                }
            }
            (_, body) => *self = Self { key: later.key, value: later.value, body },
        }
    }
}

/// Collects where the values of `password` keys stand.
fn secrets(table: &dyn TableLike, spans: &mut Vec<Range<usize>>) {
    for (key, item) in table.iter() {
        if key == "password" {
            spans.extend(item.span());
        } else if let Some(inner) = item.as_table_like() {
            secrets(inner, spans);
        } else if let Some(entries) = item.as_array_of_tables() {
            entries.iter().for_each(|entry| secrets(entry, spans));
        }
    }
}

/// Turns the items of one file into nodes.
struct Reader {
    file: usize,
    unfit: Vec<Unfit>,
}

impl Reader {
    fn table(&mut self, table: &dyn TableLike, path: &Path) -> Body {
        let mut nodes = BTreeMap::new();
        for (key, item) in table.iter() {
            let place = self.place(table.key(key).and_then(toml_edit::Key::span));
            nodes.insert(key.to_owned(), self.item(item, place, &path.then(key)));
        }
        Body::Table(nodes)
    }

    fn item(&mut self, item: &Item, key: Option<Place>, path: &Path) -> Node {
        let value = self.place(item.span());
        let body = match item {
            Item::None => Body::Scalar(Value::Null),
            Item::Value(value) => self.value(value, path),
            Item::Table(table) => self.table(table, path),
            Item::ArrayOfTables(tables) => Body::List(
                tables
                    .iter()
                    .enumerate()
                    .map(|(index, table)| Node {
                        key: None,
                        value: self.place(table.span()),
                        body: self.table(table, &path.then(index)),
                    })
                    .collect(),
            ),
        };
        Node { key, value, body }
    }

    fn value(&mut self, value: &toml_edit::Value, path: &Path) -> Body {
        use toml_edit::Value as Toml;
        match value {
            Toml::String(text) => Body::Scalar(Value::String(text.value().clone())),
            Toml::Integer(number) => Body::Scalar(Value::from(*number.value())),
            Toml::Boolean(flag) => Body::Scalar(Value::Bool(*flag.value())),
            Toml::Float(number) => Body::Scalar(match serde_json::Number::from_f64(*number.value()) {
                Some(finite) => Value::Number(finite),
                None => self.refuse(path, number.value(), "want a finite number"),
            }),
            Toml::Datetime(moment) => {
                Body::Scalar(self.refuse(path, moment.value(), "want a date or time in quotes, as text"))
            }
            Toml::Array(array) => Body::List(
                array
                    .iter()
                    .enumerate()
                    .map(|(index, value)| Node {
                        key: None,
                        value: self.place(value.span()),
                        body: self.value(value, &path.then(index)),
                    })
                    .collect(),
            ),
            Toml::InlineTable(table) => self.table(table, path),
        }
    }

    fn refuse(&mut self, path: &Path, seen: &dyn fmt::Display, wanted: &'static str) -> Value {
        self.unfit.push(Unfit { path: path.clone(), seen: seen.to_string(), wanted });
        Value::Null
    }

    fn place(&self, span: Option<Range<usize>>) -> Option<Place> {
        span.map(|span| Place { file: self.file, span })
    }
}
