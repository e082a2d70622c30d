//! What a text becomes, without a tokenizer's file: bytes, padding, what is missing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::clock::Monotonic;
use crate::models::passport::Passport;
use crate::models::passport::tests::PASSPORT;
use crate::name::Name;
use crate::tensor::{Element, TensorData};

fn input(text: &str) -> TextInput {
    toml_edit::de::from_str(text).unwrap()
}

fn bytes(more: &str) -> TextInput {
    input(&format!("name = \"text\"\nshape = [1, 6]\nelement = \"int64\"\nkey = \"text\"\npadding = 0\n{more}"))
}

fn model(inputs: Vec<TextInput>) -> Model {
    let mut passport: Passport = toml_edit::de::from_str(PASSPORT).unwrap();
    passport.inputs = inputs.into_iter().map(Input::Text).collect();
    Model { passport, folder: PathBuf::from("nowhere") }
}

fn said(sensor: &str, value: Value) -> Reading {
    let values = BTreeMap::from([("text".to_owned(), value)]);
    Reading { sensor: Name::new(sensor).unwrap(), captured: Monotonic::from_nanos(0), part: None, values, asker: None }
}

fn fed(inputs: Vec<TextInput>, readings: &[Reading]) -> Result<Vec<TensorData>, String> {
    let model = model(inputs);
    let mut tensors: Vec<Tensor> =
        model.passport.inputs.iter().map(|input| Tensor::zeros(input.shape(), input.element())).collect();
    Texts::new(&model)?.fill(readings, &mut tensors)?;
    Ok(tensors.iter().map(|tensor| tensor.data().clone()).collect())
}

#[test]
fn bytes_are_cut_padded_and_shifted() {
    let plain = "tokens = { bytes = {} }";
    let said = |text: &str| vec![said("scale", Value::Text(text.into()))];
    let one = |more: &str, text: &str| fed(vec![bytes(more)], &said(text)).unwrap().remove(0);
    assert_eq!(one(plain, "AB"), TensorData::I64(vec![65, 66, 0, 0, 0, 0]));
    assert_eq!(one(plain, ""), TensorData::I64(vec![0; 6]));
    assert_eq!(one(plain, "LOT A17-2026"), TensorData::I64(vec![76, 79, 84, 32, 65, 49]));
    assert_eq!(one("tokens = { bytes = { offset = 3 } }", "µ"), TensorData::I64(vec![197, 184, 0, 0, 0, 0]));
    let ascii = "tokens = { bytes = { offset = 1, known = 128, unknown = 129 } }";
    assert_eq!(one(ascii, "aµ"), TensorData::I64(vec![98, 129, 129, 0, 0, 0]));
    let mask = "tokens = { bytes = {} }\npart = \"mask\"";
    let both = fed(vec![bytes(plain), TextInput { element: Element::Int32, ..bytes(mask) }], &said("abc")).unwrap();
    assert_eq!(both[1], TensorData::I32(vec![1, 1, 1, 0, 0, 0]));
}

#[test]
fn a_text_comes_from_its_sensor_or_is_missed_by_name() {
    let plain = "tokens = { bytes = {} }";
    let readings = [said("scale", Value::Number(12.5)), said("printer", Value::Text("x".into()))];
    let first = |more: &str| fed(vec![bytes(more)], &readings).unwrap().remove(0);
    assert_eq!(first(plain), TensorData::I64(vec![49, 50, 46, 53, 0, 0]), "a number as it is written");
    assert_eq!(first(&format!("{plain}\nsensor = \"printer\"")), TensorData::I64(vec![120, 0, 0, 0, 0, 0]));
    assert_eq!(
        fed(vec![bytes(plain)], &[]).unwrap_err(),
        "input \"text\": no reading of the part has the key \"text\""
    );
    let missing = format!("{plain}\nmissing = \"?\"");
    assert_eq!(fed(vec![bytes(&missing)], &[]).unwrap()[0], TensorData::I64(vec![63, 0, 0, 0, 0, 0]));
}

#[test]
fn a_tokenizer_that_is_not_there_is_told_with_its_path() {
    let sha256 = "0".repeat(64);
    let tokens = format!("tokens = {{ tokenizer = {{ path = \"tokenizer.json\", sha256 = \"{sha256}\" }} }}");
    let why = fed(vec![bytes(&tokens)], &[]).unwrap_err();
    assert!(why.starts_with("input \"text\": nowhere/tokenizer.json cannot be read: "), "{why}");
}

proptest! {
    #[test]
    fn bytes_are_the_bytes(text in ".{0,12}") {
        let numbers = fed(vec![bytes("tokens = { bytes = {} }")], &[said("s", Value::Text(text.clone()))]).unwrap();
        let mut wanted: Vec<i64> = text.bytes().map(i64::from).collect();
        wanted.resize(6, 0);
        prop_assert_eq!(&numbers[0], &TensorData::I64(wanted));
    }
}
