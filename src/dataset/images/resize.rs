//! Cutting and resizing.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageBuffer, Pixel, RgbImage};

use super::layout::Layout;
use super::preparation::{Filter, Preparation, Resize};

/// The pixels of an image in the size that the layout has: bytes of height, width and channels.
///
/// # Errors
/// Why that is not possible.
pub(super) fn resize(
    image: &DynamicImage,
    layout: Layout,
    preparation: &Preparation,
) -> Result<Vec<u8>, String> {
    if layout.channels == 1 {
        Ok(fit(gray(image), layout, preparation)?.into_raw())
    } else {
        Ok(fit::<image::Rgb<u8>>(image.to_rgb8(), layout, preparation)?.into_raw())
    }
}

/// Brightness as Pillow and JPEG define it (ITU-R BT.601), rounded as Pillow does.
fn gray(image: &DynamicImage) -> GrayImage {
    if let DynamicImage::ImageLuma8(gray) = image {
        return gray.clone();
    }
    let rgb: RgbImage = image.to_rgb8();
    let brightness = |pixel: &[u8; 3]| {
        let [red, green, blue] = pixel.map(u32::from);
        ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
    };
    GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
        image::Luma([brightness(&rgb.get_pixel(x, y).0)])
    })
}

type Pixels<P> = ImageBuffer<P, Vec<u8>>;

fn fit<P: Pixel<Subpixel = u8> + 'static>(
    mut image: Pixels<P>,
    layout: Layout,
    preparation: &Preparation,
) -> Result<Pixels<P>, String> {
    if let Some(share) = preparation.central_crop {
        // As `tf.image.central_crop` rounds.
        let kept = |side: u32| {
            let start = (f64::from(side) - f64::from(side) * share) / 2.0;
            side - 2 * start as u32
        };
        image = centre(&image, (kept(image.width()), kept(image.height())), |rest| rest / 2);
    }
    let (width, height) = (layout.width as u32, layout.height as u32);
    let filter = match preparation.filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Bilinear => FilterType::Triangle,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    let (before_width, before_height) = image.dimensions();
    match preparation.resize {
        Resize::Stretch => Ok(imageops::resize(&image, width, height, filter)),
        Resize::Crop => {
            // As Keras' `smart_resize` rounds.
            let part = |side: u32, of: u32, to: u32| {
                u64::from(side) * u64::from(of) / u64::from(to).max(1)
            };
            let cut_width = part(before_height, width, height).min(before_width.into()) as u32;
            let cut_height = part(before_width, height, width).min(before_height.into()) as u32;
            let cut = centre(&image, (cut_width.max(1), cut_height.max(1)), |rest| rest / 2);
            Ok(imageops::resize(&cut, width, height, filter))
        }
        Resize::Shorter(shorter) => {
            // As torchvision rounds.
            let long = |long: u32, short: u32| {
                (u64::from(shorter) * u64::from(long) / u64::from(short).max(1)) as u32
            };
            let (to_width, to_height) = if before_width <= before_height {
                (shorter, long(before_height, before_width))
            } else {
                (long(before_width, before_height), shorter)
            };
            check_size((to_width, to_height), (width, height), "after resizing")?;
            let resized = imageops::resize(&image, to_width, to_height, filter);
            Ok(centre(&resized, (width, height), nearest_half))
        }
        Resize::None => {
            check_size((before_width, before_height), (width, height), "and is not resized")?;
            Ok(centre(&image, (width, height), nearest_half))
        }
    }
}

/// Half of a number; where that is between two, the even one of them, as Python rounds.
fn nearest_half(rest: u32) -> u32 {
    let half = rest / 2;
    if rest % 2 == 1 { half + half % 2 } else { half }
}

/// Cuts a part out of the centre; `half` says how much of the rest is before it.
fn centre<P: Pixel<Subpixel = u8> + 'static>(
    image: &Pixels<P>,
    (width, height): (u32, u32),
    half: impl Fn(u32) -> u32,
) -> Pixels<P> {
    let left = half(image.width().saturating_sub(width));
    let top = half(image.height().saturating_sub(height));
    imageops::crop_imm(image, left, top, width, height).to_image()
}

fn check_size(has: (u32, u32), wanted: (u32, u32), when: &str) -> Result<(), String> {
    if has.0 >= wanted.0 && has.1 >= wanted.1 {
        return Ok(());
    }
    let (width, height) = has;
    Err(format!(
        "has {width} x {height} pixels {when}, and the model expects {} x {}",
        wanted.0, wanted.1
    ))
}
