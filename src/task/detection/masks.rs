//! Masks: what of a box the thing in it covers.
//!
//! Masks are worked out for the boxes that are kept, one after the other. Two forms: prototypes that all boxes share with
//! coefficients of each (Bolya et al., "YOLACT", 2019; Ultralytics `-seg`), and a grid of its own for each box (He et
//! al., "Mask R-CNN", 2017). A mask holds probabilities; what is above one half counts as covered.

use std::sync::Arc;

use crate::models::passport::Activation;
use crate::models::passport::detection::{Head, Masks};
use crate::task::Map;
use crate::task::classification::sigmoid;

use super::outputs::Block;
use super::rows::END_TO_END;
use super::{Found, Look};

/// The mask of one box and the share of the box that it covers.
pub(super) struct Mask {
    pub(super) map: Arc<Map>,
    pub(super) covered: f64,
}

/// Where the masks of an answer are read from.
pub(super) enum Reader<'a> {
    Prototypes { prototypes: Grids<'a>, coefficients: Coefficients<'a> },
    InBox(Grids<'a>),
}

/// An output of several grids of one size.
pub(super) struct Grids<'a> {
    block: &'a Block<'a>,
    count: usize,
    height: usize,
    width: usize,
}

/// Where each box has a number for each prototype.
pub(super) struct Coefficients<'a> {
    block: &'a Block<'a>,
    /// The place of the first one, of a box at place 0.
    first: usize,
    /// From one coefficient to the next.
    step: usize,
    /// From one box to the next.
    stride: usize,
    count: usize,
}

impl<'a> Reader<'a> {
    /// Works out where the masks of `look` are; `None` where the passport has none.
    ///
    /// # Errors
    /// One sentence naming the output and what is wrong with its shape.
    pub(super) fn new(look: &'a Look<'a>) -> Result<Option<Self>, String> {
        match &look.task.masks {
            None => Ok(None),
            Some(Masks::InBox(name)) => Ok(Some(Self::InBox(Grids::new(look.outputs.named(name)?)?))),
            Some(Masks::Prototypes(name)) => {
                let prototypes = Grids::new(look.outputs.named(name)?)?;
                let coefficients = Coefficients::new(look)?;
                if coefficients.count != prototypes.count {
                    let (seen, wanted) = (coefficients.count, prototypes.count);
                    let what = format!("each box has {seen} coefficients, there are {wanted} prototypes");
                    return Err(coefficients.block.told(what));
                }
                Ok(Some(Self::Prototypes { prototypes, coefficients }))
            }
        }
    }

    /// The mask of a box whose upright corners in the input are `corners`.
    ///
    /// # Errors
    /// One sentence naming the output and the place of a number that is not finite.
    pub(super) fn mask(&self, found: &Found, corners: [f64; 4], look: &Look<'_>) -> Result<Mask, String> {
        match self {
            Self::Prototypes { prototypes, coefficients } => {
                prototypes.joined(coefficients, found.place, corners, look)
            }
            Self::InBox(grids) => grids.own(found.place, corners, look),
        }
    }
}

impl<'a> Coefficients<'a> {
    fn new(look: &'a Look<'a>) -> Result<Self, String> {
        let classes = look.labels.len();
        let by_rows = |block: &'a Block<'a>, named: usize| {
            let (_, columns) = block.matrix()?;
            Ok(Self { block, first: named, step: 1, stride: columns, count: columns.saturating_sub(named) })
        };
        match &look.task.head {
            Head::Yolov8 => {
                let block = look.outputs.first()?;
                let (planes, places) = block.matrix()?;
                let named = 4 + classes;
                let count = planes.saturating_sub(named);
                Ok(Self { block, first: named * places, step: places, stride: 1, count })
            }
            Head::Yolov5 => by_rows(look.outputs.first()?, 5 + classes),
            Head::EndToEnd => by_rows(look.outputs.first()?, END_TO_END.len()),
            Head::Rows(rows) => by_rows(look.outputs.named(&rows.output)?, rows.columns.len()),
            other => Err(format!("the head {} has no coefficients for masks", other.as_str())),
        }
    }

    fn of(&self, place: usize) -> impl Iterator<Item = f32> + '_ {
        let first = self.first + place * self.stride;
        (0..self.count).map(move |index| self.block.numbers[first + index * self.step])
    }
}

impl<'a> Grids<'a> {
    fn new(block: &'a Block<'a>) -> Result<Self, String> {
        match block.shape {
            [batch @ .., height, width]
                if *height > 0 && *width > 0 && batch.iter().filter(|&&axis| axis != 1).count() <= 1 =>
            {
                Ok(Self { block, count: batch.iter().product(), height: *height, width: *width })
            }
            shape => Err(block.told(format!("the shape is {shape:?}, [1, masks, height, width] is wanted"))),
        }
    }

    fn grid(&self, index: usize) -> &[f32] {
        let cells = self.height * self.width;
        &self.block.numbers[index * cells..][..cells]
    }

    /// The mask that the coefficients of a box make of the prototypes, within the box.
    ///
    /// A cell belongs to the box when its upper left corner does, as in Ultralytics; a box between all corners has the
    /// cell it lies in. The share is counted over the pixels of the input, between which the sums are interpolated.
    fn joined(&self, of: &Coefficients<'_>, place: usize, corners: [f64; 4], look: &Look<'_>) -> Result<Mask, String> {
        let input = look.geometry.input;
        let columns = Axis::new(self.width, input.0, corners[0], corners[2]);
        let rows = Axis::new(self.height, input.1, corners[1], corners[3]);
        let (wide, high) = (columns.around.len(), rows.around.len());
        let mut sums = vec![0.0_f32; wide * high];
        for (index, factor) in of.of(place).enumerate() {
            let grid = self.grid(index);
            for (to, row) in sums.chunks_exact_mut(wide).zip(rows.around.clone()) {
                let from = &grid[row * self.width..][columns.around.clone()];
                to.iter_mut().zip(from).for_each(|(sum, &number)| *sum += factor * number);
            }
        }
        if let Some(cell) = sums.iter().position(|sum| !sum.is_finite()) {
            let what =
                format!("the mask of the box at place {place} is {} at a point, a finite number is wanted", sums[cell]);
            return Err(self.block.told(what));
        }
        let covered = share(&sums, &rows, &columns);
        let mut numbers = Vec::with_capacity(rows.cells.len() * columns.cells.len());
        for row in rows.cells.clone() {
            let line = &sums[(row - rows.around.start) * wide..][..wide];
            let own = columns.cells.start - columns.around.start..columns.cells.end - columns.around.start;
            #[expect(clippy::cast_possible_truncation, reason = "a probability")]
            numbers.extend(line[own].iter().map(|&sum| sigmoid(sum) as f32));
        }
        let (left, top) = look.geometry.to_frame(columns.edge(columns.cells.start), rows.edge(rows.cells.start));
        let (right, bottom) = look.geometry.to_frame(columns.edge(columns.cells.end), rows.edge(rows.cells.end));
        let (width, height) = (columns.cells.len(), rows.cells.len());
        Ok(Mask { map: Arc::new(Map { width, height, covers: [left, top, right, bottom], numbers }), covered })
    }

    /// The grid of the box itself.
    fn own(&self, place: usize, corners: [f64; 4], look: &Look<'_>) -> Result<Mask, String> {
        if place >= self.count {
            return Err(self.block.told(format!("there are {} masks, none for the box at place {place}", self.count)));
        }
        let grid = self.grid(place);
        if let Some(cell) = grid.iter().position(|number| !number.is_finite()) {
            let what =
                format!("the mask of the box at place {place} is {} at a point, a finite number is wanted", grid[cell]);
            return Err(self.block.told(what));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a probability")]
        let numbers: Vec<f32> = match self.block.activation {
            Activation::Sigmoid => grid.iter().map(|&number| sigmoid(number) as f32).collect(),
            _ => grid.iter().map(|number| number.clamp(0.0, 1.0)).collect(),
        };
        let covered = part(numbers.iter().filter(|&&number| number > 0.5).count(), numbers.len());
        let (left, top) = look.geometry.to_frame(corners[0], corners[1]);
        let (right, bottom) = look.geometry.to_frame(corners[2], corners[3]);
        let covers = [left, top, right, bottom];
        Ok(Mask { map: Arc::new(Map { width: self.width, height: self.height, covers, numbers }), covered })
    }
}

/// How cells of a grid and pixels of the input lie to each other along one axis, within a box.
struct Axis {
    /// Input pixels for one cell.
    step: f64,
    /// The cells of the box, at least one.
    cells: std::ops::Range<usize>,
    /// The cells that its pixels are interpolated between.
    around: std::ops::Range<usize>,
    /// The pixels of the box, at least one.
    pixels: std::ops::Range<usize>,
}

impl Axis {
    fn new(cells: usize, pixels: u32, from: f64, to: f64) -> Self {
        let pixels = (pixels as usize).max(1);
        #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^53")]
        let step = pixels as f64 / cells as f64;
        let own = within(from / step, to / step, cells);
        let pixels = within(from, to, pixels);
        let around = cell_before(pixels.start, step).min(own.start)
            ..(cell_before(pixels.end - 1, step) + 2).max(own.end).min(cells);
        Self { step, cells: own, around, pixels }
    }

    /// The edge before a cell, in input pixels.
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^53")]
    fn edge(&self, cell: usize) -> f64 {
        cell as f64 * self.step
    }

    /// The two cells, counted from the first one around, that a pixel lies between, and its way from one to the other.
    fn between(&self, pixel: usize) -> (usize, usize, f32) {
        let before = cell_before(pixel, self.step);
        let after = (before + 1).min(self.around.end - 1);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a share of a cell")]
        let way = (((pixel as f64 + 0.5) / self.step - 0.5).max(0.0) - before as f64) as f32;
        (before - self.around.start, after - self.around.start, way)
    }
}

/// The whole numbers from `from` up to but not including `to` that lie within 0 and `limit`: at least one, the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates; what is above the limit is cut"
)]
fn within(from: f64, to: f64, limit: usize) -> std::ops::Range<usize> {
    let (first, end) = (from.ceil().max(0.0) as usize, (to.ceil().max(0.0) as usize).min(limit));
    if first < end {
        first..end
    } else {
        let one = (from.max(0.0) as usize).min(limit - 1);
        one..one + 1
    }
}

/// The cell whose centre is the last one not behind the centre of a pixel; the first where there is none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of pictures, not below 0"
)]
fn cell_before(pixel: usize, step: f64) -> usize {
    ((pixel as f64 + 0.5) / step - 0.5).max(0.0) as usize
}

/// The share of the pixels at which the sums, interpolated between the cells around, are above 0: their logistic
/// function is then above one half.
fn share(sums: &[f32], rows: &Axis, columns: &Axis) -> f64 {
    let wide = columns.around.len();
    let across: Vec<_> = columns.pixels.clone().map(|pixel| columns.between(pixel)).collect();
    let mut above = 0;
    for pixel in rows.pixels.clone() {
        let (upper, lower, down) = rows.between(pixel);
        let (upper, lower) = (&sums[upper * wide..][..wide], &sums[lower * wide..][..wide]);
        let at = |column: usize| upper[column] + (lower[column] - upper[column]) * down;
        above += across.iter().filter(|(left, right, way)| at(*left) + (at(*right) - at(*left)) * way > 0.0).count();
    }
    part(above, rows.pixels.len() * columns.pixels.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts of pixels are far below 2^53")]
fn part(of: usize, all: usize) -> f64 {
    of as f64 / all.max(1) as f64
}
