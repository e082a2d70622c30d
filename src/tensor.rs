//! Tensors: dense numbers with a shape, as models take and give them.
//!
//! Knows nothing of any library and of no model's meaning. The number of elements is always the product of the shape.

use half::f16;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// Unsigned 8-bit integer.
    Uint8,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
}

impl Element {
    /// The type's name in passports and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Uint8 => "uint8",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A number that a tensor can hold.
pub trait Number: Copy {
    /// The numbers of this type in `data`, which becomes empty where it held another type.
    fn numbers_of(data: &mut TensorData) -> &mut Vec<Self>;
}

/// Defines the numbers of a tensor once for every element type.
macro_rules! elements {
    ($($(#[$doc:meta])* $variant:ident: $number:ty = $element:ident,)*) => {
        /// The numbers of a tensor, in row-major order.
        #[derive(Debug, Clone, PartialEq)]
        pub enum TensorData {
            $($(#[$doc])* $variant(Vec<$number>),)*
        }

        /// The numbers of a tensor, to be overwritten in place.
        #[derive(Debug)]
        pub enum TensorDataMut<'a> {
            $($(#[$doc])* $variant(&'a mut [$number]),)*
        }

        impl TensorData {
            /// `count` zeroes.
            fn zeros(element: Element, count: usize) -> Self {
                match element {
                    $(Element::$element => Self::$variant(vec![Default::default(); count]),)*
                }
            }

            const fn element(&self) -> Element {
                match self {
                    $(Self::$variant(_) => Element::$element,)*
                }
            }

            /// How many numbers there are.
            #[must_use]
            pub const fn len(&self) -> usize {
                match self {
                    $(Self::$variant(numbers) => numbers.len(),)*
                }
            }

            fn clear(&mut self) {
                match self {
                    $(Self::$variant(numbers) => numbers.clear(),)*
                }
            }

            /// Puts numbers of the same type behind these; `None` when the type differs.
            fn append(&mut self, other: &Self) -> Option<()> {
                match (self, other) {
                    $((Self::$variant(numbers), Self::$variant(others)) => numbers.extend_from_slice(others),)*
                    _ => return None,
                }
                Some(())
            }

            /// Overwrites `kept` with the numbers in a range; `None` when there are not as many.
            fn part(&self, range: std::ops::Range<usize>, kept: &mut Self) -> Option<()> {
                match self {
                    $(Self::$variant(numbers) => {
                        let numbers = numbers.get(range)?;
                        let kept = <$number>::numbers_of(kept);
                        kept.clear();
                        kept.extend_from_slice(numbers);
                    })*
                }
                Some(())
            }

            fn as_mut(&mut self) -> TensorDataMut<'_> {
                match self {
                    $(Self::$variant(numbers) => TensorDataMut::$variant(numbers),)*
                }
            }
        }

        $(impl Number for $number {
            fn numbers_of(data: &mut TensorData) -> &mut Vec<Self> {
                if !matches!(data, TensorData::$variant(_)) {
                    *data = TensorData::$variant(Vec::new());
                }
                match data {
                    TensorData::$variant(numbers) => numbers,
                    _ => unreachable!("the line above made it so"),
                }
            }
        })*
    };
}

elements! {
    /// IEEE 754 binary16.
    F16: f16 = Float16,
    /// IEEE 754 binary32.
    F32: f32 = Float32,
    /// IEEE 754 binary64.
    F64: f64 = Float64,
    /// Unsigned 8-bit integers.
    U8: u8 = Uint8,
    /// Signed 32-bit integers.
    I32: i32 = Int32,
    /// Signed 64-bit integers.
    I64: i64 = Int64,
}

impl TensorData {
    /// Whether there is no number.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every number as binary64, which holds all of them but the largest 64-bit integers exactly.
    #[must_use]
    pub fn numbers(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Self::F16(numbers) => Box::new(numbers.iter().map(|number| number.to_f64())),
            Self::F32(numbers) => Box::new(numbers.iter().map(|number| f64::from(*number))),
            Self::F64(numbers) => Box::new(numbers.iter().copied()),
            Self::U8(numbers) => Box::new(numbers.iter().map(|number| f64::from(*number))),
            Self::I32(numbers) => Box::new(numbers.iter().map(|number| f64::from(*number))),
            #[expect(clippy::cast_precision_loss, reason = "stated above; labels and counts are far below 2^53")]
            Self::I64(numbers) => Box::new(numbers.iter().map(|number| *number as f64)),
        }
    }
}

/// A dense tensor in main memory. The number of elements is always the product of the shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: TensorData,
}

impl Tensor {
    /// Joins numbers with a shape.
    ///
    /// # Errors
    /// A sentence with both counts when the shape does not hold exactly as many elements as there are numbers.
    pub fn new(shape: Vec<usize>, data: TensorData) -> Result<Self, String> {
        let want = shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
        let seen = data.len();
        if want == Some(seen) {
            Ok(Self { shape, data })
        } else {
            Err(format!("a tensor of shape {shape:?} wants {want:?} elements, there are {seen}"))
        }
    }

    /// A tensor of zeroes.
    #[must_use]
    pub fn zeros(shape: &[usize], element: Element) -> Self {
        Self { shape: shape.to_vec(), data: TensorData::zeros(element, shape.iter().product()) }
    }

    /// Takes every row out: the first axis becomes 0 long.
    pub fn clear(&mut self) {
        if let Some(rows) = self.shape.first_mut() {
            *rows = 0;
            self.data.clear();
        }
    }

    /// Puts the rows of `other` behind these: both agree in the element type and in every axis but the first.
    ///
    /// # Errors
    /// A sentence with both shapes when they do not agree; the tensor is then unchanged.
    pub fn append(&mut self, other: &Self) -> Result<(), String> {
        let fits = self.shape.get(1..) == other.shape.get(1..) && self.shape.len() == other.shape.len();
        let (Some(rows), true, true) = (self.shape.first_mut(), fits, self.data.element() == other.data.element())
        else {
            return Err(format!("a tensor of shape {:?} cannot go behind one of {:?}", other.shape, self.shape));
        };
        *rows += other.shape.first().copied().unwrap_or_default();
        self.data.append(&other.data).ok_or_else(|| "the element types differ".into())
    }

    /// Overwrites `kept` with the rows of one of `many` equal parts along the first axis, counted from 0.
    ///
    /// # Errors
    /// A sentence with the shape when the first axis cannot be parted so.
    pub fn row(&self, (place, many): (usize, usize), kept: &mut Self) -> Result<(), String> {
        let refuse = || format!("an answer of shape {:?} cannot be parted for a batch of {many}", self.shape);
        let rows = self.shape.first().copied().ok_or_else(refuse)?;
        if many == 0 || rows % many != 0 {
            return Err(refuse());
        }
        let numbers = self.data.len() / many;
        self.data.part(place * numbers..(place + 1) * numbers, &mut kept.data).ok_or_else(refuse)?;
        kept.shape.clear();
        kept.shape.extend(std::iter::once(rows / many).chain(self.shape.iter().skip(1).copied()));
        Ok(())
    }

    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers.
    #[must_use]
    pub const fn data(&self) -> &TensorData {
        &self.data
    }

    /// The numbers where they are binary32, as most models answer.
    ///
    /// # Errors
    /// A sentence with both element types where they are not.
    pub fn float32(&self) -> Result<&[f32], String> {
        match &self.data {
            TensorData::F32(numbers) => Ok(numbers),
            other => Err(format!("the element type is {}, float32 is wanted", other.element())),
        }
    }

    /// Overwrites shape and numbers in memory that is kept.
    ///
    /// # Errors
    /// A sentence with both counts when the shape does not hold exactly as many elements as there are numbers; the tensor
    /// is then unchanged.
    pub fn overwrite<T: Number>(
        &mut self,
        shape: impl Iterator<Item = usize> + Clone,
        numbers: &[T],
    ) -> Result<(), String> {
        let want = shape.clone().try_fold(1_usize, usize::checked_mul);
        if want != Some(numbers.len()) {
            let shape: Vec<usize> = shape.collect();
            return Err(format!("a tensor of shape {shape:?} wants {want:?} elements, there are {}", numbers.len()));
        }
        self.shape.clear();
        self.shape.extend(shape);
        let kept = T::numbers_of(&mut self.data);
        kept.clear();
        kept.extend_from_slice(numbers);
        Ok(())
    }

    /// The numbers, to be overwritten in place; their count cannot change.
    pub fn data_mut(&mut self) -> TensorDataMut<'_> {
        self.data.as_mut()
    }

    /// The element type.
    #[must_use]
    pub const fn element(&self) -> Element {
        self.data.element()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_as_many_numbers_as_its_shape() {
        assert!(Tensor::new(vec![2, 3], TensorData::U8(vec![0; 6])).is_ok());
        let refusal = Tensor::new(vec![2, 3], TensorData::F32(vec![0.0; 5])).unwrap_err();
        assert_eq!(refusal, "a tensor of shape [2, 3] wants Some(6) elements, there are 5");
        assert!(Tensor::new(vec![usize::MAX, 2], TensorData::F32(vec![])).is_err());
        assert_eq!(Tensor::zeros(&[1, 4], Element::Int64).data(), &TensorData::I64(vec![0; 4]));
    }

    #[test]
    fn rows_go_behind_each_other_and_come_back_one_by_one() {
        let row = |first: f32| Tensor::new(vec![1, 2], TensorData::F32(vec![first, first + 1.0])).unwrap();
        let mut batch = Tensor::zeros(&[0, 2], Element::Float32);
        batch.append(&row(1.0)).unwrap();
        batch.append(&row(3.0)).unwrap();
        assert_eq!((batch.shape(), batch.data()), (&[2, 2][..], &TensorData::F32(vec![1.0, 2.0, 3.0, 4.0])));
        let mut kept = Tensor::zeros(&[0], Element::Uint8);
        batch.row((1, 2), &mut kept).unwrap();
        assert_eq!(kept, row(3.0));
        assert_eq!(
            batch.row((0, 3), &mut kept).unwrap_err(),
            "an answer of shape [2, 2] cannot be parted for a batch of 3"
        );
        let narrow = Tensor::zeros(&[1, 3], Element::Float32);
        assert_eq!(batch.append(&narrow).unwrap_err(), "a tensor of shape [1, 3] cannot go behind one of [2, 2]");
        assert!(batch.append(&Tensor::zeros(&[1, 2], Element::Uint8)).is_err());
        batch.clear();
        assert_eq!(batch.shape(), [0, 2]);
    }

    #[test]
    fn numbers_of_every_type_read_as_binary64() {
        let read = |data: TensorData| data.numbers().collect::<Vec<_>>();
        assert_eq!(read(TensorData::F16(vec![f16::from_f32(0.5)])), [0.5]);
        assert_eq!(read(TensorData::U8(vec![255])), [255.0]);
        assert_eq!(read(TensorData::I64(vec![-3])), [-3.0]);
        let bytes = Tensor::new(vec![1], TensorData::U8(vec![1])).unwrap();
        assert_eq!(bytes.float32().unwrap_err(), "the element type is uint8, float32 is wanted");
    }
}
