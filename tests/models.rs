//! The small models of `testdata/models`, read, listed and written with ranges; and what is left of
//! them when they are damaged.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use record_minmax::circle::{
    Format, ModelFile, SpliceOptions, TensorRange, check_splice, import, listing,
    original_fingerprint, ranges, source_fingerprint, splice,
};
use record_minmax::graph::Subgraph;
use record_minmax::tensor::DType;

const MODELS: [&str; 5] =
    ["conv.circle", "conv-external.circle", "old.tflite", "extensions.circle", "branches.circle"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/models").join(name)
}

fn open(name: &str) -> ModelFile {
    ModelFile::open(&path(name)).unwrap_or_else(|e| panic!("{e}"))
}

/// A range for every float activation, in the order of the file.
fn some_ranges(subgraphs: &[Subgraph]) -> Vec<TensorRange> {
    let mut found = Vec::new();
    for (s, subgraph) in subgraphs.iter().enumerate() {
        let computed = subgraph.nodes.iter().flat_map(|node| &node.outputs);
        let activations: BTreeSet<usize> =
            subgraph.inputs.iter().chain(computed).copied().collect();
        for t in activations {
            let tensor = &subgraph.tensors[t];
            if tensor.dtype == DType::F32 && tensor.data.is_none() && !tensor.is_variable {
                let (subgraph, number) = (s as u32, t as f32);
                let (min, max) = (-0.1 * number, 1.7 * number);
                found.push(TensorRange { subgraph, tensor: t as u32, min, max });
            }
        }
    }
    found
}

/// What a listing says, but for what a splice is to change.
fn essence(model: &ModelFile) -> String {
    let mut listing = listing(model);
    (listing.format, listing.version, listing.byte_len) = ("", 0, 0);
    for tensor in listing.subgraphs.iter_mut().flat_map(|it| &mut it.tensors) {
        if let Some(quantization) = &mut tensor.quantization {
            quantization.min.clear();
            quantization.max.clear();
        }
        if tensor.quantization.as_ref().is_some_and(|it| it.scale.is_empty()) {
            tensor.quantization = None;
        }
    }
    for buffer in &mut listing.buffers {
        buffer.offset = buffer.offset.map(|_| 0);
    }
    listing.to_string()
}

/// The constants' bytes.
fn constants(model: &ModelFile) -> Vec<Vec<u8>> {
    let graph = model.graph().expect("a graph");
    let tensors = graph.subgraphs.iter().flat_map(|it| &it.tensors);
    tensors.filter_map(|it| Some(it.data.as_ref()?.bytes().to_vec())).collect()
}

#[test]
fn listings() {
    for name in MODELS {
        insta::assert_snapshot!(name, listing(&open(name)).to_string());
    }
    let json = serde_json::to_string_pretty(&listing(&open("extensions.circle"))).unwrap();
    insta::assert_snapshot!("extensions.json", json);
}

#[test]
fn ranges_go_in_and_come_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.circle");
    for name in MODELS {
        let model = open(name);
        let expected = some_ranges(&model.graph().expect("a graph").subgraphs);
        assert!(expected.len() >= 4, "{name}");
        splice(&model, &expected, &output).unwrap_or_else(|e| panic!("{e}"));
        let written = ModelFile::open(&output).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(written.format(), Format::Circle, "{name}");
        assert_eq!(ranges(&written), expected, "{name}");
        assert_eq!(essence(&written), essence(&model), "{name}");
        assert_eq!(constants(&written), constants(&model), "{name}");
        assert_eq!(original_fingerprint(&written).unwrap(), Some(model.fingerprint()), "{name}");
    }
}

#[test]
fn imported_models_mean_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.circle");
    let model = open("old.tflite");
    import(&model, &output).unwrap_or_else(|e| panic!("{e}"));
    let imported = ModelFile::open(&output).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(imported.format(), Format::Circle);
    assert_eq!(essence(&imported), essence(&model));
    assert_eq!(constants(&imported), constants(&open("conv.circle")));
    assert_eq!(original_fingerprint(&imported).unwrap(), None);
}

// ---- Damage

/// Uses damaged bytes in every way. It may fail, but only with an error, and what is written (which
/// takes most of the time, as it is synced) is valid.
fn exercise(bytes: Vec<u8>, output: Option<&Path>) {
    let Ok(model) = ModelFile::from_bytes("damaged", bytes) else { return };
    let _ = listing(&model).to_string();
    let _ = serde_json::to_string(&listing(&model));
    let _ = ranges(&model);
    let _ = original_fingerprint(&model);
    let wanted = match model.graph() {
        Ok(graph) => some_ranges(&graph.subgraphs),
        // The splice has to stand on its own.
        Err(_) => vec![TensorRange { subgraph: 0, tensor: 3, min: 0.0, max: 1.0 }],
    };
    let tensors: Vec<_> = wanted.iter().map(|range| (range.subgraph, range.tensor)).collect();
    let has_room = check_splice(&model, &tensors, SpliceOptions::default()).is_ok();
    let Some(output) = output else { return };
    let result = splice(&model, &wanted, output);
    assert!(has_room || result.is_err());
    if result.is_ok() {
        let written = ModelFile::open(output).unwrap_or_else(|e| panic!("{e}"));
        let found = ranges(&written);
        assert!(wanted.iter().all(|range| found.contains(range)));
        let source = source_fingerprint(&model).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(original_fingerprint(&written).unwrap(), Some(source));
    }
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).expect("a model")
}

/// A model that has been spliced already, so that damage hits its record of that too.
fn spliced_bytes(name: &str, folder: &Path) -> Vec<u8> {
    let model = open(name);
    let output = folder.join("seed.circle");
    let wanted = some_ranges(&model.graph().expect("a graph").subgraphs);
    splice(&model, &wanted, &output).unwrap_or_else(|e| panic!("{e}"));
    std::fs::read(output).expect("a model")
}

#[test]
fn no_truncation_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in MODELS {
        let bytes = bytes(name);
        for len in 0..bytes.len() {
            exercise(bytes[..len].to_vec(), Some(&folder.path().join("out.circle")));
        }
    }
}

#[test]
fn no_changed_byte_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.circle");
    let spliced = spliced_bytes("extensions.circle", folder.path());
    for bytes in [spliced, bytes("conv-external.circle"), bytes("old.tflite")] {
        for at in 0..bytes.len() {
            for change in [0x01, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                exercise(damaged, at.is_multiple_of(8).then_some(&output));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Several words at once, with values that are likely to mean something.
    #[test]
    fn no_changed_words_panic(
        model in 0..MODELS.len(),
        words in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                prop_oneof![
                    0..64_u32,
                    any::<u32>(),
                    Just(i32::MAX as u32),
                    Just(i32::MIN as u32),
                    (0..64_u32).prop_map(u32::wrapping_neg),
                ],
            ),
            1..4,
        ),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut damaged = bytes(MODELS[model]);
        for (index, word) in words {
            let at = index.index(damaged.len() / 4) * 4;
            damaged[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        exercise(damaged, Some(&folder.path().join("out.circle")));
    }
}
