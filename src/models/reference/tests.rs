//! References written, read and held: what agrees, what is farthest off, what is no reference.

use proptest::prelude::*;

use super::*;
use crate::models::passport::EXAMPLE;

fn passport() -> Passport {
    toml_edit::de::from_str(EXAMPLE).unwrap()
}

fn example() -> Case {
    let levels = (0..64 * 96 * 3).map(|at| u8::try_from(at % 256).unwrap()).collect();
    Case {
        name: "dark".into(),
        inputs: vec![Tensor::zeros(&[1, 3, 64, 96], Element::Float32)],
        outputs: vec![Tensor::new(vec![1, 2], TensorData::F32(vec![0.25, -1.5])).unwrap()],
        frame: Some(Picture { width: 96, height: 64, channels: 3, levels }),
    }
}

fn numbers_of(values: &[f32]) -> Tensor {
    Tensor::new(vec![values.len()], TensorData::F32(values.to_vec())).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let passport = passport();
    let mut second = example();
    (second.name, second.frame) = ("bright".into(), None);
    let file = file(&[example(), second.clone()], &passport).unwrap();
    assert_eq!(parse(&file, &passport), Ok(vec![second, example()]), "in the order of their names");
}

#[test]
fn a_case_that_does_not_fit_its_passport_is_told() {
    let passport = passport();
    let told = |change: fn(&mut Case)| {
        let mut case = example();
        change(&mut case);
        parse(&file(&[case], &passport).unwrap(), &passport).unwrap_err()
    };
    assert_eq!(
        told(|case| case.outputs[0] = Tensor::zeros(&[1, 3], Element::Float32)),
        "case \"dark\": output.logits is float32 [1, 3], the passport wants float32 [1, 2]"
    );
    assert_eq!(
        told(|case| case.inputs[0] = Tensor::zeros(&[1, 3, 64, 96], Element::Float16)),
        "case \"dark\": input.image is float16 [1, 3, 64, 96], the passport wants float32 [1, 3, 64, 96]"
    );
    assert_eq!(told(|case| case.outputs.clear()), "case \"dark\": there is no tensor \"dark.output.logits\"");
    assert!(parse(b"abc", &passport).unwrap_err().starts_with("it is no safetensors file: "));
    assert_eq!(parse(&file(&[], &passport).unwrap(), &passport).unwrap_err(), "it holds no case");
}

#[test]
fn the_farthest_number_is_told_with_its_place() {
    let wanted = Tensor::new(vec![1, 2, 3], TensorData::F32(vec![0.0, 1.0, 2.0, 3.0, 4.0, -50.0])).unwrap();
    assert!((answer_bound(&wanted, 0.01) - 0.5).abs() < 1e-12);
    assert!((answer_bound(&numbers_of(&[0.1, f32::INFINITY]), 0.01) - 0.01).abs() < 1e-12);
    let seen = Tensor::new(vec![1, 2, 3], TensorData::F32(vec![0.4, 1.0, 2.0, 3.0, 5.0, -50.6])).unwrap();
    assert_eq!(farthest(&seen, &wanted, 0.5), Some(Farthest { place: vec![0, 1, 1], seen: 5.0, wanted: 4.0 }));
    assert_eq!(farthest(&seen, &wanted, 1.0), None);
}

#[test]
fn no_number_is_only_like_no_number() {
    let wanted = numbers_of(&[f32::NAN, f32::INFINITY, 1.0]);
    assert_eq!(farthest(&wanted, &wanted, 0.0), None);
    let seen = numbers_of(&[f32::NAN, f32::NEG_INFINITY, 1.0]);
    assert_eq!(farthest(&seen, &wanted, 1e300).unwrap().place, [1]);
    assert_eq!(farthest(&numbers_of(&[0.0, f32::INFINITY, 1.0]), &wanted, 1e300).unwrap().place, [0]);
}

#[test]
fn a_picture_may_be_one_level_off() {
    let passport = passport();
    let image = passport.inputs[0].image().unwrap();
    assert!((preparation_bound(image) - 1.5 / 255.0 / 0.224).abs() < 1e-12);
}

proptest! {
    #[test]
    fn what_is_near_is_near_and_what_is_far_is_far(
        values in prop::collection::vec(-1e3_f32..1e3, 1..40),
        at in any::<prop::sample::Index>(),
        off in 0.6_f32..10.0,
    ) {
        let wanted = numbers_of(&values);
        let mut moved = values.clone();
        let at = at.index(values.len());
        moved[at] += off;
        prop_assert_eq!(farthest(&wanted, &wanted, 0.0), None);
        prop_assert_eq!(farthest(&numbers_of(&moved), &wanted, 0.5).unwrap().place, vec![at]);
    }

    #[test]
    fn bytes_that_are_no_file_of_references_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes, &passport()).is_err());
    }

    #[test]
    fn places_count_row_by_row(shape in prop::collection::vec(1_usize..6, 1..4), at in any::<prop::sample::Index>()) {
        let at = at.index(shape.iter().product());
        let there = place(at, &shape);
        let back = there.iter().zip(&shape).fold(0, |sum, (index, length)| sum * length + index);
        prop_assert_eq!(back, at);
    }
}
