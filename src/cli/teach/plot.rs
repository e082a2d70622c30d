//! Learning curves as a picture: balanced accuracy and area under the ROC curve over the examples a class.

use std::path::Path;

use anyhow::Context as _;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::learn::teach::curve::Point;
use crate::models::price::Estimate;

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (1200, 500);

/// The inks of the heads, in their order.
const INKS: [RGBColor; 4] =
    [RGBColor(0x1f, 0x4e, 0x79), RGBColor(0x4f, 0x8a, 0x5b), RGBColor(0x7a, 0x4f, 0x8a), RGBColor(0xc4, 0x6a, 0x10)];

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

/// Draws the points as SVG.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn draw(embedding: &str, points: &[Point], path: &Path) -> anyhow::Result<()> {
    let mut svg = String::new();
    picture(embedding, points, &mut svg).context("the curves cannot be drawn")?;
    std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
}

fn picture(embedding: &str, points: &[Point], svg: &mut String) -> anyhow::Result<()> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    curves(&left, (embedding, "balanced accuracy"), points, |point| point.balanced_accuracy)?;
    curves(&right, (embedding, "ROC AUC"), points, |point| Some(point.auc))?;
    area.present()?;
    Ok(())
}

/// One figure of every head, with its intervals as bars.
fn curves(
    area: &Area<'_>,
    (embedding, figure): (&str, &str),
    points: &[Point],
    of: fn(&Point) -> Option<Estimate>,
) -> anyhow::Result<()> {
    let most = points.iter().map(|point| point.examples).max().unwrap_or(1);
    let place = |point: &Point| log2(point.examples);
    let mut chart = ChartBuilder::on(area)
        .margin(20)
        .x_label_area_size(45)
        .y_label_area_size(60)
        .caption(format!("{embedding}: {figure}, 95 % over the draws"), ("sans-serif", 18))
        .build_cartesian_2d(-0.2..log2(most) + 0.2, 0.4..1.0)?;
    let mesh = &mut chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).x_desc("examples a class").y_desc(figure).x_labels(7);
    mesh.x_label_formatter(&|place| format!("{:.0}", place.exp2())).draw()?;
    let mut heads: Vec<&str> = points.iter().map(|point| point.head).collect();
    heads.sort_unstable();
    heads.dedup();
    for (head, ink) in heads.into_iter().zip(INKS.iter().cycle()) {
        let of_head: Vec<(f64, Estimate)> = points
            .iter()
            .filter(|point| point.head == head)
            .filter_map(|point| Some((place(point), of(point)?)))
            .collect();
        let line = LineSeries::new(of_head.iter().map(|(x, told)| (*x, told.value)), ink.stroke_width(2));
        let legend = move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], ink.stroke_width(2));
        chart.draw_series(line)?.label(head).legend(legend);
        let bar =
            |(x, told): &(f64, Estimate)| PathElement::new(vec![(*x, told.low), (*x, told.high)], ink.stroke_width(1));
        chart.draw_series(of_head.iter().map(bar))?;
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::LowerRight).background_style(WHITE).border_style(BLACK).draw()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a count of examples")]
fn log2(examples: usize) -> f64 {
    (examples.max(1) as f64).log2()
}
