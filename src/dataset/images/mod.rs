//! Records made of image files.
//!
//! An image becomes the one input of a model: it is decoded, cropped, resized, turned into numbers, and
//! arranged as the model wants it. Several threads do that at a time, and records come in the order of the
//! files.

mod in_order;
mod layout;
mod preparation;
mod resize;
mod values;

use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageReader};

use self::layout::Layout;
use super::locate::{Wanted, locate};
use super::problems::Problems;
use super::{DataFormat, InputSpec, Record, files};
use crate::error::{Error, Result};
use crate::tensor::{AlignedBuffer, DType};

pub use self::preparation::{ChannelOrder, Filter, ImageLayout, Preparation, Resize};

/// Image files in natural order of their paths, and how they become records.
pub struct ImageFolder {
    paths: Vec<PathBuf>,
    inputs: Vec<InputSpec>,
    dtype: DType,
    layout: Layout,
    preparation: Preparation,
}

impl ImageFolder {
    /// Finds the images that `data` stands for: files, patterns, and directories with all that is in them.
    ///
    /// # Errors
    /// [`Dataset`](crate::error::ErrorKind::Dataset) with all problems of `data`,
    /// [`Model`](crate::error::ErrorKind::Model) if the model's inputs are not one image, and
    /// [`Usage`](crate::error::ErrorKind::Usage) if the preparation does not fit it.
    pub fn open(data: &[String], inputs: &[InputSpec], preparation: &Preparation) -> Result<Self> {
        let [input] = inputs else {
            return Err(Error::model(format!(
                "the model has {} inputs, and images are one",
                inputs.len()
            )));
        };
        let dtype = input.input_type.dtype;
        let layout = Layout::of(input, preparation.layout)?;
        preparation.check(dtype, layout.channels)?;
        let mut problems = Problems::default();
        let paths = locate(data, Wanted::IMAGES, &mut problems);
        problems.into_result()?;
        let preparation = preparation.clone();
        Ok(Self { paths, inputs: inputs.to_vec(), dtype, layout, preparation })
    }

    /// Whether all that `data` stands for is images, and nothing is a dataset.
    pub fn is_meant(data: &[String]) -> bool {
        let (mut not_images, mut no_shards) = (Problems::default(), Problems::default());
        let images = locate(data, Wanted::IMAGES, &mut not_images);
        let shards = locate(data, Wanted::shards(DataFormat::Auto), &mut no_shards);
        let all_images = |paths: &[PathBuf]| paths.iter().all(|path| Wanted::IMAGES.has(path));
        not_images.is_empty()
            && all_images(&images)
            && (!no_shards.is_empty() || all_images(&shards))
    }

    /// Number of images.
    pub fn len(&self) -> u64 {
        self.paths.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Makes every image a record with so many threads, and shows the records in order, or why there is none,
    /// until `show` has seen enough and returns `false`.
    ///
    /// # Errors
    /// The first that `show` returns. Those that it is shown are of the kind
    /// [`Record`](crate::error::ErrorKind::Record) and name the file.
    pub fn for_each(
        &self,
        threads: usize,
        show: &mut dyn FnMut(u64, Result<&Record>) -> Result<bool>,
    ) -> Result<()> {
        let make = |number: u64, record: &mut Record| self.make(number, record);
        let empty = || Record::for_inputs(&self.inputs);
        in_order::for_each(self.len(), threads, &empty, &make, show)
    }

    /// Makes an image a record.
    fn make(&self, number: u64, record: &mut Record) -> Result<()> {
        let Some(path) = usize::try_from(number).ok().and_then(|it| self.paths.get(it)) else {
            return Err(Error::internal(format!("there is no image {number}")));
        };
        let Some(buffer) = record.inputs.first_mut() else {
            return Err(Error::internal("the record has no input"));
        };
        let fail = |why: String| Error::record(format!("{}: {why}", path.display()));
        // The libraries say that they do not panic, whatever the file; it would be one image all the same.
        let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(path, buffer)));
        prepared.unwrap_or_else(|_| Err("the decoder failed".to_owned())).map_err(fail)
    }

    fn prepare(&self, path: &Path, buffer: &mut AlignedBuffer) -> Result<(), String> {
        let pixels = resize::resize(&decode(path)?, self.layout, &self.preparation)?;
        match self.dtype {
            DType::U8 => values::bytes(&pixels, self.layout, &self.preparation, buffer.bytes_mut()),
            _ => values::floats(&pixels, self.layout, &self.preparation, buffer.as_mut_slice()),
        }
        Ok(())
    }
}

/// Decodes a file; what it is, its first bytes say.
fn decode(path: &Path) -> Result<DynamicImage, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("cannot be decoded: {error}");
    let reader = ImageReader::new(BufReader::new(files::open(path)?));
    let reader = reader.with_guessed_format().map_err(|error| unreadable(&error))?;
    reader.decode().map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests;
