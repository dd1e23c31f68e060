//! Tests over the files that `tests/reference/make_arrays.py` makes.

use std::fs;

use crate::dataset::tests::{datasets, float_input, input, open_files, problems, testdata, text};
use crate::dataset::{DataFormat, InputSpec, OpenOptions, Record, open, open_with};
use crate::tensor::{DType, InputType};

const RECORDS: u64 = 5;

fn mixed_inputs() -> Vec<InputSpec> {
    vec![
        input("x", DType::F32, &[2, 3]),
        input("ids", DType::I64, &[4]),
        input("flags", DType::Bool, &[3]),
    ]
}

fn expected_floats(record: u64) -> [f32; 6] {
    [0, 1, 2, 3, 4, 5].map(|e| 100.0 * record as f32 + e as f32 / 4.0)
}

/// What is wrong with a file, without its name.
fn faults(name: &str, inputs: &[InputSpec]) -> Vec<String> {
    let lines = problems(open_files(&[name], inputs), &datasets());
    let prefix = format!("{name}: ");
    lines.iter().map(|line| line.strip_prefix(&prefix).unwrap().to_owned()).collect()
}

#[test]
fn one_array_feeds_one_input() {
    let batched = [input("x", DType::F32, &[1, 2, 3])];
    let any = InputType { dtype: DType::F32, shape: vec![None, Some(3)] };
    let open_shape = [InputSpec { name: "x".to_owned(), input_type: any }];
    let mut hashes = Vec::new();
    for (name, inputs) in [
        ("floats.npy", &float_input()[..]),
        ("floats-be.npy", &float_input()),
        ("floats-version2.npy", &float_input()),
        ("floats.npy", &batched),
        ("floats-batched.npy", &batched),
        ("floats.npy", &open_shape),
    ] {
        let mut source = open_files(&[name], inputs).unwrap();
        let mut record = Record::for_inputs(inputs).unwrap();
        for i in [0, 3, 1, 4, 4] {
            source.read(0, i, &mut record).unwrap();
            assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(i), "{name}");
        }
        let info = &source.shards()[0];
        assert_eq!((info.kind.as_str(), info.identity.records), ("npy", RECORDS));
        hashes.push(info.identity.hash);
        assert!(source.read(0, RECORDS, &mut record).is_err());
    }
    assert!(hashes[..5].iter().all(|hash| *hash == hashes[0]), "bytes after decoding");
}

#[test]
fn several_arrays_feed_inputs_by_name_or_position() {
    let inputs = mixed_inputs();
    for (name, kind) in [
        ("named.npz", "npz"),
        ("ordered.npz", "npz"),
        ("compressed.npz", "npz"),
        ("named.safetensors", "safetensors"),
    ] {
        let mut source = open_files(&[name], &inputs).unwrap();
        assert_eq!(source.shards()[0].kind, kind);
        assert_eq!(source.shards()[0].identity.records, RECORDS);
        let mut record = Record::for_inputs(&inputs).unwrap();
        // Backwards too, which starts a compressed entry again.
        for i in [0, 1, 4, 2, 2] {
            source.read(0, i, &mut record).unwrap();
            assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(i), "{name} {i}");
            let ids = [0, 1, 2, 3].map(|e| 100 * i as i64 + 10 + e);
            assert_eq!(record.inputs[1].as_slice::<i64>(), ids, "{name} {i}");
            let flags = [0, 1, 2].map(|e| ((e + i) % 2) as u8);
            assert_eq!(record.inputs[2].bytes(), flags, "{name} {i}");
        }
    }
}

#[test]
fn values_are_cast_where_that_is_asked_for() {
    let cast = OpenOptions { cast: true, ..OpenOptions::default() };
    let mut narrow = float_input();
    narrow.extend([input("ids", DType::I32, &[4]), input("flags", DType::F32, &[3])]);
    let only_x = float_input();
    for (name, inputs) in [
        ("doubles.npy", &only_x),
        ("halves.safetensors", &narrow),
        ("ordered.npz", &narrow),
        ("float64.h5", &only_x),
    ] {
        let mut source = open_with(&[text(testdata(name))], inputs, cast).unwrap();
        let mut record = Record::for_inputs(inputs).unwrap();
        source.read(0, 1, &mut record).unwrap();
        assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(1), "{name}");
        if let [_, ids, flags] = &record.inputs[..] {
            assert_eq!(ids.as_slice::<i32>(), [110, 111, 112, 113], "{name}");
            assert_eq!(flags.as_slice::<f32>(), [1.0, 0.0, 1.0], "{name}");
        }
    }
    // A shard is the same before and after it was converted.
    let converted = open_files(&["floats.npy"], &only_x).unwrap();
    let source = open_with(&[text(testdata("doubles.npy"))], &only_x, cast).unwrap();
    assert_eq!(source.shards()[0].identity, converted.shards()[0].identity);
    let said = faults("doubles.npy", &only_x).join("");
    assert!(said.contains("give --cast"), "{said}");
    let fractions = [input("x", DType::I32, &[2, 3])];
    let refused = open_with(&[text(testdata("floats.npy"))], &fractions, cast);
    let said = problems(refused, &datasets()).join("");
    assert!(said.contains("has type FLOAT32, the model expects INT32"), "{said}");
    assert!(!said.contains("--cast"), "{said}");
}

#[test]
fn what_does_not_fit_is_said() {
    let x = float_input();
    let said = |name: &str, inputs: &[InputSpec]| faults(name, inputs).join("\n");
    for (name, expected) in [
        ("doubles.npy", "has type FLOAT64, the model expects FLOAT32; values are not cast"),
        ("fortran.npy", "is stored column by column"),
        ("one-value.npy", "is a single value, without an axis for the records"),
        ("none.npy", "has no records"),
        ("structures.npy", "has a header that is not one of a NumPy array of numbers"),
        ("cut.npy", "has 116 bytes of data, but its header says 120 (shape [5, 2, 3]): the file"),
        ("floats-batched.npy", "has shape [5, 1, 2, 3], the model expects [N, 2, 3], where N"),
    ] {
        assert!(said(name, &x).contains(expected), "{name}: {}", said(name, &x));
    }
    let inputs = mixed_inputs();
    for (name, expected) in [
        ("counts.npz", "input 1 (\"ids\") has 4 records, but input 0 (\"x\") has 5"),
        ("stray.npz", "holds more than the model's 3 inputs: \"labels\""),
        ("missing.npz", "input 1 (\"ids\") is missing: there is no array \"ids\""),
        ("halves.safetensors", "input 0 (\"x\"): has type FLOAT16, the model expects FLOAT32"),
        ("cut.safetensors", "but its header says"),
        ("other.npz", "(\"x\", \"ids\", \"flags\"): it has \"a\", \"b\", \"c\""),
        ("floats.npy", "has no array for the model's 3 inputs"),
    ] {
        assert!(said(name, &inputs).contains(expected), "{name}: {}", said(name, &inputs));
    }
}

#[test]
fn formats_that_are_asked_for_are_insisted_on() {
    for (format, expected) in [
        (DataFormat::Npy, "is not a NumPy array (.npy)"),
        (DataFormat::Npz, "is not an archive of NumPy arrays (.npz)"),
        (DataFormat::Safetensors, "is not a safetensors file"),
    ] {
        let opened = open(&[text(testdata("f32.h5"))], format, &float_input());
        let lines = problems(opened, &datasets());
        assert!(lines[0].contains(expected), "{format:?}: {lines:?}");
    }
}

#[test]
fn no_damage_panics() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["floats.npy", "named.npz", "compressed.npz", "named.safetensors"] {
        let whole = fs::read(testdata(name)).unwrap();
        let inputs = if name == "floats.npy" { float_input() } else { mixed_inputs() };
        let path = folder.path().join(name);
        let try_it = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let Ok(mut source) = open(&[text(&path)], DataFormat::Auto, &inputs) else { return };
            let mut record = Record::for_inputs(&inputs).unwrap();
            for i in 0..RECORDS {
                let _ = source.read(0, i, &mut record);
            }
        };
        for len in (0..whole.len()).step_by(7) {
            try_it(&whole[..len]);
        }
        for at in 0..whole.len().min(1500) {
            for flip in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= flip;
                try_it(&changed);
            }
        }
    }
}
