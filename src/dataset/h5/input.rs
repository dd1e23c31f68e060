//! One input of the model, and what a stored dataset must be to feed it.

use hdf5::datatype::Conversion;
use hdf5::{Dataset, Dataspace, Datatype};

use super::direct::{Beside, LARGE};
use super::element::{Element, StoredType};
use super::failure::reason;
use crate::dataset::cast::not_cast;
use crate::dataset::unread::Unread;
use crate::dataset::{InputSpec, fit};
use crate::tensor::{AlignedBuffer, DType, num_elements};

/// An input, with the stored type that was last found to fit it.
pub(super) struct Input {
    spec: InputSpec,
    /// Whether other types are cast.
    cast: bool,
    accepted: Option<Accepted>,
    /// The shape of all records of a packed dataset.
    of_records: Vec<usize>,
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
    pub fn new(spec: &InputSpec, cast: bool) -> Self {
        Self { spec: spec.clone(), cast, accepted: None, of_records: Vec::new() }
    }

    /// Checks all of the header of a dataset that holds one record, and tells how its elements are
    /// read, and its shape.
    ///
    /// # Errors
    /// What is wrong with it, to be put after the input's name; so it is with all methods.
    pub fn check(&mut self, dataset: &Dataset, raw: bool) -> Result<(Element, Vec<usize>), String> {
        let element = self.check_type(dataset, raw)?;
        let shape = self.check_shape(dataset, raw)?;
        Ok((element, shape))
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
        let expected = self.spec.input_type.dtype;
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
            StoredType::Tensor(dtype) => {
                let castable = Element::cast(*dtype, expected);
                match castable.filter(|_| self.cast) {
                    Some(element) => Ok(element),
                    None => Err(not_cast(&stored.to_string(), expected, castable.is_some())),
                }
            }
            StoredType::Other(_) => Err(format!(
                "has the unsupported type {stored}, the model expects {expected}; values are not \
                 cast silently: convert the dataset"
            )),
        }
    }

    /// Checks the shape of a dataset that holds one record, and tells which it is.
    fn check_shape(&self, dataset: &Dataset, raw: bool) -> Result<Vec<usize>, String> {
        let space = space_of(dataset)?;
        if raw {
            let found = space.size();
            return fit::shape_of_bytes(&self.spec.input_type, found)
                .map_err(|wanted| format!("has {found} bytes, the model expects {wanted}"));
        }
        let shape = self.shape_of(&space)?;
        let expected = &self.spec.input_type;
        if !expected.fits(&shape) {
            return Err(format!(
                "has shape {shape:?}, the model expects {}",
                expected.shape_text()
            ));
        }
        Ok(shape)
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
        let expected = &self.spec.input_type;
        self.of_records = if raw {
            let of_record = shape.get(1..).unwrap_or_default();
            let found = num_elements(of_record).unwrap_or(usize::MAX);
            fit::shape_of_bytes(expected, found).map_err(|wanted| {
                format!("has {found} bytes a record, the model expects {wanted}")
            })?
        } else {
            fit::shape_of_records(expected, &shape)?
        };
        Ok((element, shape))
    }

    /// Takes a record that is copied from a packed dataset.
    pub fn make_packed_room(
        &self,
        buffer: &mut AlignedBuffer,
        shape: &mut Vec<usize>,
    ) -> Result<(), String> {
        fit::make_room(&self.spec.input_type, &self.of_records, buffer, shape)
    }

    /// The shape of a dataset that holds anything.
    fn shape_of(&self, space: &Dataspace) -> Result<Vec<usize>, String> {
        let shape = space.shape();
        // A dataset without data has no dimensions either.
        if shape.is_empty() && space.is_null() {
            return Err(format!("has no data, the model expects {}", self.spec.input_type));
        }
        Ok(shape)
    }

    /// Reads a dataset that holds one record, after checking all of it.
    pub fn read(
        &mut self,
        dataset: &Dataset,
        raw: bool,
        buffer: &mut AlignedBuffer,
        shape: &mut Vec<usize>,
    ) -> Result<(), String> {
        if !self.read_native(dataset, raw, buffer, shape) {
            let (element, found) = self.check(dataset, raw)?;
            fit::make_room(&self.spec.input_type, &found, buffer, shape)?;
            element
                .read(dataset, Conversion::Soft, buffer)
                .map_err(|error| format!("cannot be read: {}", reason(&error)))?;
        }
        self.check_values(buffer.bytes())
    }

    /// Reads a dataset whose type is the native one that was accepted last, with as little checking
    /// as that takes. `false` for any other one, and whatever is wrong: checking all of it tells.
    fn read_native(
        &self,
        dataset: &Dataset,
        raw: bool,
        buffer: &mut AlignedBuffer,
        shape: &mut Vec<usize>,
    ) -> bool {
        match &self.accepted {
            Some(Accepted { element, native: true, .. }) => {
                self.check_shape(dataset, raw).is_ok_and(|found| {
                    fit::make_room(&self.spec.input_type, &found, buffer, shape).is_ok()
                }) && element.read(dataset, Conversion::NoOp, buffer).is_ok()
            }
            _ => false,
        }
    }

    /// Where a dataset that holds one record has its elements, after checking all of it. `None` if they have to be
    /// read; [`read`](Self::read) tells what is wrong, if anything is.
    pub fn locate(&mut self, dataset: &Dataset, raw: bool, beside: &Beside) -> Option<Unread> {
        let len = self.spec.input_type.byte_len().filter(|_| beside.is_same())?;
        self.check(dataset, raw).ok()?;
        if self.lies_as_in_memory() { beside.locate(dataset, len) } else { None }
    }

    /// Compares what was read of a dataset with what is beside the library.
    pub fn compare(&self, dataset: &Dataset, read: &[u8], beside: &mut Beside) {
        if self.lies_as_in_memory() {
            beside.compare(dataset, read);
        }
    }

    /// Whether records of the type that was last accepted are large and can be left in their file.
    fn lies_as_in_memory(&self) -> bool {
        let is_large = self.spec.input_type.byte_len().is_some_and(|len| len >= LARGE);
        let is_native = self.accepted.as_ref().is_some_and(|it| it.native);
        is_large && is_native && self.can_be_left()
    }

    /// Whether records have one size, and any bytes are values.
    pub fn can_be_left(&self) -> bool {
        !self.spec.input_type.is_open() && self.spec.input_type.dtype != DType::Bool
    }

    /// Checks what was read.
    pub fn check_values(&self, bytes: &[u8]) -> Result<(), String> {
        fit::check_values(&self.spec.input_type, bytes)
    }
}

fn space_of(dataset: &Dataset) -> Result<Dataspace, String> {
    dataset.space().map_err(|e| format!("has no readable shape: {}", reason(&e)))
}
