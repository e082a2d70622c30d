//! Regression: the numbers of the first output get names and are held against their limits.
//!
//! Pure. Refuses numbers that are not finite. A value outside its limits is a defect. Where the passport tells how far the
//! model is usually off, the probability of a defect is that of the true value lying outside, with a normal error: the
//! probability of non-conformity of JCGM 106:2012, section 7. Of several values the worst counts.

use super::output::Answer;
use super::{Findings, Quantity};
use crate::models::passport::Passport;
use crate::models::passport::regression::{Regression, RegressionValue};
use crate::tensor::Tensor;

/// Reads the first output, one number for each value of the passport.
///
/// # Errors
/// One sentence naming the output and the value: another shape than the passport's, another count of numbers than of
/// values, a number that is not finite.
pub fn decode(task: &Regression, passport: &Passport, outputs: &[Tensor]) -> Result<Findings, String> {
    let answer = Answer::first(passport, outputs)?;
    let (seen, wanted) = (answer.tensor.data().len(), task.values.len());
    if seen != wanted {
        return Err(answer.told(&format!("the answer has {seen} numbers, there are {wanted} values")));
    }
    let named = task.values.iter().zip(answer.tensor.data().numbers());
    let values = named.map(|(value, number)| {
        if number.is_finite() {
            Ok(Quantity { name: value.name.clone(), value: number, within: value.within(number) })
        } else {
            Err(answer.told(&format!("the value {} is {number}, a finite number is wanted", value.name)))
        }
    });
    Ok(Findings::Regression { values: values.collect::<Result<_, _>>()? })
}

/// The probability, 0 to 1, that the worst of the values lies outside its limits; `None` when no value has limits.
#[must_use]
pub fn defect_score(values: &[Quantity], task: &Regression) -> Option<f64> {
    let known = |quantity: &Quantity| task.values.iter().find(|value| value.name == quantity.name);
    let outside = values.iter().filter_map(|quantity| outside(quantity.value, known(quantity)?));
    outside.reduce(f64::max)
}

/// The probability, 0 to 1, that the true value lies outside the limits when `value` is what is read; `None` without limits.
#[must_use]
pub fn outside(value: f64, limits: &RegressionValue) -> Option<f64> {
    let within = limits.within(value)?;
    let Some(error) = limits.standard_error else { return Some(if within { 0.0 } else { 1.0 }) };
    let below = limits.at_least.map_or(0.0, |least| normal((least - value) / error));
    let above = limits.at_most.map_or(0.0, |most| normal((value - most) / error));
    Some((below + above).clamp(0.0, 1.0))
}

/// The standard normal distribution function, at most 1e-7 off (Abramowitz and Stegun 1964, 7.1.26, for the error
/// function it is made of).
fn normal(x: f64) -> f64 {
    const FACTORS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let y = x.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * y);
    let polynomial = FACTORS.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = 0.5 * polynomial * (-y * y).exp();
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::passport::Task;
    use crate::task;
    use crate::tensor::TensorData;

    const VALUES: &str = "[[task.regression.values]]\nname = \"width\"\nat_least = 2.0\nat_most = 3.0\n\
                          [[task.regression.values]]\nname = \"force\"";

    fn passport(values: &str) -> Passport {
        task::tests::passport(values, "{ name = \"y\", shape = [1, 0], element = \"float64\" }", "")
    }

    fn read(passport: &Passport, numbers: &[f64]) -> Result<Vec<Quantity>, String> {
        let tensor = Tensor::new(vec![1, numbers.len()], TensorData::F64(numbers.to_vec())).unwrap();
        match task::decode(passport, &[tensor], &task::geometry::Geometry::identity(0, 0))? {
            Findings::Regression { values } => Ok(values),
            other => panic!("{other:?}"),
        }
    }

    fn score(passport: &Passport, numbers: &[f64]) -> Option<f64> {
        let values = read(passport, numbers).unwrap();
        task::defect_score(&Findings::Regression { values }, passport)
    }

    #[test]
    fn values_are_named_and_held_against_their_limits() {
        let passport = passport(VALUES);
        let seen = read(&passport, &[2.5, -9.0]).unwrap();
        let told: Vec<_> = seen.iter().map(|value| (value.name.as_str(), value.value, value.within)).collect();
        assert_eq!(told, [("width", 2.5, Some(true)), ("force", -9.0, None)]);
        for (width, wanted) in [(1.99, 1.0), (2.0, 0.0), (3.0, 0.0), (3.01, 1.0)] {
            assert_eq!(score(&passport, &[width, 0.0]), Some(wanted), "{width}");
        }
    }

    #[test]
    fn without_limits_nothing_is_said_of_defects() {
        let passport = passport("[[task.regression.values]]\nname = \"force\"");
        assert!(!passport.task.judges() && self::passport(VALUES).task.judges());
        assert_eq!(score(&passport, &[1e9]), None);
    }

    #[test]
    fn a_usual_error_makes_the_limits_soft() {
        let passport = passport(
            "[[task.regression.values]]\nname = \"width\"\nat_least = 2.0\nat_most = 3.0\nstandard_error = 0.1",
        );
        let near = |value: f64, wanted: f64| {
            let seen = score(&passport, &[value]).unwrap();
            assert!((seen - wanted).abs() < 2e-7, "{value}: {seen}, {wanted} is wanted");
        };
        // The standard normal distribution function at -5 twice, 0, 1 and -1.
        near(2.5, 5.733_031_4e-7);
        near(2.0, 0.5);
        near(1.9, 0.841_344_746);
        near(2.9, 0.158_655_254);
    }

    #[test]
    fn what_is_no_value_is_told_with_its_name() {
        let told = |numbers: &[f64]| read(&passport(VALUES), numbers).unwrap_err();
        assert_eq!(told(&[1.0]), "output \"y\": the answer has 1 numbers, there are 2 values");
        assert_eq!(told(&[1.0, f64::NAN]), "output \"y\": the value force is NaN, a finite number is wanted");
        assert_eq!(told(&[f64::NEG_INFINITY, 0.0]), "output \"y\": the value width is -inf, a finite number is wanted");
    }

    proptest! {
        #[test]
        fn farther_out_is_worse(value in -1e6..1e6_f64, further in 0.0..1e6_f64, error in 1e-3..1e3_f64) {
            let values = format!("[[task.regression.values]]\nname = \"x\"\nat_most = 0.0\nstandard_error = {error:?}");
            let passport = passport(&values);
            let (near, far) = (score(&passport, &[value]).unwrap(), score(&passport, &[value + further]).unwrap());
            prop_assert!((0.0..=1.0).contains(&near) && far >= near - 2e-7);
            let Task::Regression(task) = &passport.task else { unreachable!() };
            prop_assert_eq!(near > 0.5 + 2e-7, task.values[0].within(value) == Some(false) && near > 0.5 + 2e-7);
        }
    }
}
