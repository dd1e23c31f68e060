#!/usr/bin/env python3
"""Makes the images in testdata/images, and what Pillow, NumPy and TensorFlow make of them.

    python3 tests/reference/make_images.py      (needs Pillow, NumPy, h5py and TensorFlow)

testdata/golden/images.h5 has a dataset for each case, named as in src/dataset/images/tests.rs.
"""

from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
from PIL import Image

ROOT = Path(__file__).resolve().parents[2] / "testdata"
IMAGES = ROOT / "images"


def picture(width, height):
    """Smooth colours with a few edges: [height, width, 3] bytes."""
    y, x = np.mgrid[0:height, 0:width]
    red = 127 + 120 * np.sin(x / 3.0) * np.cos(y / 5.0)
    green = 255.0 * x / (width - 1)
    blue = np.where((x // 4 + y // 3) % 2 == 0, 230, 20)
    return np.stack([red, green, blue], -1).round().clip(0, 255).astype(np.uint8)


def make():
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "class").mkdir(exist_ok=True)
    wide = Image.fromarray(picture(31, 20))
    wide.save(IMAGES / "2-wide.png")
    Image.fromarray(picture(17, 26)).save(IMAGES / "10-tall.png")
    wide.save(IMAGES / "class" / "photo.jpg", quality=95, subsampling=0)
    gray = picture(24, 22)[:, :, 0]
    Image.fromarray(gray).save(IMAGES / "1-gray.png")
    alpha = np.concatenate([picture(23, 19), np.full((19, 23, 1), 128, np.uint8)], -1)
    Image.fromarray(alpha).save(IMAGES / "3-alpha.png")


def load(name, mode="RGB"):
    return Image.open(IMAGES / name).convert(mode)


def pixels(image):
    array = np.asarray(image)
    return array if array.ndim == 3 else array[:, :, None]


def centre(image, width, height):
    """torchvision's CenterCrop."""
    left = int(round((image.width - width) / 2.0))
    top = int(round((image.height - height) / 2.0))
    return image.crop((left, top, left + width, top + height))


def smart(image, width, height, resample):
    """Keras' smart_resize."""
    crop_height = min(image.height, int(float(image.width * height) / width))
    crop_width = min(image.width, int(float(image.height * width) / height))
    top, left = (image.height - crop_height) // 2, (image.width - crop_width) // 2
    cut = image.crop((left, top, left + crop_width, top + crop_height))
    return cut.resize((width, height), resample)


def shorter(image, size, width, height, resample):
    """torchvision's Resize and CenterCrop."""
    short, long = sorted(image.size)
    to = int(size * long / short)
    resized = image.resize((size, to) if image.width <= image.height else (to, size), resample)
    return centre(resized, width, height)


def cases():
    filters = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
    }
    for name, resample in filters.items():
        for file in ["2-wide", "10-tall"]:
            yield f"stretch-{name}-{file}", pixels(load(f"{file}.png").resize((12, 9), resample))
    yield "larger-bilinear-2-wide", pixels(load("2-wide.png").resize((40, 50), filters["bilinear"]))
    for file in ["2-wide", "10-tall"]:
        image = load(f"{file}.png")
        yield f"crop-{file}", pixels(smart(image, 12, 9, filters["bilinear"]))
        yield f"shorter-{file}", pixels(shorter(image, 14, 12, 9, filters["bilinear"]))
        yield f"none-{file}", pixels(centre(image, 12, 9))
        cut = tf.image.central_crop(np.asarray(image), 0.6).numpy()
        yield f"central-{file}", pixels(centre(Image.fromarray(cut), 8, 8))
    yield "jpeg", pixels(load("class/photo.jpg"))
    yield "gray-of-colour", pixels(load("2-wide.png", "L"))
    yield "colour-of-gray", pixels(load("1-gray.png"))
    yield "alpha", pixels(load("3-alpha.png"))
    rgb = pixels(load("2-wide.png")).astype(np.float32)
    yield "tf", rgb * np.float32(1 / 127.5) - np.float32(1)
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    torch = (rgb * np.float32(1 / 255) - mean) / std
    yield "torch", torch
    yield "torch-nchw", torch.transpose(2, 0, 1)
    yield "caffe", rgb[:, :, ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
    yield "standardized", tf.image.per_image_standardization(rgb).numpy()
    flat = tf.image.per_image_standardization(np.full((5, 4, 3), 7, np.float32)).numpy()
    assert not flat.any()


def main():
    make()
    with h5py.File(ROOT / "golden" / "images.h5", "w", libver=("v110", "v110")) as file:
        for name, values in cases():
            file.create_dataset(name, data=values, track_times=False)


if __name__ == "__main__":
    main()
