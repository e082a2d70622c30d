//! The control chart as a picture: the rate of each subgroup, its limits, the mean, and what violates a rule.

use std::path::Path;

use anyhow::Context as _;
use plotters::prelude::*;

use super::Report;

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (1000, 480);

/// The inks of rates, of limits, and of what is out of control.
const RATE: RGBColor = RGBColor(0x1f, 0x4e, 0x79);
const LIMIT: RGBColor = RGBColor(0x8a, 0x8a, 0x8a);
const OUT: RGBColor = RGBColor(0xb0, 0x30, 0x30);

/// Draws the chart as SVG.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn draw(report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut svg = String::new();
    picture(report, &mut svg).context("the chart cannot be drawn")?;
    std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
}

#[expect(clippy::cast_precision_loss, reason = "a count of subgroups")]
fn picture(report: &Report, svg: &mut String) -> anyhow::Result<()> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let points: Vec<_> = report.subgroups.iter().map(|told| &told.point).collect();
    let top = points.iter().map(|point| point.rate.max(point.upper)).fold(0.01, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(&area)
        .margin(20)
        .x_label_area_size(45)
        .y_label_area_size(60)
        .caption("reject rate, p-chart with limits of three standard errors", ("sans-serif", 18))
        .build_cartesian_2d(0.0..points.len() as f64 + 1.0, 0.0..top)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("subgroup").y_desc("share rejected").draw()?;
    let line = |value: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        (0..points.len()).map(|place| (place as f64 + 1.0, value(place))).collect()
    };
    for limit in [line(&|place| points[place].lower), line(&|place| points[place].upper), line(&|_| report.mean)] {
        chart.draw_series(LineSeries::new(limit, LIMIT.stroke_width(1)))?;
    }
    let rates = line(&|place| points[place].rate);
    chart.draw_series(LineSeries::new(rates.iter().copied(), RATE.stroke_width(2)))?;
    let marks = rates.iter().zip(&points).map(|(at, point)| {
        let (ink, size) = if point.violated.is_empty() { (RATE, 3) } else { (OUT, 6) };
        Circle::new(*at, size, ink.filled())
    });
    chart.draw_series(marks)?;
    area.present()?;
    Ok(())
}
