//! One simulated shift as a picture: temperature, rung, latency and missed parts of four policies, and how accuracy and heat
//! depend on what rungs really draw. With `cli/models/price/front.rs` the only file that touches `plotters`.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::simulate::board::Board;
use crate::simulate::policy::Kind;
use crate::simulate::scenario::Scenario;
use crate::simulate::shift::Moment;
use crate::simulate::trial::{Distribution, Trial};

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (1000, 1360);

/// The policies that are drawn and their inks.
const SHOWN: [(Kind, RGBColor); 4] = [
    (Kind::None, RGBColor(0xb0, 0x30, 0x30)),
    (Kind::Threshold, RGBColor(0x8a, 0x8a, 0x8a)),
    (Kind::Oracle, RGBColor(0xc4, 0x8a, 0x10)),
    (Kind::Governor, RGBColor(0x1f, 0x4e, 0x79)),
];

/// Seconds of a shift that become one point.
const BIN: usize = 60;

/// Factors on what rungs draw.
const FACTORS: [f64; 7] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3];

/// Boards that are drawn for each factor, at most.
const DRAWS: u32 = 20;

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

/// A line of a panel.
struct Line {
    name: String,
    ink: RGBColor,
    points: Vec<(f64, f64)>,
}

/// What stands around the lines of a panel.
struct Panel<'p> {
    caption: &'p str,
    x: &'p str,
    y: &'p str,
    /// Where the lines are told by name.
    legend: Option<SeriesLabelPosition>,
}

/// Draws a shift of the first draw, and the dependence on power, as SVG.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn draw(trial: &Trial<'_>, scenario: &Scenario, path: &Path) -> anyhow::Result<()> {
    let mut svg = String::new();
    picture(trial, scenario, &mut svg).context("the shift cannot be drawn")?;
    std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
}

fn picture(trial: &Trial<'_>, scenario: &Scenario, svg: &mut String) -> anyhow::Result<()> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("Simulated, not measured: {}, {}, the first draw", trial.board.told, scenario.name);
    let root = root.titled(&title, ("sans-serif", 20))?;
    let rows = root.split_evenly((5, 1));
    let shifts: Vec<(Kind, RGBColor, Vec<Moment>)> =
        SHOWN.iter().map(|(kind, ink)| (*kind, *ink, moments(trial, scenario, *kind))).collect();
    let lines = |figure: &dyn Fn(&[Moment]) -> f64| -> Vec<Line> {
        let points = |moments: &[Moment]| {
            moments.chunks(BIN).enumerate().map(|(bin, moments)| (hours(bin), figure(moments))).collect()
        };
        shifts
            .iter()
            .map(|(kind, ink, moments)| Line { name: kind.name().into(), ink: *ink, points: points(moments) })
            .collect()
    };
    let most = |of: fn(&Moment) -> f64| move |moments: &[Moment]| moments.iter().map(of).fold(0.0, f64::max);
    let last = |of: fn(&Moment) -> f64| move |moments: &[Moment]| moments.last().map_or(0.0, of);
    let mut heat = lines(&most(|moment| moment.celsius));
    heat.push(level("trip", trial.board.throttle.trip_celsius, trial.seconds));
    heat.push(Line { name: "hall".into(), ..lines(&last(|moment| moment.hall)).swap_remove(0) });
    if let Some(hall) = heat.last_mut() {
        hall.ink = RGBColor(0x60, 0xa0, 0x60);
    }
    let names: Vec<&str> = trial.ladder.rungs().iter().map(|rung| rung.name.as_str()).collect();
    let rung =
        format!("rung (0 is {}, {} is {})", names.first().unwrap_or(&""), names.len() - 1, names.last().unwrap_or(&""));
    let panel = |caption, y, legend| Panel { caption, x: "hours", y, legend };
    let panels: [(Vec<Line>, Panel<'_>); 4] = [
        (heat, panel("chip, the most in each minute", "degrees Celsius", Some(SeriesLabelPosition::LowerRight))),
        (lines(&mean_rung), panel(&rung, "mean of the minute", None)),
        (lines(&most(|moment| moment.latency * 1e3)), panel("latency, the most in each minute", "milliseconds", None)),
        (lines(&last(|moment| moment.missed)), panel("missed parts so far", "parts", None)),
    ];
    for (area, (lines, panel)) in rows.iter().zip(&panels) {
        chart(area, lines, panel)?;
    }
    if let Some(area) = rows.last() {
        dependence(trial, scenario, area)?;
    }
    root.present()?;
    Ok(())
}

fn moments(trial: &Trial<'_>, scenario: &Scenario, kind: Kind) -> Vec<Moment> {
    let mut moments = Vec::new();
    trial.shift(scenario, 0, kind, |moment| moments.push(moment));
    moments
}

/// The place of the rung, as a mean: the oracle changes it within the minute.
#[expect(clippy::cast_precision_loss, reason = "places of a ladder and seconds of a minute")]
fn mean_rung(moments: &[Moment]) -> f64 {
    moments.iter().map(|moment| moment.rung as f64).sum::<f64>() / moments.len().max(1) as f64
}

fn level(name: &str, height: f64, seconds: u32) -> Line {
    Line { name: name.into(), ink: BLACK, points: vec![(0.0, height), (f64::from(seconds) / 3600.0, height)] }
}

#[expect(clippy::cast_precision_loss, reason = "minutes of a shift")]
fn hours(bin: usize) -> f64 {
    (bin * BIN) as f64 / 3600.0
}

/// Accuracy and seconds above the trip where rungs draw another power than is assumed.
fn dependence(trial: &Trial<'_>, scenario: &Scenario, area: &Area<'_>) -> anyhow::Result<()> {
    let kinds = [
        ("governor with a power monitor", Kind::Governor, true, SHOWN[3].1),
        ("without one", Kind::Governor, false, RGBColor(0x60, 0xa0, 0xd8)),
        ("oracle", Kind::Oracle, true, SHOWN[2].1),
    ];
    let (mut right, mut above) = (Vec::new(), Vec::new());
    for (name, kind, monitor, ink) in kinds {
        let line = || Line { name: name.into(), ink, points: Vec::new() };
        let (mut accuracy, mut seconds) = (line(), line());
        for factor in FACTORS {
            let mut board: Board = trial.board.clone();
            board.power.factor *= factor;
            let trial = Trial { board: &board, monitor, draws: trial.draws.min(DRAWS), ..*trial };
            let outcomes = trial
                .run(std::slice::from_ref(scenario), &[kind], || ())
                .into_iter()
                .flatten()
                .next()
                .unwrap_or_default();
            accuracy.points.push((factor, Distribution::of(&outcomes, |outcome| outcome.expected_accuracy).mean));
            seconds
                .points
                .push((factor, Distribution::of(&outcomes, |outcome| outcome.seconds_above_trip.into()).mean));
        }
        right.push(accuracy);
        above.push(seconds);
    }
    let halves = area.split_evenly((1, 2));
    let x = "power of the rungs over what is assumed";
    let accuracy = Panel {
        caption: "expected accuracy, mean of draws",
        x,
        y: "of parts right",
        legend: Some(SeriesLabelPosition::LowerLeft),
    };
    let seconds = Panel { caption: "seconds above the trip, mean of draws", x, y: "seconds", legend: None };
    for (area, (lines, panel)) in halves.iter().zip([(&right, &accuracy), (&above, &seconds)]) {
        chart(area, lines, panel)?;
    }
    Ok(())
}

fn chart(area: &Area<'_>, lines: &[Line], panel: &Panel<'_>) -> anyhow::Result<()> {
    let grey = |level| RGBColor(level, level, level);
    let (across, up) = (range(lines, |point| point.0, 0.0), range(lines, |point| point.1, 0.06));
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(38)
        .y_label_area_size(64)
        .caption(panel.caption, ("sans-serif", 15))
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(grey(0xe4))
        .axis_style(grey(0x60))
        .x_desc(panel.x)
        .y_desc(panel.y)
        .y_labels(6)
        .y_label_formatter(&|number| format!("{}", (number * 1e4).round() / 1e4))
        .x_label_formatter(&|number| format!("{number:.1}"))
        .label_style(("sans-serif", 13))
        .draw()?;
    for Line { name, ink, points } in lines {
        let ink = *ink;
        let series = chart.draw_series(LineSeries::new(points.iter().copied(), ink.stroke_width(2)))?;
        series.label(name.as_str()).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], ink.stroke_width(2)));
    }
    if let Some(place) = panel.legend.clone() {
        chart
            .configure_series_labels()
            .position(place)
            .background_style(WHITE.mix(0.85))
            .label_font(("sans-serif", 13))
            .draw()?;
    }
    Ok(())
}

/// From the least to the greatest, and a share of that more at both ends.
fn range(lines: &[Line], figure: impl Fn(&(f64, f64)) -> f64, more: f64) -> Range<f64> {
    let all = || lines.iter().flat_map(|line| line.points.iter().map(&figure));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let span = if high - low > 1e-6 { high - low } else { 1.0 };
    if low.is_finite() { low - span * more..(low + span) + span * more } else { 0.0..1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::board::ORIN_NANO;
    use crate::simulate::rungs::{EXAMPLE, Rungs};

    #[test]
    fn the_picture_says_what_it_is_and_names_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shift.svg");
        let board = Board::read(ORIN_NANO).unwrap();
        let (ladder, settings) = (Rungs::read(EXAMPLE, &board).unwrap().ladder, board.settings());
        let trial = Trial {
            board: &board,
            ladder: &ladder,
            settings: &settings,
            seconds: 1200,
            draws: 1,
            seed: 1,
            monitor: true,
        };
        draw(&trial, &Scenario::named("ambient-50").unwrap(), &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for wanted in [
            "Simulated, not measured",
            "ambient-50",
            "governor",
            "oracle",
            "trip",
            "hall",
            "missed parts so far",
            "without one",
            "0 is elpv-ensemble",
        ] {
            assert!(svg.contains(wanted), "{wanted}");
        }
    }

    #[test]
    fn a_range_holds_all_points_and_is_never_empty() {
        let line = |points: &[(f64, f64)]| vec![Line { name: String::new(), ink: BLACK, points: points.to_vec() }];
        assert_eq!(range(&line(&[(0.0, 2.0), (4.0, 12.0)]), |point| point.1, 0.1), 1.0..13.0);
        assert_eq!(range(&line(&[(0.0, 0.0)]), |point| point.1, 0.0), 0.0..1.0);
        assert_eq!(range(&[], |point| point.1, 0.1), 0.0..1.0);
    }
}
