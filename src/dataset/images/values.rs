//! Pixels become numbers.

use super::layout::Layout;
use super::preparation::{ChannelOrder, Preparation};

/// Writes pixels as they are.
pub(super) fn bytes(pixels: &[u8], layout: Layout, preparation: &Preparation, into: &mut [u8]) {
    arrange(layout, preparation.channels, |from, to| {
        if let (Some(pixel), Some(into)) = (pixels.get(from), into.get_mut(to)) {
            *into = *pixel;
        }
    });
}

/// Writes `(pixel * scale - mean) / std`, each step rounded to `f32`, and standardizes the image if that is
/// asked for.
pub(super) fn floats(pixels: &[u8], layout: Layout, preparation: &Preparation, into: &mut [f32]) {
    let Preparation { scale, mean, std, .. } = preparation;
    let of = |values: &[f32], channel: usize| {
        values.get(channel).or(values.first()).copied().unwrap_or_default()
    };
    // 256 values of each channel are all that there are.
    let tables: Vec<Vec<f32>> = (0..layout.channels)
        .map(|channel| {
            let (mean, std) = (of(mean, channel), of(std, channel));
            (0..=u8::MAX).map(|pixel| (f32::from(pixel) * scale - mean) / std).collect()
        })
        .collect();
    let plane = layout.height * layout.width;
    arrange(layout, preparation.channels, |from, to| {
        let channel = if layout.channels_first { to / plane } else { to % layout.channels };
        let value = pixels.get(from).and_then(|&pixel| tables.get(channel)?.get(pixel as usize));
        if let (Some(value), Some(into)) = (value, into.get_mut(to)) {
            *into = *value;
        }
    });
    if preparation.standardize {
        standardize(into);
    }
}

/// Shows for every value where it comes from, in pixels, and where it goes to.
fn arrange(layout: Layout, order: ChannelOrder, mut place: impl FnMut(usize, usize)) {
    let Layout { height, width, channels, channels_first } = layout;
    let plane = height * width;
    for position in 0..plane {
        for channel in 0..channels {
            let source = match order {
                ChannelOrder::Rgb => channel,
                ChannelOrder::Bgr => channels - 1 - channel,
            };
            let to = if channels_first {
                channel * plane + position
            } else {
                position * channels + channel
            };
            place(position * channels + source, to);
        }
    }
}

/// `(x - mean) / max(deviation, 1 / sqrt(n))` over all values of the image, as
/// `tf.image.per_image_standardization` defines it, with sums in `f64`.
fn standardize(values: &mut [f32]) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&it| f64::from(it)).sum::<f64>() / count;
    let squares = values.iter().map(|&it| (f64::from(it) - mean).powi(2)).sum::<f64>();
    let deviation = (squares / count).sqrt().max(1.0 / count.sqrt());
    for value in values {
        *value = ((f64::from(*value) - mean) / deviation) as f32;
    }
}
