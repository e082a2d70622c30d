//! Classification: one number for each label becomes one probability for each label.
//!
//! Pure. Refuses numbers that are not finite rather than passing them on: a model that answers NaN has failed, it has
//! not said "good".

use crate::models::passport::{Activation, Labels, Passport};
use crate::task::output::Answer;
use crate::task::{ClassScore, Findings};
use crate::tensor::Tensor;

/// Reads the first output of a classifier.
///
/// # Errors
/// One sentence naming the output; see [`probabilities`].
pub fn decode(passport: &Passport, outputs: &[Tensor]) -> Result<Findings, String> {
    let answer = Answer::first(passport, outputs)?;
    let activation = answer.output.activation.unwrap_or(Activation::None);
    let probabilities =
        probabilities(&answer.float32(), activation, &passport.labels).map_err(|why| answer.told(&why))?;
    let scored = passport.labels.names.iter().cloned().zip(probabilities);
    Ok(Findings::Classification {
        classes: scored.map(|(label, probability)| ClassScore { label, probability }).collect(),
    })
}

/// Turns the numbers of a model's output into a probability for each label, in the labels' order; of two labels one number
/// is enough, but for a softmax: the probability of the second.
///
/// Softmax is computed on `x - max(x)`, so that no exponential overflows; sigmoid is `1 / (1 + exp(-x))`.
///
/// # Errors
/// One sentence naming the value and its place: a count that differs from the labels', a number that is not finite, or,
/// without an activation, one outside 0 to 1 (by more than 1e-4; smaller excess is rounding and is cut off).
pub fn probabilities(numbers: &[f32], activation: Activation, labels: &Labels) -> Result<Vec<f64>, String> {
    let single = activation != Activation::Softmax && numbers.len() == 1 && labels.names.len() == 2;
    if numbers.len() != labels.names.len() && !single {
        return Err(format!("the output has {} numbers, there are {} labels", numbers.len(), labels.names.len()));
    }
    if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
        let (label, number) = (&labels.names[place + usize::from(single)], numbers[place]);
        return Err(format!("the output at place {place} (label {label}) is {number}, a finite number is wanted"));
    }
    let probabilities = match activation {
        Activation::Softmax => softmax(numbers),
        Activation::Sigmoid => numbers.iter().map(|&number| sigmoid(number)).collect(),
        Activation::None | Activation::Independent => already_probabilities(numbers, labels, single)?,
        Activation::UnitLength => return Err("a vector of length 1 holds no probabilities".into()),
    };
    Ok(if single { probabilities.into_iter().flat_map(|p| [1.0 - p, p]).collect() } else { probabilities })
}

/// The probability, 0 to 1, that the scores of a classifier give to any defect.
///
/// Labels that exclude each other (softmax, none) add up; labels that do not (sigmoid, independent) count by the greatest.
#[must_use]
pub fn defect_score(classes: &[ClassScore], passport: &Passport) -> f64 {
    let defects = &passport.labels.defects;
    let probabilities = classes.iter().filter(|class| defects.contains(&class.label)).map(|class| class.probability);
    let activation = passport.outputs.first().and_then(|output| output.activation);
    let independent = matches!(activation, Some(Activation::Sigmoid | Activation::Independent));
    let score = if independent { probabilities.fold(0.0, f64::max) } else { probabilities.sum() };
    score.clamp(0.0, 1.0)
}

/// Exponentials over their sum.
pub(super) fn softmax(numbers: &[f32]) -> Vec<f64> {
    let greatest = numbers.iter().fold(f64::NEG_INFINITY, |greatest, &number| greatest.max(f64::from(number)));
    let powers: Vec<f64> = numbers.iter().map(|&number| (f64::from(number) - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The logistic function, written so that neither branch overflows.
pub(super) fn sigmoid(number: f32) -> f64 {
    let number = f64::from(number);
    if number >= 0.0 {
        1.0 / (1.0 + (-number).exp())
    } else {
        let power = number.exp();
        power / (1.0 + power)
    }
}

fn already_probabilities(numbers: &[f32], labels: &Labels, single: bool) -> Result<Vec<f64>, String> {
    const ROUNDING: f32 = 1e-4;
    let outside = |number: &f32| !(-ROUNDING..=1.0 + ROUNDING).contains(number);
    if let Some(place) = numbers.iter().position(outside) {
        let (label, number) = (&labels.names[place + usize::from(single)], numbers[place]);
        return Err(format!(
            "the output at place {place} (label {label}) is {number}, a probability from 0 to 1 is wanted"
        ));
    }
    Ok(numbers.iter().map(|&number| f64::from(number).clamp(0.0, 1.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use proptest::prelude::*;

    fn labels(names: &[&str], defects: &[&str]) -> Labels {
        let all = |texts: &[&str]| texts.iter().map(|text| Name::new(text).unwrap()).collect();
        Labels { names: all(names), defects: all(defects) }
    }

    fn scores(labels: &Labels, probabilities: &[f64]) -> Vec<ClassScore> {
        let scored = labels.names.iter().cloned().zip(probabilities);
        scored.map(|(label, &probability)| ClassScore { label, probability }).collect()
    }

    fn passport(activation: Activation, labels: Labels) -> Passport {
        let output = "{ name = \"y\", shape = [1, 0], element = \"float64\" }";
        let mut passport = crate::task::tests::passport("task = \"classification\"", output, "");
        passport.outputs[0].activation = Some(activation);
        passport.labels = labels;
        passport
    }

    #[test]
    fn labels_that_hold_at_once_count_by_the_greatest() {
        use crate::tensor::TensorData;
        let three = labels(&["good", "crack", "stain"], &["crack", "stain"]);
        let score = |activation| {
            let passport = passport(activation, three.clone());
            let tensor = Tensor::new(vec![1, 3], TensorData::F64(vec![0.5, 0.25, 0.5])).unwrap();
            let Findings::Classification { classes } = decode(&passport, &[tensor]).unwrap() else { unreachable!() };
            defect_score(&classes, &passport)
        };
        assert_eq!((score(Activation::None), score(Activation::Independent)), (0.75, 0.5));
    }

    #[test]
    fn softmax_is_stable_and_known() {
        let three = labels(&["good", "crack", "stain"], &["crack", "stain"]);
        let found = probabilities(&[1.0, 2.0, 3.0], Activation::Softmax, &three).unwrap();
        for (seen, wanted) in found.into_iter().zip([0.090_030_573, 0.244_728_471, 0.665_240_956]) {
            assert!((seen - wanted).abs() < 1e-9, "{seen} {wanted}");
        }
        let huge = probabilities(&[3e38, -3e38, 3e38], Activation::Softmax, &three).unwrap();
        assert_eq!(huge, [0.5, 0.0, 0.5]);
        assert!((defect_score(&scores(&three, &huge), &passport(Activation::Softmax, three)) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn sigmoid_labels_do_not_exclude_each_other() {
        let three = labels(&["good", "crack", "stain"], &["crack", "stain"]);
        let found = probabilities(&[-1000.0, 0.0, 1000.0], Activation::Sigmoid, &three).unwrap();
        assert_eq!(found, [0.0, 0.5, 1.0]);
        let low = probabilities(&[9.0, 0.0, -1.0], Activation::Sigmoid, &three).unwrap();
        assert!((defect_score(&scores(&three, &low), &passport(Activation::Sigmoid, three)) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_or_no_probability_is_told_with_its_place() {
        let two = labels(&["good", "bad"], &["bad"]);
        let told = |numbers: &[f32], activation| probabilities(numbers, activation, &two).unwrap_err();
        assert_eq!(
            told(&[0.0, f32::NAN], Activation::Softmax),
            "the output at place 1 (label bad) is NaN, a finite number is wanted"
        );
        assert_eq!(
            told(&[f32::NEG_INFINITY, 0.0], Activation::Sigmoid),
            "the output at place 0 (label good) is -inf, a finite number is wanted"
        );
        assert_eq!(
            told(&[0.5, 1.5], Activation::None),
            "the output at place 1 (label bad) is 1.5, a probability from 0 to 1 is wanted"
        );
        assert_eq!(told(&[0.5], Activation::Softmax), "the output has 1 numbers, there are 2 labels");
        assert_eq!(
            told(&[f32::NAN], Activation::Independent),
            "the output at place 0 (label bad) is NaN, a finite number is wanted"
        );
        assert_eq!(told(&[1.0, 0.0], Activation::UnitLength), "a vector of length 1 holds no probabilities");
        assert_eq!(probabilities(&[0.25], Activation::None, &two).unwrap(), [0.75, 0.25]);
        assert_eq!(probabilities(&[-0.000_05, 1.0], Activation::None, &two).unwrap(), [0.0, 1.0]);
        assert_eq!(probabilities(&[0.0], Activation::Sigmoid, &two).unwrap(), [0.5, 0.5], "one number for two labels");
    }

    proptest! {
        #[test]
        fn finite_numbers_become_probabilities(numbers in prop::collection::vec(-1e38_f32..1e38, 3)) {
            let three = labels(&["a", "b", "c"], &["c"]);
            let soft = probabilities(&numbers, Activation::Softmax, &three).unwrap();
            prop_assert!((soft.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let single = probabilities(&numbers, Activation::Sigmoid, &three).unwrap();
            prop_assert!(soft.iter().chain(&single).all(|p| (0.0..=1.0).contains(p)));
            for (left, right) in [(0, 1), (1, 2)] {
                prop_assert_eq!(numbers[left] > numbers[right] && soft[left] < soft[right], false, "order is kept");
            }
        }
    }
}
