//! Embedding: the first output as one vector, or another one beside the answer of another task.
//!
//! Pure. Refuses numbers that are not finite, and a vector of zeroes where one of length 1 is wanted.

use super::Findings;
use super::output::Answer;
use crate::models::passport::{Activation, Passport};
use crate::tensor::Tensor;

/// The longest vector: far beyond any embedding in use, and small enough to travel in a message.
const MOST_NUMBERS: usize = 65_536;

/// Reads the first output as a vector; with the activation `unit-length` it is divided by its Euclidean length.
///
/// # Errors
/// One sentence naming the output and the place in it: another shape than the passport's, no number or too many, one that
/// is not finite, zeroes that have no direction.
pub fn decode(passport: &Passport, outputs: &[Tensor]) -> Result<Findings, String> {
    Ok(Findings::Embedding { vector: vector(&Answer::first(passport, outputs)?)? })
}

/// The embedding behind the answer of another task, where the passport names one.
///
/// # Errors
/// As [`decode`].
pub fn beside(passport: &Passport, outputs: &[Tensor]) -> Result<Option<Vec<f32>>, String> {
    let Some(name) = &passport.embedding else { return Ok(None) };
    vector(&Answer::named(passport, outputs, name)?).map(Some)
}

/// One output as a vector.
fn vector(answer: &Answer<'_>) -> Result<Vec<f32>, String> {
    let numbers = answer.float32();
    if numbers.is_empty() || numbers.len() > MOST_NUMBERS {
        return Err(answer.told(&format!("the vector has {} numbers, 1 to {MOST_NUMBERS} are wanted", numbers.len())));
    }
    if let Some((place, number)) = numbers.iter().enumerate().find(|(_, number)| !number.is_finite()) {
        return Err(answer.told(&format!("the number at place {place} is {number}, a finite number is wanted")));
    }
    let mut vector = numbers.into_owned();
    if answer.output.activation == Some(Activation::UnitLength) {
        // Squares of the greatest binary32 numbers do not overflow binary64.
        let length = vector.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt();
        if length == 0.0 {
            return Err(answer.told("all numbers of the vector are 0, it cannot be brought to length 1"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "from -1 to 1")]
        for number in &mut vector {
            *number = (f64::from(*number) / length) as f32;
        }
    }
    Ok(vector)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::tests::passport;
    use crate::tensor::TensorData;

    fn read(numbers: &[f32], activation: &str) -> Result<Vec<f32>, String> {
        let output = format!("{{ name = \"y\", shape = [1, 0], element = \"float32\"{activation} }}");
        let passport = passport("task = \"embedding\"", &output, "");
        let tensor = Tensor::new(vec![1, numbers.len()], TensorData::F32(numbers.to_vec())).unwrap();
        match decode(&passport, &[tensor])? {
            Findings::Embedding { vector } => Ok(vector),
            other => panic!("{other:?}"),
        }
    }

    const UNIT: &str = ", activation = \"unit-length\"";

    #[test]
    fn a_vector_is_kept_or_brought_to_length_1() {
        assert_eq!(read(&[3.0, -4.0], "").unwrap(), [3.0, -4.0]);
        assert_eq!(read(&[3.0, -4.0], UNIT).unwrap(), [0.6, -0.8]);
        assert_eq!(read(&[3e38, 0.0], UNIT).unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn what_is_no_vector_is_told() {
        let told = |numbers: &[f32]| read(numbers, UNIT).unwrap_err();
        assert_eq!(told(&[]), "output \"y\": the vector has 0 numbers, 1 to 65536 are wanted");
        assert_eq!(told(&vec![0.0; 65_537]), "output \"y\": the vector has 65537 numbers, 1 to 65536 are wanted");
        assert_eq!(told(&[0.0, f32::NAN]), "output \"y\": the number at place 1 is NaN, a finite number is wanted");
        assert_eq!(told(&[f32::INFINITY]), "output \"y\": the number at place 0 is inf, a finite number is wanted");
        assert_eq!(
            told(&[0.0, 0.0]),
            "output \"y\": all numbers of the vector are 0, it cannot be brought to length 1"
        );
        let passport = passport("task = \"embedding\"", "{ name = \"y\", shape = [1, 3], element = \"float32\" }", "");
        let other = Tensor::new(vec![1, 2], TensorData::F32(vec![0.0; 2])).unwrap();
        assert_eq!(
            decode(&passport, &[other]).unwrap_err(),
            "output \"y\": the answer has the shape [1, 2], the passport says [1, 3]"
        );
        assert_eq!(decode(&passport, &[]).unwrap_err(), "there is no output to read");
    }

    proptest! {
        #[test]
        fn a_unit_vector_has_length_1(numbers in prop::collection::vec(-1e30_f32..1e30, 1..40)) {
            prop_assume!(numbers.iter().any(|number| *number != 0.0));
            let vector = read(&numbers, UNIT).unwrap();
            let length: f64 = vector.iter().map(|&number| f64::from(number).powi(2)).sum();
            prop_assert!((length - 1.0).abs() < 1e-5);
        }
    }
}
