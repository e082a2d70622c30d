//! Connectionist temporal classification: from the classes of every step to characters.

use crate::models::passport::Activation;
use crate::models::passport::text::Blank;

/// One character of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The step at which it was first told, from 0.
    pub at: usize,
    /// What it is.
    pub character: String,
    /// Its probability at that step, 0 to 1.
    pub probability: f64,
}

/// The surest class of every step, the first of equals; repeats told once, blanks left out. `numbers` holds a number for
/// the blank and for each of the characters, step by step.
pub(super) fn greedy(
    numbers: &[f32],
    characters: &[String],
    blank: Blank,
    activation: Option<Activation>,
) -> Vec<Step> {
    let mut told = Vec::new();
    let mut before = None;
    for (at, step) in numbers.chunks_exact(characters.len() + 1).enumerate() {
        let first = (0, f32::NEG_INFINITY);
        let surest = step.iter().copied().enumerate();
        let (class, number) = surest.fold(first, |surest, seen| if seen.1 > surest.1 { seen } else { surest });
        let character = match blank {
            Blank::First => class.checked_sub(1).and_then(|place| characters.get(place)),
            Blank::Last => characters.get(class),
        };
        if let Some(character) = character.filter(|_| before != Some(class)) {
            let probability = probability(number, step, activation);
            told.push(Step { at, character: character.clone(), probability });
        }
        before = Some(class);
    }
    told
}

/// The probability of the class with the greatest number of a step.
fn probability(number: f32, step: &[f32], activation: Option<Activation>) -> f64 {
    match activation {
        Some(Activation::Softmax) => {
            1.0 / step.iter().map(|&other| (f64::from(other) - f64::from(number)).exp()).sum::<f64>()
        }
        // The check of a passport lets nothing else through, and the numbers were found to be probabilities.
        _ => f64::from(number).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(classes: &[usize], blank: Blank) -> String {
        let characters: Vec<String> = ["A", "7", "-"].map(str::to_owned).to_vec();
        let one = |class: usize| (0..4).map(move |place| if place == class { 0.7 } else { 0.1 });
        let numbers: Vec<f32> = classes.iter().copied().flat_map(one).collect();
        let steps = greedy(&numbers, &characters, blank, Some(Activation::None));
        assert!(steps.iter().all(|step| (step.probability - 0.7).abs() < 1e-6));
        steps.iter().map(|step| step.character.as_str()).collect()
    }

    #[test]
    fn repeats_are_told_once_unless_a_blank_stands_between() {
        assert_eq!(read(&[0, 1, 1, 0, 2, 2, 2, 3, 0], Blank::First), "A7-");
        assert_eq!(read(&[1, 0, 1, 1], Blank::First), "AA");
        assert_eq!(read(&[0, 3, 0, 0, 1], Blank::Last), "AA7");
        assert_eq!(read(&[3, 3, 3], Blank::Last), "");
        assert_eq!(read(&[], Blank::First), "");
    }

    #[test]
    fn softmax_gives_the_same_for_logits_and_their_logarithms() {
        let logits = [1.0_f32, 3.0, 0.0];
        let sum: f32 = logits.iter().map(|x| x.exp()).sum();
        let logarithms = logits.map(|x| (x.exp() / sum).ln());
        let characters = ["a".to_owned(), "b".to_owned()];
        let read = |numbers: &[f32]| greedy(numbers, &characters, Blank::First, Some(Activation::Softmax))[0].clone();
        assert!((read(&logits).probability - read(&logarithms).probability).abs() < 1e-6);
        assert!((read(&logits).probability - f64::from(3.0_f32.exp() / sum)).abs() < 1e-6);
        assert_eq!(read(&[-3e38, 3e38, -3e38]), Step { at: 0, character: "a".into(), probability: 1.0 });
    }

    proptest! {
        #[test]
        fn no_more_characters_than_steps(numbers in prop::collection::vec(0.0_f32..1.0, 0..60)) {
            let characters = ["a".to_owned(), "b".to_owned()];
            let steps = greedy(&numbers, &characters, Blank::Last, Some(Activation::None));
            prop_assert!(steps.len() <= numbers.len() / 3);
            prop_assert!(steps.iter().all(|step| (0.0..=1.0).contains(&step.probability)));
            prop_assert!(steps.is_sorted_by(|one, next| one.at < next.at));
        }
    }
}
