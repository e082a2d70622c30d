//! What `kenpin engines` does with a config: the engine of each model, and what lies in the folder besides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::{FINDINGS, say};
use crate::config::Settings;
use crate::engines::store::{Listed, State, Store};
use crate::engines::{Key, Wanted, build as builder, unchecked};
use crate::flow::infer::backend::Backend;
use crate::models::catalogue;
use crate::models::passport::Model;
use crate::name::Name;

/// An engine in a list, for people and machines.
#[derive(Debug, Serialize)]
struct Row {
    /// The model that wants it, or that it was built of.
    model: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    /// `ready`, `missing`, `refused`, `unwanted`: no model of the config wants it, or `impossible`: the model can have none.
    state: &'static str,
    /// Why it is refused or impossible.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    bytes: u64,
    /// When it was built, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    built: Option<jiff::Timestamp>,
}

/// The models of a config and the engine that each wants here.
struct Ledger {
    entries: Vec<(Arc<Model>, Wanted)>,
    /// Models that can have none, and why.
    without: Vec<(Name, String)>,
    /// Where the library of ONNX Runtime lies.
    library: PathBuf,
}

impl Ledger {
    /// Works out every engine; without TensorRT on this machine there is no telling.
    fn open(settings: &Settings) -> anyhow::Result<Self> {
        let models = catalogue::load_all(settings)?;
        crate::cli::check::plan("the routes", settings, &models)?;
        let backend = Backend::choose(&settings.runtime)?;
        let (mut entries, mut without) = (Vec::new(), Vec::new());
        for model in models.into_values() {
            if let Some(why) = unchecked(&model) {
                without.push((model.passport.name.clone(), why));
                continue;
            }
            let wanted =
                backend.wanted(&model, &settings.runtime).unwrap_or_else(|| Err("ONNX Runtime does not serve".into()));
            let wanted =
                wanted.map_err(|why| anyhow!("the engine of model {} is not known: {why}", model.passport.name))?;
            entries.push((model, wanted));
        }
        let library = backend.library().ok_or_else(|| anyhow!("ONNX Runtime does not serve"))?.to_path_buf();
        Ok(Self { entries, without, library })
    }

    fn live(&self) -> BTreeSet<Key> {
        self.entries.iter().map(|(_, wanted)| wanted.place.key.clone()).collect()
    }

    /// A row for every engine that is wanted, then one for each that is not.
    fn rows(&self, store: &Store) -> anyhow::Result<Vec<Row>> {
        let listed = store.list().map_err(anyhow::Error::msg)?;
        let there: BTreeMap<&Key, &Listed> = listed.iter().map(|engine| (&engine.key, engine)).collect();
        let mut rows: Vec<Row> = self.entries.iter().map(|(model, wanted)| row(model, wanted, &there)).collect();
        rows.extend(self.without.iter().map(|(model, why)| Row {
            model: Some(model.clone()),
            key: None,
            state: "impossible",
            why: Some(why.clone()),
            bytes: 0,
            built: None,
        }));
        let live = self.live();
        rows.extend(listed.iter().filter(|engine| !live.contains(&engine.key)).map(|engine| spare(engine, "unwanted")));
        Ok(rows)
    }
}

fn row(model: &Model, wanted: &Wanted, there: &BTreeMap<&Key, &Listed>) -> Row {
    let key = Some(wanted.place.key.clone());
    let engine = there.get(&wanted.place.key);
    let (state, why) = match &wanted.state {
        State::Ready => ("ready", None),
        State::Missing => ("missing", None),
        State::Refused(why) => ("refused", Some(why.clone())),
    };
    let built = engine.and_then(|engine| Some(engine.manifest.as_ref().ok()?.built));
    Row {
        model: Some(model.passport.name.clone()),
        bytes: engine.map_or(0, |engine| engine.bytes),
        key,
        state,
        why,
        built,
    }
}

/// A row for an engine that lies there, whoever wants it.
fn spare(engine: &Listed, ready: &'static str) -> Row {
    let (key, bytes) = (Some(engine.key.clone()), engine.bytes);
    match &engine.manifest {
        Ok(manifest) => Row {
            model: Some(manifest.ingredients.model.clone()),
            key,
            state: ready,
            why: None,
            bytes,
            built: Some(manifest.built),
        },
        Err(why) => Row { model: None, key, state: "refused", why: Some(why.clone()), bytes, built: None },
    }
}

fn show(rows: &[Row], json: bool) -> anyhow::Result<()> {
    if json {
        return say(serde_json::to_string_pretty(rows)?);
    }
    if rows.is_empty() {
        return say("no engines");
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(["model", "key", "state", "MB", "built"]);
    for row in rows {
        let built = row.built.map(|built| built.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
        let size = if row.bytes == 0 { String::new() } else { format!("{:.1}", megabytes(row.bytes)) };
        table.add_row([row.model(), &row.key(), row.state, &size, &built]);
    }
    say(table)?;
    let reasons = rows.iter().filter_map(|row| Some((row, row.why.as_ref()?)));
    reasons.into_iter().try_for_each(|(row, why)| say(format_args!("{} {}: {why}", row.model(), row.key())))
}

impl Row {
    fn model(&self) -> &str {
        self.model.as_ref().map_or("?", Name::as_str)
    }

    fn key(&self) -> String {
        self.key.as_ref().map(Key::to_string).unwrap_or_default()
    }
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "engines are far smaller than 2^53 bytes")]
    let bytes = bytes as f64;
    bytes / 1e6
}

fn code(found: bool) -> ExitCode {
    if found { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS }
}

/// Lists.
pub(super) fn list(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let ledger = Ledger::open(settings)?;
    show(&ledger.rows(&Store::new(&settings.runtime.tensorrt.folder))?, json)?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at every engine in the folder. Needs no TensorRT.
pub(super) fn verify(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let engines = Store::new(&settings.runtime.tensorrt.folder).list().map_err(anyhow::Error::msg)?;
    let rows: Vec<Row> = engines.iter().map(|engine| spare(engine, "sound")).collect();
    show(&rows, json)?;
    Ok(code(rows.iter().any(|row| row.why.is_some())))
}

/// Removes what nobody wants. What is wanted is only known where TensorRT answers; elsewhere nothing is removed.
pub(super) fn prune(settings: &Settings, json: bool, dry_run: bool) -> anyhow::Result<ExitCode> {
    let ledger = Ledger::open(settings)?;
    let store = Store::new(&settings.runtime.tensorrt.folder);
    let unwanted = store.unwanted(&ledger.live()).map_err(anyhow::Error::msg)?;
    let rows: Vec<Row> =
        unwanted.iter().map(|engine| spare(engine, if dry_run { "unwanted" } else { "removed" })).collect();
    if !dry_run {
        unwanted.iter().try_for_each(|engine| store.remove(&engine.key)).map_err(anyhow::Error::msg)?;
    }
    show(&rows, json)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds what is missing or refused, one after another.
pub(super) fn build(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let mut ledger = Ledger::open(settings)?;
    let library = ledger.library.clone();
    let mut failed = false;
    for (model, wanted) in &mut ledger.entries {
        if wanted.state == State::Ready {
            continue;
        }
        let name = &model.passport.name;
        let bar =
            ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}")?);
        bar.set_message(format!("model {name}: starting the builder"));
        bar.enable_steady_tick(Duration::from_millis(200));
        let stage = |stage: &str| bar.set_message(format!("model {name}: {stage}"));
        let built = builder::build(wanted, (model, &settings.runtime, &library), (Path::new("/"), &|| false), stage);
        bar.finish_and_clear();
        wanted.state = match built {
            Ok(()) => wanted.store.look(&wanted.ingredients),
            Err(stopped) => State::Refused(stopped.why),
        };
        failed |= wanted.state != State::Ready;
    }
    show(&ledger.rows(&Store::new(&settings.runtime.tensorrt.folder))?, json)?;
    Ok(code(failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::tests::{fixture, wanted};

    #[test]
    fn every_engine_has_a_row_with_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str| {
            let model = fixture(name);
            let engine = wanted(&model, folder.path());
            (Arc::new(model), engine)
        };
        let names = ["brightness", "colour", "independent"];
        let store = entry("bytes").1.store;
        store.prepare().unwrap();
        for name in ["brightness", "colour", "bytes"] {
            let passing = store.passing().unwrap();
            std::fs::write(passing.path().join("a.engine"), name).unwrap();
            store.install(passing, &entry(name).1.ingredients).unwrap();
        }
        std::fs::write(entry("colour").1.place.folder.join("a.engine"), "cut").unwrap();
        let without = vec![(Name::new("bare").unwrap(), "no references".to_owned())];
        let ledger = Ledger { entries: names.map(entry).into(), without, library: PathBuf::new() };
        let rows = ledger.rows(&store).unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.model.as_ref().map(Name::as_str), row.state)).collect();
        assert_eq!(
            told,
            [
                (Some("brightness"), "ready"),
                (Some("colour"), "refused"),
                (Some("independent"), "missing"),
                (Some("bare"), "impossible"),
                (Some("bytes"), "unwanted")
            ]
        );
        assert!(rows[1].why.as_ref().unwrap().contains("has 3 bytes, the manifest says 6"), "{rows:?}");
        assert_eq!((rows[0].bytes, rows[2].bytes), (10, 0));
        assert!(rows[0].built.is_some() && rows[2].built.is_none());
        let unwanted = store.unwanted(&ledger.live()).unwrap();
        assert_eq!(unwanted.iter().map(|engine| &engine.key).collect::<Vec<_>>(), [&entry("bytes").1.place.key]);
    }
}
