//! Where the pixels of an image are in an input.

use super::preparation::ImageLayout;
use crate::dataset::InputSpec;
use crate::error::{Error, Result};
use crate::tensor::DType;

/// Size of an input that is an image, and the order of its dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Whether channels come before height and width.
    pub channels_first: bool,
}

impl Layout {
    /// That of an input.
    ///
    /// # Errors
    /// [`Model`](crate::error::ErrorKind::Model) if it is no image.
    pub fn of(input: &InputSpec, layout: ImageLayout) -> Result<Self> {
        let not = |why: &str| {
            Error::model(format!("input \"{}\" of type {} {why}", input.name, input.input_type))
        };
        if !matches!(input.input_type.dtype, DType::F32 | DType::U8) {
            return Err(not("cannot hold pixels: FLOAT32 and UINT8 can"));
        }
        let Some(fixed) = input.input_type.fixed() else {
            return Err(not("has no size").with_hint(format!(
                "choose it, for instance --input-shape {}=1,224,224,3",
                input.name
            )));
        };
        let shape = match fixed.shape.as_slice() {
            [1, a, b, c] | [a, b, c] => [*a, *b, *c],
            _ => return Err(not("is no image: [1, height, width, channels]")),
        };
        let is_channels = |dim: usize| dim == 1 || dim == 3;
        let channels_first = match layout {
            ImageLayout::Auto => !is_channels(shape[2]),
            ImageLayout::Nhwc => false,
            ImageLayout::Nchw => true,
        };
        let [channels, height, width] =
            if channels_first { shape } else { [shape[2], shape[0], shape[1]] };
        if !is_channels(channels) {
            return Err(not(&format!("has {channels} channels, and images have 1 or 3")));
        }
        Ok(Self { height, width, channels, channels_first })
    }
}
