//! Element types in HDF5 files.

use std::fmt;

use hdf5::datatype::{ByteOrder, Conversion};
use hdf5::types::{FloatSize, H5Type, IntSize, TypeDescriptor};
use hdf5::{Dataset, Datatype, Selection};
use ndarray::ArrayD;

use crate::dataset::cast::can_cast;
use crate::tensor::{AlignedBuffer, DType};

/// Bytes of the largest element whose type is taken to pieces. No type that can be read is larger,
/// and the `hdf5` crate puts the values of an enumeration, whatever their size, into eight bytes.
const LARGEST_DESCRIBED: usize = 8;

/// The type of a stored dataset, as far as messages need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StoredType {
    /// One that tensors have too.
    Tensor(DType),
    /// Any other, described.
    Other(String),
}

impl StoredType {
    pub fn of(dtype: &Datatype) -> Self {
        let size = dtype.size();
        if size > LARGEST_DESCRIBED {
            return Self::Other(format!("with {size}-byte elements (text, compounds, ...)"));
        }
        let descriptor = match dtype.to_descriptor() {
            Ok(descriptor) => descriptor,
            Err(error) => return Self::Other(unknown(dtype, &error)),
        };
        Self::Tensor(match descriptor {
            TypeDescriptor::Integer(IntSize::U1) => DType::I8,
            TypeDescriptor::Integer(IntSize::U2) => DType::I16,
            TypeDescriptor::Integer(IntSize::U4) => DType::I32,
            TypeDescriptor::Integer(IntSize::U8) => DType::I64,
            TypeDescriptor::Unsigned(IntSize::U1) => DType::U8,
            TypeDescriptor::Unsigned(IntSize::U2) => DType::U16,
            TypeDescriptor::Unsigned(IntSize::U4) => DType::U32,
            TypeDescriptor::Unsigned(IntSize::U8) => DType::U64,
            TypeDescriptor::Float(FloatSize::U2) if is_ieee_f16(dtype) => DType::F16,
            TypeDescriptor::Float(FloatSize::U2) => {
                return Self::Other("16-bit float that is not IEEE 754".to_owned());
            }
            TypeDescriptor::Float(FloatSize::U4) if is_ieee_f32(dtype) => DType::F32,
            // The library would convert it by value, perhaps with a loss.
            TypeDescriptor::Float(FloatSize::U4) => {
                return Self::Other("32-bit float that is not IEEE 754".to_owned());
            }
            TypeDescriptor::Float(FloatSize::U8) => DType::F64,
            TypeDescriptor::Boolean => DType::Bool,
            other => return Self::Other(other.to_string()),
        })
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(dtype) => dtype.fmt(f),
            Self::Other(description) => f.write_str(description),
        }
    }
}

/// A big-endian type cannot be compared with IEEE 754's through the library's safe interface;
/// nothing but IEEE 754 is known to be written in that order.
fn is_ieee_f32(dtype: &Datatype) -> bool {
    dtype.is::<f32>() || dtype.byte_order() == ByteOrder::BigEndian
}

/// As [`is_ieee_f32`].
fn is_ieee_f16(dtype: &Datatype) -> bool {
    dtype.is::<half::f16>() || dtype.byte_order() == ByteOrder::BigEndian
}

/// Describes a type that has no descriptor.
fn unknown(dtype: &Datatype, error: &hdf5::Error) -> String {
    let is_float = matches!(error, hdf5::Error::Internal(text) if text.contains("float"));
    let kind = if is_float { "float" } else { "element of another kind" };
    format!("{}-bit {kind}", dtype.size().saturating_mul(8))
}

/// How the elements of a dataset are read: the types that the library converts to, each only from
/// stored types that hold the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    I32,
    I64,
    /// Numbers of 64 bits that have to fit 32.
    FittingI32,
    /// One byte that is checked to be 0 or 1 after reading.
    Bool,
    /// Raw bytes, stored as unsigned numbers.
    U8,
    /// Raw bytes, stored as signed numbers. Reading them as unsigned ones would clamp them.
    I8,
}

impl Element {
    /// How typed data of this type is read, if it can be.
    pub fn typed(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::I32 => Some(Self::I32),
            DType::I64 => Some(Self::I64),
            DType::Bool => Some(Self::Bool),
            _ => None,
        }
    }

    /// How typed data of another type is read for this one, if it can be cast. The library converts numbers
    /// to floats by rounding; integers that might not fit are read as what fits.
    pub fn cast(stored: DType, expected: DType) -> Option<Self> {
        if !can_cast(stored, expected) {
            return None;
        }
        match (stored, expected) {
            (DType::BF16 | DType::Bool | DType::U64, _) => None,
            (_, DType::F32) => Some(Self::F32),
            (DType::I8 | DType::U8 | DType::I16 | DType::U16, DType::I32) => Some(Self::I32),
            (DType::U32 | DType::I64, DType::I32) => Some(Self::FittingI32),
            (_, DType::I64) => Some(Self::I64),
            _ => None,
        }
    }

    /// How raw data of this type is read: it must be bytes.
    pub fn raw(stored: &StoredType) -> Option<Self> {
        match stored {
            StoredType::Tensor(DType::U8) => Some(Self::U8),
            StoredType::Tensor(DType::I8) => Some(Self::I8),
            _ => None,
        }
    }

    /// Whether elements of the stored type are read as they are, without conversion.
    pub fn is_native(self, stored: &Datatype) -> bool {
        match self {
            Self::F32 => stored.is::<f32>(),
            Self::I32 => stored.is::<i32>(),
            Self::I64 => stored.is::<i64>(),
            // Read as more bits, and an enumeration, which is read as a number.
            Self::FittingI32 | Self::Bool => false,
            Self::U8 => stored.is::<u8>(),
            Self::I8 => stored.is::<i8>(),
        }
    }

    /// Bytes of one element in memory.
    pub fn byte_len(self) -> usize {
        match self {
            Self::F32 | Self::I32 | Self::FittingI32 => 4,
            Self::I64 => 8,
            Self::Bool | Self::U8 | Self::I8 => 1,
        }
    }

    /// Reads a whole dataset into `buffer`, which must be large enough.
    ///
    /// # Errors
    /// Those of the library, and if it would take more conversion than `most`.
    pub fn read(
        self,
        dataset: &Dataset,
        most: Conversion,
        buffer: &mut AlignedBuffer,
    ) -> hdf5::Result<()> {
        let reader = dataset.as_reader().conversion(most);
        let elements = match self {
            Self::F32 => reader.read_into_raw(buffer.as_mut_slice::<f32>()),
            Self::I32 => reader.read_into_raw(buffer.as_mut_slice::<i32>()),
            Self::I64 => reader.read_into_raw(buffer.as_mut_slice::<i64>()),
            Self::FittingI32 => {
                let values = fitting(&dataset.read_raw::<i64>()?)?;
                let room = buffer.as_mut_slice::<i32>();
                if values.len() != room.len() {
                    return Err("another number of elements than its header says".into());
                }
                room.copy_from_slice(&values);
                return Ok(());
            }
            // The library reads an enumeration as the integer it is stored as.
            Self::Bool | Self::U8 => reader.read_into_raw(buffer.bytes_mut()),
            Self::I8 => reader.read_into_raw(buffer.as_mut_slice::<i8>()),
        };
        elements.map(|_| ())
    }

    /// Reads part of a dataset.
    pub fn read_part(self, dataset: &Dataset, part: Selection) -> hdf5::Result<Elements> {
        fn read<T: H5Type>(dataset: &Dataset, part: Selection) -> hdf5::Result<Vec<T>> {
            let array: ArrayD<T> = dataset.read_slice(part)?;
            Ok(array.into_raw_vec_and_offset().0)
        }
        Ok(match self {
            Self::F32 => Elements::F32(read(dataset, part)?),
            Self::I32 => Elements::I32(read(dataset, part)?),
            Self::I64 => Elements::I64(read(dataset, part)?),
            Self::FittingI32 => Elements::I32(fitting(&read(dataset, part)?)?),
            Self::Bool | Self::U8 => Elements::U8(read(dataset, part)?),
            Self::I8 => Elements::I8(read(dataset, part)?),
        })
    }
}

/// The same numbers in 32 bits.
fn fitting(values: &[i64]) -> hdf5::Result<Vec<i32>> {
    let narrow = |&value: &i64| {
        i32::try_from(value).map_err(|_| format!("it holds {value}, which is no INT32").into())
    };
    values.iter().map(narrow).collect()
}

/// Elements as the library returns them.
pub(super) enum Elements {
    F32(Vec<f32>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    I8(Vec<i8>),
}

impl Elements {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(values) => bytemuck::cast_slice(values),
            Self::I32(values) => bytemuck::cast_slice(values),
            Self::I64(values) => bytemuck::cast_slice(values),
            Self::U8(values) => values,
            Self::I8(values) => bytemuck::cast_slice(values),
        }
    }
}
