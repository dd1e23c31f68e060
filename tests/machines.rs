//! The same bits on every machine: digests of what is observed in the models of `testdata`, kept in a
//! snapshot, so that machines with other instructions are compared too. They change when the order of
//! arithmetic does, and then recordings of the version before should not be continued.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use record_minmax::arithmetic::Arithmetic;
use record_minmax::circle::ModelFile;
use record_minmax::dataset::{self, DataFormat, Record};
use record_minmax::interpreter::{Interpreter, Plan, PlanOptions};
use record_minmax::kernel::Isa;
use record_minmax::observation::RecordObservations;
use record_minmax::pipeline::input_specs;
use record_minmax::tensor::AlignedBuffer;

const MODELS: [(&str, &str); 3] = [
    ("sample/sample.tflite", "sample/sample.h5"),
    ("models/families.tflite", "golden/families.h5"),
    ("models/attention.tflite", "golden/attention.h5"),
];

/// Digest of every minimum and maximum of every record of `data`.
fn digest(model: &str, data: &str, isa: Isa, arithmetic: Arithmetic) -> String {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let graph = ModelFile::open(&testdata.join(model)).unwrap().graph().unwrap();
    let data = testdata.join(data).to_str().unwrap().to_owned();
    let options = PlanOptions { isa, arithmetic, ..PlanOptions::new() };
    let plan = Arc::new(Plan::new(&graph, &options).unwrap());
    let inputs = input_specs(plan.inputs());
    let mut source = dataset::open(&[data], DataFormat::Auto, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    let mut interpreter = Interpreter::new(plan);
    let mut observed = RecordObservations::default();
    let mut hasher = blake3::Hasher::new();
    for number in 0..source.shards()[0].identity.records {
        source.read(0, number, &mut record).unwrap();
        let bytes: Vec<&[u8]> = record.inputs.iter().map(AlignedBuffer::bytes).collect();
        interpreter.run(&bytes, &mut observed).unwrap();
        for observation in &observed.single {
            hasher.update(&observation.min.to_le_bytes());
            hasher.update(&observation.max.to_le_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[test]
fn observations_are_the_same_everywhere() {
    for isa in Isa::supported() {
        let mut digests = String::new();
        for (model, data) in MODELS {
            for arithmetic in [Arithmetic::Fast, Arithmetic::Direct, Arithmetic::Reference] {
                let digest = digest(model, data, isa, arithmetic);
                writeln!(digests, "{digest} {model} {arithmetic}").unwrap();
            }
        }
        insta::assert_snapshot!("digests", digests);
    }
}
