//! `kenpin models import FILE.onnx`: a folder with a passport, references and a drawn answer, made of an ONNX file.
//!
//! The folder appears whole or not at all: everything is done in a temporary one beside it, and what is there already is
//! never overwritten.

mod ask;
mod folder;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use comfy_table::Table;
use serde_json::json;

use crate::models::graph::Graph;
use crate::models::passport::Model;
use crate::models::propose::{Given, Proposal, propose};
use crate::name::Name;
pub(in crate::cli) use folder::{MODEL, Unfinished};
pub(in crate::cli) use trial::{Trial, runtime};

/// Make a model folder of an ONNX file: its passport, references and a drawn answer.
///
/// Looks into the graph and its metadata, proposes a passport with the reason for each key, runs the test image through
/// Kenpin's own path, keeps inputs and answers as references that must be reproduced wherever the model is loaded, and
/// draws what was found. What the file cannot say is asked, or named in one message when nobody is there to answer.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The ONNX file; weights beside it are taken along.
    file: PathBuf,
    /// The folder that gets the model's folder.
    #[arg(long, default_value = "models")]
    into: PathBuf,
    /// The model's name; the name of the file when not given.
    #[arg(long)]
    name: Option<String>,
    /// A picture to try the model on; a made pattern when not given.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Where the drawn answer goes; `preview.png` in the model's folder when not given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// classification, embedding, detection, segmentation, anomaly, regression, text-detection or text-recognition.
    #[arg(long)]
    task: Option<String>,
    /// The labels in the order of the output, separated by commas.
    #[arg(long, value_delimiter = ',', conflicts_with = "labels_file")]
    labels: Option<Vec<String>>,
    /// The labels in the order of the output, one a line.
    #[arg(long)]
    labels_file: Option<PathBuf>,
    /// Those of the labels that mean a defect, separated by commas; `--defects=` for none.
    #[arg(long, value_delimiter = ',')]
    defects: Option<Vec<String>>,
    /// The licence of the weights, as an SPDX expression.
    #[arg(long)]
    licence: Option<String>,
    /// What the model is for, in one sentence.
    #[arg(long)]
    description: Option<String>,
    /// teacher, specialist, student or gate.
    #[arg(long)]
    tier: Option<String>,
    /// The lowest confidence of a box that is kept, 0 to 1.
    #[arg(long)]
    confidence: Option<f64>,
    /// What pixels were in training: unit (0 to 1), imagenet, half (-1 to 1) or none (0 to 255).
    #[arg(long)]
    normalise: Option<String>,
    /// How frames were brought to the input's size in training: stretch, letterbox or crop.
    #[arg(long)]
    fit: Option<String>,
    /// The order of the colours in training: rgb, bgr or grey.
    #[arg(long)]
    colour: Option<String>,
    /// Height and width of the input where the graph leaves them open, as 640x640.
    #[arg(long, value_parser = ask::size)]
    size: Option<(usize, usize)>,
    /// The length of a text in tokens where the graph leaves it open.
    #[arg(long)]
    length: Option<usize>,
    /// The tokenizer.json of a text model; the one beside the file when not given.
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// How near an answer must come to the reference, as a share of the output's greatest number.
    #[arg(long, default_value_t = 0.001)]
    tolerance: f64,
    /// The ONNX Runtime library; searched for in the usual places when not given.
    #[arg(long)]
    library: Option<PathBuf>,
    /// Take the usual answer wherever there is one, and ask nothing.
    #[arg(long)]
    yes: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Imports the file; exit code 2 when something must be said that was not.
///
/// # Errors
/// When a file cannot be read or written, the folder is there already, or the model does not run as proposed.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let graph = Graph::read(&args.file)?;
    let name = name(args)?;
    let target = args.into.join(name.as_str());
    anyhow::ensure!(!target.exists(), "{} is there already: give another --name, or remove it", target.display());
    let unfinished = Unfinished::new(&args.into, &name)?;
    let tokenizer = args.tokenizer.clone().or_else(|| beside(&args.file, "tokenizer.json"));
    let files = unfinished.copy(&args.file, &graph, tokenizer.as_deref())?;
    let mut given = given(args)?;
    let proposal = loop {
        match propose(&graph, &files, &given) {
            Ok(proposal) => break proposal,
            Err(refusal) => match ask::answers(refusal, &mut given, args.yes)? {
                ask::Asked::Answered => {}
                ask::Asked::Nobody(code) => return Ok(code),
            },
        }
    };
    std::fs::write(unfinished.path().join(crate::models::passport::FILE_NAME), &proposal.passport)
        .with_context(|| format!("{} cannot be written to", unfinished.path().display()))?;
    let model = Model::load(unfinished.path())?;
    let trial = Trial::run(&model, args.image.as_deref(), args.library.as_deref(), args.tolerance)?;
    let preview = draw(args, &model, &trial, &target)?;
    let model = trial.hold(&model)?;
    unfinished.finish(&target)?;
    report(args, &graph, &proposal, &trial, &Done { target, preview, model })?;
    Ok(ExitCode::SUCCESS)
}

/// What has been made.
struct Done {
    target: PathBuf,
    preview: Option<PathBuf>,
    model: Model,
}

/// The model's name: the given one, or the file's, or that of its folder where every file is called `model.onnx`.
fn name(args: &Args) -> anyhow::Result<Name> {
    if let Some(name) = &args.name {
        return Ok(Name::new(name)?);
    }
    let stem = args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' }).collect();
    Name::new(&plain).with_context(|| "the model needs a name: give --name")
}

/// A file that lies beside another.
fn beside(file: &Path, name: &str) -> Option<PathBuf> {
    Some(file.with_file_name(name)).filter(|path| path.is_file())
}

/// What the flags say.
fn given(args: &Args) -> anyhow::Result<Given> {
    if let Some(confidence) = args.confidence.filter(|confidence| !(0.0..=1.0).contains(confidence)) {
        bail!("--confidence is {confidence}, a number from 0 to 1 is wanted");
    }
    if !(0.0..=1.0).contains(&args.tolerance) {
        bail!("--tolerance is {}, a number from 0 to 1 is wanted", args.tolerance);
    }
    let labels = match &args.labels_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            Some(text.lines().map(str::to_owned).collect())
        }
        None => args.labels.clone(),
    };
    let anomalib = beside(&args.file, "metadata.json").and_then(|path| std::fs::read(path).ok());
    Ok(Given {
        task: args.task.clone(),
        labels,
        defects: args.defects.as_ref().map(|names| names.iter().filter(|name| !name.is_empty()).cloned().collect()),
        licence: args.licence.clone(),
        description: args.description.clone(),
        tier: args.tier.clone(),
        confidence: args.confidence,
        normalise: args.normalise.clone(),
        fit: args.fit.clone(),
        colour: args.colour.clone(),
        size: args.size,
        length: args.length,
        anomalib: anomalib.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
    })
}

/// Draws the answer, where there is a picture; gives the path that it will have.
fn draw(args: &Args, model: &Model, trial: &Trial, target: &Path) -> anyhow::Result<Option<PathBuf>> {
    let Some(drawn) = trial.drawn(model) else { return Ok(None) };
    let (now, then) = match &args.out {
        Some(path) => (path.clone(), path.clone()),
        None => (model.folder.join("preview.png"), target.join("preview.png")),
    };
    drawn.save(&now).with_context(|| format!("{} cannot be written", now.display()))?;
    Ok(Some(then))
}

/// Tells what was made, and why it is as it is.
fn report(args: &Args, graph: &Graph, proposal: &Proposal, trial: &Trial, done: &Done) -> anyhow::Result<()> {
    let notes: Vec<&String> = proposal.notes.iter().chain(&trial.notes).collect();
    let folder = done.target.display().to_string();
    if args.json {
        let preview = done.preview.as_ref().map(|path| path.display().to_string());
        let told = json!({
            "folder": folder, "graph": graph, "passport": done.model.passport, "reasons": proposal.reasons,
            "notes": notes, "findings": trial.findings, "preview": preview,
        });
        return super::super::say(serde_json::to_string_pretty(&told)?);
    }
    let mut table: Table = super::table(&["key", "value", "why"]);
    for reason in &proposal.reasons {
        let value: String = reason.value.trim().chars().take(60).collect();
        table.add_row([reason.key.as_str(), &value, &reason.why]);
    }
    super::super::say(table)?;
    for note in notes {
        super::super::say(format_args!("note: {note}"))?;
    }
    super::super::say(format_args!("found: {}", serde_json::to_string(&trial.findings)?))?;
    if let Some(preview) = &done.preview {
        super::super::say(format_args!("drawn: {}", preview.display()))?;
    }
    super::super::say(format_args!("model: {folder}"))
}
