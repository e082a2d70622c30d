//! What the demo plays with: the test cells with their truth, and the config of the line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Args;
use crate::config::Backend;

/// Every fifth cell comes without its type text and takes the gate.
const TEXT_MISSING_EVERY: usize = 5;

/// One test cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The name of its image without extension: its part id.
    pub(super) name: String,
    /// Whether its defect probability lies above 0.5.
    pub(super) defective: bool,
    /// `mono` or `poly`.
    pub(super) kind: String,
    /// Whether the line tells its type.
    pub(super) told: bool,
}

/// The demo's cells and files.
#[derive(Debug)]
pub(super) struct Stage {
    /// The test cells, in the order of the list.
    pub(super) cells: Vec<Cell>,
    /// The config that was written.
    pub(super) config: PathBuf,
}

impl Stage {
    /// Reads the data and writes the config; empties the output folder of an earlier demo first.
    pub(super) fn prepare(args: &Args) -> anyhow::Result<Self> {
        let cells = read_cells(args)?;
        for left in ["state", "report.json", "verdicts.jsonl"].map(|left| args.out.join(left)) {
            let removed = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                bail!("{} of an earlier demo cannot be removed: {error}", left.display());
            }
        }
        fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out.display()))?;
        let images = absolute(&args.data)?.join("images");
        let list: Vec<String> =
            cells.iter().map(|cell| images.join(&cell.name).with_extension("png").display().to_string()).collect();
        write(&args.out.join("parts.txt"), &list.join("\n"))?;
        let config = args.out.join("kenpin.toml");
        write(&config, &config_text(args)?)?;
        Ok(Self { cells, config })
    }

    /// The lines that the line's computer sends: the type of every told cell.
    pub(super) fn type_lines(&self) -> String {
        self.cells.iter().filter(|cell| cell.told).fold(String::new(), |mut lines, cell| {
            let _ = writeln!(lines, "part={} type={}", cell.name, cell.kind);
            lines
        })
    }
}

/// The test cells with their truth.
fn read_cells(args: &Args) -> anyhow::Result<Vec<Cell>> {
    let labels_path = args.data.join("labels.csv");
    let labels = fs::read_to_string(&labels_path).with_context(|| {
        format!("the ELPV labels are missing at {}: run `make demo`, which fetches them", labels_path.display())
    })?;
    let labels: BTreeMap<&str, (f64, &str)> = labels.lines().filter_map(label).collect();
    let list_path = args.models.join("elpv/test.txt");
    let list = fs::read_to_string(&list_path)
        .with_context(|| format!("the list of test cells is missing at {}", list_path.display()))?;
    list.split_whitespace()
        .enumerate()
        .map(|(place, name)| {
            let (probability, kind) =
                labels.get(name).with_context(|| format!("{} has no cell {name}", labels_path.display()))?;
            Ok(Cell {
                name: name.into(),
                defective: *probability > 0.5,
                kind: (*kind).into(),
                told: (place + 1) % TEXT_MISSING_EVERY != 0,
            })
        })
        .collect()
}

/// One line of ELPV's label file: `images/cell0001.png  0.3333  mono`.
fn label(line: &str) -> Option<(&str, (f64, &str))> {
    let mut fields = line.split_whitespace();
    let name = Path::new(fields.next()?).file_stem()?.to_str()?;
    Some((name, (fields.next()?.parse().ok()?, fields.next()?)))
}

/// The config of the demo's line.
fn config_text(args: &Args) -> anyhow::Result<String> {
    let models = absolute(&args.models)?;
    let backends: Vec<&str> = args
        .backends
        .iter()
        .map(|backend| match backend {
            Backend::OnnxRuntime => "onnxruntime",
            Backend::Tract => "tract",
        })
        .collect();
    let library = match &args.onnxruntime_library {
        Some(library) => format!("onnxruntime_library = \"{}\"\n", absolute(library)?.display()),
        None => String::new(),
    };
    Ok(include_str!("demo.toml")
        .replace("@MODELS@", &models.display().to_string())
        .replace("@PORT@", &args.mqtt_port.to_string())
        .replace("@BACKENDS@", &format!("{backends:?}"))
        .replace("@LIBRARY@", &library))
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} has no absolute path", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_columns_of_elpv() {
        assert_eq!(label("images/cell0001.png  0.3333333333333333   mono"), Some(("cell0001", (1.0 / 3.0, "mono"))));
        assert_eq!(label("images/cell0001.png"), None);
    }
}
