//! What is done with an image.

use crate::error::{Error, Result};
use crate::tensor::DType;

/// How an image comes to the size of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resize {
    /// Resized without regard to its shape, as Keras and TensorFlow do.
    #[default]
    Stretch,
    /// The largest part of the input's shape is cut out of the centre, and resized: Keras' `smart_resize`.
    Crop,
    /// Resized until the shorter side has so many pixels; then the centre is cut out, as torchvision does.
    Shorter(u32),
    /// Not resized: the centre is cut out.
    None,
}

/// How pixels of another size are computed; a larger area is averaged where the image becomes smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// The nearest one.
    Nearest,
    /// Linear interpolation.
    #[default]
    Bilinear,
    /// Cubic interpolation (Catmull-Rom).
    Bicubic,
    /// Lanczos' window of three lobes.
    Lanczos,
}

/// Order of three channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// Order of the dimensions of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageLayout {
    /// Where there is a dimension of 1 or 3 for channels; last if there are two.
    #[default]
    Auto,
    /// Height, width, channels.
    Nhwc,
    /// Channels, height, width.
    Nchw,
}

/// What is done with an image, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// Share of both sides that is kept, around the centre, before it is resized: `tf.image.central_crop`.
    pub central_crop: Option<f64>,
    /// How it is resized.
    pub resize: Resize,
    /// How pixels are computed.
    pub filter: Filter,
    /// In which order channels come.
    pub channels: ChannelOrder,
    /// What values, 0 to 255, are multiplied with.
    pub scale: f32,
    /// What is then subtracted, from each channel or from all of them.
    pub mean: Vec<f32>,
    /// What the rest is divided by.
    pub std: Vec<f32>,
    /// Whether every image then gets the mean 0 and the standard deviation 1, as
    /// `tf.image.per_image_standardization` defines it.
    pub standardize: bool,
    /// How the input is arranged.
    pub layout: ImageLayout,
}

impl Default for Preparation {
    fn default() -> Self {
        Self {
            central_crop: None,
            resize: Resize::default(),
            filter: Filter::default(),
            channels: ChannelOrder::default(),
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
            standardize: false,
            layout: ImageLayout::default(),
        }
    }
}

impl Preparation {
    /// Checks it for an input of a type with so many channels.
    pub(super) fn check(&self, dtype: DType, channels: usize) -> Result<()> {
        if self.central_crop.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(Error::usage("the share of a central crop must be above 0 and at most 1"));
        }
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != 1 && values.len() != channels {
                return Err(Error::usage(format!(
                    "{name} has {} values, but the image has {channels} channels",
                    values.len()
                )));
            }
        }
        let mut numbers = self.mean.iter().chain(&self.std).chain([&self.scale]);
        if let Some(number) = numbers.find(|it| !it.is_finite()) {
            return Err(Error::usage(format!("{number} is no number to compute pixels with")));
        }
        if self.std.contains(&0.0) {
            return Err(Error::usage("pixels cannot be divided by a std of 0"));
        }
        let default = Self::default();
        let is_plain = self.scale == default.scale
            && self.mean.iter().all(|&it| it == 0.0)
            && self.std.iter().all(|&it| it == 1.0)
            && !self.standardize;
        if dtype == DType::U8 && !is_plain {
            return Err(Error::usage(
                "the input takes pixels as they are (UINT8): there is nothing to scale",
            ));
        }
        Ok(())
    }
}
