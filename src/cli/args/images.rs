use clap::{Args, ValueEnum};

use crate::dataset::{ChannelOrder, Filter, ImageLayout, Preparation, Resize};

/// How images become records; each option is `None` if it was not given.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Images")]
pub(in crate::cli) struct ImageArgs {
    /// Keep this share of both sides, around the centre, before resizing
    #[arg(long, value_name = "SHARE")]
    pub central_crop: Option<f64>,
    /// How images come to the input's size: stretch; crop, which keeps their shape; a number, to which the
    /// shorter side is resized before the centre is cut out; or none, to only do that [default: stretch]
    #[arg(long, value_name = "HOW", value_parser = resize)]
    pub resize: Option<Resize>,
    /// How pixels are interpolated [default: bilinear]
    #[arg(long, value_enum, value_name = "FILTER")]
    pub filter: Option<FilterArg>,
    /// Order of the channels [default: rgb]
    #[arg(long, value_enum, value_name = "ORDER")]
    pub channel_order: Option<ChannelOrderArg>,
    /// What pixels, 0 to 255, are multiplied with, for instance 1/255 [default: 1]
    #[arg(long, value_name = "FACTOR", value_parser = fraction)]
    pub scale: Option<f32>,
    /// What is then subtracted, from all channels or from each [default: 0]
    #[arg(long, value_name = "M[,M,M]", value_delimiter = ',', allow_hyphen_values = true)]
    pub mean: Vec<f32>,
    /// What the rest is divided by [default: 1]
    #[arg(long, value_name = "S[,S,S]", value_delimiter = ',')]
    pub std: Vec<f32>,
    /// Give every image the mean 0 and the standard deviation 1, as TensorFlow's `per_image_standardization`
    #[arg(long)]
    pub standardize: bool,
    /// Order of the input's dimensions [default: by which of them is 1 or 3]
    #[arg(long, value_enum, value_name = "LAYOUT")]
    pub image_layout: Option<ImageLayoutArg>,
}

/// How pixels are interpolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FilterArg {
    /// Not at all
    Nearest,
    /// Linear, over the whole area that becomes a pixel
    Bilinear,
    /// Cubic
    Bicubic,
    /// Lanczos' window of three lobes
    Lanczos,
}

/// Order of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ChannelOrderArg {
    /// Red, green, blue
    Rgb,
    /// Blue, green, red
    Bgr,
}

/// Order of dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ImageLayoutArg {
    /// Height, width, channels
    Nhwc,
    /// Channels, height, width
    Nchw,
}

impl ImageArgs {
    /// Whether any of them was given.
    pub fn is_given(&self) -> bool {
        let Self { central_crop, resize, filter, channel_order, scale, image_layout, .. } = self;
        central_crop.is_some()
            || resize.is_some()
            || filter.is_some()
            || channel_order.is_some()
            || scale.is_some()
            || image_layout.is_some()
            || !self.mean.is_empty()
            || !self.std.is_empty()
            || self.standardize
    }

    /// What is done with an image.
    pub fn preparation(&self) -> Preparation {
        let default = Preparation::default();
        let or_default = |given: &[f32], default: Vec<f32>| {
            if given.is_empty() { default } else { given.to_vec() }
        };
        Preparation {
            central_crop: self.central_crop,
            resize: self.resize.unwrap_or(default.resize),
            filter: match self.filter {
                Some(FilterArg::Nearest) => Filter::Nearest,
                Some(FilterArg::Bilinear) => Filter::Bilinear,
                Some(FilterArg::Bicubic) => Filter::Bicubic,
                Some(FilterArg::Lanczos) => Filter::Lanczos,
                None => default.filter,
            },
            channels: match self.channel_order {
                Some(ChannelOrderArg::Rgb) => ChannelOrder::Rgb,
                Some(ChannelOrderArg::Bgr) => ChannelOrder::Bgr,
                None => default.channels,
            },
            scale: self.scale.unwrap_or(default.scale),
            mean: or_default(&self.mean, default.mean),
            std: or_default(&self.std, default.std),
            standardize: self.standardize,
            layout: match self.image_layout {
                Some(ImageLayoutArg::Nhwc) => ImageLayout::Nhwc,
                Some(ImageLayoutArg::Nchw) => ImageLayout::Nchw,
                None => default.layout,
            },
        }
    }
}

/// Parses `stretch`, `crop`, `none` or a number of pixels.
fn resize(text: &str) -> Result<Resize, String> {
    match text {
        "stretch" => Ok(Resize::Stretch),
        "crop" => Ok(Resize::Crop),
        "none" => Ok(Resize::None),
        number => match number.parse() {
            Ok(pixels @ 1..=65_535) => Ok(Resize::Shorter(pixels)),
            _ => Err("expected stretch, crop, none, or the pixels of the shorter side".to_owned()),
        },
    }
}

/// Parses `0.5` or `1/255`, divided in `f64`.
fn fraction(text: &str) -> Result<f32, String> {
    let number =
        |text: &str| text.trim().parse::<f64>().map_err(|_| format!("`{text}` is not a number"));
    let value = match text.split_once('/') {
        Some((above, below)) => number(above)? / number(below)?,
        None => number(text)?,
    };
    if value.is_finite() { Ok(value as f32) } else { Err("is not finite".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_fractions() {
        assert_eq!(resize("crop"), Ok(Resize::Crop));
        assert_eq!(resize("256"), Ok(Resize::Shorter(256)));
        for bad in ["", "0", "-1", "fit", "1e3", "70000"] {
            assert!(resize(bad).is_err(), "{bad}");
        }
        assert_eq!(fraction("1/255"), Ok(1.0 / 255.0));
        assert_eq!(fraction("-0.5"), Ok(-0.5));
        for bad in ["", "a", "1/0", "1/2/3", "nan"] {
            assert!(fraction(bad).is_err(), "{bad}");
        }
    }
}
