//! The evidence of a fit as a picture: how the fused score ranks beside the members' own, and what it is worth, with the
//! thresholds.

use std::path::Path;

use anyhow::Context as _;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::learn::curves::{reliability, roc};
use crate::learn::ensemble::Parts;
use crate::models::fit::{Fit, Method};

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (1200, 600);

/// Bins of the reliability curve.
const BINS: usize = 10;

/// The ink of the fused score.
const FUSED: RGBColor = RGBColor(0xc4, 0x6a, 0x10);

/// The inks of the members.
const MEMBERS: [RGBColor; 4] =
    [RGBColor(0x1f, 0x4e, 0x79), RGBColor(0x4f, 0x8a, 0x5b), RGBColor(0x7a, 0x4f, 0x8a), RGBColor(0x70, 0x70, 0x70)];

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

/// Draws the evidence as SVG. `crossed` is the fused score of each part by folds that did not hold it.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn draw(fit: &Fit, parts: &Parts, crossed: &[f64], path: &Path) -> anyhow::Result<()> {
    let mut svg = String::new();
    picture(fit, parts, crossed, &mut svg).context("the evidence cannot be drawn")?;
    std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
}

fn picture(fit: &Fit, parts: &Parts, crossed: &[f64], svg: &mut String) -> anyhow::Result<()> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    ranking(&left, parts, crossed)?;
    worth(&right, fit, parts, crossed)?;
    area.present()?;
    Ok(())
}

/// The ROC curves.
fn ranking(area: &Area<'_>, parts: &Parts, crossed: &[f64]) -> anyhow::Result<()> {
    let caption = format!("ROC, {} parts, cross-validated", parts.len());
    let mut chart = ChartBuilder::on(area)
        .margin(20)
        .x_label_area_size(45)
        .y_label_area_size(60)
        .caption(caption, ("sans-serif", 18))
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    let mesh = &mut chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).x_desc("good parts rejected").y_desc("defective parts rejected").draw()?;
    let members = parts.names.iter().zip(&parts.members).zip(MEMBERS.iter().cycle());
    let members = members.map(|((name, scores), ink)| (name.as_str(), scores.as_slice(), *ink));
    for (name, scores, ink) in members.chain([("fused", crossed, FUSED)]) {
        let curve = LineSeries::new(roc(scores, &parts.defective), ink.stroke_width(2));
        let line = move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], ink.stroke_width(2));
        chart.draw_series(curve)?.label(name).legend(line);
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::LowerRight).background_style(WHITE).border_style(BLACK).draw()?;
    Ok(())
}

/// The reliability curve of the fused score, and between the thresholds the parts that stay undecided.
fn worth(area: &Area<'_>, fit: &Fit, parts: &Parts, crossed: &[f64]) -> anyhow::Result<()> {
    let whose = if fit.method == Method::Cascade { "teacher's" } else { "fused" };
    let mut chart = ChartBuilder::on(area)
        .margin(20)
        .x_label_area_size(45)
        .y_label_area_size(60)
        .caption(format!("what the {whose} score is worth; undecided between the thresholds"), ("sans-serif", 18))
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    let mesh = &mut chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .x_desc("mean score of a tenth of the parts")
        .y_desc("share of them that is defective");
    mesh.draw()?;
    let (from, to) = (fit.thresholds.pass_below, fit.thresholds.reject_from);
    chart.draw_series([Rectangle::new([(from, 0.0), (to, 1.0)], FUSED.mix(0.15).filled())])?;
    for at in [from, to] {
        chart.draw_series([PathElement::new(vec![(at, 0.0), (at, 1.0)], FUSED.mix(0.6).stroke_width(1))])?;
    }
    chart.draw_series([PathElement::new(vec![(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.3).stroke_width(1))])?;
    let points = reliability(crossed, &parts.defective, BINS);
    chart.draw_series(LineSeries::new(points.iter().copied(), FUSED.stroke_width(2)))?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, FUSED.filled())))?;
    Ok(())
}
