//! The figures of `kenpin bench`, the table and the JSON.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::clocks::Clocks;
use super::floors;
use crate::config::{Member, Panel, Settings, Station};
use crate::flow::Placement;
use crate::learn::metrics::percentile;
use crate::name::Name;

/// One round: floors, then the road.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) floors: floors::Round,
    /// Per part.
    pub(super) road: Clocks,
}

/// A figure over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Figure {
    median: f64,
    least: f64,
    most: f64,
}

/// CPU milliseconds of one model's floors.
#[derive(Debug, Serialize)]
struct Floor {
    model: Name,
    /// Where the floor's session runs.
    placement: Placement,
    prepare_ms: Option<Figure>,
    run_ms: Figure,
}

/// What `kenpin bench --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: &'static str,
    rounds: usize,
    /// Parts on the road, all rounds together.
    parts: u64,
    /// CPU milliseconds of reading and decoding a frame, by camera.
    decode_ms: BTreeMap<Name, Figure>,
    models: Vec<Floor>,
    /// CPU milliseconds of the sum of the floors of a part; none where not every part asks every model the same.
    floors_ms: Option<Figure>,
    /// CPU milliseconds of a part, end to end.
    cpu_ms: Figure,
    /// By thread, where the kernel tells.
    threads_ms: BTreeMap<String, Figure>,
    /// Wall milliseconds from one verdict to the next.
    wall_ms: Figure,
    /// CPU time of a part over the sum of its floors, round by round.
    ratio: Option<Figure>,
    /// What the config has and was left out.
    left_out: Vec<String>,
}

impl Report {
    /// Works the figures out of at least one round.
    pub(super) fn of(
        settings: &Settings,
        models: impl Iterator<Item = (Name, Placement)>,
        rounds: &[Round],
        parts: u64,
        left_out: Vec<String>,
    ) -> Self {
        let over = |figure: &dyn Fn(&Round) -> Option<f64>| Figure::of(rounds.iter().filter_map(figure));
        let decode = |(place, camera): (usize, &Name)| {
            Some((camera.clone(), over(&|round| round.floors.decode.get(place).copied())?))
        };
        let models: Vec<(Name, Placement)> = models.collect();
        let names: Vec<Name> = models.iter().map(|(name, _)| name.clone()).collect();
        let floor = |(place, (model, placement)): (usize, (Name, Placement))| {
            let run = over(&|round| Some(round.floors.models.get(place)?.run))?;
            let prepare = over(&|round| round.floors.models.get(place)?.prepare);
            Some(Floor { model, placement, prepare_ms: prepare, run_ms: run })
        };
        let asked = asked(settings);
        let sum = |round: &Round| sum(&round.floors, &names, asked.as_ref()?);
        let mut threads: Vec<&String> = rounds.iter().flat_map(|round| round.road.threads.keys()).collect();
        threads.sort();
        threads.dedup();
        let thread = |name: &String| Some((name.clone(), over(&|round| round.road.threads.get(name).copied())?));
        let zero = Figure { median: 0.0, least: 0.0, most: 0.0 };
        Self {
            schema: "kenpin.bench-config/1",
            rounds: rounds.len(),
            parts,
            decode_ms: settings.cameras.keys().enumerate().filter_map(decode).collect(),
            models: models.into_iter().enumerate().filter_map(floor).collect(),
            floors_ms: over(&sum),
            cpu_ms: over(&|round| Some(round.road.cpu)).unwrap_or(zero),
            threads_ms: threads.into_iter().filter_map(thread).filter(|(_, figure)| figure.most >= 5e-4).collect(),
            wall_ms: over(&|round| Some(round.road.wall)).unwrap_or(zero),
            ratio: over(&|round| Some(round.road.cpu / sum(round)?)),
            left_out,
        }
    }

    /// The tables for people.
    pub(super) fn text(&self) -> String {
        let mut floors = table("floors, CPU ms");
        for (camera, figure) in &self.decode_ms {
            row(&mut floors, &format!("decode a frame of {camera}"), Some(figure));
        }
        for Floor { model, placement, prepare_ms, run_ms } in &self.models {
            row(&mut floors, &format!("prepare pixels for {model}"), prepare_ms.as_ref());
            row(&mut floors, &format!("run {model} ({}, {})", placement.backend, placement.provider), Some(run_ms));
        }
        row(&mut floors, "all floors of a part", self.floors_ms.as_ref());
        let mut road = table("the road, CPU ms a part");
        for (thread, figure) in &self.threads_ms {
            row(&mut road, &format!("{thread}: {}", duty(thread)), Some(figure));
        }
        row(&mut road, "all threads", Some(&self.cpu_ms));
        row(&mut road, "wall, verdict to verdict", Some(&self.wall_ms));
        let rate = 1e3 / self.wall_ms.median;
        let ratio = self.ratio.map_or_else(
            || "No ratio to the floors: not every part asks every model once for each frame.".into(),
            |ratio| format!("{:.3} x the floors ({:.3} to {:.3})", ratio.median, ratio.least, ratio.most),
        );
        let left_out = self.left_out.iter().fold(String::new(), |told, what| told + "\nLeft out: " + what);
        let Self { rounds, parts, .. } = self;
        format!(
            "{floors}\n{road}\n{rate:.1} parts/s; {ratio}\n{parts} parts in {rounds} rounds, floors and road in turn.{left_out}"
        )
    }
}

impl Figure {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        let at = |share| percentile(&values, share);
        Some(Self { median: at(0.5)?, least: at(0.0)?, most: at(1.0)? })
    }
}

/// How often each model is asked about a part, where every part asks the same: one route to a panel whose members look at
/// whole frames whatever others say.
fn asked(settings: &Settings) -> Option<BTreeMap<Name, f64>> {
    let [route] = settings.routes.as_slice() else { return None };
    let Station::Panel(Panel { members, .. }) = &route.station else { return None };
    if !route.when.is_empty() || members.iter().any(|member| member.crops.is_some() || member.unless_sure.is_some()) {
        return None;
    }
    let frames = f64::from(u32::try_from(settings.cameras.len()).ok()?);
    let mut asked = BTreeMap::new();
    for Member { model, camera, .. } in members {
        *asked.entry(model.clone()).or_default() += if camera.is_some() { 1.0 } else { frames };
    }
    Some(asked)
}

/// The sum of the floors of one part; none where a model cannot be fed with a frame alone.
fn sum(floors: &floors::Round, models: &[Name], asked: &BTreeMap<Name, f64>) -> Option<f64> {
    let of = |(name, floor): (&Name, &floors::ModelFloor)| {
        Some((floor.prepare? + floor.run) * asked.get(name).copied().unwrap_or_default())
    };
    let models = models.iter().zip(&floors.models).map(of).sum::<Option<f64>>()?;
    Some(floors.decode.iter().sum::<f64>() + models)
}

/// What a thread does, by its name.
fn duty(thread: &str) -> &'static str {
    match thread {
        "journal" => "writes verdicts",
        "kenpin" => "joins, routes, fuses, judges",
        name if name.starts_with("camera-") => "reads and decodes",
        name if name.starts_with("model-") => "prepares, runs, reads the answer",
        _ => "beside the road",
    }
}

fn table(title: &str) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([title, "median", "least", "most"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(table: &mut Table, what: &str, figure: Option<&Figure>) {
    let number = |of: fn(&Figure) -> f64| figure.map_or_else(|| "-".into(), |figure| format!("{:.3}", of(figure)));
    table.add_row([what.to_owned(), number(|f| f.median), number(|f| f.least), number(|f| f.most)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use floors::ModelFloor;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn settings(routes: &str) -> Settings {
        let text = format!(
            "[device]\nid = \"d\"\n[cameras.left]\nkind = \"replay\"\npath = \"p\"\n[cameras.right]\nkind = \"replay\"\n\
             path = \"p\"\n[models.a]\nfolder = \"a\"\n[models.b]\nfolder = \"b\"\n{routes}"
        );
        config::settings("t", &[("t".into(), text)], &config::Surroundings::default()).unwrap()
    }

    const PANEL: &str =
        "[[routes]]\nname = \"all\"\nmembers = [{ model = \"a\" }, { model = \"b\", camera = \"left\" }]\n";

    fn round(cpu: f64) -> Round {
        let model = |run| ModelFloor { prepare: Some(1.0), run };
        let floors = floors::Round { decode: vec![2.0, 3.0], models: vec![model(4.0), model(9.0)] };
        let threads = [("camera-left".to_owned(), cpu / 2.0), ("idle".to_owned(), 0.0)].into();
        Round { floors, road: Clocks { cpu, wall: 20.0, threads } }
    }

    fn placed(model: &str) -> (Name, Placement) {
        let (backend, version, provider) = ("onnxruntime".into(), "1".into(), "cpu".into());
        (name(model), Placement { backend, version, provider, nodes: BTreeMap::new(), fallback: None })
    }

    #[test]
    fn the_floors_of_a_part_count_every_frame_and_every_question() {
        // Two frames decoded (2 + 3), a sees both (2 x 5), b sees one (10): 25.
        let rounds = [round(30.0), round(25.0), round(50.0)];
        let report = Report::of(&settings(PANEL), ["a", "b"].map(placed).into_iter(), &rounds, 12, vec!["x".into()]);
        assert_eq!(report.floors_ms, Some(Figure { median: 25.0, least: 25.0, most: 25.0 }));
        assert_eq!(report.ratio, Some(Figure { median: 1.2, least: 1.0, most: 2.0 }));
        assert_eq!(report.threads_ms.keys().collect::<Vec<_>>(), ["camera-left"], "who did nothing is not shown");
        let text = report.text();
        assert!(text.contains("50.0 parts/s; 1.200 x the floors (1.000 to 2.000)"), "{text}");
        assert!(text.contains("12 parts in 3 rounds") && text.ends_with("Left out: x"), "{text}");
    }

    #[test]
    fn there_is_no_ratio_where_parts_are_asked_about_differently() {
        let sure =
            "{ model = \"b\", required = false, unless_sure = { of = \"a\", pass_below = 0.1, reject_from = 0.9 } }";
        let cascade = format!("[[routes]]\nname = \"all\"\nmembers = [{{ model = \"a\" }}, {sure}]\n");
        let when = "when = [{ sensor = \"plc\", key = \"type\", equals = \"x\" }]";
        let first = PANEL.replace("members", &format!("{when}\nmembers"));
        let two = format!(
            "[sensors.plc]\nkind = \"stdin\"\n{first}[[routes]]\nname = \"other\"\nmembers = [{{ model = \"a\" }}]\n"
        );
        for routes in [cascade, two] {
            let report = Report::of(&settings(&routes), ["a", "b"].map(placed).into_iter(), &[round(9.0)], 4, vec![]);
            assert!(report.ratio.is_none() && report.floors_ms.is_none(), "{routes}");
            assert!(report.text().contains("No ratio to the floors"));
        }
    }
}
