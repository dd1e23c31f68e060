//! One input of the model, and what a stored dataset must be to feed it.

use hdf5::datatype::Conversion;
use hdf5::{Dataset, Dataspace, Datatype};

use super::element::{Element, StoredType};
use super::failure::reason;
use crate::dataset::InputSpec;
use crate::tensor::{AlignedBuffer, DType, InputType, TensorType, num_elements};

/// Bytes that a record of an open shape may take: more is a mistake, or an attack.
const MOST_BYTES: usize = 1 << 30;

/// An input, with the stored type that was last found to fit it.
pub(super) struct Input {
    spec: InputSpec,
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
    pub fn new(spec: &InputSpec) -> Self {
        Self { spec: spec.clone(), accepted: None, of_records: Vec::new() }
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
            StoredType::Tensor(dtype) if Element::typed(*dtype).is_some() => {
                Err(format!("has type {stored}, the model expects {expected}"))
            }
            _ => Err(format!(
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
            return self
                .shape_of_bytes(found)
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

    /// The shape of so many bytes; one open dimension follows from them.
    ///
    /// # Errors
    /// What is expected instead.
    fn shape_of_bytes(&self, bytes: usize) -> Result<Vec<usize>, String> {
        let expected = &self.spec.input_type;
        let known: Vec<usize> = expected.shape.iter().flatten().copied().collect();
        let unit = TensorType::new(expected.dtype, known).byte_len().unwrap_or(0);
        match expected.shape.len() - expected.shape.iter().flatten().count() {
            0 if bytes == unit => {}
            0 => return Err(format!("{unit} ({expected})")),
            1 if unit > 0 && bytes > 0 && bytes.is_multiple_of(unit) => {}
            1 => return Err(format!("a multiple of {unit} ({expected})")),
            _ => return Err(format!("{expected}, whose shape does not follow from bytes")),
        }
        Ok(expected.shape.iter().map(|dim| dim.unwrap_or(bytes / unit.max(1))).collect())
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
        let Some((_, of_record)) = shape.split_first() else {
            return Err("is a single value, without an axis for the records".to_owned());
        };
        if raw {
            let found = num_elements(of_record).unwrap_or(usize::MAX);
            self.of_records = self.shape_of_bytes(found).map_err(|wanted| {
                format!("has {found} bytes a record, the model expects {wanted}")
            })?;
        } else {
            let batched = [&[1], of_record].concat();
            let is_without_batch = expected.shape.first() == Some(&Some(1));
            self.of_records = if expected.fits(of_record) {
                of_record.to_vec()
            } else if is_without_batch && expected.fits(&batched) {
                // Many programs stack records where the batch would be.
                batched
            } else {
                return Err(format!(
                    "has shape {shape:?}, the model expects {}, where N is the number of records",
                    packed_shapes(expected)
                ));
            };
        }
        Ok((element, shape))
    }

    /// Takes a record that is copied from a packed dataset.
    pub fn make_packed_room(
        &self,
        buffer: &mut AlignedBuffer,
        shape: &mut Vec<usize>,
    ) -> Result<(), String> {
        self.make_room(&self.of_records, buffer, shape)
    }

    /// Makes a record as large as this one is, if its shape is open.
    fn make_room(
        &self,
        found: &[usize],
        buffer: &mut AlignedBuffer,
        shape: &mut Vec<usize>,
    ) -> Result<(), String> {
        if !self.spec.input_type.is_open() {
            return Ok(());
        }
        let tensor_type = TensorType::new(self.spec.input_type.dtype, found);
        match tensor_type.byte_len() {
            Some(0) => Err(format!("has shape {found:?}, which is without elements")),
            Some(bytes) if bytes <= MOST_BYTES => {
                buffer.resize(bytes);
                shape.clear();
                shape.extend_from_slice(found);
                Ok(())
            }
            _ => Err(format!("has shape {found:?}, more than {MOST_BYTES} bytes")),
        }
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
            self.make_room(&found, buffer, shape)?;
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
                self.check_shape(dataset, raw)
                    .is_ok_and(|found| self.make_room(&found, buffer, shape).is_ok())
                    && element.read(dataset, Conversion::NoOp, buffer).is_ok()
            }
            _ => false,
        }
    }

    /// Checks what was read.
    pub fn check_values(&self, bytes: &[u8]) -> Result<(), String> {
        if self.spec.input_type.dtype == DType::Bool
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

/// The shapes of a packed dataset, for instance `[N, 2, 3] or [N, 1, 2, 3]`.
fn packed_shapes(expected: &InputType) -> String {
    let packed = |shape: &[Option<usize>]| {
        let dims = shape.iter().map(|dim| dim.map_or(", ?".to_owned(), |dim| format!(", {dim}")));
        format!("[N{}]", dims.collect::<String>())
    };
    let short = expected.shape.split_first().filter(|(batch, _)| **batch == Some(1));
    let short = short.map(|(_, short)| format!("{} or ", packed(short)));
    format!("{}{}", short.unwrap_or_default(), packed(&expected.shape))
}
