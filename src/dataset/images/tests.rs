//! Images of `testdata/images`, against what Pillow, NumPy and TensorFlow make of them
//! (`tests/reference/make_images.py`).

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::dataset::tests::{input, text};
use crate::error::ErrorKind;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn golden(case: &str) -> (Vec<usize>, Vec<f32>) {
    let file = hdf5::File::open(testdata("golden/images.h5")).unwrap();
    let dataset = file.dataset(case).unwrap_or_else(|_| panic!("{case} is not there"));
    (dataset.shape(), dataset.read_raw().unwrap())
}

fn prepare(file: &str, dtype: DType, shape: &[usize], preparation: &Preparation) -> Result<Record> {
    let inputs = [input("x", dtype, shape)];
    let data = [text(testdata("images").join(file))];
    let images = ImageFolder::open(&data, &inputs, preparation)?;
    let mut record = Record::for_inputs(&inputs)?;
    images.make(0, &mut record)?;
    Ok(record)
}

/// The largest difference to a case, for an input of its shape.
fn difference(case: &str, file: &str, preparation: &Preparation) -> f32 {
    let (shape, expected) = golden(case);
    let shape = [&[1], shape.as_slice()].concat();
    let record = prepare(file, DType::F32, &shape, preparation).unwrap();
    let found = record.inputs[0].as_slice::<f32>();
    assert_eq!(found.len(), expected.len(), "{case}");
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn sizes_are_those_of_pillow() {
    for file in ["2-wide", "10-tall"] {
        let png = format!("{file}.png");
        for (filter, name, tolerance) in [
            (Filter::Nearest, "nearest", 0.0),
            (Filter::Bilinear, "bilinear", 1.0),
            (Filter::Bicubic, "bicubic", 2.0),
            // Pillow cuts what overshoots off between its two passes.
            (Filter::Lanczos, "lanczos", 8.0),
        ] {
            let preparation = Preparation { filter, ..Preparation::default() };
            let found = difference(&format!("stretch-{name}-{file}"), &png, &preparation);
            assert!(found <= tolerance, "{name} {file}: {found}");
        }
        for (resize, name, tolerance) in [
            (Resize::Crop, "crop", 1.0),
            (Resize::Shorter(14), "shorter", 1.0),
            (Resize::None, "none", 0.0),
        ] {
            let preparation = Preparation { resize, ..Preparation::default() };
            let found = difference(&format!("{name}-{file}"), &png, &preparation);
            assert!(found <= tolerance, "{name} {file}: {found}");
        }
        let preparation =
            Preparation { central_crop: Some(0.6), resize: Resize::None, ..Preparation::default() };
        assert_eq!(difference(&format!("central-{file}"), &png, &preparation), 0.0);
    }
    let larger = difference("larger-bilinear-2-wide", "2-wide.png", &Preparation::default());
    assert!(larger <= 1.0, "{larger}");
}

#[test]
fn kinds_of_images() {
    let plain = Preparation::default();
    assert_eq!(difference("gray-of-colour", "2-wide.png", &plain), 0.0);
    assert_eq!(difference("colour-of-gray", "1-gray.png", &plain), 0.0);
    assert_eq!(difference("alpha", "3-alpha.png", &plain), 0.0);
    // Decoders may round differently.
    let jpeg = difference("jpeg", "class/photo.jpg", &plain);
    assert!(jpeg <= 3.0, "{jpeg}");
}

#[test]
fn numbers_are_those_of_the_frameworks() {
    let plain = Preparation::default();
    let torch = Preparation {
        scale: 1.0 / 255.0,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        ..plain.clone()
    };
    let tf = Preparation { scale: 1.0 / 127.5, mean: vec![1.0], ..plain.clone() };
    let caffe = Preparation {
        channels: ChannelOrder::Bgr,
        mean: vec![103.939, 116.779, 123.68],
        ..plain.clone()
    };
    let exact = [("tf", tf), ("torch", torch.clone()), ("torch-nchw", torch), ("caffe", caffe)];
    for (case, preparation) in exact {
        assert_eq!(difference(case, "2-wide.png", &preparation), 0.0, "{case}");
    }
    let standardize = Preparation { standardize: true, ..plain };
    let found = difference("standardized", "2-wide.png", &standardize);
    assert!(found < 1.0e-6, "{found}");
}

#[test]
fn an_image_of_one_colour_is_standardized_to_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat.png");
    image::RgbImage::from_pixel(4, 5, image::Rgb([7, 7, 7])).save(&path).unwrap();
    let inputs = [input("x", DType::F32, &[5, 4, 3])];
    let standardize = Preparation { standardize: true, ..Preparation::default() };
    let images = ImageFolder::open(&[text(&path)], &inputs, &standardize).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    images.make(0, &mut record).unwrap();
    assert!(record.inputs[0].as_slice::<f32>().iter().all(|&it| it == 0.0));
}

#[test]
fn pixels_stay_bytes_where_the_model_takes_bytes() {
    let preparation = Preparation { resize: Resize::None, ..Preparation::default() };
    let record = prepare("2-wide.png", DType::U8, &[1, 9, 12, 3], &preparation).unwrap();
    let (_, expected) = golden("none-2-wide");
    let found: Vec<f32> = record.inputs[0].bytes().iter().map(|&it| f32::from(it)).collect();
    assert_eq!(found, expected);
}

#[test]
fn images_come_in_natural_order_with_any_number_of_threads() {
    let inputs = [input("x", DType::F32, &[1, 8, 8, 3])];
    let data = [text(testdata("images"))];
    let images = ImageFolder::open(&data, &inputs, &Preparation::default()).unwrap();
    let names: Vec<_> = images.paths.iter().map(|it| it.file_name().unwrap()).collect();
    assert_eq!(names, ["1-gray.png", "2-wide.png", "3-alpha.png", "10-tall.png", "photo.jpg"]);
    let read = |threads| {
        let mut all = Vec::new();
        let mut show = |number, record: Result<&Record>| {
            assert_eq!(number, all.len() as u64);
            all.push(record.unwrap().inputs[0].bytes().to_vec());
            Ok(true)
        };
        images.for_each(threads, &mut show).unwrap();
        all
    };
    let one = read(1);
    assert_eq!(one.len(), 5);
    assert_eq!(read(3), one);
    assert_eq!(read(16), one);
}

#[test]
fn images_are_recognised() {
    let images = testdata("images");
    let meant =
        |data: &[PathBuf]| ImageFolder::is_meant(&data.iter().map(text).collect::<Vec<_>>());
    assert!(meant(std::slice::from_ref(&images)));
    assert!(meant(&[images.join("1-gray.png"), images.join("class/*.jpg")]));
    assert!(!meant(&[images.clone(), testdata("datasets")]));
    assert!(!meant(&[testdata("datasets/f32.h5")]));
    assert!(!meant(&[images.join("none.png"), images.join("missing.h5")]));
}

#[test]
fn what_cannot_be_prepared_is_refused() {
    let plain = Preparation::default();
    let refused = |shape: &[usize], dtype, preparation: &Preparation| {
        let error = prepare("2-wide.png", dtype, shape, preparation).err().unwrap();
        (error.kind(), error.to_string())
    };
    for (shape, dtype, expected) in [
        (&[1, 8, 8, 4][..], DType::F32, "has 8 channels, and images have 1 or 3"),
        (&[8, 8], DType::F32, "is no image"),
        (&[2, 8, 8, 3], DType::F32, "is no image"),
        (&[1, 8, 8, 3], DType::I32, "cannot hold pixels"),
    ] {
        let (kind, said) = refused(shape, dtype, &plain);
        assert_eq!(kind, ErrorKind::Model);
        assert!(said.contains(expected), "{said}");
    }
    for (preparation, expected) in [
        (Preparation { mean: vec![1.0, 2.0], ..plain.clone() }, "mean has 2 values"),
        (Preparation { std: vec![0.0], ..plain.clone() }, "std of 0"),
        (Preparation { central_crop: Some(1.5), ..plain.clone() }, "at most 1"),
        (Preparation { scale: f32::NAN, ..plain.clone() }, "NaN is no number"),
    ] {
        let (kind, said) = refused(&[1, 8, 8, 3], DType::F32, &preparation);
        assert_eq!(kind, ErrorKind::Usage);
        assert!(said.contains(expected), "{said}");
    }
    let scaled = Preparation { scale: 0.5, ..plain.clone() };
    assert!(refused(&[1, 8, 8, 3], DType::U8, &scaled).1.contains("nothing to scale"));
    let whole = Preparation { resize: Resize::None, ..plain.clone() };
    let (kind, said) = refused(&[1, 32, 8, 3], DType::F32, &whole);
    assert_eq!(kind, ErrorKind::Record);
    assert!(
        said.ends_with("has 31 x 20 pixels and is not resized, and the model expects 8 x 32"),
        "{said}"
    );

    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(testdata("images/class/photo.jpg")).unwrap();
    fs::write(folder.path().join("a.jpg"), &good[..good.len() / 2]).unwrap();
    fs::write(folder.path().join("b.png"), b"GIF89a").unwrap();
    let inputs = [input("x", DType::F32, &[1, 8, 8, 3])];
    let images = ImageFolder::open(&[text(folder.path())], &inputs, &plain).unwrap();
    let mut said = Vec::new();
    images
        .for_each(2, &mut |_, record| {
            said.extend(record.err().map(|it| (it.kind(), it.to_string())));
            Ok(true)
        })
        .unwrap();
    assert!(said.iter().all(|(kind, _)| *kind == ErrorKind::Record));
    assert!(said.iter().any(|(_, said)| said.contains("b.png: cannot be decoded")), "{said:?}");
}
