//! Isotonic regression: the map that never falls with the least squared error, by pooling adjacent violators (M. Ayer and
//! others, Annals of Mathematical Statistics 26, 1955).

use super::Sample;
use crate::fusion::calibrator::Calibrator;

/// Neighbouring scores that have one chance.
struct Block {
    first: f64,
    last: f64,
    weight: f64,
    /// The sum of the weights of its defective parts.
    defective: f64,
}

impl Block {
    fn chance(&self) -> f64 {
        (self.defective / self.weight).clamp(0.0, 1.0)
    }
}

/// The isotonic map of a sample. Parts of one score have one chance; between blocks of one chance there is a straight line.
#[must_use]
pub fn isotonic(sample: &Sample<'_>) -> Calibrator {
    let mut parts: Vec<(f64, bool, f64)> = sample.iter().collect();
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut blocks: Vec<Block> = Vec::new();
    for tied in parts.chunk_by(|a, b| a.0 >= b.0) {
        let Some(&(score, _, _)) = tied.first() else { continue };
        let weight = tied.iter().map(|part| part.2).sum();
        let defective = tied.iter().map(|part| if part.1 { part.2 } else { 0.0 }).sum();
        blocks.push(Block { first: score, last: score, weight, defective });
        pool(&mut blocks);
    }
    let (mut scores, mut chances) = (Vec::new(), Vec::new());
    for block in &blocks {
        scores.push(block.first);
        chances.push(block.chance());
        if block.last > block.first {
            scores.push(block.last);
            chances.push(block.chance());
        }
    }
    Calibrator::Isotonic { scores, chances }
}

/// Joins the last block with those before it that do not lie below it.
fn pool(blocks: &mut Vec<Block>) {
    while let [.., before, last] = blocks.as_mut_slice() {
        if before.chance() < last.chance() {
            return;
        }
        before.last = last.last;
        before.weight += last.weight;
        before.defective += last.defective;
        blocks.pop();
    }
}
