//! Reads a passport and finds everything that is wrong with it: the shape of the file first, then what must fit together.

use std::collections::BTreeSet;
use std::path::{Component, Path as FilePath};

use serde_json::Value;

use super::{Activation, FILE_NAME, Fit, Input, Labels, Layout, Model, Output, Passport, SCHEMA};
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
    let (passport, mut findings) = schema::read::<Passport>(document);
    if let Some(passport) = &passport {
        name(passport, folder, &mut findings);
        stays_inside(passport, &mut findings);
        unique_names(passport, &mut findings);
        for (index, input) in passport.inputs.iter().enumerate() {
            self::input(input, &Path::of(&["inputs"]).then(index), &mut findings);
        }
        labels(&passport.labels, &mut findings);
        for (index, output) in passport.outputs.iter().enumerate() {
            self::output(output, &passport.labels, &Path::of(&["outputs"]).then(index), &mut findings);
        }
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

fn stays_inside(passport: &Passport, findings: &mut Findings<'_>) {
    let path = &passport.file.path;
    let plain = path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if !plain || path.file_name().is_none() {
        let message = format!("`file.path` is {:?}", path.display().to_string());
        findings
            .value(&Path::of(&["file", "path"]), message, "want a file inside the model's folder")
            .help("a model travels as one folder: no absolute path, no `..`");
    }
}

fn unique_names(passport: &Passport, findings: &mut Findings<'_>) {
    let inputs = passport.inputs.iter().map(|input| ("inputs", &input.name));
    let outputs = passport.outputs.iter().map(|output| ("outputs", &output.name));
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

fn input(input: &Input, table: &Path, findings: &mut Findings<'_>) {
    shape(input, table, findings);
    let per_channel = [("mean", &input.mean), ("standard_deviation", &input.standard_deviation)];
    for (key, values) in per_channel {
        let (path, wanted) = (table.then(key), input.colour.channels());
        if values.len() != wanted {
            let message = format!("{} is {values:?}", findings.document().describe(&path));
            findings.value(&path, message, format!("want {wanted} in the list, one a channel of {}", colour(input)));
        }
    }
    for (index, deviation) in input.standard_deviation.iter().enumerate() {
        if *deviation <= 0.0 {
            let path = table.then("standard_deviation");
            let message = format!("{} holds {deviation}", findings.document().describe(&path));
            findings.value(&path.then(index), message, "want a number above 0: it divides");
        }
    }
    if input.scale == 0.0 {
        let path = table.then("scale");
        let message = format!("{} is 0", findings.document().describe(&path));
        findings
            .value(&path, message, "want a number other than 0: it multiplies every pixel")
            .help("1.0 keeps 0 to 255, 0.00392156862745098 (1/255) brings it to 0 to 1");
    }
    fill(input, table, findings);
}

/// The colour as a reader would say it.
fn colour(input: &Input) -> &'static str {
    match input.colour {
        super::Colour::Grey => "`grey`",
        super::Colour::Rgb => "`rgb`",
        super::Colour::Bgr => "`bgr`",
    }
}

/// Four axes, a batch of one, no empty side, as many channels as the colour has.
fn shape(input: &Input, table: &Path, findings: &mut Findings<'_>) {
    let path = table.then("shape");
    let (height, width, channels) = input.height_width_channels();
    let described = findings.document().describe(&path);
    let order = match input.layout {
        Layout::Nchw => "[1, channels, height, width]",
        Layout::Nhwc => "[1, height, width, channels]",
    };
    let wanted = if input.shape.len() != 4 {
        "want four axes".to_owned()
    } else if input.shape.first() != Some(&1) {
        "want a batch of 1 as the first axis".to_owned()
    } else if height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE {
        format!("want sides from 1 to {MAX_SIDE}")
    } else if channels != input.colour.channels() {
        format!("want {} on the axis of channels, as {} has", input.colour.channels(), colour(input))
    } else {
        return;
    };
    let layout = if input.layout == Layout::Nchw { "nchw" } else { "nhwc" };
    findings
        .value(&path, format!("{described} is {:?}", input.shape), wanted)
        .help(format!("`layout = \"{layout}\"` is {order}"));
}

/// The longest side of an input, in pixels: far beyond any model, and small enough to be allocated.
const MAX_SIDE: usize = 8192;

/// A fill value belongs to a letterbox, and a letterbox to a fill value.
fn fill(input: &Input, table: &Path, findings: &mut Findings<'_>) {
    let path = table.then("fill");
    match (input.fit, input.fill) {
        (Fit::Letterbox, None) => {
            findings
                .missing(&path, ", which `fit = \"letterbox\"` needs")
                .help("the value of the border, 0 to 255, as in training; 114 and 0 are common");
        }
        (Fit::Stretch | Fit::Crop, Some(value)) => {
            let message = format!("{} is {value}, but nothing is filled", findings.document().describe(&path));
            findings.key(&path, message, "belongs to `fit = \"letterbox\"`");
        }
        _ => {}
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

/// One number a label on the last axis; with a sigmoid, one number may stand for two labels.
fn output(output: &Output, labels: &Labels, table: &Path, findings: &mut Findings<'_>) {
    let (numbers, names) = (output.shape.last().copied().unwrap_or_default(), labels.names.len());
    let single = output.activation == Activation::Sigmoid && numbers == 1 && names == 2;
    if (numbers == names || single) && output.shape.first() == Some(&1) {
        return;
    }
    let path = table.then("shape");
    let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
    let note = findings.value(&path, message, format!("want [1, {names}]: one number for each of the {names} labels"));
    if names == 2 {
        note.help("with `activation = \"sigmoid\"` also [1, 1]: the probability of the second label");
    }
}
