//! Propose: from what an ONNX file says of itself to a passport. Pure: reads no file and asks nobody.
//!
//! Only what the graph and its metadata show is worked out, each key with its reason; what they cannot show comes back as
//! [`Question`]s, all at once. What is proposed is right without editing for files whose exporter wrote down what it knew
//! (Ultralytics, Anomalib, skl2onnx, RapidAI); for others the reasons say what was assumed. Deliberately not here: looking
//! at pictures, judging whether the answers are good.

mod board;
mod classes;
mod detector;
mod hints;
mod inputs;
mod python;
mod reading;
mod sheet;

use serde::Serialize;
use serde_json::Value;

use super::graph::Graph;
use super::passport::SCHEMA;
use crate::name::Name;
use hints::Hints;
use reading::Reading;
pub use sheet::Reason;
use sheet::{Line, Sheet, line, texts, whole};

/// What somebody said about the model, because a file cannot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Given {
    /// The kind of answer, by its name in passports.
    pub task: Option<String>,
    /// The labels, in the order of the output.
    pub labels: Option<Vec<String>>,
    /// Those of the labels that mean a defect.
    pub defects: Option<Vec<String>>,
    /// The licence of the weights, as an SPDX expression.
    pub licence: Option<String>,
    /// What the model is for, in one sentence.
    pub description: Option<String>,
    /// The rung: `teacher`, `specialist`, `student` or `gate`.
    pub tier: Option<String>,
    /// The lowest confidence of a box that is kept, 0 to 1.
    pub confidence: Option<f64>,
    /// How pixels were brought to numbers in training: `unit` (0 to 1), `imagenet`, `half` (-1 to 1) or `none` (0 to 255).
    pub normalise: Option<String>,
    /// How a frame was brought to the input's size in training, by its name in passports.
    pub fit: Option<String>,
    /// The order of the colours, by its name in passports.
    pub colour: Option<String>,
    /// Height and width of the input, where the graph leaves them open.
    pub size: Option<(usize, usize)>,
    /// The length of a text in tokens, where the graph leaves it open.
    pub length: Option<usize>,
    /// Anomalib's own metadata (`metadata.json`), where it lies beside the file.
    pub anomalib: Option<Value>,
}

/// The files that the passport speaks of, as they will lie in the model's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The model's name.
    pub name: Name,
    /// The ONNX file as it was given, for the origin.
    pub source: String,
    /// Its name in the folder, and its SHA-256.
    pub model: (String, String),
    /// The files with weights, each with its SHA-256.
    pub external: Vec<(String, String)>,
    /// The tokenizer's file with its SHA-256, where there is one.
    pub tokenizer: Option<(String, String)>,
}

/// A proposed passport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The text of `passport.toml`.
    pub passport: String,
    /// Why each key has its value, for those that were worked out.
    pub reasons: Vec<Reason>,
    /// What somebody should know before the model goes on a board.
    pub notes: Vec<String>,
}

/// Why there is no proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The file cannot say this.
    Asked(Vec<Question>),
    /// No passport can be written for such a file: one sentence.
    Impossible(String),
}

/// What a file cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The flag that answers it, without its dashes.
    pub flag: &'static str,
    /// What is asked, in one sentence.
    pub text: String,
    /// An answer to begin with; empty where there is none.
    pub usual: String,
}

/// Writes a passport for a graph.
///
/// # Errors
/// [`Refusal`]: everything that must be asked at once, or why there can be no passport.
pub fn propose(graph: &Graph, files: &Files, given: &Given) -> Result<Proposal, Refusal> {
    let hints = Hints::of(graph);
    let draft = Draft { graph, files, given, hints: &hints };
    let mut asked = Vec::new();
    let reading = draft.reading(&mut asked)?;
    let inputs = draft.inputs(&reading, &mut asked)?;
    let labels = draft.labels(&reading, &mut asked)?;
    let licence = given.licence.clone().or_else(|| hints.licence.clone());
    if licence.is_none() {
        asked.push(question("licence", "under which licence are the weights? (an SPDX expression)", ""));
    }
    if !asked.is_empty() {
        return Err(Refusal::Asked(asked));
    }
    let mut sheet = Sheet::default();
    draft.head(&mut sheet, &reading, &licence.unwrap_or_default());
    draft.file(&mut sheet);
    for lines in inputs {
        sheet.push("inputs", lines);
    }
    for output in &reading.outputs {
        sheet.push("outputs", draft.output(output));
    }
    if let Some(lines) = reading.keys {
        sheet.table(&["task", reading.task], lines);
    }
    if let Some(lines) = labels {
        sheet.table(&["labels"], lines);
    }
    let (passport, reasons) = sheet.done();
    Ok(Proposal { passport, reasons, notes: board::notes(graph).into_iter().chain(reading.notes).collect() })
}

fn question(flag: &'static str, text: impl Into<String>, usual: impl Into<String>) -> Question {
    Question { flag, text: text.into(), usual: usual.into() }
}

/// What a proposal is drafted from.
#[derive(Debug, Clone, Copy)]
struct Draft<'d> {
    graph: &'d Graph,
    files: &'d Files,
    given: &'d Given,
    hints: &'d Hints,
}

impl Draft<'_> {
    /// The top level: name, task, description, licence, origin.
    fn head(&self, sheet: &mut Sheet, reading: &Reading, licence: &str) {
        let Self { given, hints, files, .. } = self;
        sheet.set("schema", SCHEMA, "");
        sheet.set("name", files.name.as_str(), "");
        if reading.keys.is_none() {
            sheet.set("task", reading.task, &reading.why);
        }
        let described = hints.description.as_ref().filter(|_| given.description.is_none());
        let description = given.description.clone().or_else(|| hints.description.clone());
        let description = description.unwrap_or_else(|| format!("Imported from {}.", files.source));
        sheet.set("description", description, described.map_or("", |_| "the exporter's metadata"));
        let tier = given.tier.as_deref();
        sheet.set(
            "tier",
            tier.unwrap_or("teacher"),
            tier.map_or("a model of full cost, unless you say otherwise", |_| ""),
        );
        let stated = given.licence.is_none();
        sheet.set("licence", licence, if stated { "the exporter's metadata" } else { "" });
        sheet.set("origin", self.origin(), "");
    }

    /// Where the weights come from, as far as the file tells.
    fn origin(&self) -> String {
        let producer = Some(&self.graph.producer).filter(|text| !text.is_empty());
        let producer = producer.map(|text| format!(", written by {text}")).unwrap_or_default();
        let date = self.hints.date.as_ref().map(|date| format!(" on {date}")).unwrap_or_default();
        format!("{}{producer}{date}", self.files.source)
    }

    fn file(&self, sheet: &mut Sheet) {
        let (path, sha256) = &self.files.model;
        let mut lines = vec![
            line("path", path, ""),
            line("sha256", sha256, ""),
            line("ir_version", i64::from(self.graph.ir_version), ""),
            line("opset", i64::from(self.graph.opset()), ""),
        ];
        if !self.files.external.is_empty() {
            let tables = self.files.external.iter().map(|(path, sha256)| {
                let mut table = toml_edit::InlineTable::new();
                table.insert("path", path.as_str().into());
                table.insert("sha256", sha256.as_str().into());
                toml_edit::Value::from(table)
            });
            lines.push(line("external", tables.collect::<toml_edit::Array>(), "the graph keeps its weights there"));
        }
        sheet.table(&["file"], lines);
    }

    /// The table of an output that is read.
    fn output(&self, output: &reading::Output<'_>) -> Vec<Line> {
        let element = output.port.element.map_or("float32", crate::tensor::Element::as_str);
        let (shape, why) = self.output_shape(output);
        let mut lines = vec![
            line("name", output.port.name.as_str(), ""),
            line("shape", whole(&shape), why),
            line("element", element, ""),
        ];
        if let Some((activation, why)) = &output.activation {
            lines.push(line("activation", *activation, why));
        }
        lines
    }

    /// The shape of an output: an open first axis is the batch, any other open one differs from run to run.
    fn output_shape(&self, output: &reading::Output<'_>) -> (Vec<usize>, &'static str) {
        let axes = output.port.axes.as_deref().unwrap_or_default();
        let open = axes.iter().any(|axis| axis.fixed().is_none());
        let batched = self.graph.inputs.iter().any(|input| input.lengths().first().is_some_and(Option::is_none));
        let length = |(at, axis): (usize, &super::graph::Axis)| {
            axis.fixed().unwrap_or(usize::from(at == 0 && !output.listed && (batched || axes.len() > 1)))
        };
        let shape = axes.iter().enumerate().map(length).collect();
        (
            shape,
            if open { "the graph leaves axes open: a batch of 1, and 0 for what differs from run to run" } else { "" },
        )
    }

    /// The labels, and which of them are defects.
    fn labels(&self, reading: &Reading, asked: &mut Vec<Question>) -> Result<Option<Vec<Line>>, Refusal> {
        let Some(count) = reading.labels else { return Ok(None) };
        let written = self.given.labels.as_ref().unwrap_or(&self.hints.labels);
        if written.is_empty() {
            let text = format!("the {count} labels in the order of the output, separated by commas");
            asked.push(question("labels", text, ""));
            return Ok(None);
        }
        if written.len() != count {
            let seen = written.len();
            return Err(Refusal::Impossible(format!("there are {seen} labels, and the graph answers with {count}")));
        }
        let names = classes::names(written);
        let Some(defects) = &self.given.defects else {
            let text = format!("which of the labels mean a defect, separated by commas? ({})", names.join(", "));
            asked.push(question("defects", text, classes::usual_defects(&names)));
            return Ok(None);
        };
        let why = match (self.given.labels.is_none(), names == *written) {
            (true, true) => "the exporter's metadata",
            (true, false) => "the exporter's metadata, written in the alphabet of names",
            (false, false) => "written in the alphabet of names",
            (false, true) => "",
        };
        Ok(Some(vec![line("names", texts(&names), why), line("defects", texts(&classes::names(defects)), "")]))
    }
}

#[cfg(test)]
mod tests;
