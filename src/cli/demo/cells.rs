//! The ELPV cells that demos inspect, with their truth, and the folder that a demo writes to.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Every fifth cell comes without its type text and takes the gate.
const TEXT_MISSING_EVERY: usize = 5;

/// Where cells and models lie.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The unpacked ELPV data: `labels.csv` and `images/`.
    #[arg(long, default_value = "target/setup/elpv/elpv_dataset/data")]
    data: PathBuf,
    /// The models, and `elpv/test.txt` with the names of the test cells.
    #[arg(long, default_value = "models")]
    pub(super) models: PathBuf,
    /// The ONNX Runtime library; searched for when not given.
    #[arg(long)]
    onnxruntime_library: Option<PathBuf>,
}

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

impl Source {
    /// The test cells, in the order of their list.
    pub(super) fn test_cells(&self) -> anyhow::Result<Vec<Cell>> {
        let labels = self.labels()?;
        let path = self.models.join("elpv/test.txt");
        let list = fs::read_to_string(&path)
            .with_context(|| format!("the list of test cells is missing at {}", path.display()))?;
        list.split_whitespace()
            .enumerate()
            .map(|(place, name)| {
                let (probability, kind) = labels.get(name).with_context(|| format!("ELPV has no cell {name}"))?;
                let told = (place + 1) % TEXT_MISSING_EVERY != 0;
                Ok(Cell { name: name.into(), defective: *probability > 0.5, kind: kind.clone(), told })
            })
            .collect()
    }

    /// Every cell that is not among `test`, as a list that `kenpin fit` reads.
    pub(super) fn other_cells(&self, test: &[Cell]) -> anyhow::Result<String> {
        let mut labels = self.labels()?;
        labels.retain(|name, _| !test.iter().any(|cell| cell.name == *name));
        let truth = |probability| if probability > 0.5 { "defective" } else { "good" };
        let rows = labels
            .iter()
            .map(|(name, (probability, _))| Ok(format!("{},{}\n", self.picture(name)?.display(), truth(*probability))));
        Ok(format!("image,truth\n{}", rows.collect::<anyhow::Result<String>>()?))
    }

    /// A line with the picture's path for each cell, as a replay camera reads it.
    pub(super) fn pictures(&self, cells: &[Cell]) -> anyhow::Result<String> {
        cells.iter().map(|cell| Ok(format!("{}\n", self.picture(&cell.name)?.display()))).collect()
    }

    fn picture(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(absolute(&self.data)?.join("images").join(name).with_extension("png"))
    }

    /// Each cell's defect probability and type.
    fn labels(&self) -> anyhow::Result<BTreeMap<String, (f64, String)>> {
        let path = self.data.join("labels.csv");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("the ELPV labels are missing at {}: run `make demo`, which fetches them", path.display())
        })?;
        Ok(text.lines().filter_map(label).collect())
    }

    /// A demo's config with its marks filled in.
    pub(super) fn filled(&self, config: &str, port: u16) -> anyhow::Result<String> {
        let library = match &self.onnxruntime_library {
            Some(library) => format!("onnxruntime_library = \"{}\"\n", absolute(library)?.display()),
            None => String::new(),
        };
        Ok(config
            .replace("@MODELS@", &absolute(&self.models)?.display().to_string())
            .replace("@PORT@", &port.to_string())
            .replace("@LIBRARY@", &library))
    }
}

/// One line of ELPV's label file: `images/cell0001.png  0.3333  mono`.
fn label(line: &str) -> Option<(String, (f64, String))> {
    let mut fields = line.split_whitespace();
    let name = Path::new(fields.next()?).file_stem()?.to_str()?;
    Some((name.to_owned(), (fields.next()?.parse().ok()?, fields.next()?.to_owned())))
}

/// Makes the folder `out` and removes from it what an earlier demo left.
pub(super) fn clear(out: &Path, left: &[&str]) -> anyhow::Result<()> {
    for left in left.iter().map(|left| out.join(left)) {
        let removed = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
        if let Err(error) = removed
            && error.kind() != ErrorKind::NotFound
        {
            bail!("{} of an earlier demo cannot be removed: {error}", left.display());
        }
    }
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))
}

pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} has no absolute path", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_columns_of_elpv() {
        let cell = ("cell0001".to_owned(), (1.0 / 3.0, "mono".to_owned()));
        assert_eq!(label("images/cell0001.png  0.3333333333333333   mono"), Some(cell));
        assert_eq!(label("images/cell0001.png"), None);
    }
}
