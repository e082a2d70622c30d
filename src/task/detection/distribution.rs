//! Distribution heads: over several grids, the distances from a cell to the four edges, each as a distribution.
//!
//! The distance is the expectation of the distribution times the stride (Li et al., "Generalized Focal Loss", 2020, the
//! integral over discretised bins). Only the boxes that are sure enough are worked out.

use crate::fusion::boxes::Shape;
use crate::models::passport::detection::{Distribution, Level};

use super::boxes::Boxes;
use super::outputs::Block;
use super::{Found, Look};
use crate::models::passport::detection::BoxFormat;

/// One grid with the rows that are its own.
struct Grid<'a> {
    scores: &'a Block<'a>,
    boxes: &'a Block<'a>,
    /// The first row of the grid in its outputs.
    first: usize,
    columns: usize,
    rows: usize,
}

/// Reads the boxes of a distribution head.
///
/// # Errors
/// One sentence naming the output and what is wrong with it.
pub(super) fn read(head: &Distribution, look: &Look<'_>) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let mut place = 0;
    for (index, level) in head.levels.iter().enumerate() {
        let grid = grid(head, index, level, look)?;
        for mut one in one_grid(head, level, &grid, look)? {
            one.place += place;
            found.push(one);
        }
        place += grid.rows * grid.columns;
    }
    Ok(found)
}

/// The grid of a level: as many cells as cover the input, behind those of the levels before it in the same output.
fn grid<'a>(head: &Distribution, index: usize, level: &Level, look: &'a Look<'_>) -> Result<Grid<'a>, String> {
    let (width, height) = look.geometry.input;
    let cells = |level: &Level| {
        let side = |side: u32| side.div_ceil(level.stride.max(1)) as usize;
        (side(height), side(width))
    };
    let before = head.levels.iter().take(index).filter(|other| other.scores == level.scores);
    let first = before.map(|other| cells(other).0 * cells(other).1).sum();
    let (rows, columns) = cells(level);
    let scores = look.outputs.named(&level.scores)?;
    let boxes = look.outputs.named(&level.boxes)?;
    Ok(Grid { scores, boxes, first, columns, rows })
}

fn one_grid(head: &Distribution, level: &Level, grid: &Grid<'_>, look: &Look<'_>) -> Result<Vec<Found>, String> {
    let cells = grid.rows * grid.columns;
    let joined = level.scores == level.boxes;
    let skipped = if joined { look.labels.len() } else { 0 };
    let (score_rows, score_columns) = grid.scores.matrix()?;
    let (box_rows, box_columns) = grid.boxes.matrix()?;
    for (block, rows) in [(grid.scores, score_rows), (grid.boxes, box_rows)] {
        if rows < grid.first + cells {
            let what =
                format!("there are {rows} rows, {} are wanted up to stride {}", grid.first + cells, level.stride);
            return Err(block.told(what));
        }
    }
    if !joined && score_columns != look.labels.len() {
        return Err(grid
            .scores
            .told(format!("there are {score_columns} scores, there are {} labels", look.labels.len())));
    }
    let bins = box_columns.saturating_sub(skipped) / 4;
    if bins < 2 || box_columns != skipped + 4 * bins {
        return Err(grid.boxes.told(format!("there are {box_columns} columns, {skipped} + 4 * bins are wanted")));
    }
    let rows = &grid.scores.numbers[grid.first * score_columns..(grid.first + cells) * score_columns];
    let scored = look.score_rows(grid.scores, rows, score_columns, 0)?;
    let boxes = Boxes::new(grid.boxes, BoxFormat::Corners, (1.0, 1.0));
    let mut found = Vec::with_capacity(scored.len());
    for one in scored {
        let begin = (grid.first + one.place) * box_columns + skipped;
        let bins_of = |side: usize| &grid.boxes.numbers[begin + side * bins..begin + (side + 1) * bins];
        let edges = edges(head, level, grid, one.place, [0, 1, 2, 3].map(|side| expectation(bins_of(side))));
        if let Some(Shape::Upright(_)) = boxes.outline(one.place, narrow(edges), None)? {
            found.push(Found::new(one, Shape::Upright(edges)));
        }
    }
    Ok(found)
}

/// Left, top, right and bottom of the box of a cell whose edges are `far` strides away.
fn edges(head: &Distribution, level: &Level, grid: &Grid<'_>, cell: usize, far: [f64; 4]) -> [f64; 4] {
    let stride = f64::from(level.stride);
    #[expect(clippy::cast_precision_loss, reason = "cells of a grid are far below 2^53")]
    let centre = |cell: usize| (cell as f64 + head.anchor) * stride;
    let (x, y) = (centre(cell % grid.columns), centre(cell / grid.columns));
    let [left, top, right, bottom] = far.map(|far| far * stride);
    [x - left, y - top, x + right, y + bottom]
}

/// The mean of 0, 1, 2 ... under the softmax of `bins`; not finite where they are not.
fn expectation(bins: &[f32]) -> f64 {
    let greatest = bins.iter().fold(f64::NEG_INFINITY, |greatest, &bin| greatest.max(f64::from(bin)));
    let (mut sum, mut mean, mut at) = (0.0, 0.0, 0.0);
    for &bin in bins {
        let power = (f64::from(bin) - greatest).exp();
        sum += power;
        mean += power * at;
        at += 1.0;
    }
    mean / sum
}

#[expect(clippy::cast_possible_truncation, reason = "only asked whether they are numbers")]
fn narrow(edges: [f64; 4]) -> [f32; 4] {
    edges.map(|edge| edge as f32)
}
