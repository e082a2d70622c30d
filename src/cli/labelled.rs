//! Labelled images: a folder with `good/` and `defective/` (or `bad/`), or a CSV list.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::clock::Monotonic;
use crate::config::findings::listed;
use crate::flow::Reading;
use crate::name::Name;
use crate::simulate::corrupt::Corruption;
use crate::value::Value;

/// One labelled image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Labelled {
    /// The file.
    pub(super) image: PathBuf,
    /// Whether it really shows a defect.
    pub(super) defective: bool,
    /// The batch it comes from, where the list says so: parts of one batch resemble each other.
    pub(super) batch: Option<String>,
    /// What is done to the picture before anybody sees it: simulated.
    pub(super) corruption: Option<Corruption>,
    /// The values of each sensor.
    pub(super) sensors: BTreeMap<Name, BTreeMap<String, Value>>,
}

impl Labelled {
    /// The readings of its part, as if taken `at` that moment.
    pub(super) fn readings(&self, at: Monotonic) -> Vec<Reading> {
        let reading = |(sensor, values): (&Name, &BTreeMap<String, Value>)| Reading {
            sensor: sensor.clone(),
            captured: at,
            part: None,
            values: values.clone(),
            asker: None,
        };
        self.sensors.iter().map(reading).collect()
    }
}

/// Reads a labelled folder or list; a list may give values to the readings of `sensors`.
pub(super) fn read(path: &Path, sensors: &[&Name]) -> anyhow::Result<Vec<Labelled>> {
    let set = if path.is_dir() { folder(path)? } else { list(path, sensors)? };
    if set.is_empty() {
        bail!("{} holds no labelled image", path.display());
    }
    Ok(set)
}

/// Every file in `good/` and `defective/`, which may be called `bad/`, in the order of the names; hidden files and sub-folders
/// are passed over.
fn folder(path: &Path) -> anyhow::Result<Vec<Labelled>> {
    let mut set = Vec::new();
    let bad = ["defective", "bad"].into_iter().find(|name| path.join(name).is_dir()).unwrap_or("defective");
    for (truth, defective) in [("good", false), (bad, true)] {
        let folder = path.join(truth);
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("a labelled folder holds good/ and defective/; {}", folder.display()))?;
        let mut images: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        images.retain(|image| !is_hidden(image) && !image.is_dir());
        images.sort();
        set.extend(images.into_iter().map(|image| Labelled {
            image,
            defective,
            batch: None,
            corruption: None,
            sensors: BTreeMap::new(),
        }));
    }
    Ok(set)
}

/// Whether a file's name begins with a dot: what a file manager or a mount left there.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Every row of a CSV list; paths are relative to the list.
fn list(path: &Path, sensors: &[&Name]) -> anyhow::Result<Vec<Labelled>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let header = reader.headers()?.clone();
    let columns = Columns::of(&header, sensors).with_context(|| path.display().to_string())?;
    let base = path.parent().unwrap_or(Path::new(""));
    let row = |record: csv::Result<csv::StringRecord>| {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        columns.row(&record, base).with_context(|| format!("{} line {line}", path.display()))
    };
    reader.records().map(row).collect()
}

/// Where the columns of a list stand.
struct Columns {
    image: usize,
    truth: usize,
    batch: Option<usize>,
    sensors: Vec<(usize, Name, String)>,
}

impl Columns {
    fn of(header: &csv::StringRecord, known: &[&Name]) -> anyhow::Result<Self> {
        let place = |wanted: &str| header.iter().position(|column| column == wanted);
        let (Some(image), Some(truth)) = (place("image"), place("truth")) else {
            bail!("the first line must name the columns image and truth; it is {header:?}");
        };
        let batch = place("batch");
        let further =
            header.iter().enumerate().filter(|(at, _)| ![Some(image), Some(truth), batch].contains(&Some(*at)));
        let sensor = |(at, column): (usize, &str)| {
            let (sensor, key) =
                column.split_once('.').with_context(|| format!("column {column:?} is not sensor.key"))?;
            let Some(name) = known.iter().find(|name| name.as_str() == sensor) else {
                let known = listed(known.iter().map(|name| name.as_str()));
                bail!("column {column:?} names the sensor {sensor:?}, want one of the config's sensors: {known}");
            };
            Ok((at, Name::clone(name), key.to_owned()))
        };
        Ok(Self { image, truth, batch, sensors: further.map(sensor).collect::<anyhow::Result<_>>()? })
    }

    fn row(&self, record: &csv::StringRecord, base: &Path) -> anyhow::Result<Labelled> {
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let defective = match field(self.truth) {
            "good" => false,
            "defective" => true,
            other => bail!("truth is {other:?}, want good or defective"),
        };
        let mut sensors: BTreeMap<Name, BTreeMap<String, Value>> = BTreeMap::new();
        for (at, sensor, key) in self.sensors.iter().filter(|(at, _, _)| !field(*at).is_empty()) {
            sensors.entry(sensor.clone()).or_default().insert(key.clone(), Value::parse(field(*at)));
        }
        let batch = self.batch.map(field).filter(|batch| !batch.is_empty()).map(str::to_owned);
        Ok(Labelled { image: base.join(field(self.image)), defective, batch, corruption: None, sensors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_sensor_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        fs::write(&path, "image,plc.type,truth,plc.lot,batch\na.png,mono,good,7,12\n\"b, c.png\",,defective,,\n")
            .unwrap();
        let plc = Name::new("plc").unwrap();
        let set = read(&path, &[&plc]).unwrap();
        assert_eq!(set.len(), 2);
        assert_eq!((set[0].defective, set[1].defective), (false, true));
        assert_eq!((set[0].batch.as_deref(), set[1].batch.as_deref()), (Some("12"), None));
        assert_eq!(set[1].image, folder.path().join("b, c.png"));
        let values = &set[0].sensors[&plc];
        assert_eq!((&values["type"], &values["lot"]), (&Value::Text("mono".into()), &Value::Number(7.0)));
        assert!(set[1].sensors.is_empty(), "an empty field is no value");
    }

    #[test]
    fn a_wrong_list_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        let told = |text: &str| {
            fs::write(&path, text).unwrap();
            let (plc, scale) = (Name::new("plc").unwrap(), Name::new("scale").unwrap());
            format!("{:#}", read(&path, &[&plc, &scale]).unwrap_err())
        };
        assert!(told("file,truth\n").contains("must name the columns image and truth"));
        assert!(
            told("image,truth\na.png,good\nb.png,bad\n").contains("line 3: truth is \"bad\", want good or defective")
        );
        assert!(told("image,truth,lot\na.png,good,1\n").contains("column \"lot\" is not sensor.key"));
        let told_sensor = told("image,truth,pcl.lot\na.png,good,1\n");
        assert!(
            told_sensor.contains("names the sensor \"pcl\", want one of the config's sensors: `plc`, `scale`"),
            "{told_sensor}"
        );
        assert!(told("image,truth\n").contains("holds no labelled image"));
    }

    #[test]
    fn hidden_files_and_sub_folders_are_no_images() {
        let folder = tempfile::tempdir().unwrap();
        for truth in ["good", "defective"] {
            fs::create_dir_all(folder.path().join(truth).join("thumbnails")).unwrap();
            for name in ["b.png", "a.png", ".hidden", "._a.png"] {
                fs::write(folder.path().join(truth).join(name), "").unwrap();
            }
        }
        let set = read(folder.path(), &[]).unwrap();
        let names =
            set.iter().map(|one| (one.image.strip_prefix(folder.path()).unwrap().to_str().unwrap(), one.defective));
        let wanted =
            [("good/a.png", false), ("good/b.png", false), ("defective/a.png", true), ("defective/b.png", true)];
        assert_eq!(names.collect::<Vec<_>>(), wanted);
    }
}
