//! The accuracy-cost front as a picture: what a model costs against how well it ranks, and the models that no other one
//! beats in both.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::models::price::{Estimate, Price};

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (960, 600);

/// The ink of points and intervals.
const POINT: RGBColor = RGBColor(0x1f, 0x4e, 0x79);

/// The ink of the front.
const FRONT: RGBColor = RGBColor(0xc4, 0x6a, 0x10);

/// One model on the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point<'p> {
    name: &'p str,
    milliseconds: f64,
    auc: Estimate,
}

impl<'p> Point<'p> {
    /// Of a model that has a worth.
    fn of(price: &'p Price) -> Option<Self> {
        let auc = price.worth.as_ref()?.auc;
        Some(Self { name: price.model.name.as_str(), milliseconds: price.cost.run_ms_p50, auc })
    }
}

/// Draws the models that have a worth, as SVG.
///
/// # Errors
/// When there is none, or the file cannot be written.
pub(super) fn draw(prices: &[Price], path: &Path) -> anyhow::Result<()> {
    let points: Vec<Point<'_>> = prices.iter().filter_map(Point::of).collect();
    let Some(bench) = prices.first().map(|price| &price.bench).filter(|_| !points.is_empty()) else {
        anyhow::bail!("{} is not drawn: no model has a worth", path.display());
    };
    let parts = prices.iter().find_map(|price| Some(price.worth.as_ref()?.set.parts)).unwrap_or_default();
    let threads = if bench.threads == 1 { "one thread".to_owned() } else { format!("{} threads", bench.threads) };
    let title =
        format!("{}, {} {}, {}, {threads}; {parts} parts", bench.told, bench.backend, bench.version, bench.provider);
    let mut svg = String::new();
    picture(&points, &title, &mut svg).context("the front cannot be drawn")?;
    std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
}

fn picture(points: &[Point<'_>], title: &str, svg: &mut String) -> anyhow::Result<()> {
    let grey = |level| RGBColor(level, level, level);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let across = milliseconds(points);
    let middle = (across.start * across.end).sqrt();
    let mut chart = ChartBuilder::on(&area)
        .margin(20)
        .x_label_area_size(50)
        .y_label_area_size(64)
        .caption(title, ("sans-serif", 18))
        .build_cartesian_2d(across.clone().log_scale().with_key_points(ticks(&across)), areas(points))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(grey(0xe4))
        .axis_style(grey(0x60))
        .x_desc("inference, milliseconds (median, logarithmic)")
        .y_desc("ROC AUC with its 95 % interval")
        .x_label_formatter(&|milliseconds| plain(*milliseconds))
        .y_label_formatter(&|area| format!("{area:.2}"))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 16))
        .draw()?;
    let joined = front(points).into_iter().map(|point| (point.milliseconds, point.auc.value));
    chart.draw_series(LineSeries::new(joined, FRONT.stroke_width(2)))?;
    for Point { name, milliseconds: x, auc: Estimate { value, low, high } } in points.iter().copied() {
        chart.draw_series([PathElement::new(vec![(x, low), (x, high)], POINT.stroke_width(2))])?;
        // Names stay in the picture and off the front, which rises to the right.
        let right = x > middle;
        let (side, shift) = if right {
            (Pos::new(HPos::Right, VPos::Bottom), (-9, -5))
        } else {
            (Pos::new(HPos::Left, VPos::Top), (9, 7))
        };
        let name = Text::new(name.to_owned(), shift, ("sans-serif", 16).into_font().color(&BLACK).pos(side));
        chart.draw_series([EmptyElement::at((x, value)) + Circle::new((0, 0), 5, POINT.filled()) + name])?;
    }
    area.present()?;
    Ok(())
}

/// The models that no other one beats: those which rank better than every cheaper one, the cheapest first.
fn front<'p>(points: &[Point<'p>]) -> Vec<Point<'p>> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds).then_with(|| b.auc.value.total_cmp(&a.auc.value)));
    let mut best = f64::NEG_INFINITY;
    sorted.retain(|point| {
        let better = point.auc.value > best;
        best = best.max(point.auc.value);
        better
    });
    sorted
}

/// The milliseconds shown: from below the cheapest to above the dearest model, a factor of four at least.
fn milliseconds(points: &[Point<'_>]) -> Range<f64> {
    let all = || points.iter().map(|point| point.milliseconds.max(1e-6));
    all().fold(f64::INFINITY, f64::min) / 2.0..all().fold(0.0, f64::max) * 2.0
}

/// Places of 1, 2 and 5 of each power of ten within a range.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let power = |power: i32| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power));
    (-6..=6).flat_map(power).filter(|tick| range.contains(tick)).collect()
}

/// The areas shown: all intervals, and a little more.
fn areas(points: &[Point<'_>]) -> Range<f64> {
    let low = points.iter().map(|point| point.auc.low).fold(1.0, f64::min);
    let high = points.iter().map(|point| point.auc.high).fold(0.0, f64::max);
    let more = ((high - low) * 0.15).max(0.01);
    low - more..high + more
}

/// A number as it is written, of six digits after the point at most.
fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::price::tests::price;

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let prices =
            [("slow", 9.0, 0.95), ("bad", 5.0, 0.80), ("quick", 0.2, 0.85), ("same", 0.2, 0.84), ("dear", 20.0, 0.95)];
        let prices = prices.map(|(name, milliseconds, auc)| price(name, milliseconds, auc));
        let points: Vec<Point<'_>> = prices.iter().filter_map(Point::of).collect();
        let names: Vec<&str> = front(&points).iter().map(|point| point.name).collect();
        assert_eq!(names, ["quick", "slow"]);
    }

    #[test]
    fn every_range_has_ticks_with_plain_numbers() {
        let told = |range: Range<f64>| ticks(&range).into_iter().map(plain).collect::<Vec<_>>();
        assert_eq!(told(0.03..3.0), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!((told(2.1..8.4), told(900.0..3600.0)), (vec!["5".into()], vec!["1000".into(), "2000".into()]));
    }

    #[test]
    fn the_picture_names_every_model_and_its_board() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("front.svg");
        draw(&[price("teacher", 9.0, 0.95), price("student", 0.2, 0.85)], &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for wanted in ["<svg", "teacher", "student", "Board, onnxruntime 1.32.0, cpu, one thread; 20 parts", "ROC AUC"]
        {
            assert!(svg.contains(wanted), "{wanted}");
        }
        let mut worthless = price("gate", 1.0, 0.9);
        worthless.worth = None;
        assert!(draw(&[worthless], &path).unwrap_err().to_string().ends_with("no model has a worth"));
    }
}
