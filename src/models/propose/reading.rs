//! What the outputs of a graph mean: the task, and which outputs it reads.

use super::hints::Exporter;
use super::sheet::{Line, line, texts};
use super::{Draft, Question, Refusal, detector, inputs, question};
use crate::models::graph::Port;

/// How a graph's outputs are read.
#[derive(Debug)]
pub(super) struct Reading<'g> {
    /// The task's name in passports.
    pub(super) task: &'static str,
    /// Why it is this task.
    pub(super) why: String,
    /// The keys of the task's table, for tasks that have one.
    pub(super) keys: Option<Vec<Line>>,
    /// The outputs, in the order in which the task reads them.
    pub(super) outputs: Vec<Output<'g>>,
    /// How many labels there are, for tasks that have labels.
    pub(super) labels: Option<usize>,
    /// What else should be known.
    pub(super) notes: Vec<String>,
}

/// An output that is read.
#[derive(Debug)]
pub(super) struct Output<'g> {
    pub(super) port: &'g Port,
    /// The activation and its reason.
    pub(super) activation: Option<(&'static str, String)>,
    /// Whether its first axis counts what was found, rather than frames.
    pub(super) listed: bool,
}

impl<'g> Reading<'g> {
    pub(super) fn new(task: &'static str, why: &str, outputs: Vec<Output<'g>>) -> Self {
        Self { task, why: why.to_owned(), keys: None, outputs, labels: None, notes: Vec::new() }
    }
}

/// An output whose numbers need no activation.
pub(super) const fn plain(port: &Port) -> Output<'_> {
    Output { port, activation: None, listed: false }
}

/// The tasks that `--task` knows.
const TASKS: &str = "classification, embedding, detection, segmentation, anomaly, regression, text-detection or \
                     text-recognition";

/// Ultralytics' words for tasks that Kenpin has none for.
const FOREIGN: [&str; 1] = ["pose"];

impl<'d> Draft<'d> {
    /// Works out the task and how its outputs are read.
    pub(super) fn reading(&self, asked: &mut Vec<Question>) -> Result<Reading<'d>, Refusal> {
        let impossible = |why: String| Err(Refusal::Impossible(why));
        if let Some(task) = self.hints.task.as_deref().filter(|task| FOREIGN.contains(task)) {
            return impossible(format!("the file is for Ultralytics' task `{task}`, which Kenpin does not read"));
        }
        if self.graph.outputs.iter().all(|port| port.element.is_none() || port.axes.is_none()) {
            return impossible(self.no_output());
        }
        match (self.given.task.as_deref().or_else(|| self.by_metadata()), self.by_shape()) {
            (Some(task), _) | (None, Some(task)) => self.of_task(task, asked),
            (None, None) => Err(Refusal::Asked(vec![question(
                "task",
                format!("what do the outputs {} mean? ({TASKS})", self.listed()),
                "",
            )])),
        }
    }

    fn of_task(&self, task: &str, asked: &mut Vec<Question>) -> Result<Reading<'d>, Refusal> {
        let impossible = |why: String| Err(Refusal::Impossible(why));
        match task {
            "classification" => self.classification(),
            "embedding" => self.single("embedding", |port| port.lengths().len() == 2),
            "detection" => detector::reading(self),
            "segmentation" => self.segmentation(),
            "anomaly" => self.anomaly(),
            "regression" => self.regression(),
            "text-detection" => self.text_detection(),
            "text-recognition" => self.text_recognition(asked),
            other => impossible(format!("there is no task {other:?}, want {TASKS}")),
        }
    }

    /// The task that the exporter's metadata names.
    fn by_metadata(&self) -> Option<&'static str> {
        match (self.hints.exporter, self.hints.task.as_deref()) {
            (Exporter::Ultralytics, Some("classify")) => Some("classification"),
            (Exporter::Ultralytics | Exporter::Yolov5, _) => Some("detection"),
            (Exporter::Anomalib, _) => Some("anomaly"),
            _ => None,
        }
    }

    /// The task that the shapes and names of inputs and outputs leave no doubt about.
    fn by_shape(&self) -> Option<&'static str> {
        let outputs = &self.graph.outputs;
        let named = |names: &[&str]| outputs.iter().any(|port| names.contains(&port.name.as_str()));
        let images = self.graph.inputs.iter().any(|port| inputs::image(port).is_some());
        let rank = |rank: usize| outputs.first().filter(|port| outputs.len() == 1 && port.lengths().len() == rank);
        if named(&["probabilities"]) || (!images && named(&["logits"])) {
            return Some("classification");
        }
        if named(&["variable"]) && self.hints.exporter == Exporter::ScikitLearn {
            return Some("regression");
        }
        if named(&["sentence_embedding", "pooler_output", "embedding", "embeddings"]) {
            return Some("embedding");
        }
        if !images {
            return None;
        }
        if self.hints.exporter == Exporter::Paddle && rank(3).is_some() {
            return Some("text-recognition");
        }
        if detector::looks_like_one(self) {
            return Some("detection");
        }
        let labels = self.given.labels.as_ref().map(Vec::len);
        let numbers = rank(2).and_then(|port| *port.lengths().last()?);
        let logits = named(&["logits", "probs", "scores", "softmax"]);
        let ends_so = rank(2).is_some_and(|port| port.made_by.as_deref() == Some("Softmax"));
        if numbers.is_some() && (labels == numbers || logits || ends_so) {
            return Some("classification");
        }
        rank(4).filter(|port| port.lengths().get(1).is_some_and(|axis| axis.is_some_and(|count| count > 1)))?;
        Some("segmentation")
    }

    fn listed(&self) -> String {
        self.graph.outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    fn no_output(&self) -> String {
        let why = if self.hints.exporter == Exporter::ScikitLearn {
            "; export with `options={\"zipmap\": False}`, so that probabilities come as numbers"
        } else {
            ""
        };
        format!("none of the outputs {} holds numbers that Kenpin reads{why}", self.listed())
    }

    /// The only output that fits, or the first that does.
    fn single(&self, task: &'static str, fits: impl Fn(&Port) -> bool) -> Result<Reading<'d>, Refusal> {
        let found = self.graph.outputs.iter().find(|port| port.element.is_some() && fits(port));
        let port = found.ok_or_else(|| {
            Refusal::Impossible(format!("none of the outputs {} fits the task {task}", self.listed()))
        })?;
        Ok(Reading::new(task, &format!("output \"{port}\""), vec![plain(port)]))
    }

    fn classification(&self) -> Result<Reading<'d>, Refusal> {
        let probabilities = self.graph.outputs.iter().find(|port| port.name == "probabilities");
        if let Some(port) = probabilities.filter(|port| port.element.is_none() || port.axes.is_none()) {
            let why =
                format!("output \"{}\" is a list of tables: export with `options={{\"zipmap\": False}}`", port.name);
            return Err(Refusal::Impossible(why));
        }
        let numbers = |port: &Port| port.lengths().len() == 2 && port.lengths().last().is_some_and(Option::is_some);
        let named = |port: &Port| numbers(port) && probabilities.is_none_or(|wanted| wanted.name == port.name);
        let mut reading = self.single("classification", named)?;
        let Some(output) = reading.outputs.first_mut() else { return Ok(reading) };
        let count = output.port.lengths().last().copied().flatten().unwrap_or_default();
        let single = count == 1;
        reading.labels = Some(if single { 2 } else { count });
        let made_by = output.port.made_by.as_deref().unwrap_or("an input");
        let learned = self.hints.exporter == Exporter::ScikitLearn || self.hints.exporter == Exporter::Ultralytics;
        output.activation = Some(match made_by {
            "Softmax" => ("none", "the graph ends in Softmax".to_owned()),
            "Sigmoid" if !single => {
                ("independent", "the graph ends in Sigmoid: labels that do not exclude each other".to_owned())
            }
            "Sigmoid" => ("none", "the graph ends in Sigmoid".to_owned()),
            _ if learned => ("none", "this exporter writes probabilities".to_owned()),
            other if single => ("sigmoid", format!("one number out of {other}: the logit of the second label")),
            other => ("softmax", format!("the graph ends in {other}: logits")),
        });
        Ok(reading)
    }

    fn segmentation(&self) -> Result<Reading<'d>, Refusal> {
        let mut reading = self.single("segmentation", |port| port.lengths().len() >= 3)?;
        let Some(output) = reading.outputs.first_mut() else { return Ok(reading) };
        let channels = output.port.lengths().get(1).copied().flatten().unwrap_or(1);
        reading.labels = Some(channels.max(2));
        output.activation = Some(match output.port.made_by.as_deref().unwrap_or("an input") {
            "Softmax" | "Sigmoid" => ("none", "the graph ends in probabilities".to_owned()),
            other if channels == 1 => ("sigmoid", format!("one channel out of {other}: the logit of the second label")),
            other => ("softmax", format!("the graph ends in {other}: logits")),
        });
        reading.keys =
            Some(vec![line("area_from", 0.0005, "assumed: 1/2000 of the frame; set it to the least flaw that counts")]);
        Ok(reading)
    }

    fn anomaly(&self) -> Result<Reading<'d>, Refusal> {
        let named = |name: &str| self.graph.outputs.iter().find(|port| port.name == name && port.element.is_some());
        let map_shaped = |port: &&Port| port.lengths().len() >= 3 && port.element.is_some();
        let map = named("anomaly_map").or_else(|| self.graph.outputs.iter().find(map_shaped));
        let score = named("pred_score");
        if map.is_none() && score.is_none() {
            let why = format!("none of the outputs {} is an anomaly score or map", self.listed());
            return Err(Refusal::Impossible(why));
        }
        let mut keys = Vec::new();
        keys.extend(score.map(|port| line("score", port.name.as_str(), "Anomalib's name for the score")));
        keys.extend(map.map(|port| line("map", port.name.as_str(), "the output that is a map")));
        let mut reading = Reading::new("anomaly", "", score.into_iter().chain(map).map(plain).collect());
        match &self.given.anomalib {
            Some(metadata) => keys.extend(normalisations(metadata, score.is_some())),
            None if score.is_none() => reading.notes.push(
                "the map is taken as 0 to 1 already; for raw scores add a `map_normalisation` with the threshold, minimum and \
                 maximum of validation"
                    .into(),
            ),
            None => {}
        }
        reading.keys = Some(keys);
        Ok(reading)
    }

    fn regression(&self) -> Result<Reading<'d>, Refusal> {
        let mut reading = self.single("regression", |port| port.lengths().len() == 2)?;
        let count = reading.outputs.first().and_then(|output| *output.port.lengths().last()?).unwrap_or(1);
        let written = self.given.labels.clone().unwrap_or_default();
        let name = |place: usize| written.get(place).cloned().unwrap_or_else(|| format!("value-{place}"));
        let names = super::classes::names(&(0..count.min(1024)).map(name).collect::<Vec<_>>());
        let values = names.into_iter().map(|name| {
            let mut table = toml_edit::InlineTable::new();
            table.insert("name", name.into());
            toml_edit::Value::from(table)
        });
        let why = "one name a number; add `at_least` and `at_most` where a value decides";
        reading.keys = Some(vec![line("values", values.collect::<toml_edit::Array>(), why)]);
        Ok(reading)
    }

    fn text_detection(&self) -> Result<Reading<'d>, Refusal> {
        let mut reading = self.single("text-detection", |port| port.lengths().len() == 4)?;
        reading.keys = Some(vec![
            line("pixel_from", 0.3, "usual for differentiable binarisation"),
            line("line_from", 0.5, "usual for differentiable binarisation"),
            line("grow", 1.6, "usual for differentiable binarisation"),
        ]);
        if let Some(output) = reading.outputs.first_mut() {
            output.activation = Some(ending(output.port, "sigmoid"));
        }
        Ok(reading)
    }

    fn text_recognition(&self, asked: &mut Vec<Question>) -> Result<Reading<'d>, Refusal> {
        let mut reading = self.single("text-recognition", |port| port.lengths().len() == 3)?;
        let classes = reading.outputs.first().and_then(|output| *output.port.lengths().last()?);
        let mut characters = self.given.labels.clone().unwrap_or_else(|| self.hints.labels.clone());
        // PaddleOCR's decoder adds the blank in front and, where there is one class more, a space behind.
        if classes == Some(characters.len() + 2) {
            characters.push(" ".into());
        }
        match classes {
            _ if characters.is_empty() => {
                asked.push(question("labels-file", "the characters by class, one a line, without the blank", ""));
            }
            Some(classes) if classes != characters.len() + 1 => {
                let seen = characters.len();
                return Err(Refusal::Impossible(format!(
                    "there are {seen} characters, and the graph answers with {classes} classes: one more than characters is \
                     wanted, for the blank"
                )));
            }
            _ => {}
        }
        let why = if self.given.labels.is_none() { "the exporter's metadata" } else { "" };
        let mut listed = toml_edit::InlineTable::new();
        listed.insert("listed", texts(&characters));
        reading.keys = Some(vec![line("characters", listed, why)]);
        if let Some(output) = reading.outputs.first_mut() {
            output.activation = Some(ending(output.port, "softmax"));
        }
        Ok(reading)
    }
}

/// `none` for a graph that ends in probabilities, else the activation that makes them.
fn ending(port: &Port, otherwise: &'static str) -> (&'static str, String) {
    match port.made_by.as_deref().unwrap_or("an input") {
        end @ ("Softmax" | "Sigmoid") => ("none", format!("the graph ends in {end}")),
        other => (otherwise, format!("the graph ends in {other}: logits")),
    }
}

/// What Anomalib 1.x keeps beside the graph to bring raw scores to 0 to 1.
fn normalisations(metadata: &serde_json::Value, with_score: bool) -> Vec<Line> {
    let number = |keys: [&str; 2]| keys.iter().find_map(|key| metadata.get(key)?.as_f64());
    let normalisation = |threshold: &str, kind: &str| {
        let mut table = toml_edit::InlineTable::new();
        table.insert("threshold", number([threshold, "threshold"])?.into());
        table.insert("minimum", number([&format!("{kind}.min"), "min"])?.into());
        table.insert("maximum", number([&format!("{kind}.max"), "max"])?.into());
        Some(table)
    };
    let why = "metadata.json beside the file";
    let score = normalisation("image_threshold", "pred_scores").filter(|_| with_score);
    let score = score.map(|table| line("score_normalisation", table, why));
    let map = normalisation("pixel_threshold", "anomaly_maps").map(|table| line("map_normalisation", table, why));
    score.into_iter().chain(map).collect()
}
