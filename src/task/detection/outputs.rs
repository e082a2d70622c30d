//! The outputs that a detector's passport names, as binary32 numbers with a shape.
//!
//! Outputs of binary32 are borrowed; others (binary16, whole numbers) are converted once for each answer. Knows no head.

use std::borrow::Cow;

use half::slice::HalfFloatSliceExt as _;

use crate::models::passport::{Activation, Passport};
use crate::tensor::{Tensor, TensorData};

/// One output that is read.
pub(super) struct Block<'a> {
    /// Its name in the graph.
    pub(super) name: &'a str,
    /// The length of each axis.
    pub(super) shape: &'a [usize],
    /// The numbers, in row-major order.
    pub(super) numbers: Cow<'a, [f32]>,
    /// What makes probabilities of them; without it they are probabilities.
    pub(super) activation: Activation,
}

impl Block<'_> {
    /// Rows and columns of an output whose axes before the last two are 1.
    ///
    /// # Errors
    /// A sentence with the shape.
    pub(super) fn matrix(&self) -> Result<(usize, usize), String> {
        match self.shape {
            [batch @ .., rows, columns] if batch.iter().all(|&axis| axis == 1) => Ok((*rows, *columns)),
            shape => Err(self.told(format!("the shape is {shape:?}, [1, rows, columns] is wanted"))),
        }
    }

    /// The numbers of an output of which all axes but one are 1.
    ///
    /// # Errors
    /// A sentence with the shape.
    pub(super) fn list(&self) -> Result<&[f32], String> {
        if self.shape.iter().filter(|&&axis| axis != 1).count() > 1 {
            return Err(self.told(format!("the shape is {:?}, [1, boxes] is wanted", self.shape)));
        }
        Ok(&self.numbers)
    }

    /// A sentence about this output.
    pub(super) fn told(&self, what: impl std::fmt::Display) -> String {
        format!("output \"{}\": {what}", self.name)
    }
}

/// All outputs of a passport.
pub(super) struct Outputs<'a>(Vec<Block<'a>>);

impl<'a> Outputs<'a> {
    /// Joins the passport's outputs with what a graph gave, in the passport's order.
    pub(super) fn new(passport: &'a Passport, tensors: &'a [Tensor]) -> Self {
        let blocks = passport.outputs.iter().zip(tensors).map(|(output, tensor)| Block {
            name: &output.name,
            shape: tensor.shape(),
            numbers: numbers(tensor.data()),
            activation: output.activation.unwrap_or(Activation::None),
        });
        Self(blocks.collect())
    }

    /// The output of heads that read one.
    pub(super) fn first(&self) -> Result<&Block<'a>, String> {
        self.0.first().ok_or_else(|| "there is no output to read".into())
    }

    /// The output of this name.
    pub(super) fn named(&self, name: &str) -> Result<&Block<'a>, String> {
        self.0.iter().find(|block| block.name == name).ok_or_else(|| format!("there is no output \"{name}\" to read"))
    }
}

fn numbers(data: &TensorData) -> Cow<'_, [f32]> {
    match data {
        TensorData::F32(numbers) => Cow::Borrowed(numbers),
        TensorData::F16(numbers) => {
            let mut wide = vec![0.0; numbers.len()];
            numbers.convert_to_f32_slice(&mut wide);
            Cow::Owned(wide)
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "labels and counts fit; what overflows is refused as infinite"
        )]
        other => other.numbers().map(|number| number as f32).collect(),
    }
}
