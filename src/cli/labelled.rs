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
    /// Its class, where that is known: the kind of defect, or of good part.
    pub(super) class: Option<Name>,
    /// What was really measured of it, where a quantity is asked for.
    pub(super) measured: Option<f64>,
    /// The batch it comes from, where the list says so: parts of one batch resemble each other.
    pub(super) batch: Option<String>,
    /// What is done to the picture before anybody sees it: simulated.
    pub(super) corruption: Option<Corruption>,
    /// The values of each sensor.
    pub(super) sensors: BTreeMap<Name, BTreeMap<String, Value>>,
}

/// The folder of good parts, and the class of that name.
const GOOD: &str = "good";

impl Labelled {
    /// A picture of which nothing else is known.
    pub(super) fn plain(image: PathBuf, defective: bool) -> Self {
        Self { image, defective, class: None, measured: None, batch: None, corruption: None, sensors: BTreeMap::new() }
    }

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
    let set = if path.is_dir() { folder(path)? } else { list(path, sensors, None)? };
    if set.is_empty() {
        bail!("{} holds no labelled image", path.display());
    }
    Ok(set)
}

/// Every file in `good/` and `defective/`, which may be called `bad/`, in the order of the names.
fn folder(path: &Path) -> anyhow::Result<Vec<Labelled>> {
    let mut set = Vec::new();
    let bad = ["defective", "bad"].into_iter().find(|name| path.join(name).is_dir()).unwrap_or("defective");
    for (truth, defective) in [("good", false), (bad, true)] {
        let folder = path.join(truth);
        let images = pictures(&folder)
            .with_context(|| format!("a labelled folder holds good/ and defective/; {}", folder.display()))?;
        set.extend(images.into_iter().map(|image| Labelled::plain(image, defective)));
    }
    Ok(set)
}

/// Every file in a folder, in the order of the names; hidden files and sub-folders are passed over.
pub(super) fn pictures(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut images: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    images.retain(|image| !is_hidden(image) && !image.is_dir());
    images.sort();
    Ok(images)
}

/// Every class with its pictures, the good one first: the folders in a folder, one a class, or the two kinds of a CSV list. A
/// class may be without pictures, the good one may not be without its folder.
pub(super) fn classes(path: &Path) -> anyhow::Result<Vec<(Name, Vec<PathBuf>)>> {
    let (good, shown) = (Name::new(GOOD)?, path.display());
    if !path.is_dir() {
        let of = |wanted: bool, set: &[Labelled]| {
            set.iter().filter(|one| one.defective == wanted).map(|one| one.image.clone()).collect()
        };
        let set = read(path, &[])?;
        return Ok(vec![(good, of(false, &set)), (Name::new("defective")?, of(true, &set))]);
    }
    let mut classes = folders(path)?;
    // The others stay in the order of their names.
    classes.sort_by_key(|(name, _)| *name != good);
    if classes.first().is_none_or(|(first, _)| *first != good) {
        let seen = listed(classes.iter().map(|(name, _)| name.as_str()));
        bail!("{shown} holds the folders [{seen}], want {GOOD}/ and one for each kind of defect");
    }
    Ok(classes)
}

/// Every picture with its class, which is one of `labels`, each with whether it is a defect: the folders in a folder, one a label, or
/// the column `class` of a CSV list.
pub(super) fn read_by_class(path: &Path, sensors: &[&Name], labels: &[(Name, bool)]) -> anyhow::Result<Vec<Labelled>> {
    let shown = path.display();
    let known = || listed(labels.iter().map(|(name, _)| name.as_str()));
    let defect = |class: &Name| labels.iter().find(|(name, _)| name == class).map(|(_, defect)| *defect);
    let mut set = Vec::new();
    if path.is_dir() {
        for (class, images) in folders(path)? {
            let defective = defect(&class).with_context(|| {
                format!(
                    "{shown} holds the folder {class}, want one for each label that the members know: [{}]",
                    known()
                )
            })?;
            let of = |image| Labelled { class: Some(class.clone()), ..Labelled::plain(image, defective) };
            set.extend(images.into_iter().map(of));
        }
    } else {
        set = list(path, sensors, None)?;
        for Labelled { image, defective, class, .. } in &set {
            let image = image.display();
            let class = class.as_ref().with_context(|| format!("{shown}: {image} has nothing in a column class"))?;
            let is = defect(class)
                .with_context(|| format!("{shown}: the class of {image} is {class}, want one of [{}]", known()))?;
            if is != *defective {
                bail!("{shown}: {image} is of class {class}, which its column truth contradicts");
            }
        }
    }
    if set.is_empty() {
        bail!("{shown} holds no labelled image");
    }
    Ok(set)
}

/// The folders in a folder with their pictures, in the order of their names.
fn folders(path: &Path) -> anyhow::Result<Vec<(Name, Vec<PathBuf>)>> {
    let entries = fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut folders: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    folders.retain(|folder| !is_hidden(folder) && folder.is_dir());
    folders.sort();
    let named = |folder: &PathBuf| {
        let name = Name::new(&folder.file_name().unwrap_or_default().to_string_lossy())?;
        anyhow::Ok((name, pictures(folder)?))
    };
    folders.iter().map(|folder| named(folder).with_context(|| folder.display().to_string())).collect()
}

/// Whether a file's name begins with a dot: what a file manager or a mount left there.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Every row of a CSV list with a column for what was measured of a quantity; a part is defective where that is not `good`, and a
/// column `truth` may be left out.
pub(super) fn read_measured(
    path: &Path,
    sensors: &[&Name],
    quantity: &Name,
    good: impl Fn(f64) -> bool,
) -> anyhow::Result<Vec<Labelled>> {
    let shown = path.display();
    if path.is_dir() {
        bail!("{shown} is a folder; what was measured stands in a CSV list with the columns image and {quantity}");
    }
    let set = list(path, sensors, Some(Asked { quantity, good: &good }))?;
    if set.is_empty() {
        bail!("{shown} holds no labelled image");
    }
    Ok(set)
}

/// The quantity that a list is asked for, and which values of it are good.
#[derive(Clone, Copy)]
struct Asked<'a> {
    quantity: &'a Name,
    good: &'a dyn Fn(f64) -> bool,
}

/// Every row of a CSV list; paths are relative to the list.
fn list(path: &Path, sensors: &[&Name], asked: Option<Asked<'_>>) -> anyhow::Result<Vec<Labelled>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let header = reader.headers()?.clone();
    let columns = Columns::of(&header, sensors, asked).with_context(|| path.display().to_string())?;
    let base = path.parent().unwrap_or(Path::new(""));
    let row = |record: csv::Result<csv::StringRecord>| {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        columns.row(&record, base).with_context(|| format!("{} line {line}", path.display()))
    };
    reader.records().map(row).collect()
}

/// Where the columns of a list stand.
struct Columns<'a> {
    image: usize,
    truth: Option<usize>,
    measured: Option<(usize, Asked<'a>)>,
    class: Option<usize>,
    batch: Option<usize>,
    sensors: Vec<(usize, Name, String)>,
}

impl<'a> Columns<'a> {
    fn of(header: &csv::StringRecord, known: &[&Name], asked: Option<Asked<'a>>) -> anyhow::Result<Self> {
        let place = |wanted: &str| header.iter().position(|column| column == wanted);
        let measured = asked.map(|asked| (place(asked.quantity.as_str()), asked));
        let second = measured.map_or("truth", |(_, asked)| asked.quantity.as_str());
        let (Some(image), truth, Some(_)) = (place("image"), place("truth"), place(second)) else {
            bail!("the first line must name the columns image and {second}; it is {header:?}");
        };
        let measured = measured.and_then(|(at, asked)| Some((at?, asked)));
        let (class, batch) = (place("class"), place("batch"));
        let own = [Some(image), truth, class, batch, measured.map(|(at, _)| at)];
        let further = header.iter().enumerate().filter(|(at, _)| !own.contains(&Some(*at)));
        let sensor = |(at, column): (usize, &str)| {
            let (sensor, key) =
                column.split_once('.').with_context(|| format!("column {column:?} is not sensor.key"))?;
            let Some(name) = known.iter().find(|name| name.as_str() == sensor) else {
                let known = listed(known.iter().map(|name| name.as_str()));
                bail!("column {column:?} names the sensor {sensor:?}, want one of the config's sensors: {known}");
            };
            Ok((at, Name::clone(name), key.to_owned()))
        };
        Ok(Self { image, truth, measured, class, batch, sensors: further.map(sensor).collect::<anyhow::Result<_>>()? })
    }

    fn row(&self, record: &csv::StringRecord, base: &Path) -> anyhow::Result<Labelled> {
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let measured = self.measured.map(|(at, asked)| {
            let value = field(at).parse().ok().filter(|value: &f64| value.is_finite());
            let value = value.with_context(|| format!("{} is {:?}, want a number", asked.quantity, field(at)))?;
            anyhow::Ok((value, !(asked.good)(value)))
        });
        let measured = measured.transpose()?;
        let defective = match (self.truth.map(field), measured) {
            (None, Some((_, outside))) => outside,
            (Some("good"), _) => false,
            (Some("defective"), _) => true,
            (other, _) => bail!("truth is {:?}, want good or defective", other.unwrap_or_default()),
        };
        if let Some((value, outside)) = measured.filter(|(_, outside)| *outside != defective) {
            let side = if outside { "outside of" } else { "within" };
            bail!("the value {value} lies {side} the limits, which its column truth contradicts");
        }
        let measured = measured.map(|(value, _)| value);
        let mut sensors: BTreeMap<Name, BTreeMap<String, Value>> = BTreeMap::new();
        for (at, sensor, key) in self.sensors.iter().filter(|(at, _, _)| !field(*at).is_empty()) {
            sensors.entry(sensor.clone()).or_default().insert(key.clone(), Value::parse(field(*at)));
        }
        let class = self.class.map(field).filter(|class| !class.is_empty()).map(Name::new).transpose()?;
        let batch = self.batch.map(field).filter(|batch| !batch.is_empty()).map(str::to_owned);
        Ok(Labelled {
            image: base.join(field(self.image)),
            defective,
            class,
            measured,
            batch,
            corruption: None,
            sensors,
        })
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
    fn classes_are_folders_the_good_one_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["crack/a.png", "good/b.png", "good/c.png", ".cache/d.png", "stain/thumbnails/e.png"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let told = classes(folder.path()).unwrap();
        let counts: Vec<(&str, usize)> = told.iter().map(|(name, images)| (name.as_str(), images.len())).collect();
        assert_eq!(counts, [("good", 2), ("crack", 1), ("stain", 0)]);
        fs::remove_dir_all(folder.path().join("good")).unwrap();
        let told = classes(folder.path()).unwrap_err().to_string();
        assert!(
            told.ends_with("holds the folders [`crack`, `stain`], want good/ and one for each kind of defect"),
            "{told}"
        );
        let list = folder.path().join("list.csv");
        fs::write(&list, "image,truth\na.png,defective\n").unwrap();
        let told = classes(&list).unwrap();
        assert_eq!((told[0].1.len(), told[1].0.as_str(), told[1].1.len()), (0, "defective", 1));
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
