//! `kenpin models`: lists the models in a folder, shows a passport or an ONNX file, verifies files against their hashes
//! and models against their references, imports an ONNX file, measures prices, prints an example.
//!
//! A folder is either that of one model or one that holds the folders of several.

pub(super) mod import;
mod price;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::config::ConfigError;
use crate::config::findings::Finding;
use crate::flow::infer::backend::Backend;
use crate::models::catalogue;
use crate::models::graph::Graph;
use crate::models::passport::{EXAMPLE, Input, Model};

/// List, inspect, verify, import and price models, or print an example of a passport.
///
/// A model is a folder with an ONNX file and a passport.toml, which says what the model is fed, how its answer is read and
/// which hash the file has. The folder's name is the model's name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

/// What `kenpin models` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// One line a model.
    List(Target),
    /// Everything the passports say; of an ONNX file, everything it says of itself.
    Inspect(Target),
    /// Whether each file has the hash that its passport states; with --run, whether each model reproduces its references.
    Verify(Verify),
    // Without remarks of their own: the first line of their `Args` is shown.
    Import(Box<import::Args>),
    Price(Box<price::Args>),
    /// The process of one model that `price` starts.
    #[command(hide = true)]
    Measure(Box<price::measure::Args>),
    /// A passport to begin with, each key with its meaning.
    Example,
}

/// Which models, and how they are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The folder of one model, or of several.
    #[arg(default_value = "models")]
    folder: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Which models are verified, and how thoroughly.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    target: Target,
    /// Open each model and hold it against its references, on the processor.
    #[arg(long)]
    run: bool,
    /// The ONNX Runtime library; searched for in the usual places when not given.
    #[arg(long, requires = "run")]
    library: Option<PathBuf>,
}

/// Does it; exit code 1 when a passport has findings or a file is not the one its passport speaks of.
///
/// # Errors
/// When the folder cannot be listed, or has no model in it.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = match &args.action {
        Action::Import(args) => return import::run(args),
        Action::Price(args) => return price::run(args),
        Action::Measure(args) => return price::measure::run(args),
        Action::Example => {
            super::say(EXAMPLE.trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Inspect(target) if target.folder.is_file() => return look(target),
        Action::List(target) | Action::Inspect(target) | Action::Verify(Verify { target, .. }) => target,
    };
    let folders = catalogue::find(&target.folder)?;
    anyhow::ensure!(
        !folders.is_empty(),
        "{}: no model in it, want folders with a passport.toml",
        target.folder.display()
    );
    let (models, mut findings) = load(&folders);
    if let Action::Verify(verify) = &args.action {
        findings.extend(broken(&models, verify)?.into_iter().map(Finding::of_text));
    }
    if target.json {
        super::say(as_json(&args.action, &models)?)?;
    } else {
        super::say(as_text(&args.action, &models)?)?;
    }
    if findings.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(super::check::report(&ConfigError::new(&target.folder.display().to_string(), findings)))
}

/// A sentence for each model whose files are not what its passport says, or that does not reproduce its references.
fn broken(models: &[Model], verify: &Verify) -> anyhow::Result<Vec<String>> {
    let wrong = |model: &Model| Some(catalogue::verify(model).err()?.to_string());
    if !verify.run {
        return Ok(models.iter().filter_map(wrong).collect());
    }
    let runtime = import::runtime(verify.library.as_deref());
    let backend = Backend::choose(&runtime)?;
    let held = |model: &Model| wrong(model).or_else(|| Some(backend.open(model, &runtime).err()?.to_string()));
    Ok(models.iter().filter_map(held).collect())
}

/// What an ONNX file says of itself.
fn look(target: &Target) -> anyhow::Result<ExitCode> {
    let graph = Graph::read(&target.folder)?;
    let text = serde_json::to_string_pretty(&graph).context("the graph cannot be written as JSON")?;
    super::say(if target.json { text } else { graph.to_string() })?;
    Ok(ExitCode::SUCCESS)
}

fn load(folders: &[PathBuf]) -> (Vec<Model>, Vec<Finding>) {
    let mut models = Vec::new();
    let mut findings = Vec::new();
    for folder in folders {
        match Model::load(folder) {
            Ok(model) => models.push(model),
            Err(error) => findings.extend(error.into_findings()),
        }
    }
    (models, findings)
}

fn as_json(action: &Action, models: &[Model]) -> anyhow::Result<String> {
    let entry = |model: &Model| {
        let folder = model.folder().display().to_string();
        match action {
            Action::Verify(_) => verified(model, &folder),
            _ => json!({ "folder": folder, "passport": model.passport }),
        }
    };
    let entries: Vec<Value> = models.iter().map(entry).collect();
    serde_json::to_string_pretty(&entries).context("the models cannot be written as JSON")
}

fn verified(model: &Model, folder: &str) -> Value {
    let wanted = &model.passport.file.sha256;
    match catalogue::sha256(&model.file()) {
        Ok(seen) => {
            json!({ "name": model.passport.name, "folder": folder, "ok": seen == *wanted, "seen": seen, "wanted": wanted })
        }
        Err(error) => {
            json!({ "name": model.passport.name, "folder": folder, "ok": false, "error": error.to_string(), "wanted": wanted })
        }
    }
}

fn as_text(action: &Action, models: &[Model]) -> anyhow::Result<String> {
    match action {
        Action::Inspect(_) => {
            let texts = models.iter().map(|model| {
                let passport = toml_edit::ser::to_string_pretty(&model.passport)
                    .with_context(|| format!("the passport of {} cannot be shown", model.passport.name))?;
                Ok(format!("# {}\n{passport}", model.folder().display()))
            });
            Ok(texts.collect::<anyhow::Result<Vec<_>>>()?.join("\n"))
        }
        Action::Verify(_) => Ok(verdicts(models)),
        _ => Ok(list(models)),
    }
}

fn list(models: &[Model]) -> String {
    let mut table = table(&["name", "tier", "input", "labels", "licence", "description"]);
    for Model { passport, .. } in models {
        let labels: Vec<&str> = passport.labels.names.iter().map(crate::name::Name::as_str).collect();
        table.add_row([
            passport.name.to_string(),
            word(&passport.tier),
            passport.inputs.iter().map(input).collect::<Vec<_>>().join(", "),
            labels.join(", "),
            passport.licence.clone(),
            passport.description.clone(),
        ]);
    }
    table.to_string()
}

fn verdicts(models: &[Model]) -> String {
    let mut table = table(&["name", "file", "verdict"]);
    for model in models {
        let verdict =
            if catalogue::verify(model).is_ok() { "as its passport says" } else { "not what its passport says" };
        table.add_row([model.passport.name.to_string(), shown(&model.file()), verdict.to_owned()]);
    }
    table.to_string()
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header.iter().copied());
    table
}

fn input(input: &Input) -> String {
    match input {
        Input::Image(image) => {
            let (height, width, _) = image.height_width_channels();
            format!("{width} x {height} {}", word(&image.colour))
        }
        other => format!("{} {:?}", other.name(), other.shape()),
    }
}

/// The word that stands in the passport for a value.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
