//! View: what a model found, drawn over the frame it looked at, for people.
//!
//! Pure: a picture in, a picture out. Red is a defect, green is none. Words are in a built-in font of Latin letters; others
//! show as `?`. Nothing here travels to the line.

mod canvas;

use embedded_graphics::pixelcolor::RgbColor;
use image::RgbImage;

use crate::flow::{Image, PixelFormat};
use crate::name::Name;
use crate::task::{Area, ClassScore, Detected, Findings, Map, Quantity, TextLine};
use canvas::{Canvas, Colour, at};

const DEFECT: Colour = Colour::new(220, 40, 40);
const GOOD: Colour = Colour::new(20, 140, 70);
const AGAINST: Colour = Colour::new(40, 90, 230);

/// The most lines of words in the corner.
const ROWS: usize = 8;

/// How much of a colour is laid over a pixel at most, so that the picture still shows.
const TINT: f64 = 0.55;

/// The same of a map in which most of the frame has little colour.
const STRONG: f64 = 0.75;

/// Cells of a drawn map for one cell of the map: its edges are not to be taken for something.
const FINER: usize = 8;

/// Draws findings over the frame they are of. `defects` are the labels that are drawn as defects. A frame narrower than 320
/// pixels is enlarged by a whole factor.
#[must_use]
pub fn draw(frame: &RgbImage, findings: &Findings, defects: &[Name]) -> RgbImage {
    let mut canvas = Canvas::new(frame);
    match findings {
        Findings::Classification { classes } => classification(&mut canvas, classes, defects),
        Findings::Detection { detections } => detection(&mut canvas, detections, defects),
        Findings::Segmentation { areas, maps, .. } => {
            let maps: Vec<&Map> = maps.iter().map(AsRef::as_ref).collect();
            segmentation(&mut canvas, areas, &maps, defects);
        }
        Findings::Anomaly { score, peak, map } => anomaly(&mut canvas, *score, *peak, map.as_deref()),
        Findings::Regression { values } => regression(&mut canvas, values),
        Findings::Embedding { vector } => {
            canvas.bar(0, &format!("a vector of {} numbers", vector.len()), 0.0, GOOD);
        }
        Findings::Text { lines } => text(&mut canvas, lines),
    }
    canvas.done()
}

/// Draws a map of what a score rests on over the frame: red where something speaks for a defect, blue where something speaks
/// against one, the stronger the more; a cross where most speaks for one. A map that is level is not drawn.
#[must_use]
pub fn evidence(frame: &RgbImage, map: &Map, words: &str) -> RgbImage {
    let mut canvas = Canvas::new(frame);
    let most = map.numbers.iter().fold(0.0_f64, |most, number| most.max(f64::from(number.abs())));
    let (width, height) = (map.width * FINER, map.height * FINER);
    let fine = Map { width, height, covers: map.covers, numbers: map.resized(width, height) };
    if most > 0.0 {
        canvas.tint(|point| {
            let share = at(&fine, point)? / most;
            Some((if share > 0.0 { DEFECT } else { AGAINST }, share.abs() * STRONG))
        });
    }
    if let Some(peak) = map.peak().filter(|(_, number)| *number > 0.0) {
        canvas.cross(peak.0, Colour::WHITE);
    }
    canvas.bar(0, words, 0.0, DEFECT);
    canvas.done()
}

/// A picture of any format to draw on: 16 bits lose their lower half, grey becomes three channels. `None` for pixels that do not
/// fill it, which [`Image`] rules out.
#[must_use]
pub fn rgb(image: &Image) -> Option<RgbImage> {
    let high = |words: &[u8]| {
        let words = words.as_chunks::<2>().0.iter();
        words.map(|&word| u16::from_ne_bytes(word).to_be_bytes()[0]).collect::<Vec<u8>>()
    };
    let grey = |levels: &[u8]| levels.iter().flat_map(|&level| [level; 3]).collect::<Vec<u8>>();
    let pixels = match image.format() {
        PixelFormat::Grey8 => grey(image.bytes()),
        PixelFormat::Rgb8 => image.bytes().to_vec(),
        PixelFormat::Grey16 => grey(&high(image.bytes())),
        PixelFormat::Rgb16 => high(image.bytes()),
    };
    RgbImage::from_raw(image.width(), image.height(), pixels)
}

fn colour(label: &Name, defects: &[Name]) -> Colour {
    if defects.contains(label) { DEFECT } else { GOOD }
}

fn classification(canvas: &mut Canvas, classes: &[ClassScore], defects: &[Name]) {
    let mut order: Vec<&ClassScore> = classes.iter().collect();
    order.sort_by(|one, other| other.probability.total_cmp(&one.probability));
    for (row, ClassScore { label, probability }) in order.into_iter().take(ROWS).enumerate() {
        canvas.bar(row, &format!("{label} {probability:.3}"), *probability, colour(label, defects));
    }
}

fn detection(canvas: &mut Canvas, detections: &[Detected], defects: &[Name]) {
    for found in detections {
        let colour = colour(&found.label, defects);
        if let Some(mask) = &found.mask {
            canvas.tint(|point| at(mask, point).filter(|&number| number >= 0.5).map(|_| (colour, TINT)));
        }
        let [left, top, right, bottom] = found.corners;
        let upright = [[left, top], [right, top], [right, bottom], [left, bottom]];
        canvas.outline(&found.oriented.unwrap_or(upright), colour);
    }
    for found in detections {
        let [left, top, ..] = found.corners;
        canvas.words(&format!("{} {:.2}", found.label, found.confidence), [left, top], Colour::WHITE);
    }
    if detections.is_empty() {
        canvas.bar(0, "nothing found", 0.0, GOOD);
    }
}

/// Each pixel takes the colour of its most probable label where that is a defect.
fn segmentation(canvas: &mut Canvas, areas: &[Area], maps: &[&Map], defects: &[Name]) {
    canvas.tint(|point| {
        let labelled = areas.iter().zip(maps).filter_map(|(area, map)| Some((area, at(map, point)?)));
        let (area, _) = labelled.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        defects.contains(&area.label).then_some((DEFECT, TINT))
    });
    for (row, Area { label, share, .. }) in areas.iter().take(ROWS).enumerate() {
        canvas.bar(row, &format!("{label} {:.2} %", share * 100.0), *share, colour(label, defects));
    }
}

/// From blue for 0.5 to red for 1; what is below 0.5 stays as it is.
fn anomaly(canvas: &mut Canvas, score: f64, peak: Option<[f64; 2]>, map: Option<&Map>) {
    if let Some(map) = map {
        canvas.tint(|point| at(map, point).filter(|&number| number > 0.5).map(heat));
    }
    if let Some(peak) = peak {
        canvas.cross(peak, Colour::WHITE);
    }
    canvas.bar(0, &format!("anomaly {score:.3}"), score, if score >= 0.5 { DEFECT } else { GOOD });
}

fn heat(number: f64) -> (Colour, f64) {
    let hot = ((number - 0.5) * 2.0).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let level = (hot * 255.0).round() as u8;
    (Colour::new(level, 60, 255 - level), TINT)
}

fn regression(canvas: &mut Canvas, values: &[Quantity]) {
    for (row, Quantity { name, value, within }) in values.iter().take(ROWS).enumerate() {
        let colour = if *within == Some(false) { DEFECT } else { GOOD };
        canvas.bar(row, &format!("{name} {value:.4}"), 0.0, colour);
    }
}

fn text(canvas: &mut Canvas, lines: &[TextLine]) {
    for (row, line) in lines.iter().enumerate() {
        let words = if line.text.is_empty() { format!("{:.2}", line.confidence) } else { line.text.clone() };
        match &line.corners {
            Some(corners) => {
                canvas.outline(corners, GOOD);
                canvas.words(&words, corners[3], Colour::WHITE);
            }
            None if row < ROWS => canvas.bar(row, &words, line.confidence, GOOD),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
