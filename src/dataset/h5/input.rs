//! One input of the model, and what a stored dataset must be to feed it.

use hdf5::datatype::Conversion;
use hdf5::{Dataset, Dataspace, Datatype};

use super::element::{Element, StoredType};
use super::failure::reason;
use crate::dataset::InputSpec;
use crate::tensor::{AlignedBuffer, DType, num_elements};

/// An input, with the stored type that was last found to fit it.
pub(super) struct Input {
    spec: InputSpec,
    accepted: Option<Accepted>,
}

/// A stored type that fits: comparing with it is much faster than taking a type to pieces.
struct Accepted {
    stored: Datatype,
    element: Element,
    /// Whether elements are stored as they are in memory. Then the library itself refuses any
    /// other type if it is told not to convert, and comparing is superfluous.
    native: bool,
}

impl Input {
    pub fn new(spec: &InputSpec) -> Self {
        Self { spec: spec.clone(), accepted: None }
    }

    /// Checks all of the header of a dataset that holds one record, and tells how its elements are
    /// read.
    ///
    /// # Errors
    /// What is wrong with it, to be put after the input's name; so it is with all methods.
    pub fn check(&mut self, dataset: &Dataset, raw: bool) -> Result<Element, String> {
        let element = self.check_type(dataset, raw)?;
        self.check_shape(dataset, raw)?;
        Ok(element)
    }

    /// Checks the type of a dataset, and tells how its elements are read.
    fn check_type(&mut self, dataset: &Dataset, raw: bool) -> Result<Element, String> {
        let stored =
            dataset.dtype().map_err(|e| format!("has no readable type: {}", reason(&e)))?;
        if let Some(accepted) = &self.accepted
            && accepted.stored == stored
        {
            return Ok(accepted.element);
        }
        let element = self.element(&StoredType::of(&stored), raw)?;
        let native = element.is_native(&stored);
        self.accepted = Some(Accepted { stored, element, native });
        Ok(element)
    }

    /// How data of the stored type is read for this input.
    fn element(&self, stored: &StoredType, raw: bool) -> Result<Element, String> {
        let expected = self.spec.tensor_type.dtype;
        if raw {
            return Element::raw(stored).ok_or_else(|| {
                format!(
                    "has type {stored}, but /value has the attribute rawData, which says that \
                     the data is bytes"
                )
            });
        }
        let Some(element) = Element::typed(expected) else {
            return Err(format!(
                "the model expects {expected}, which typed files cannot hold; store the bytes and \
                 set the attribute rawData on /value"
            ));
        };
        match stored {
            StoredType::Tensor(dtype) if *dtype == expected => Ok(element),
            StoredType::Tensor(dtype) if Element::typed(*dtype).is_some() => {
                Err(format!("has type {stored}, the model expects {expected}"))
            }
            _ => Err(format!(
                "has the unsupported type {stored}, the model expects {expected}; values are not \
                 cast silently: convert the dataset"
            )),
        }
    }

    /// Checks the shape of a dataset that holds one record.
    fn check_shape(&self, dataset: &Dataset, raw: bool) -> Result<(), String> {
        let expected = &self.spec.tensor_type;
        let space = space_of(dataset)?;
        if raw {
            let (found, wanted) = (space.size(), expected.byte_len().unwrap_or(0));
            if found != wanted {
                return Err(format!("has {found} bytes, the model expects {wanted} ({expected})"));
            }
            return Ok(());
        }
        let shape = self.shape_of(&space)?;
        if shape != expected.shape {
            return Err(format!("has shape {shape:?}, the model expects {:?}", expected.shape));
        }
        Ok(())
    }

    /// Checks all of the header of a dataset that holds this input of all records, and tells how its
    /// elements are read, and its shape: the number of records, then what each of them has.
    pub fn check_packed(
        &mut self,
        dataset: &Dataset,
        raw: bool,
    ) -> Result<(Element, Vec<usize>), String> {
        let element = self.check_type(dataset, raw)?;
        let shape = self.shape_of(&space_of(dataset)?)?;
        let expected = &self.spec.tensor_type;
        let Some((_, of_record)) = shape.split_first() else {
            return Err("is a single value, without an axis for the records".to_owned());
        };
        if raw {
            let (found, wanted) = (num_elements(of_record), expected.byte_len());
            if found != wanted {
                let (found, wanted) = (found.unwrap_or(usize::MAX), wanted.unwrap_or(0));
                return Err(format!(
                    "has {found} bytes a record, the model expects {wanted} ({expected})"
                ));
            }
        } else if of_record != expected.shape && Some(of_record) != without_batch(&expected.shape) {
            return Err(format!(
                "has shape {shape:?}, the model expects {}, where N is the number of records",
                packed_shapes(&expected.shape)
            ));
        }
        Ok((element, shape))
    }

    /// The shape of a dataset that holds anything.
    fn shape_of(&self, space: &Dataspace) -> Result<Vec<usize>, String> {
        let shape = space.shape();
        // A dataset without data has no dimensions either.
        if shape.is_empty() && space.is_null() {
            return Err(format!("has no data, the model expects {}", self.spec.tensor_type));
        }
        Ok(shape)
    }

    /// Reads a dataset that holds one record, after checking all of it.
    pub fn read(
        &mut self,
        dataset: &Dataset,
        raw: bool,
        buffer: &mut AlignedBuffer,
    ) -> Result<(), String> {
        if !self.read_native(dataset, raw, buffer) {
            self.check(dataset, raw)?
                .read(dataset, Conversion::Soft, buffer)
                .map_err(|error| format!("cannot be read: {}", reason(&error)))?;
        }
        self.check_values(buffer.bytes())
    }

    /// Reads a dataset whose type is the native one that was accepted last, with as little checking
    /// as that takes. `false` for any other one, and whatever is wrong: checking all of it tells.
    fn read_native(&self, dataset: &Dataset, raw: bool, buffer: &mut AlignedBuffer) -> bool {
        match &self.accepted {
            Some(Accepted { element, native: true, .. }) => {
                self.check_shape(dataset, raw).is_ok()
                    && element.read(dataset, Conversion::NoOp, buffer).is_ok()
            }
            _ => false,
        }
    }

    /// Checks what was read.
    pub fn check_values(&self, bytes: &[u8]) -> Result<(), String> {
        if self.spec.tensor_type.dtype == DType::Bool
            && let Some(value) = bytes.iter().find(|&&b| b > 1)
        {
            return Err(format!("holds the byte {value}, but a BOOL is 0 or 1"));
        }
        Ok(())
    }
}

fn space_of(dataset: &Dataset) -> Result<Dataspace, String> {
    dataset.space().map_err(|e| format!("has no readable shape: {}", reason(&e)))
}

/// The shape of a record without the batch dimension of the model, if that is 1: many programs stack
/// records where the batch would be.
fn without_batch(shape: &[usize]) -> Option<&[usize]> {
    shape.split_first().filter(|(batch, _)| **batch == 1).map(|(_, rest)| rest)
}

/// The shapes of a packed dataset, for instance `[N, 2, 3] or [N, 1, 2, 3]`.
fn packed_shapes(shape: &[usize]) -> String {
    let packed = |shape: &[usize]| {
        let dims = shape.iter().map(|dim| format!(", {dim}"));
        format!("[N{}]", dims.collect::<String>())
    };
    let short = without_batch(shape).map(|short| format!("{} or ", packed(short)));
    format!("{}{}", short.unwrap_or_default(), packed(shape))
}
