//! Ranges of every float activation against LiteRT's, kept in `testdata/golden` by
//! `tests/reference/compare_litert.py` (LiteRT 2.3, no delegates, all tensors kept).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use record_minmax::circle::ModelFile;
use record_minmax::dataset::{self, DataFormat, Record};
use record_minmax::interpreter::{Groups, Interpreter, Plan, PlanOptions};
use record_minmax::kernel::Isa;
use record_minmax::observation::RecordObservations;
use record_minmax::pipeline::input_specs;
use record_minmax::tensor::AlignedBuffer;

/// One a record: tensor position -> (min, max).
type Golden = Vec<HashMap<String, (f32, f32)>>;

/// Runs `model` over `data` on every instruction set and compares each record's ranges.
fn compare(model: &str, data: &str, golden: &str) {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let golden: Golden =
        serde_json::from_str(&std::fs::read_to_string(testdata.join(golden)).unwrap()).unwrap();
    let graph = ModelFile::open(&testdata.join(model)).unwrap().graph().unwrap();
    let data = testdata.join(data).to_str().unwrap().to_owned();
    for isa in Isa::supported() {
        let plan = Plan::new(&graph, &PlanOptions { isa, ..PlanOptions::new() }).unwrap();
        let plan = Arc::new(plan);
        let inputs = input_specs(plan.inputs());
        let mut source =
            dataset::open(std::slice::from_ref(&data), DataFormat::Auto, &inputs).unwrap();
        assert_eq!(source.shards()[0].identity.records, golden.len() as u64);
        let mut record = Record::for_inputs(&inputs).unwrap();
        let mut interpreter = Interpreter::new(Arc::clone(&plan));
        let mut observed = RecordObservations::default();
        for (number, expected) in golden.iter().enumerate() {
            source.read(0, number as u64, &mut record).unwrap();
            let bytes: Vec<&[u8]> = record.inputs.iter().map(AlignedBuffer::bytes).collect();
            interpreter.run(&bytes, &mut observed).unwrap();
            assert_eq!(observed.single.len(), plan.observed().len());
            for (tensor, found) in plan.observed().iter().zip(&observed.single) {
                let (min, max) = expected[&tensor.index.to_string()];
                let tolerance = 1.0e-4 * (max - min) + 1.0e-6;
                assert!(
                    (found.min - min).abs() <= tolerance && (found.max - max).abs() <= tolerance,
                    "{model} on {isa}, record {number}, `{}`: {found:?}, LiteRT: {min} {max}",
                    tensor.name
                );
            }
        }
    }
}

/// Runs all of `data` as usual and in groups of several sizes, with tails from many steps on: what is
/// observed must be the same to the bit.
fn compare_groups(model: &str, data: &str) {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let graph = ModelFile::open(&testdata.join(model)).unwrap().graph().unwrap();
    let data = testdata.join(data).to_str().unwrap().to_owned();
    let with_groups = |groups| {
        let options = PlanOptions { groups, ..PlanOptions::new() };
        Arc::new(Plan::new(&graph, &options).unwrap())
    };
    let alone = with_groups(Groups::AtMost(1));
    let inputs = input_specs(alone.inputs());
    let mut source = dataset::open(&[data], DataFormat::Auto, &inputs).unwrap();
    let mut buffers = Vec::new();
    for number in 0..source.shards()[0].identity.records.min(5) {
        let mut record = Record::for_inputs(&inputs).unwrap();
        source.read(0, number, &mut record).unwrap();
        buffers.extend(record.inputs);
    }
    let all: Vec<&[u8]> = buffers.iter().map(AlignedBuffer::bytes).collect();
    let run = |plan: &Arc<Plan>, at_once: usize| {
        let mut interpreter = Interpreter::new(Arc::clone(plan));
        let mut observed = Vec::new();
        for group in all.chunks(at_once * inputs.len()) {
            interpreter.run_group(group).unwrap();
            for record in 0..group.len() / inputs.len() {
                let mut into = RecordObservations::default();
                interpreter.finish(record, &mut into).unwrap();
                observed.extend(into.single.iter().map(|o| (o.min.to_bits(), o.max.to_bits())));
            }
        }
        observed
    };
    // Every operator by itself, every tensor looked at after it: nothing joined, nothing derived.
    let scanning = PlanOptions { scan_only: true, groups: Groups::AtMost(1), ..PlanOptions::new() };
    let expected = run(&Arc::new(Plan::new(&graph, &scanning).unwrap()), 1);
    assert!(run(&alone, 1) == expected, "{model}: joined and derived");
    let steps = alone.steps().count();
    for tail in (0..=steps).step_by(1 + steps / 40) {
        let plan = with_groups(Groups::Fixed { records: 5, tail });
        for at_once in [1, 3, 5] {
            assert!(run(&plan, at_once) == expected, "{model}: {at_once} from step {tail} on");
        }
    }
    let plan = with_groups(Groups::default());
    assert!(run(&plan, plan.group()) == expected, "{model}: groups by cost");
}

#[test]
fn joined_operators_and_groups_are_as_scans_of_single_records() {
    compare_groups("sample/sample.tflite", "sample/sample.h5");
    compare_groups("models/families.tflite", "golden/families.h5");
    compare_groups("models/attention.tflite", "golden/attention.h5");
}

#[test]
fn sample_model() {
    compare("sample/sample.tflite", "sample/sample.h5", "golden/sample.litert.json");
}

#[test]
fn operators_with_many_of_their_attributes() {
    compare("models/families.tflite", "golden/families.h5", "golden/families.litert.json");
}

#[test]
fn what_transformers_are_made_of() {
    compare("models/attention.tflite", "golden/attention.h5", "golden/attention.litert.json");
}
