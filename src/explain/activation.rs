//! Class activation: what each place of a model's last features says to its answer, where only linear nodes stand behind the mean
//! over the places (Zhou, Khosla, Lapedriza, Oliva and Torralba, "Learning deep features for discriminative localization", 2016).
//! [`crate::models::graph::activation`] opens the graph; here its numbers are read.
//!
//! A number of the map is the log-odds of a defect that the model would give to a picture in which every place is like this one;
//! the mean of all places is the answer itself, so that the map can be held against it. Exact for two classes and for labels that
//! do not exclude each other. For several that do, the log-odds are no sum: each class counts by the slope of the log-odds
//! (Selvaraju et al., "Grad-CAM", 2017), and the map is of the first order.

use crate::models::graph::activation::End;
use crate::models::passport::{Activation, Passport};
use crate::task::classification::{defect_score, probabilities};
use crate::task::geometry::Geometry;
use crate::task::{ClassScore, Map};
use crate::tensor::Tensor;

/// A class activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Activated {
    /// For each place the log-odds of a defect that it speaks for.
    pub map: Map,
    /// The score, 0 to 1, of the mean of all places: the model's own, to rounding.
    pub score: f64,
}

/// Reads a class activation: `scores` has a row for each place and a column for each number of the answer, `lengths` the lengths of
/// the feature map (pictures, features, rows, columns); `end` is what the graph makes of their mean, `geometry` leads from the
/// pixels of the image input to those of the frame.
///
/// # Errors
/// One sentence: numbers that are not those of one picture, an answer that is no classification by softmax or sigmoid, or labels of
/// which none is a defect, or all.
pub fn read(
    passport: &Passport,
    end: End,
    scores: &Tensor,
    lengths: &Tensor,
    geometry: &Geometry,
) -> Result<Activated, String> {
    let exclusive = exclusive(passport, end)?;
    let numbers: Vec<f64> = scores.data().numbers().collect();
    let (&[places, columns], &[_, _, rows, across]) = (scores.shape(), whole(lengths)?.as_slice()) else {
        return Err(format!("the scores of its places have the shape {:?}", scores.shape()));
    };
    if columns == 0 || places == 0 || rows.checked_mul(across) != Some(places) {
        return Err(format!(
            "there are scores of {places} places for a feature map of {rows} rows and {across} columns"
        ));
    }
    let mean = mean(&numbers, columns);
    let activation = if exclusive { Activation::Softmax } else { Activation::Sigmoid };
    #[expect(clippy::cast_possible_truncation, reason = "the numbers came out of the model as binary32")]
    let answer: Vec<f32> = mean.iter().map(|number| *number as f32).collect();
    let sure = probabilities(&answer, activation, &passport.labels)?;
    let classes = passport.labels.names.iter().cloned().zip(sure);
    let classes: Vec<ClassScore> = classes.map(|(label, probability)| ClassScore { label, probability }).collect();
    let slopes = slopes(passport, &classes, &mean, exclusive)?;
    #[expect(clippy::cast_possible_truncation, reason = "a map holds binary32: the nearest one is meant")]
    let said = |row: &[f64]| row.iter().zip(&slopes).map(|(number, slope)| number * slope).sum::<f64>() as f32;
    let said: Vec<f32> = numbers.chunks_exact(columns).map(said).collect();
    Ok(Activated { map: Map::of_input(&said, (rows, across), geometry)?, score: defect_score(&classes, passport) })
}

/// Whether the labels exclude each other; refused where the linear numbers are not what the probabilities are made of.
fn exclusive(passport: &Passport, end: End) -> Result<bool, String> {
    let activation = passport.outputs.first().and_then(|output| output.activation).unwrap_or(Activation::None);
    match (activation, end) {
        (Activation::Softmax, End::Linear) | (Activation::None, End::Softmax) => Ok(true),
        (Activation::Sigmoid, End::Linear) | (Activation::Independent | Activation::None, End::Sigmoid) => Ok(false),
        _ => Err("its probabilities are made neither by softmax nor by sigmoid of linear numbers".into()),
    }
}

/// The lengths of the axes, as whole numbers.
fn whole(lengths: &Tensor) -> Result<Vec<usize>, String> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths of axes; `as` saturates")]
    let axes: Vec<usize> = lengths.data().numbers().map(|length| length as usize).collect();
    match axes.as_slice() {
        [1, _, _, _] => Ok(axes),
        _ => {
            Err(format!("its feature map has the lengths {axes:?}, wanted are one picture, features, rows and columns"))
        }
    }
}

/// The mean of each column.
#[expect(clippy::cast_precision_loss, reason = "a count of places")]
fn mean(numbers: &[f64], columns: usize) -> Vec<f64> {
    let rows = numbers.chunks_exact(columns);
    let many = rows.len().max(1) as f64;
    (0..columns).map(|column| rows.clone().map(|row| row[column]).sum::<f64>() / many).collect()
}

/// How much the log-odds of a defect rise with each number of the answer.
///
/// Where labels exclude each other, the log-odds are `ln(sum of exp of defects) - ln(sum of exp of others)`: a defect counts by its
/// share among the defects, another label by its share among the others, downwards. Where they do not, the score is the greatest
/// of any defect, and that one alone counts.
fn slopes(passport: &Passport, classes: &[ClassScore], mean: &[f64], exclusive: bool) -> Result<Vec<f64>, String> {
    let defect = |place: usize| classes.get(place).is_some_and(|class| passport.labels.defects.contains(&class.label));
    let many = (0..classes.len()).filter(|&place| defect(place)).count();
    if many == 0 || many == classes.len() {
        return Err(format!("{many} of its {} labels are defects", classes.len()));
    }
    if !exclusive && mean.len() == 1 {
        // One number for two labels: the probability of the second.
        return Ok(vec![if defect(1) { 1.0 } else { -1.0 }]);
    }
    if !exclusive {
        let most =
            (0..mean.len()).filter(|&place| defect(place)).max_by(|&one, &other| mean[one].total_cmp(&mean[other]));
        return Ok((0..mean.len()).map(|place| f64::from(Some(place) == most)).collect());
    }
    let share = |place: usize| {
        let same: Vec<f64> = (0..mean.len()).filter(|&at| defect(at) == defect(place)).map(|at| mean[at]).collect();
        let most = same.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (mean[place] - most).exp() / same.iter().map(|number| (number - most).exp()).sum::<f64>()
    };
    Ok((0..mean.len()).map(|place| if defect(place) { share(place) } else { -share(place) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::calibrator::logit;
    use crate::task::tests::passport;
    use crate::tensor::TensorData;
    use proptest::prelude::*;

    fn model(activation: &str, names: &str, defects: &str) -> Passport {
        let output =
            format!("{{ name = \"y\", shape = [1, 0], element = \"float32\", activation = \"{activation}\" }}");
        passport("task = \"classification\"", &output, &format!("names = [{names}], defects = [{defects}]"))
    }

    fn told(
        passport: &Passport,
        end: End,
        columns: usize,
        numbers: &[f32],
        lengths: &[i64],
    ) -> Result<Activated, String> {
        let scores = Tensor::new(vec![numbers.len() / columns, columns], TensorData::F32(numbers.to_vec())).unwrap();
        let lengths = Tensor::new(vec![lengths.len()], TensorData::I64(lengths.to_vec())).unwrap();
        read(passport, end, &scores, &lengths, &Geometry::identity(20, 10))
    }

    #[test]
    fn two_classes_by_hand() {
        let two = model("softmax", "\"good\", \"crack\"", "\"crack\"");
        let numbers = [0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0, 4.0];
        let seen = told(&two, End::Linear, 2, &numbers, &[1, 9, 1, 4]).unwrap();
        assert_eq!((seen.map.width, seen.map.height, seen.map.covers), (4, 1, [0.0, 0.0, 20.0, 10.0]));
        assert_eq!(seen.map.numbers, [1.0, -2.0, 0.0, 3.0]);
        assert!((logit(seen.score) - 0.5).abs() < 1e-6, "the mean of the map");
        let turned = model("none", "\"crack\", \"good\"", "\"crack\"");
        let seen = told(&turned, End::Softmax, 2, &numbers, &[1, 9, 2, 2]).unwrap();
        assert_eq!(seen.map.numbers, [-1.0, 2.0, 0.0, -3.0]);
        let single = model("sigmoid", "\"crack\", \"good\"", "\"crack\"");
        assert_eq!(told(&single, End::Linear, 1, &[1.0, 3.0], &[1, 9, 2, 1]).unwrap().map.numbers, [-1.0, -3.0]);
    }

    #[test]
    fn what_is_no_class_activation_is_told() {
        let two = model("softmax", "\"good\", \"crack\"", "\"crack\"");
        let why = |passport: &Passport, end, lengths: &[i64]| told(passport, end, 2, &[0.0; 8], lengths).unwrap_err();
        assert!(why(&two, End::Softmax, &[1, 9, 2, 2]).contains("neither by softmax nor by sigmoid"));
        assert_eq!(
            why(&two, End::Linear, &[1, 9, 2, 3]),
            "there are scores of 4 places for a feature map of 2 rows and 3 columns"
        );
        assert!(why(&two, End::Linear, &[2, 9, 1, 2]).contains("wanted are one picture"));
        assert!(why(&two, End::Linear, &[4]).contains("wanted are one picture"));
        let gate = model("softmax", "\"a\", \"b\"", "");
        assert_eq!(why(&gate, End::Linear, &[1, 9, 2, 2]), "0 of its 2 labels are defects");
    }

    /// The log-odds of a defect of an answer, and how fast they rise with each number of it.
    fn odds(passport: &Passport, answer: &[f32]) -> (f64, Vec<f64>) {
        let sure = probabilities(answer, Activation::Softmax, &passport.labels).unwrap();
        let classes = passport.labels.names.iter().cloned().zip(sure);
        let classes: Vec<ClassScore> = classes.map(|(label, probability)| ClassScore { label, probability }).collect();
        let mean: Vec<f64> = answer.iter().map(|number| f64::from(*number)).collect();
        (logit(defect_score(&classes, passport)), slopes(passport, &classes, &mean, true).unwrap())
    }

    proptest! {
        /// The mean of the map is the log-odds of the answer, for two classes.
        #[test]
        fn the_map_adds_up_to_the_answer(numbers in prop::collection::vec(-4.0_f32..4.0, 24)) {
            let two = model("softmax", "\"good\", \"crack\"", "\"crack\"");
            let seen = told(&two, End::Linear, 2, &numbers, &[1, 5, 3, 4]).unwrap();
            let mean = seen.map.numbers.iter().map(|number| f64::from(*number)).sum::<f64>() / 12.0;
            prop_assert!((mean - logit(seen.score)).abs() < 1e-4, "{} {}", mean, seen.score);
        }

        /// Each class counts by how fast the log-odds rise with it, for several.
        #[test]
        fn a_class_counts_by_the_slope_of_the_log_odds(answer in prop::collection::vec(-4.0_f32..4.0, 4)) {
            let four = model("softmax", "\"good\", \"crack\", \"stain\", \"other\"", "\"crack\", \"stain\"");
            let (_, slopes) = odds(&four, &answer);
            for (label, slope) in slopes.into_iter().enumerate() {
                let moved = |by: f32| {
                    let mut moved = answer.clone();
                    moved[label] += by;
                    odds(&four, &moved).0
                };
                let seen = (moved(0.01) - moved(-0.01)) / 0.02;
                prop_assert!((seen - slope).abs() < 1e-3, "{}: {} {}", label, seen, slope);
            }
        }
    }
}
