//! Reads a passport and finds everything that is wrong with it: the shape of the file first, then what must fit together.

mod anomaly;
mod detection;
mod image;
mod regression;
mod segmentation;
mod task;
mod text;

use std::collections::BTreeSet;
use std::path::{Component, Path as FilePath};

use serde_json::Value;

use super::input::{TextInput, Tokens};
use super::{FILE_NAME, Input, Labels, Model, Passport, SCHEMA};
use crate::config::ConfigError;
use crate::config::document::{self, Document, Path};
use crate::config::findings::{Findings, advice};
use crate::config::schema;
use crate::name::Name;

/// Reads the passport in `folder`.
pub(super) fn load(folder: &FilePath) -> Result<Model, ConfigError> {
    let path = folder.join(FILE_NAME);
    let label = path.display().to_string();
    let refused = |findings| ConfigError::new(&label, findings);
    let file = document::read(&path).map_err(|finding| refused(vec![finding]))?;
    let document = Document::parse(&[file]).map_err(refused)?;
    let (passport, findings) = passport(&document, folder);
    match (passport, findings.into_sorted()) {
        (Some(passport), found) if found.is_empty() => Ok(Model { passport, folder: folder.to_path_buf() }),
        (_, found) => Err(refused(found)),
    }
}

/// Reads a passport that lies in `folder`. One of another major version is named and not looked at any further.
fn passport<'d>(document: &'d Document, folder: &FilePath) -> (Option<Passport>, Findings<'d>) {
    if let Some(Value::String(seen)) = document.json().get("schema")
        && seen != SCHEMA
    {
        let mut findings = Findings::new(document);
        let note = findings.value(
            &Path::of(&["schema"]),
            format!("this passport is written as {seen:?}"),
            format!("this build reads {SCHEMA:?}"),
        );
        if major(seen) > major(SCHEMA) {
            note.help("the passport is newer than this build: use a newer Kenpin, or write the passport anew");
        }
        return (None, findings);
    }
    let (mut passport, mut findings) = schema::read::<Passport>(document);
    if let Some(passport) = &mut passport {
        characters(passport, folder, &mut findings);
        name(passport, folder, &mut findings);
        stays_inside(passport, &mut findings);
        unique_names(passport, &mut findings);
        for (index, input) in passport.inputs.iter().enumerate() {
            self::input(input, &Path::of(&["inputs"]).then(index), &mut findings);
        }
        frame_sizes(passport, &mut findings);
        labels(&passport.labels, &mut findings);
        task::check(passport, &mut findings);
    }
    (passport, findings)
}

/// The major version of a `kenpin.passport/N`; `None` for anything else.
fn major(schema: &str) -> Option<u32> {
    schema.strip_prefix("kenpin.passport/")?.split('.').next()?.parse().ok()
}

fn name(passport: &Passport, folder: &FilePath, findings: &mut Findings<'_>) {
    // `.` and the like have no name of their own before they are resolved.
    let resolved = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let lies_in = resolved.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if passport.name.as_str() != lies_in {
        let message = format!("`name` is \"{}\", but the folder is called {lies_in:?}", passport.name);
        findings.value(&Path::of(&["name"]), message, "want the name of the folder");
    }
}

/// Every file that the passport names lies in the model's folder.
fn stays_inside(passport: &Passport, findings: &mut Findings<'_>) {
    inside(&passport.file.path, &Path::of(&["file", "path"]), findings);
    for (index, external) in passport.file.external.iter().enumerate() {
        inside(&external.path, &Path::of(&["file", "external"]).then(index).then("path"), findings);
    }
    if let Some(reference) = &passport.reference {
        inside(&reference.path, &Path::of(&["reference", "path"]), findings);
    }
    for (index, input) in passport.inputs.iter().enumerate() {
        if let Input::Text(TextInput { tokens: Tokens::Tokenizer(file), .. }) = input {
            let table = Path::of(&["inputs"]).then(index);
            inside(&file.path, &table.then("tokens").then("tokenizer").then("path"), findings);
        }
    }
}

/// The characters of a recogniser, where they stand in a file of the model's folder.
fn characters(passport: &mut Passport, folder: &FilePath, findings: &mut Findings<'_>) {
    if let Some((file, table)) = text::characters_file(passport)
        && inside(&file.path, &table.then("path"), findings)
    {
        text::read_characters(file, &table, folder, findings);
    }
}

/// Whether a file lies in the model's folder; it is a finding when it does not.
fn inside(file: &FilePath, path: &Path, findings: &mut Findings<'_>) -> bool {
    let plain = file.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    let inside = plain && file.file_name().is_some();
    if !inside {
        let message = format!("{} is {:?}", findings.document().describe(path), file.display().to_string());
        findings
            .value(path, message, "want a file inside the model's folder")
            .help("a model travels as one folder: no absolute path, no `..`");
    }
    inside
}

fn unique_names(passport: &Passport, findings: &mut Findings<'_>) {
    let inputs = passport.inputs.iter().map(|input| ("inputs", input.name()));
    let outputs = passport.outputs.iter().map(|output| ("outputs", output.name.as_str()));
    for names in [inputs.collect::<Vec<_>>(), outputs.collect()] {
        let mut seen = BTreeSet::new();
        for (index, (list, name)) in names.into_iter().enumerate() {
            if !seen.insert(name) {
                let path = Path::of(&[list]).then(index).then("name");
                findings.value(&path, format!("two of the `{list}` have the name {name:?}"), "want a name of its own");
            }
        }
    }
}

/// What must fit together in one input.
fn input(input: &Input, table: &Path, findings: &mut Findings<'_>) {
    match input {
        Input::Image(input) => image::check(input, table, findings),
        Input::FrameSize(input) => holds(&input.shape, input.values.len(), table, findings),
        Input::Readings(input) => holds(&input.shape, input.values.len(), table, findings),
        Input::Constant(input) => holds(&input.shape, input.values.len(), table, findings),
        Input::Text(input) => text::input(input, table, findings),
        Input::Findings(_) => {}
    }
}

/// The size of a frame is told to models that look at one.
fn frame_sizes(passport: &Passport, findings: &mut Findings<'_>) {
    if passport.inputs.iter().any(|input| input.image().is_some()) {
        return;
    }
    for (index, input) in passport.inputs.iter().enumerate() {
        if let Input::FrameSize(input) = input {
            let path = Path::of(&["inputs"]).then(index).then("kind");
            let message = format!("input \"{}\" tells the size of a frame, but no input is an image", input.name);
            findings.value(&path, message, "want this kind only beside `kind = \"image\"`");
        }
    }
}

/// As many numbers as the shape holds.
fn holds(shape: &[usize], values: usize, table: &Path, findings: &mut Findings<'_>) {
    if shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis)) != Some(values) {
        let path = table.then("shape");
        let message = format!("{} is {shape:?}", findings.document().describe(&path));
        findings.value(&path, message, format!("want a shape that holds the {values} numbers of `values`"));
    }
}

fn labels(labels: &Labels, findings: &mut Findings<'_>) {
    for (key, names) in [("names", &labels.names), ("defects", &labels.defects)] {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !seen.insert(name) {
                let path = Path::of(&["labels", key]).then(index);
                findings.value(&path, format!("`labels.{key}` has \"{name}\" twice"), "want each only once");
            }
        }
    }
    for (index, defect) in labels.defects.iter().enumerate() {
        if !labels.names.contains(defect) {
            let path = Path::of(&["labels", "defects"]).then(index);
            let message = format!("`labels.defects` has \"{defect}\", which is not among `labels.names`");
            let known: Vec<&str> = labels.names.iter().map(Name::as_str).collect();
            findings.value(&path, message, "want one of the names").help(advice(defect.as_str(), known));
        }
    }
}
