//! Labelled boxes on disk, as Ultralytics has them: `images/` with pictures beside `labels/` with one text file a picture; and
//! what the numbers in those files mean.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::cli::fit::scores::voters;
use crate::cli::labelled::pictures;
use crate::config::JpegScale;
use crate::config::findings::listed;
use crate::flow::acquire::decode::read_image;
use crate::flow::plan::{Member, Panel, Plan};
use crate::flow::pool::Pool;
use crate::learn::boxes::yolo;
use crate::models::passport::Labels as OfModel;
use crate::name::Name;

/// The file that says what the numbers mean, beside the pictures' folder or among the labels.
const CLASSES: &str = "classes.txt";

/// How many bad lines are told.
const TOLD: usize = 20;

/// One picture with its labelled boxes.
#[derive(Debug)]
pub(super) struct Boxed {
    /// The picture's file.
    pub(super) image: PathBuf,
    /// The text of its labels; `None` where it has no file.
    pub(super) text: Option<String>,
    /// Its boxes.
    pub(super) boxes: Vec<yolo::Labelled>,
}

impl Boxed {
    /// The text of its labels; empty where it has no file.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// What it is called without its ending.
    pub(super) fn stem(&self) -> String {
        stem(&self.image)
    }

    /// Its width and height in pixels.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn size(&self, pool: &Pool) -> anyhow::Result<(u32, u32)> {
        let image = read_image(&self.image, JpegScale::Whole, pool).map_err(anyhow::Error::msg);
        let image = image.with_context(|| self.image.display().to_string())?;
        Ok((image.width(), image.height()))
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The labels that pictures and members share.
pub(super) struct Labels {
    /// Their names: first those that the label files count, then what else the members know.
    pub(super) names: Vec<Name>,
    /// How many of them the label files count.
    counted: usize,
    /// Those that are defects.
    pub(super) defects: BTreeSet<usize>,
}

impl Labels {
    /// The labels of the voting members of a panel, under the names they share, in the order in which the label files of a set
    /// count them: as in its `classes.txt`, else as in the members' passports, which must then agree.
    ///
    /// # Errors
    /// When the file cannot be read or names what no member finds, or there is none and the passports differ.
    pub(super) fn of(set: &Path, plan: &Plan, panel: &Panel) -> anyhow::Result<Self> {
        let of_member = |(_, member): (usize, &Member)| {
            let OfModel { names, defects } = &plan.model(member.model).passport.labels;
            let shared = |names: &[Name]| names.iter().map(|name| shared(member, name)).collect::<Vec<Name>>();
            (shared(names), shared(defects))
        };
        let members: Vec<(Vec<Name>, Vec<Name>)> = voters(panel).map(of_member).collect();
        let known: BTreeSet<&Name> = members.iter().flat_map(|(names, _)| names).collect();
        let folders = Folders::of(set)?;
        let file = [folders.above.join(CLASSES), folders.labels.join(CLASSES)].into_iter().find(|path| path.is_file());
        let mut names = if let Some(path) = &file {
            classes(path, &known)?
        } else {
            let wanted = folders.above.join(CLASSES);
            agreed(members.iter().map(|(names, _)| names.as_slice()), &wanted)?
        };
        let counted = names.len();
        let further: Vec<Name> = known.into_iter().filter(|name| !names.contains(name)).cloned().collect();
        names.extend(further);
        let is_defect = |name: &Name| members.iter().any(|(_, defects)| defects.contains(name));
        let defects = names.iter().enumerate().filter(|(_, name)| is_defect(name)).map(|(place, _)| place).collect();
        Ok(Self { names, counted, defects })
    }

    /// The place of what a member calls by this name.
    pub(super) fn place(&self, member: &Member, label: &Name) -> Option<usize> {
        let name = shared(member, label);
        self.names.iter().position(|known| *known == name)
    }
}

/// The labels as every member counts them; where they do not agree, the file that is `wanted` must say it.
fn agreed<'n>(mut members: impl Iterator<Item = &'n [Name]>, wanted: &Path) -> anyhow::Result<Vec<Name>> {
    let first = members.next().context("no member votes")?;
    if let Some(other) = members.find(|names| *names != first) {
        let [first, other] = [first, other].map(|names| listed(names.iter().map(Name::as_str)));
        bail!(
            "the members count their labels differently, [{first}] and [{other}]: say what the numbers of the label files mean in {}, \
             one name a line",
            wanted.display()
        );
    }
    Ok(first.to_vec())
}

/// What the members of a panel together call a label of one of them.
fn shared(member: &Member, label: &Name) -> Name {
    member.rename.get(label).unwrap_or(label).clone()
}

/// Reads what the numbers mean, one name a line.
fn classes(path: &Path, known: &BTreeSet<&Name>) -> anyhow::Result<Vec<Name>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let mut names: Vec<Name> = Vec::new();
    for (place, line) in text.trim_end().lines().enumerate() {
        let name = Name::new(line.trim()).with_context(|| format!("{shown} line {}", place + 1))?;
        ensure!(!names.contains(&name), "{shown} line {}: {name} stands there twice", place + 1);
        names.push(name);
    }
    let unknown = names.iter().find(|name| !known.contains(name));
    if let Some(name) = unknown {
        let known = listed(known.iter().map(|name| name.as_str()));
        bail!("{shown} names {name}, which no voting member finds; they find [{known}], see `rename` of a member");
    }
    Ok(names)
}

/// Where the parts of a set lie.
struct Folders {
    /// The folder that holds the other two, or what is above `images` where a folder in that is given.
    above: PathBuf,
    images: PathBuf,
    labels: PathBuf,
}

impl Folders {
    /// The folders of a set: one that holds `images` and `labels`, or a folder in `images`, to which that of the same name in
    /// `labels` belongs.
    fn of(set: &Path) -> anyhow::Result<Self> {
        let shown = set.display();
        if set.join("images").is_dir() {
            let (images, labels) = (set.join("images"), set.join("labels"));
            ensure!(labels.is_dir(), "{shown} holds images/ and no labels/, want both");
            return Ok(Self { above: set.into(), images, labels });
        }
        let parts: Vec<Component<'_>> = set.components().collect();
        let place = parts.iter().rposition(|part| part.as_os_str() == OsStr::new("images"));
        let Some((place, above)) = place.map(|place| (place, parts.iter().take(place).collect::<PathBuf>())) else {
            bail!(
                "labelled boxes are a folder with images/ and labels/, or a folder in such an images/; {shown} is neither"
            );
        };
        let within: PathBuf = parts.iter().skip(place + 1).collect();
        let labels = above.join("labels").join(within);
        ensure!(labels.is_dir(), "the labels of {shown} are wanted in {}, which is no folder", labels.display());
        Ok(Self { above, images: set.into(), labels })
    }
}

/// Reads every picture of a set with its boxes, in the order of the names.
///
/// # Errors
/// When a file cannot be read, labels belong to no picture, two pictures share theirs, or lines are no boxes: each with its file,
/// its line, what was seen and what was wanted.
pub(super) fn read(set: &Path, labels: &Labels) -> anyhow::Result<Vec<Boxed>> {
    let folders = Folders::of(set)?;
    let shown = folders.images.display();
    let images = pictures(&folders.images).with_context(|| format!("{shown} cannot be read"))?;
    ensure!(!images.is_empty(), "{shown} holds no picture; where they lie in folders inside of it, name one of those");
    let files = pictures(&folders.labels).with_context(|| folders.labels.display().to_string())?;
    let mut files: BTreeMap<String, PathBuf> = files
        .into_iter()
        .filter(|path| path.file_name() != Some(OsStr::new(CLASSES)))
        .map(|path| (stem(&path), path))
        .collect();
    let (mut boxed, mut bad): (Vec<Boxed>, Vec<String>) = (Vec::new(), Vec::new());
    for image in images {
        let twin = boxed.iter().find(|other| other.stem() == stem(&image));
        if let Some(twin) = twin {
            bail!(
                "{} and {} would share one file of labels, want names that differ",
                twin.image.display(),
                image.display()
            );
        }
        let file = files.remove(&stem(&image));
        let text = file
            .as_ref()
            .map(|path| std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display())));
        let text = text.transpose()?;
        let boxes = yolo::parse(text.as_deref().unwrap_or_default(), labels.counted);
        let path = file.unwrap_or_default();
        let boxes = boxes.unwrap_or_else(|lines| {
            bad.extend(lines.into_iter().map(|line| format!("{} {line}", path.display())));
            Vec::new()
        });
        boxed.push(Boxed { image, text, boxes });
    }
    bad.extend(files.values().map(|path| format!("{}: there is no picture of that name in {shown}", path.display())));
    if !bad.is_empty() {
        let further = bad.len().saturating_sub(TOLD);
        bad.truncate(TOLD);
        let more = if further > 0 { format!("\nand {further} more") } else { String::new() };
        bail!("{}{more}", bad.join("\n"));
    }
    Ok(boxed)
}
