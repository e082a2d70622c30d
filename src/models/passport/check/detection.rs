//! What must fit together in a detector: its head, the outputs that it reads, its labels, suppression and masks.

use crate::config::document::Path;
use crate::config::findings::{Findings, advice};
use crate::models::passport::detection::{BoxUnit, Column, Detection, Distribution, Head, Level, Masks};
use crate::models::passport::{Activation, Input, Output, Passport};
use crate::task::detection::rows::is_complete;

/// Finds what is wrong with a detector's passport.
pub(super) fn check(task: &Detection, passport: &Passport, findings: &mut Findings<'_>) {
    let mut check = Check { passport, task, findings, table: Path::of(&["task", "detection"]) };
    check.head();
    check.suppression();
    check.masks();
    if passport.images().is_empty() {
        let message = "none of the `inputs` is fed with pixels".to_owned();
        check.findings.value(&Path::of(&["inputs"]), message, "want one of `kind = \"image\"`: boxes lie in a picture");
    }
}

struct Check<'c, 'd> {
    passport: &'c Passport,
    task: &'c Detection,
    findings: &'c mut Findings<'d>,
    table: Path,
}

impl<'c> Check<'c, '_> {
    fn classes(&self) -> usize {
        self.passport.labels.names.len()
    }

    /// The path of a key of the head's table.
    fn key(&self, key: &str) -> Path {
        self.table.then("head").then(self.task.head.as_str()).then(key)
    }

    fn head(&mut self) {
        let classes = self.classes();
        match &self.task.head {
            Head::Yolov5 => self.single(&[("boxes", None), ("5 + labels", Some(5 + classes))], 1),
            Head::Yolov8 => self.single(&[("4 + labels", Some(4 + classes)), ("boxes", None)], 0),
            Head::Yolov8Obb => self.single(&[("4 + labels + 1", Some(5 + classes)), ("boxes", None)], 0),
            Head::EndToEnd => self.single(&[("boxes", None), ("6", Some(6))], 1),
            Head::BoxesScores(head) => {
                let classes = classes + usize::from(head.background.is_some());
                if head.boxes == head.scores {
                    self.scores(&head.scores, &self.key("scores"), Some(4 + classes));
                } else {
                    self.named(&head.boxes, &self.key("boxes"), Some(4));
                    self.scores(&head.scores, &self.key("scores"), Some(classes));
                }
                self.unit(head.unit);
            }
            Head::BoxesLabelsScores(head) => {
                self.named(&head.boxes, &self.key("boxes"), Some(4));
                for (name, key) in
                    [(Some(&head.labels), "labels"), (Some(&head.scores), "scores"), (head.count.as_ref(), "count")]
                {
                    if let Some(name) = name {
                        self.named(name, &self.key(key), None);
                    }
                }
                self.unit(head.unit);
            }
            Head::Rows(head) => {
                let wanted = self.task.masks.is_none().then_some(head.columns.len());
                self.named(&head.output, &self.key("output"), wanted);
                if let Some(count) = &head.count {
                    self.named(count, &self.key("count"), None);
                }
                self.columns(&head.columns);
                self.unit(head.unit);
            }
            Head::Distribution(head) => self.distribution(head),
        }
    }

    /// The first output as `[1, ...]`; on the axis `exact` there may be more numbers where coefficients of masks follow.
    fn single(&mut self, axes: &[(&str, Option<usize>); 2], exact: usize) {
        let Some(output) = self.passport.outputs.first() else { return };
        let more = matches!(self.task.masks, Some(Masks::Prototypes(_)));
        let fits = |index: usize, seen: usize| match axes[index].1 {
            _ if seen == 0 => true,
            None => true,
            Some(wanted) if more && index == exact => seen > wanted,
            Some(wanted) => seen == wanted,
        };
        let sound = match output.shape.as_slice() {
            &[batch, first, second] => batch <= 1 && fits(0, first) && fits(1, second),
            _ => false,
        };
        if !sound {
            let text = |index: usize| {
                let (name, number) = axes[index];
                let more = if more && index == exact { " + coefficients" } else { "" };
                number.map_or_else(|| name.to_owned(), |number| format!("{number}{more}"))
            };
            let named = axes.map(|(name, _)| name).join(", ");
            let help = format!("the head \"{}\" is [1, {named}]", self.task.head.as_str());
            self.shape(0, output, &format!("[1, {}, {}]", text(0), text(1)), &help);
        }
        self.no_softmax(0, output);
    }

    fn shape(&mut self, index: usize, output: &Output, wanted: &str, help: &str) {
        let path = Path::of(&["outputs"]).then(index).then("shape");
        let message = format!("{} is {:?}", self.findings.document().describe(&path), output.shape);
        let labels = self.classes();
        let note = self.findings.value(&path, message, format!("want {wanted} for the {labels} labels"));
        note.help(format!("{help}; 0 stands for an axis that differs from run to run"));
    }

    /// A softmax over labels needs them in an output of their own.
    fn no_softmax(&mut self, index: usize, output: &Output) {
        if output.activation == Some(Activation::Softmax) {
            let path = Path::of(&["outputs"]).then(index).then("activation");
            let message = format!("{} is \"softmax\"", self.findings.document().describe(&path));
            self.findings.value(
                &path,
                message,
                "want \"none\" or \"sigmoid\": the scores do not stand alone in the output",
            );
        }
    }

    /// An output that exists and has `columns` numbers on its last axis.
    fn named(&mut self, name: &str, path: &Path, columns: Option<usize>) -> Option<(usize, &'c Output)> {
        let found = self.passport.outputs.iter().enumerate().find(|(_, output)| output.name == name);
        let Some((index, output)) = found else {
            let message =
                format!("{} is {name:?}, which is not among the `outputs`", self.findings.document().describe(path));
            let known: Vec<&str> = self.passport.outputs.iter().map(|output| output.name.as_str()).collect();
            self.findings.value(path, message, "want the name of an output").help(advice(name, known));
            return None;
        };
        if let (Some(wanted), Some(&seen)) = (columns, output.shape.last())
            && seen != wanted
            && seen != 0
        {
            let help = format!("`{}` is read from this output", path.last().unwrap_or_default());
            self.shape(index, output, &format!("{wanted} on the last axis"), &help);
        }
        Some((index, output))
    }

    /// An output of scores: `columns` of them for each box, and said what they are.
    fn scores(&mut self, name: &str, path: &Path, columns: Option<usize>) {
        let Some((index, output)) = self.named(name, path, columns) else { return };
        if output.activation.is_none() {
            let path = Path::of(&["outputs"]).then(index).then("activation");
            self.findings
                .missing(&path, "")
                .help("what makes probabilities of the scores: \"softmax\", \"sigmoid\" or \"none\"");
        }
    }

    /// Only a graph that is told about the frame can answer in its pixels.
    fn unit(&mut self, unit: BoxUnit) {
        let told = self.passport.inputs.iter().any(|input| matches!(input, Input::FrameSize(_)));
        if unit == BoxUnit::FramePixels && !told {
            let path = self.key("unit");
            let message = format!(
                "{} is \"frame-pixels\", but the graph is not told the frame's size",
                self.findings.document().describe(&path)
            );
            self.findings
                .value(&path, message, "want \"input-pixels\" or \"normalised\"")
                .help("\"frame-pixels\" belongs to a graph with an input of `kind = \"frame-size\"`");
        }
    }

    fn columns(&mut self, columns: &[Column]) {
        let path = self.key("columns");
        for (index, column) in columns.iter().enumerate() {
            if *column != Column::Unread && columns[..index].contains(column) {
                let message = format!("{} has a column twice", self.findings.document().describe(&path));
                self.findings.value(&path.then(index), message, "want each only once, but for \"unread\"");
            }
        }
        if !is_complete(columns) {
            let message = format!("{} make no box with a score and a label", self.findings.document().describe(&path));
            self.findings.value(&path, message, "want \"score\", \"label\" and the four numbers of a box").help(
                "a box is left, top, right, bottom; or centre-x, centre-y, width, height, which can have an angle; or left, \
                 top, width, height",
            );
        }
    }

    fn distribution(&mut self, head: &Distribution) {
        for (index, level) in head.levels.iter().enumerate() {
            let path = self.key("levels").then(index);
            let joined = level.scores == level.boxes;
            let classes = self.classes();
            self.scores(&level.scores, &path.then("scores"), (!joined).then_some(classes));
            let Some((output_index, output)) = self.named(&level.boxes, &path.then("boxes"), None) else { continue };
            let bins = output.shape.last().map_or(0, |&seen| seen.saturating_sub(if joined { classes } else { 0 }));
            if output.shape.last() != Some(&0) && (bins < 8 || bins % 4 != 0) {
                let wanted = if joined { format!("{classes} + 4 * bins") } else { "4 * bins".to_owned() };
                let help = "a distance is a distribution over two bins or more, for each of the four edges";
                self.shape(output_index, output, &format!("{wanted} on the last axis"), help);
            }
            self.cells(head, level, output_index, output);
        }
    }

    /// As many rows as the grids of an output have cells.
    fn cells(&mut self, head: &Distribution, level: &Level, index: usize, output: &Output) {
        let images = self.passport.images();
        let (Some((height, width, _)), &[.., rows, _]) =
            (images.first().map(crate::models::passport::ImageInput::height_width_channels), output.shape.as_slice())
        else {
            return;
        };
        let cells = |stride: u32| height.div_ceil((stride as usize).max(1)) * width.div_ceil((stride as usize).max(1));
        let sharing = head.levels.iter().filter(|other| other.boxes == level.boxes);
        let wanted: usize = sharing.map(|other| cells(other.stride)).sum();
        if rows != 0 && rows != wanted {
            let help = format!(
                "at stride {} the input of {width} by {height} has {} cells",
                level.stride,
                cells(level.stride)
            );
            self.shape(index, output, &format!("{wanted} rows"), &help);
        }
    }

    fn suppression(&mut self) {
        if self.task.across_labels && self.task.overlap_up_to.is_none() {
            let path = self.table.then("across_labels");
            let message = format!("{} is true, but nothing is suppressed", self.findings.document().describe(&path));
            self.findings.key(&path, message, "belongs to `overlap_up_to`");
        }
        let turned = match &self.task.head {
            Head::Yolov8Obb => true,
            Head::Rows(rows) => rows.columns.contains(&Column::Angle),
            _ => false,
        };
        if !self.task.oriented_overlap.is_exact() && (!turned || self.task.overlap_up_to.is_none()) {
            let path = self.table.then("oriented_overlap");
            let nothing = if turned { "nothing is suppressed" } else { "the boxes of this head have no angle" };
            let message = format!("{} is \"probiou\", but {nothing}", self.findings.document().describe(&path));
            self.findings.key(&path, message, "belongs to oriented boxes with `overlap_up_to`");
        }
        if self.task.every_label && !self.task.head.scores_labels() {
            let path = self.table.then("every_label");
            let head = self.task.head.as_str();
            let message = format!(
                "{} is true, but \"{head}\" gives one label for each box",
                self.findings.document().describe(&path)
            );
            self.findings.key(&path, message, "belongs to heads that score each label");
        }
    }

    fn masks(&mut self) {
        let (name, key) = match &self.task.masks {
            None => return,
            Some(Masks::Prototypes(name)) => (name, "prototypes"),
            Some(Masks::InBox(name)) => (name, "in-box"),
        };
        let table = self.table.then("masks");
        let path = table.then(key);
        let carries = matches!(self.task.head, Head::Yolov5 | Head::Yolov8 | Head::EndToEnd | Head::Rows(_));
        if key == "prototypes" && !carries {
            let head = self.task.head.as_str();
            let message = format!(
                "{} needs coefficients, which \"{head}\" does not have",
                self.findings.document().describe(&path)
            );
            self.findings.value(&path, message, "belongs to \"yolov5\", \"yolov8\", \"end-to-end\" or \"rows\"");
        }
        let Some((index, output)) = self.named(name, &path, None) else { return };
        if !(3..=4).contains(&output.shape.len()) {
            self.shape(index, output, "[1, masks, height, width]", "masks are grids");
        }
    }
}
