//! The model's folder: the embedding's file with the head behind it, its passport, references, evidence and the hashes of the
//! examples. Made beside its place, tried, and put there whole.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::embed::length;
use super::examples::Gathered;
use super::head::Built;
use crate::cli::models::import::{MODEL, Trial, Unfinished};
use crate::models::catalogue::sha256_of;
use crate::models::graph::Graph;
use crate::models::graph::append::{Head, append};
use crate::models::passport::anomaly::{Anomaly, Normalisation};
use crate::models::passport::{
    Activation, Element, ExternalFile, FILE_NAME, Labels, Model, ModelFile, Output, Passport, SCHEMA, Task,
};
use crate::models::taught::{self, Taught};
use crate::name::Name;

/// How near an answer must come to the reference, as a share of the output's greatest number.
const TOLERANCE: f64 = 0.001;

/// A distance of so many thresholds is brought to 1, one of a single threshold to 0.5.
const THRESHOLDS_TO_1: f64 = 3.0;

/// Writes the folder `target` and holds the model against its own reference; the version that was there is kept.
///
/// # Errors
/// When the embedding takes no head, a file cannot be written, or the model does not run.
pub(super) fn write(
    target: &Path,
    embedding: &Model,
    built: &Built,
    taught: &Taught,
    gathered: &Gathered,
    library: Option<&Path>,
) -> anyhow::Result<()> {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = Name::new(&name).context("--out names the model by its last part")?;
    let unfinished = Unfinished::new(target.parent().unwrap_or(Path::new("")), &name)?;
    let place = |file: &str| unfinished.path().join(file);
    let write = |file: &str, bytes: &[u8]| {
        std::fs::write(place(file), bytes).with_context(|| format!("{} cannot be written", place(file).display()))
    };
    let files = unfinished.copy(&embedding.file(), &Graph::read(&embedding.file())?, None)?;
    let model = std::fs::read(place(MODEL)).with_context(|| format!("{} cannot be read", place(MODEL).display()))?;
    let output = embedding.passport.outputs.first().context("the embedding has no output")?;
    let (length, unit_length) =
        (length(embedding).map_err(|why| anyhow!(why))?, output.activation == Some(Activation::UnitLength));
    let head = built.appended();
    let appended = append(&model, &output.name, length, unit_length, &head)
        .map_err(|why| anyhow!("{}: {why}", embedding.file().display()))?;
    write(MODEL, &appended)?;
    let external = files.external.into_iter().map(|(path, sha256)| ExternalFile { path: path.into(), sha256 });
    let file = ModelFile {
        path: MODEL.into(),
        sha256: sha256_of(&appended),
        external: external.collect(),
        ..embedding.passport.file.clone()
    };
    let passport = passport(&name, file, embedding, built, taught, &head);
    write(FILE_NAME, toml_edit::ser::to_string_pretty(&passport)?.as_bytes())?;
    write(taught::FILE_NAME, toml_edit::ser::to_string_pretty(taught)?.as_bytes())?;
    let (list, pixels) = trained(gathered);
    write("trained.txt", list.as_bytes())?;
    write("pixels.csv", pixels.as_bytes())?;
    licences(embedding.folder(), unfinished.path())?;
    let model = Model::load(unfinished.path())?;
    let picture = gathered.pictures.first().map(std::path::PathBuf::as_path);
    Trial::run(&model, picture, library, TOLERANCE)?.hold(&model)?;
    Ok(taught::put(unfinished.path(), target)?)
}

/// The passport: inputs and licence of the embedding, the answer of the head.
fn passport(name: &Name, file: ModelFile, embedding: &Model, built: &Built, taught: &Taught, head: &Head) -> Passport {
    let of = &embedding.passport;
    let learned = if built.threshold().is_some() { 1 } else { taught.classes.len() };
    let examples: usize = taught.classes.iter().take(learned).map(|class| class.examples).sum();
    let (of_head, on, version) = (&taught.head, &of.name, taught.number);
    let description = format!("A {of_head} head on {on}, taught {examples} examples by `kenpin teach`.");
    let output = |shape: Vec<usize>, activation| Output {
        name: head.output().to_owned(),
        shape,
        element: Element::Float32,
        activation,
    };
    let names: Vec<Name> = taught.classes.iter().map(|class| class.name.clone()).collect();
    let (task, outputs, labels) = if let Some(threshold) = built.threshold() {
        let range = Normalisation { threshold, minimum: 0.0, maximum: 2.0 * (THRESHOLDS_TO_1 - 1.0) * threshold };
        let score = Some(head.output().to_owned());
        let task = Anomaly { score, score_normalisation: Some(range), ..Anomaly::default() };
        (Task::Anomaly(task), vec![output(vec![1, 1], None)], Labels::default())
    } else {
        let defects = names.iter().skip(1).cloned().collect();
        let scores = output(vec![1, names.len()], Some(Activation::Softmax));
        (Task::Classification, vec![scores], Labels { names, defects })
    };
    // The embedding stays an output, for drift to be watched by.
    let mut outputs = outputs;
    outputs.extend(of.outputs.first().cloned());
    Passport {
        schema: SCHEMA.into(),
        name: name.clone(),
        task,
        description,
        tier: of.tier,
        licence: of.licence.clone(),
        origin: format!("kenpin teach, version {version}, on {on} with the SHA-256 {}", of.file.sha256),
        file,
        inputs: of.inputs.clone(),
        // The nearest of a bank is that of one vector a run.
        batch_up_to: of.batch_up_to.filter(|_| built.threshold().is_none()),
        embedding: of.outputs.first().map(|output| output.name.clone()),
        outputs,
        labels,
        reference: None,
    }
}

/// The examples as `kenpin fit --trained --pixels` reads them: a list of names, and their hashes. Pictures of one name in two
/// folders are told apart by their class.
fn trained(gathered: &Gathered) -> (String, String) {
    let (mut list, mut rows) = (String::new(), "part,sha256\n".to_owned());
    for ((picture, hash), class) in gathered.pictures.iter().zip(&gathered.pixels).zip(&gathered.examples.classes) {
        let stem = picture
            .file_stem()
            .map(|stem| stem.to_string_lossy().replace([',', '"', '\n', '\r'], "_"))
            .unwrap_or_default();
        let class = &gathered.classes[*class];
        // Writing to a text cannot fail.
        let _ = writeln!(list, "{class}/{stem}");
        let _ = writeln!(rows, "{class}/{stem},{hash}");
    }
    (list, rows)
}

/// Copies the licences that lie beside the embedding: its weights travel on.
fn licences(from: &Path, to: &Path) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("{} cannot be read", from.display()))?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_file() && name.to_string_lossy().starts_with("LICENSE") {
            std::fs::copy(&path, to.join(name)).with_context(|| format!("{} cannot be copied", path.display()))?;
        }
    }
    Ok(())
}
