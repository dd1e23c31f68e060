mod profiling;

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::circle::ranges;
use crate::circle::slots::{model as model_slots, subgraph, tensor as tensor_slots};
use crate::circle::testing::{
    as_tflite, circle, floats, full_tensor, model, open, parameters, tensor, tflite,
    with_external_buffer,
};
use crate::circle::wire::Wire;
use crate::schema::{
    self, BuiltinOperator, CustomQuantizationT, MXQuantizationT, ModelT, OperatorCodeT,
    QuantizationDetailsT, QuantizationParametersT, SubGraphT, TensorT, TensorType,
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Splices into a file of its own and opens that.
    fn splice(&self, model: &ModelFile, ranges: &[TensorRange]) -> ModelFile {
        let path = self.path("out.circle");
        splice(model, ranges, &path).expect("a splice");
        ModelFile::open(&path).expect("a valid result")
    }
}

fn range(subgraph: u32, tensor: u32, min: f32, max: f32) -> TensorRange {
    TensorRange { subgraph, tensor, min, max }
}

/// What a splice has to produce.
fn expected(original: &ModelT, ranges: &[TensorRange]) -> ModelT {
    let mut model = original.clone();
    for range in ranges {
        let subgraphs = model.subgraphs.as_mut().unwrap();
        let tensors = subgraphs[range.subgraph as usize].tensors.as_mut().unwrap();
        let parameters =
            tensors[range.tensor as usize].quantization.get_or_insert_with(Box::default);
        parameters.min = Some(vec![range.min]);
        parameters.max = Some(vec![range.max]);
    }
    model
}

/// Splices, compares everything, takes it back.
fn assert_spliced(bytes: &[u8], unpacked: &ModelT, ranges: &[TensorRange]) -> ModelFile {
    let folder = Folder::new();
    let before = open(bytes);
    let after = folder.splice(&before, ranges);
    assert_eq!(after.root().unpack(), expected(unpacked, ranges));
    assert_eq!(original_fingerprint(&after).unwrap(), Some(before.fingerprint()));
    assert_eq!(original_fingerprint(&before).unwrap(), None);
    assert_eq!(source_fingerprint(&after).unwrap(), source_fingerprint(&before).unwrap());
    after
}

#[test]
fn one_range() {
    let model = model();
    let after = assert_spliced(&circle(&model), &model, &[range(0, 2, -1.5, 2.5)]);
    assert_eq!(ranges(&after), [range(0, 2, -1.5, 2.5)]);
}

#[test]
fn no_range_changes_nothing_but_the_trailer() {
    let model = model();
    let bytes = circle(&model);
    let after = assert_spliced(&bytes, &model, &[]);
    assert_eq!(&after.bytes()[..bytes.len()], bytes);
}

#[test]
fn missing_empty_and_full_parameters() {
    let model = model();
    let all = [
        range(0, 0, 0.0, 1.0),
        range(0, 2, -0.0, f32::MAX),
        range(0, 3, -3.0, -2.0),
        range(0, 4, 5.0, 5.0),
    ];
    let after = assert_spliced(&circle(&model), &model, &all);
    assert_eq!(ranges(&after), all);
}

#[test]
fn order_of_ranges_does_not_matter() {
    let folder = Folder::new();
    let before = open(&circle(&model()));
    let a = folder.splice(&before, &[range(0, 0, 0.0, 1.0), range(0, 3, 0.0, 2.0)]);
    let b = folder.splice(&before, &[range(0, 3, 0.0, 2.0), range(0, 0, 0.0, 1.0)]);
    assert_eq!(a.bytes(), b.bytes());
}

#[test]
fn every_kind_of_details_is_kept() {
    let custom = CustomQuantizationT { custom: Some(vec![1, 2, 3]) };
    for details in [
        QuantizationDetailsT::CustomQuantization(Box::new(custom)),
        QuantizationDetailsT::MXQuantization(Box::new(MXQuantizationT { axis: 5 })),
        parameters().details,
    ] {
        let mut model = model();
        let tensors = model.subgraphs.as_mut().unwrap()[0].tensors.as_mut().unwrap();
        tensors[2].quantization.as_mut().unwrap().details = details;
        assert_spliced(&circle(&model), &model, &[range(0, 2, 0.0, 1.0)]);
    }
}

#[test]
fn alignment_is_kept() {
    // Names of all lengths move everything that is built before them.
    for len in 0..16 {
        let mut model = model();
        model.description = Some("x".repeat(len));
        let bytes = circle(&model);
        let after = assert_spliced(&bytes, &model, &[range(0, 3, 0.0, 1.0)]);
        let root = after.root();
        let tensor = root.subgraphs().unwrap().get(0).tensors().unwrap().get(3);
        let zero_points = tensor.quantization().unwrap().zero_point().unwrap();
        let at = zero_points.bytes().as_ptr().addr() - after.bytes().as_ptr().addr();
        assert!(at > bytes.len() && at.is_multiple_of(8));
    }
}

/// A file whose offset fields `from` lead where `to` lead, as if built with shared tables.
fn share(bytes: &mut [u8], from: usize, to: usize) {
    let target = Wire(bytes).follow(to).unwrap();
    let distance = u32::try_from(target - from).unwrap();
    bytes[from..from + 4].copy_from_slice(&distance.to_le_bytes());
}

/// Position of an entry of the vector of tensors.
fn entry(bytes: &[u8], subgraph_index: usize, tensor: usize) -> usize {
    let wire = Wire(bytes);
    let subgraphs = wire.tables(wire.root().unwrap(), model_slots::SUBGRAPHS).unwrap();
    let tensors = wire.offsets(subgraphs[subgraph_index], subgraph::TENSORS).unwrap();
    tensors.unwrap().entry(tensor)
}

#[test]
fn shared_parameters_are_separated() {
    let mut bytes = circle(&model());
    let wire = Wire(&bytes);
    let field = |tensor| {
        let table = wire.table(wire.follow(entry(&bytes, 0, tensor)).unwrap()).unwrap();
        wire.field(table, tensor_slots::QUANTIZATION).unwrap().unwrap()
    };
    let (a, b) = (field(2), field(3));
    // Offsets lead forward only: the later of both targets is shared.
    let (from, to) =
        if wire.follow(a).unwrap() > wire.follow(b).unwrap() { (b, a) } else { (a, b) };
    share(&mut bytes, from, to);
    let unpacked = open(&bytes).root().unpack();
    let tensors = unpacked.subgraphs.as_ref().unwrap()[0].tensors.as_ref().unwrap();
    assert_eq!(tensors[2].quantization, tensors[3].quantization);
    assert_spliced(&bytes, &unpacked, &[range(0, 2, -1.0, 1.0)]);
    assert_spliced(&bytes, &unpacked, &[range(0, 2, -1.0, 1.0), range(0, 3, -2.0, 2.0)]);
}

#[test]
fn shared_tensor_tables_are_separated() {
    let mut bytes = circle(&model());
    let (from, to) = (entry(&bytes, 0, 2), entry(&bytes, 0, 3));
    share(&mut bytes, from, to);
    let unpacked = open(&bytes).root().unpack();
    assert_spliced(&bytes, &unpacked, &[range(0, 2, -1.0, 1.0)]);
    assert_spliced(&bytes, &unpacked, &[range(0, 3, -1.0, 1.0), range(0, 2, 0.0, 1.0)]);
}

/// Two subgraphs with the same tensors.
fn twin() -> ModelT {
    let mut model = model();
    let subgraphs = model.subgraphs.as_mut().unwrap();
    let second = SubGraphT { name: Some("second".to_owned()), ..subgraphs[0].clone() };
    subgraphs.push(second);
    model
}

#[test]
fn a_shared_vector_of_tensors_is_separated() {
    let mut bytes = circle(&twin());
    let wire = Wire(&bytes);
    let subgraphs = wire.tables(wire.root().unwrap(), model_slots::SUBGRAPHS).unwrap();
    let fields: Vec<usize> = subgraphs
        .iter()
        .map(|&table| wire.field(table, subgraph::TENSORS).unwrap().unwrap())
        .collect();
    let [a, b] = fields[..] else { panic!("two subgraphs") };
    let (from, to) =
        if wire.follow(a).unwrap() > wire.follow(b).unwrap() { (b, a) } else { (a, b) };
    share(&mut bytes, from, to);
    let unpacked = open(&bytes).root().unpack();
    assert_eq!(entry(&bytes, 0, 0), entry(&bytes, 1, 0));
    assert_spliced(&bytes, &unpacked, &[range(0, 2, -1.0, 1.0)]);
    assert_spliced(&bytes, &unpacked, &[range(1, 0, -1.0, 1.0), range(0, 0, -3.0, 1.0)]);
}

#[test]
fn ranges_of_several_subgraphs() {
    let model = twin();
    assert_spliced(&circle(&model), &model, &[range(1, 0, -1.0, 1.0), range(0, 0, -3.0, 1.0)]);
}

#[test]
fn one_table_for_two_subgraphs_is_refused() {
    let mut bytes = circle(&twin());
    let wire = Wire(&bytes);
    let subgraphs = wire.offsets(wire.root().unwrap(), model_slots::SUBGRAPHS).unwrap().unwrap();
    let (a, b) = (subgraphs.entry(0), subgraphs.entry(1));
    let (from, to) =
        if wire.follow(a).unwrap() > wire.follow(b).unwrap() { (b, a) } else { (a, b) };
    share(&mut bytes, from, to);
    let output = Folder::new().path("out");
    let error = splice(&open(&bytes), &[range(0, 0, 0.0, 1.0)], &output).unwrap_err();
    assert!(error.to_string().contains("subgraphs 0 and 1"), "{error}");
}

#[test]
fn external_buffers_are_moved() {
    let model = model();
    let behind = floats(&[9.0, 8.0, 7.0, 6.0]);
    let bytes = with_external_buffer(&model, &behind);
    let folder = Folder::new();
    let before = open(&bytes);
    let after = folder.splice(&before, &[range(0, 0, 0.0, 1.0)]);
    assert_eq!(original_fingerprint(&after).unwrap(), Some(before.fingerprint()));
    assert_eq!((after.bytes().len() - bytes.len()) % external::ALIGNMENT, 0);
    for file in [&before, &after] {
        let graph = file.graph().unwrap();
        assert_eq!(graph.subgraphs[0].tensors[1].data.as_ref().unwrap().bytes(), behind);
    }
    // Twice is once.
    let again = Folder::new().splice(&after, &[range(0, 0, 0.0, 1.0)]);
    assert_eq!(again.bytes(), after.bytes());
}

#[test]
fn a_second_splice_replaces_the_first() {
    let model = model();
    let bytes = circle(&model);
    let folder = Folder::new();
    let first = folder.splice(&open(&bytes), &[range(0, 0, 0.0, 1.0), range(0, 2, 0.0, 2.0)]);
    let second = Folder::new().splice(&first, &[range(0, 3, -1.0, 1.0)]);
    let direct = Folder::new().splice(&open(&bytes), &[range(0, 3, -1.0, 1.0)]);
    assert_eq!(second.bytes(), direct.bytes());
}

#[test]
fn input_may_be_output() {
    let folder = Folder::new();
    let path = folder.path("model.circle");
    let bytes = circle(&model());
    std::fs::write(&path, &bytes).unwrap();
    let model = ModelFile::open(&path).unwrap();
    splice(&model, &[range(0, 0, 0.0, 1.0)], &path).unwrap();
    assert_eq!(model.bytes(), bytes, "what was opened stays");
    let after = ModelFile::open(&path).unwrap();
    assert_eq!(original_fingerprint(&after).unwrap(), Some(model.fingerprint()));
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 1, "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_a_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mode = |name: &str| folder.path(name).metadata().unwrap().permissions().mode();
    std::fs::write(folder.path("any"), b"x").unwrap();
    splice(&open(&circle(&model())), &[], &folder.path("out")).unwrap();
    assert_eq!(mode("out"), mode("any"));
}

#[test]
fn wrong_ranges_are_refused() {
    let folder = Folder::new();
    let model = open(&circle(&model()));
    for (ranges, message) in [
        (vec![range(0, 9, 0.0, 1.0)], "no such tensor"),
        (vec![range(1, 0, 0.0, 1.0)], "no such tensor"),
        (vec![range(0, 0, 1.0, 0.0)], "no range"),
        (vec![range(0, 0, f32::NAN, 0.0)], "no range"),
        (vec![range(0, 0, 0.0, 1.0); 2], "given twice"),
    ] {
        let error = splice(&model, &ranges, &folder.path("out")).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 0);
}

#[test]
fn a_missing_folder_is_named() {
    let output = Folder::new().path("nowhere").join("out.circle");
    let error = splice(&open(&circle(&model())), &[], &output).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn unknown_fields_of_a_copied_table_are_refused() {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let table = builder.start_table();
    builder.push_slot_always::<u32>(4 + 2 * 40, 7);
    let tensor = builder.end_table(table);
    let tensors = builder.create_vector(&[tensor]);
    let table = builder.start_table();
    builder.push_slot_always(schema::SubGraph::VT_TENSORS, tensors);
    let subgraph = builder.end_table(table);
    let subgraphs = builder.create_vector(&[subgraph]);
    let table = builder.start_table();
    builder.push_slot_always(schema::Model::VT_SUBGRAPHS, subgraphs);
    let root = builder.end_table(table);
    builder.finish(root, Some("CIR0"));
    let model = open(builder.finished_data());
    let output = Folder::new().path("out");
    let error = splice(&model, &[range(0, 0, 0.0, 1.0)], &output).unwrap_err();
    assert!(error.to_string().contains("slot 40"), "{error}");
}

#[test]
fn a_tflite_model_becomes_circle() {
    let model = model();
    let bytes = as_tflite(&model);
    let circle_model = ModelT { version: 0, ..model.clone() };
    for ranges in [vec![], vec![range(0, 3, -1.0, 1.0), range(0, 0, 0.0, 1.0)]] {
        let after = assert_spliced(&bytes, &circle_model, &ranges);
        assert_eq!(after.format(), Format::Circle);
        let again = Folder::new().splice(&after, &ranges);
        assert_eq!(again.bytes(), after.bytes());
    }
}

#[test]
fn import_is_the_conversion_alone() {
    let model = model();
    let folder = Folder::new();
    import(&open(&as_tflite(&model)), &folder.path("imported")).unwrap();
    let imported = ModelFile::open(&folder.path("imported")).unwrap();
    assert_eq!(imported.root().unpack(), ModelT { version: 0, ..model.clone() });
    assert_eq!(original_fingerprint(&imported).unwrap(), None);
    import(&imported, &folder.path("copied")).unwrap();
    assert_eq!(std::fs::read(folder.path("copied")).unwrap(), imported.bytes());
}

#[test]
fn what_circle_has_no_place_for_is_listed() {
    let mut model = model();
    model.operator_codes.as_mut().unwrap().push(OperatorCodeT {
        deprecated_builtin_code: 127,
        builtin_code: BuiltinOperator(300),
        ..OperatorCodeT::default()
    });
    let tensors = model.subgraphs.as_mut().unwrap()[0].tensors.as_mut().unwrap();
    tensors[0].type_ = TensorType(21);
    let multi_axis = QuantizationParametersT { ..parameters() };
    tensors[4] = TensorT { quantization: Some(Box::new(multi_axis)), ..tensor("axes", 0) };
    // Not passed through `as_tflite`, so that 3 stays, which is MultiAxisQuantization there.
    let error = import(&open(&tflite(&model)), &Folder::new().path("out")).unwrap_err().to_string();
    for part in ["operator 300", "type 21", "several axes", "subgraph 0 in slot 6"] {
        assert!(error.contains(part), "{error}");
    }
    let before_a_run =
        check_splice(&open(&tflite(&model)), &[(0, 2)], SpliceOptions::default()).unwrap_err();
    assert_eq!(before_a_run.to_string(), error);
}

#[test]
fn splices_can_be_checked_before() {
    let model = open(&circle(&model()));
    let before = model.bytes().to_vec();
    check_splice(&model, &[(0, 0), (0, 2), (0, 3), (0, 4)], SpliceOptions::default())
        .expect("places for ranges");
    assert_eq!(model.bytes(), before);
    let error =
        check_splice(&model, &[(0, 0), (0, 5)], SpliceOptions::default()).unwrap_err().to_string();
    assert!(error.contains("tensor 5"), "{error}");
}

#[test]
fn a_full_tensor_is_copied_whole() {
    let mut model = model();
    let tensors = model.subgraphs.as_mut().unwrap()[0].tensors.as_mut().unwrap();
    tensors[2] = TensorT { quantization: None, ..full_tensor("full") };
    let after = assert_spliced(&circle(&model), &model, &[range(0, 2, 0.0, 1.0)]);
    assert!(after.graph().is_ok());
}

/// A sparse file, so that 2 GiB take no space.
#[cfg(unix)]
#[test]
fn a_flatbuffer_of_2_gib_is_refused() {
    let mut model = model();
    let place = (1 << 31) + 64;
    let last = model.buffers.as_mut().unwrap().last_mut().unwrap();
    (last.data, last.offset, last.size) = (None, place, 16);
    let folder = Folder::new();
    let path = folder.path("large.circle");
    std::fs::write(&path, circle(&model)).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(place + 16).unwrap();
    let model = ModelFile::open(&path).unwrap();
    let error = splice(&model, &[range(0, 0, 0.0, 1.0)], &folder.path("out")).unwrap_err();
    assert!(error.to_string().contains("below 2 GiB"), "{error}");
    assert!(error.hint().is_some());
}
