//! An output that a task reads, held against the shape that the passport states.
//!
//! Pure. Knows no task. Promises that what it hands on has the passport's shape and that every refusal names the output.

use std::borrow::Cow;

use crate::models::passport::{Element, Output, Passport};
use crate::tensor::{Tensor, TensorData};

/// The most numbers of a map that are read: four labels over 4096 x 4096 pixels, a quarter of a gigabyte.
pub(super) const MOST_NUMBERS: usize = 1 << 26;

/// One output of a passport with what the model answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    /// What the passport says of it.
    pub(super) output: &'a Output,
    /// What the model answered.
    pub(super) tensor: &'a Tensor,
}

impl<'a> Answer<'a> {
    /// The first output.
    ///
    /// # Errors
    /// One sentence when there is none, or it has another shape than the passport states.
    pub(super) fn first(passport: &'a Passport, outputs: &'a [Tensor]) -> Result<Self, String> {
        let (Some(output), Some(tensor)) = (passport.outputs.first(), outputs.first()) else {
            return Err("there is no output to read".into());
        };
        Self { output, tensor }.checked()
    }

    /// The output of a name.
    ///
    /// # Errors
    /// One sentence when there is none of this name, or it has another shape than the passport states.
    pub(super) fn named(passport: &'a Passport, outputs: &'a [Tensor], name: &str) -> Result<Self, String> {
        let found = passport.outputs.iter().zip(outputs).find(|(output, _)| output.name == name);
        let (output, tensor) = found.ok_or_else(|| format!("there is no output \"{name}\" to read"))?;
        Self { output, tensor }.checked()
    }

    /// Holds the shape of the answer against the passport's, where 0 stands for any length.
    fn checked(self) -> Result<Self, String> {
        let (seen, wanted) = (self.tensor.shape(), &self.output.shape);
        let fits =
            seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| *wanted == 0 || seen == wanted);
        if fits {
            Ok(self)
        } else {
            Err(self.told(&format!("the answer has the shape {seen:?}, the passport says {wanted:?}")))
        }
    }

    /// A sentence that names the output.
    pub(super) fn told(&self, why: &str) -> String {
        format!("output \"{}\": {why}", self.output.name)
    }

    /// Whether the elements are whole numbers.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.tensor.element(), Element::Uint8 | Element::Int32 | Element::Int64)
    }

    /// The numbers as binary32: in place where they are, else the nearest ones (infinity beyond the greatest).
    pub(super) fn float32(&self) -> Cow<'a, [f32]> {
        match self.tensor.data() {
            TensorData::F32(numbers) => Cow::Borrowed(numbers),
            #[expect(clippy::cast_possible_truncation, reason = "narrowing is what is asked for")]
            other => Cow::Owned(other.numbers().map(|number| number as f32).collect()),
        }
    }

    /// Rows and columns of a map: the last two axes. Every axis before them is one of `leading` lengths.
    ///
    /// # Errors
    /// One sentence when there are not two axes, one is empty, or there are more than [`MOST_NUMBERS`].
    pub(super) fn rows_and_columns(&self, planes: usize) -> Result<(usize, usize), String> {
        let shape = self.tensor.shape();
        let &[ref leading @ .., rows, columns] = shape else {
            return Err(self.told(&format!("the answer has the shape {shape:?}, rows and columns are wanted")));
        };
        if rows == 0 || columns == 0 {
            return Err(self.told(&format!("the map has {rows} rows of {columns} numbers")));
        }
        if leading.iter().product::<usize>() > planes {
            return Err(self.told(&format!("the answer has the shape {shape:?}, {planes} planes are wanted")));
        }
        let numbers = rows.checked_mul(columns).and_then(|numbers| numbers.checked_mul(planes));
        if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
            let told = format!("{planes} maps of {columns} x {rows} numbers, at most {MOST_NUMBERS} numbers are read");
            return Err(self.told(&told));
        }
        Ok((rows, columns))
    }
}
