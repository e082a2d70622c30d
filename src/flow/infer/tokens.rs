//! Tokens: the texts of a part's readings become numbers, cut or padded to the length that a model is fed.
//!
//! Inputs that are fed with the same text share one walk of the tokenizer. Promises that every number of an input is
//! written anew for every question. Deliberately not here: which words mean what; the model knows.

mod file;

use self::file::Tokenizer;
use super::feed::reading;
use super::session::{Tensor, TensorDataMut};
use crate::flow::Reading;
use crate::models::passport::input::{Bytes, TextInput, TokenPart, Tokens};
use crate::models::passport::{Input, Model};
use crate::value::Value;

/// The text inputs of one model.
#[derive(Debug)]
pub(super) struct Texts {
    encoders: Vec<Encoder>,
}

/// One text that a model is fed with, and where its numbers go.
#[derive(Debug)]
struct Encoder {
    /// The first of the inputs that are fed with it: all agree in where the text comes from and how it is cut.
    source: TextInput,
    cut: Cut,
    /// The places of the inputs in the graph's order, and which numbers each is fed with.
    fed: Vec<(usize, TextInput)>,
}

/// What cuts a text.
#[derive(Debug)]
enum Cut {
    Bytes(Bytes),
    Tokenizer(Box<Tokenizer>),
}

/// The numbers of a text, no more of them than the input has room for.
#[derive(Debug, Default)]
struct Encoded {
    ids: Vec<i64>,
    types: Vec<i64>,
}

impl Texts {
    /// Opens the tokenizers of a model's text inputs.
    ///
    /// # Errors
    /// One sentence naming the input, and its file where that cannot be read, is another than the passport says or fits
    /// not the length.
    pub(super) fn new(model: &Model) -> Result<Self, String> {
        let mut encoders: Vec<Encoder> = Vec::new();
        for (place, input) in model.passport.inputs.iter().enumerate() {
            let Input::Text(input) = input else { continue };
            if let Some(encoder) = encoders.iter_mut().find(|encoder| same_text(&encoder.source, input)) {
                encoder.fed.push((place, input.clone()));
                continue;
            }
            let told = |why: String| format!("input \"{}\": {why}", input.name);
            let cut = match &input.tokens {
                Tokens::Bytes(bytes) => Cut::Bytes(*bytes),
                Tokens::Tokenizer(file) => {
                    let opened = Tokenizer::open(&model.folder().join(&file.path), &file.sha256, length(input));
                    Cut::Tokenizer(Box::new(opened.map_err(told)?))
                }
            };
            encoders.push(Encoder { source: input.clone(), cut, fed: vec![(place, input.clone())] });
        }
        Ok(Self { encoders })
    }

    /// Fills the text inputs among a model's tensors, which are in the graph's order.
    ///
    /// # Errors
    /// One sentence naming the input: no reading has its key, or the tokenizer refuses the text.
    pub(super) fn fill(&self, readings: &[Reading], tensors: &mut [Tensor]) -> Result<(), String> {
        for encoder in &self.encoders {
            let told = |why: String| format!("input \"{}\": {why}", encoder.source.name);
            let text = text(&encoder.source, readings).map_err(told)?;
            let encoded = encoder.cut.encode(&text, length(&encoder.source)).map_err(told)?;
            for (place, input) in &encoder.fed {
                if let Some(tensor) = tensors.get_mut(*place) {
                    write(tensor, &encoded, input);
                }
            }
        }
        Ok(())
    }
}

/// Whether two inputs are fed with the same numbers of the same text.
fn same_text(one: &TextInput, other: &TextInput) -> bool {
    let of = |input: &TextInput| {
        (input.key.clone(), input.sensor.clone(), input.missing.clone(), input.tokens.clone(), input.shape.clone())
    };
    of(one) == of(other)
}

/// How many tokens an input has room for.
fn length(input: &TextInput) -> usize {
    input.shape.last().copied().unwrap_or_default()
}

/// The text of a part's readings; a number, true and false as they are written.
fn text(input: &TextInput, readings: &[Reading]) -> Result<String, String> {
    let key = &input.key;
    match (reading(readings, input.sensor.as_ref(), key), &input.missing) {
        (Some(Value::Text(text)), _) => Ok(text.clone()),
        (Some(value), _) => Ok(value.to_string()),
        (None, Some(missing)) => Ok(missing.clone()),
        (None, None) => Err(format!("no reading of the part has the key \"{key}\"")),
    }
}

impl Cut {
    fn encode(&self, text: &str, length: usize) -> Result<Encoded, String> {
        match self {
            Self::Bytes(bytes) => {
                let ids: Vec<i64> = text.bytes().take(length).map(|byte| token(byte, *bytes)).collect();
                Ok(Encoded { types: vec![0; ids.len()], ids })
            }
            Self::Tokenizer(tokenizer) => {
                let (ids, types) = tokenizer.encode(text)?;
                let numbers = |numbers: Vec<u32>| numbers.into_iter().take(length).map(i64::from).collect();
                Ok(Encoded { ids: numbers(ids), types: numbers(types) })
            }
        }
    }
}

/// The number that stands for a byte.
fn token(byte: u8, bytes: Bytes) -> i64 {
    match (bytes.known, bytes.unknown) {
        (Some(known), Some(unknown)) if u16::from(byte) >= known => unknown,
        _ => i64::from(byte) + i64::from(bytes.offset),
    }
}

/// Writes the numbers of a text and the padding behind them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a checked passport has an element type that holds every token"
)]
fn write(tensor: &mut Tensor, encoded: &Encoded, input: &TextInput) {
    let at = |place: usize| match input.part {
        TokenPart::Ids => encoded.ids.get(place).copied(),
        TokenPart::Mask => encoded.ids.get(place).map(|_| 1),
        TokenPart::Types => encoded.types.get(place).copied(),
    };
    let number = |place: usize| at(place).unwrap_or(input.padding);
    match tensor.data_mut() {
        TensorDataMut::F16(to) => {
            to.iter_mut().enumerate().for_each(|(at, to)| *to = half::f16::from_f64(number(at) as f64));
        }
        TensorDataMut::F32(to) => to.iter_mut().enumerate().for_each(|(at, to)| *to = number(at) as f32),
        TensorDataMut::F64(to) => to.iter_mut().enumerate().for_each(|(at, to)| *to = number(at) as f64),
        TensorDataMut::U8(to) => to.iter_mut().enumerate().for_each(|(at, to)| *to = number(at) as u8),
        TensorDataMut::I32(to) => to.iter_mut().enumerate().for_each(|(at, to)| *to = number(at) as i32),
        TensorDataMut::I64(to) => to.iter_mut().enumerate().for_each(|(at, to)| *to = number(at)),
    }
}

#[cfg(test)]
mod tests;
