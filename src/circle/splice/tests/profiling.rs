//! ONE's profiling data.

use std::fs;

use super::*;
use crate::graph::Model;

/// A model that was made by a converter: every tensor has a buffer of its own.
fn sample() -> ModelFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sample");
    ModelFile::open(&path.join("sample.tflite")).unwrap()
}

const PROFILING: SpliceOptions = SpliceOptions { profiling: true };

/// The data of a metadata entry.
fn metadata<'a>(model: &'a ModelFile, name: &str) -> Option<&'a [u8]> {
    let entry = model.root().metadata()?.iter().find(|it| it.name() == Some(name))?;
    Some(model.root().buffers()?.get(entry.buffer() as usize).data()?.bytes())
}

#[test]
fn profiling_data_is_what_one_writes() {
    let folder = Folder::new();
    let before = sample();
    let path = folder.path("out.circle");
    let ranges = [range(0, 0, -1.0, 1.0), range(0, 14, 0.0, 6.0)];
    splice_with(&before, &ranges, PROFILING, &path).unwrap();
    let after = ModelFile::open(&path).unwrap();

    // [entries], and for each [number] [length of the name and its end] name, 0.
    let (main, mut sources, mut operators) =
        (before.root().subgraphs().unwrap().get(0), Vec::new(), Vec::new());
    let nodes = main.operators().unwrap();
    for words in [&mut sources, &mut operators] {
        words.extend((nodes.len() as u32).to_le_bytes());
    }
    for (i, node) in nodes.iter().enumerate() {
        let output = main.tensors().unwrap().get(node.outputs().unwrap().get(0) as usize);
        let name = output.name().unwrap();
        sources.extend((i as u32).to_le_bytes());
        sources.extend((name.len() as u32 + 1).to_le_bytes());
        sources.extend(name.bytes().chain([0]));
        operators.extend([i as u32, 1, i as u32].iter().flat_map(|it| it.to_le_bytes()));
    }
    assert_eq!(metadata(&after, "ONE_source_table"), Some(sources.as_slice()));
    assert_eq!(metadata(&after, "ONE_op_table"), Some(operators.as_slice()));
    // The others are still there, and weights too.
    let entries = after.root().metadata().unwrap();
    assert_eq!(entries.len(), 4);
    assert_eq!(metadata(&after, "min_runtime_version"), metadata(&before, "min_runtime_version"));
    assert!(metadata(&after, "CONVERSION_METADATA").is_some());
    // No operator's input or output has become a constant.
    let graph = after.graph().unwrap();
    let constants = |graph: &Model| -> Vec<bool> {
        graph.subgraphs[0].tensors.iter().map(|it| it.data.is_some()).collect()
    };
    assert_eq!(constants(&graph), constants(&before.graph().unwrap()));
    assert_eq!(crate::circle::ranges(&after), ranges);
    // It can be taken back, and a splice without it is as if it had never been there.
    assert_eq!(original_fingerprint(&after).unwrap(), Some(before.fingerprint()));
    let (plain, again) = (folder.path("plain.circle"), folder.path("again.circle"));
    splice(&before, &ranges, &plain).unwrap();
    splice(&after, &ranges, &again).unwrap();
    assert_eq!(fs::read(&again).unwrap(), fs::read(&plain).unwrap());
}

#[test]
fn profiling_data_that_is_there_stays() {
    let folder = Folder::new();
    let imported = folder.path("model.circle");
    import(&sample(), &imported).unwrap();
    let model = ModelFile::open(&imported).unwrap();
    let first = folder.path("first.circle");
    splice_with(&model, &[range(0, 0, 0.0, 1.0)], PROFILING, &first).unwrap();
    // As another tool leaves it: without a record of the splice.
    let mut bytes = fs::read(&first).unwrap();
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    fs::write(&first, &bytes).unwrap();
    let with_data = ModelFile::open(&first).unwrap();
    let second = folder.path("second.circle");
    splice_with(&with_data, &[range(0, 0, 0.0, 2.0)], PROFILING, &second).unwrap();
    let after = ModelFile::open(&second).unwrap();
    assert_eq!(after.root().metadata().unwrap().len(), 4);
    assert_eq!(metadata(&after, "ONE_op_table"), metadata(&with_data, "ONE_op_table"));
}

#[test]
fn profiling_data_needs_room() {
    let folder = Folder::new();
    let mut unpacked = model();
    let bytes = circle(&unpacked);
    let path = folder.path("out.circle");
    let refused = splice_with(&open(&bytes), &[], PROFILING, &path).unwrap_err();
    assert!(refused.to_string().contains("no two tensors with empty buffers"), "{refused}");
    assert!(!path.exists());
    let checked = check_splice(&open(&bytes), &[], PROFILING).unwrap_err();
    assert!(checked.hint().unwrap().contains("circle2circle"), "{checked}");

    // Neither metadata nor a version whose place could be taken.
    let buffers = unpacked.buffers.as_mut().unwrap();
    buffers.resize(buffers.len() + 2, schema::BufferT::default());
    let last = buffers.len() as u32 - 1;
    let tensors = unpacked.subgraphs.as_mut().unwrap()[0].tensors.as_mut().unwrap();
    let activations = tensors.iter_mut().filter(|it| it.buffer == 0);
    for (tensor, buffer) in activations.zip([last - 1, last]) {
        tensor.buffer = buffer;
    }
    assert!(tensors.iter().filter(|it| it.buffer >= last - 1).count() == 2);
    splice_with(&open(&circle(&unpacked)), &[], PROFILING, &path).unwrap();
    unpacked.metadata = None;
    unpacked.version = 7;
    let refused = splice_with(&open(&circle(&unpacked)), &[], PROFILING, &path).unwrap_err();
    assert!(refused.to_string().contains("it has no metadata"), "{refused}");
    // A TFLite model's version becomes 0, whose place is free.
    unpacked.version = 3;
    splice_with(&open(&as_tflite(&unpacked)), &[], PROFILING, &path).unwrap();
    let after = ModelFile::open(&path).unwrap();
    assert_eq!(after.root().version(), 0);
    assert_eq!(after.root().metadata().unwrap().len(), 2);
}
