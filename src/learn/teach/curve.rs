//! The learning curve: how good a head is with so many examples a class, over repeated draws from a larger labelled set. Pure,
//! and seeded: every head is taught the same draws and judges the same other parts.

use serde::Serialize;

use super::bank::Bank;
use super::{Examples, Learner, answer, defect_log_odds, teach};
use crate::flow::verdict::Decision;
use crate::learn::interval;
use crate::learn::metrics::{Case, Figures};
use crate::models::price::Estimate;

/// Where the draws begin.
const SEED: u64 = 1;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// A head that is taught good and defective parts.
    Head(Learner),
    /// A memory bank of the good ones of the same draw, all of them kept.
    Bank,
}

/// One point of a curve. Intervals are over the draws of the examples: 95 %, by Student's t; another set of parts to judge
/// would move them further.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// What was measured.
    pub head: &'static str,
    /// Examples a class.
    pub examples: usize,
    /// How often they were drawn.
    pub draws: usize,
    /// Parts that each draw was judged on.
    pub judged: usize,
    /// The mean of the shares of good and of defective parts that are told right; `None` for a bank of one, which has no
    /// threshold.
    pub balanced_accuracy: Option<Estimate>,
    /// The area under the ROC curve.
    pub auc: Estimate,
}

/// One draw's figures.
type Drawn = (Option<f64>, f64);

/// The point of every measured head at so many examples a class. `parts` has two classes, 0 good and 1 defective.
///
/// # Errors
/// One sentence: too few parts of a class, fewer than two draws, or what teaching says.
pub fn points(
    measured: &[(&'static str, Measured)],
    parts: &Examples,
    examples: usize,
    draws: usize,
) -> Result<Vec<Point>, String> {
    let counts = parts.counts();
    if let Some(count) = counts.iter().find(|count| **count <= examples) {
        return Err(format!("a class has {count} parts, want more than the {examples} examples that are drawn of it"));
    }
    let mut random = fastrand::Rng::with_seed(SEED.wrapping_add(examples as u64));
    let mut figures: Vec<Vec<Drawn>> = vec![Vec::new(); measured.len()];
    for _ in 0..draws {
        let mut drawn = vec![false; parts.classes.len()];
        for class in 0..parts.count {
            let mut places: Vec<usize> = (0..drawn.len()).filter(|&place| parts.classes[place] == class).collect();
            random.shuffle(&mut places);
            places.into_iter().take(examples).for_each(|place| drawn[place] = true);
        }
        let (taught, judged) = (parts.only(|place| drawn[place]), parts.only(|place| !drawn[place]));
        for ((_, measured), figures) in measured.iter().zip(&mut figures) {
            figures.push(judge(*measured, &taught, &judged)?);
        }
    }
    let judged = parts.classes.len() - examples * parts.count;
    let point = |((name, _), figures): (&(&'static str, Measured), Vec<Drawn>)| {
        let few = || format!("{draws} draws have no interval, want at least two");
        let accuracies: Option<Vec<f64>> = figures.iter().map(|drawn| drawn.0).collect();
        let areas: Vec<f64> = figures.iter().map(|drawn| drawn.1).collect();
        Ok(Point {
            head: name,
            examples,
            draws,
            judged,
            balanced_accuracy: accuracies.map(|all| interval::mean(&all).ok_or_else(few)).transpose()?,
            auc: interval::mean(&areas).ok_or_else(few)?,
        })
    };
    measured.iter().zip(figures).map(point).collect()
}

/// The score of a vector, and whether it is rejected; `None` without a threshold.
type Judge = Box<dyn Fn(&[f64]) -> (f64, Option<bool>)>;

/// Teaches one draw and judges the others.
fn judge(measured: Measured, taught: &Examples, judged: &Examples) -> Result<Drawn, String> {
    let judge: Judge = match measured {
        Measured::Head(learner) => {
            let head = teach(learner, taught)?;
            Box::new(move |vector| {
                let scores = head.scores(vector);
                (defect_log_odds(&scores), Some(answer(&scores) > 0))
            })
        }
        Measured::Bank => {
            let bank = Bank::of(&taught.only(|place| taught.classes[place] == 0).vectors, usize::MAX)?;
            Box::new(move |vector| {
                let distance = bank.distance(vector);
                (distance, bank.threshold.map(|threshold| distance >= threshold.distance))
            })
        }
    };
    let case = |(vector, class): (&Vec<f64>, &usize)| {
        let (score, rejected) = judge(vector);
        let decision = match rejected {
            Some(true) => Decision::Reject,
            Some(false) => Decision::Pass,
            None => Decision::Undecided,
        };
        Case { defective: *class > 0, decision, score: Some(score) }
    };
    let cases: Vec<Case> = judged.vectors.iter().zip(&judged.classes).map(case).collect();
    let figures = Figures::of(&cases);
    let accuracy = figures.balanced_accuracy.filter(|_| figures.undecided == 0);
    Ok((accuracy, figures.auc.ok_or("no good or no defective part is left to judge")?))
}

#[cfg(test)]
mod tests {
    use super::super::number;
    use super::*;

    /// Good parts around 0, defective ones around 4, both 1 wide.
    fn parts(each: usize) -> Examples {
        let mut random = fastrand::Rng::with_seed(3);
        let classes: Vec<usize> = (0..2 * each).map(|place| place % 2).collect();
        let vectors = classes.iter().map(|class| vec![4.0 * number(*class) + random.f64() * 2.0, random.f64()]);
        Examples { vectors: vectors.collect(), classes, count: 2 }
    }

    #[test]
    fn what_is_told_apart_is_told_apart_by_every_head() {
        let measured = [
            ("prototype", Measured::Head(Learner::Prototype)),
            ("ridge", Measured::Head(Learner::Ridge)),
            ("logistic", Measured::Head(Learner::Logistic)),
            ("memory-bank", Measured::Bank),
        ];
        let many = points(&measured, &parts(30), 5, 3).unwrap();
        assert_eq!(many.iter().map(|point| point.judged).collect::<Vec<_>>(), [50; 4]);
        assert!(many.iter().all(|point| point.auc.value > 0.999), "{many:#?}");
        assert!(many[..3].iter().all(|point| point.balanced_accuracy.unwrap().value > 0.999), "{many:#?}");
        let one = points(&measured, &parts(30), 1, 3).unwrap();
        assert_eq!(
            one.iter().map(|point| point.balanced_accuracy.is_some()).collect::<Vec<_>>(),
            [true, true, true, false]
        );
        assert_eq!(points(&measured, &parts(30), 5, 3).unwrap(), many, "the same draws again");
    }

    #[test]
    fn labels_that_mean_nothing_teach_nothing() {
        let mut shuffled = parts(200);
        let mut random = fastrand::Rng::with_seed(9);
        random.shuffle(&mut shuffled.classes);
        for point in points(&[("ridge", Measured::Head(Learner::Ridge))], &shuffled, 10, 20).unwrap() {
            assert!((point.auc.value - 0.5).abs() < 0.05, "{point:?}");
        }
    }

    #[test]
    fn too_few_parts_are_told() {
        let told = points(&[], &parts(5), 5, 2).unwrap_err();
        assert_eq!(told, "a class has 5 parts, want more than the 5 examples that are drawn of it");
        let told = points(&[("ridge", Measured::Head(Learner::Ridge))], &parts(5), 2, 1).unwrap_err();
        assert_eq!(told, "1 draws have no interval, want at least two");
    }
}
