//! Large inputs, which workers read from where they lie, give what inputs give that the library reads.

use std::fs;
use std::path::Path;

use crate::support::Folder;
use flatbuffers::FlatBufferBuilder;
use record_minmax::schema::{
    BufferT, BuiltinOperator, ModelT, OperatorCodeT, OperatorT, SubGraphT, TensorT,
};

/// Elements of the input: more than 32 KiB.
const LEN: usize = 10_000;
const RECORDS: usize = 40;

/// `out = exp(x)`, or `exp(x) - x`, which needs the input to the end.
fn model(to_the_end: bool) -> Vec<u8> {
    let tensor = |name: &str| {
        let mut tensor = TensorT::default();
        tensor.name = Some(name.to_owned());
        tensor.shape = Some(vec![1, LEN as i32]);
        tensor.has_rank = true;
        tensor
    };
    let operator = |code: u32, inputs: &[i32], output: i32| {
        let mut operator = OperatorT::default();
        operator.opcode_index = code;
        (operator.inputs, operator.outputs) = (Some(inputs.to_vec()), Some(vec![output]));
        operator
    };
    let codes = [BuiltinOperator::EXP, BuiltinOperator::SUB].map(|builtin| {
        let mut code = OperatorCodeT::default();
        code.builtin_code = builtin;
        code.deprecated_builtin_code = builtin.0 as i8;
        code
    });
    let mut graph = SubGraphT::default();
    graph.tensors = Some(["x", "exp", "out"].map(tensor).to_vec());
    graph.operators = Some(vec![operator(0, &[0], 1), operator(1, &[1, 0], 2)]);
    (graph.inputs, graph.outputs) = (Some(vec![0]), Some(vec![2]));
    if !to_the_end {
        graph.tensors = Some(["x", "out"].map(tensor).to_vec());
        graph.operators = Some(vec![operator(0, &[0], 1)]);
        graph.outputs = Some(vec![1]);
    }
    let mut model = ModelT::default();
    model.operator_codes = Some(codes.to_vec());
    model.subgraphs = Some(vec![graph]);
    model.buffers = Some(vec![BufferT::default()]);
    let mut builder = FlatBufferBuilder::new();
    let root = model.pack(&mut builder);
    builder.finish(root, Some("CIR0"));
    builder.finished_data().to_vec()
}

/// The records of one file in another, in compressed chunks.
fn compress(from: &Path, to: &Path) {
    let [from, to] = [hdf5::File::open(from), hdf5::File::create(to)].map(Result::unwrap);
    let value = to.create_group("value").unwrap();
    for record in 0..RECORDS {
        let values = from.dataset(&format!("value/{record}/0")).unwrap().read_raw::<f32>().unwrap();
        let group = value.create_group(&record.to_string()).unwrap();
        let dataset = group.new_dataset::<f32>().shape([1, LEN]).chunk([1, 999]).deflate(1);
        dataset.create("0").unwrap().write_raw(&values).unwrap();
    }
}

#[test]
fn outputs_are_those_of_inputs_that_the_library_reads() {
    for to_the_end in [false, true] {
        let folder = Folder::new();
        fs::write(folder.path("x.circle"), model(to_the_end)).unwrap();
        for layout in ["records", "packed"] {
            let data = format!("--layout {layout} -o {layout}.h5 -n {RECORDS} --seed 3");
            folder.run(&format!("dataset random --input-model x.circle {data}")).succeeds();
        }
        compress(&folder.path("records.h5"), &folder.path("compressed.h5"));
        let record = |data: &str, out: &str, options: &str| {
            let line = format!("record --input-model x.circle --input-data {data}.h5 {options}");
            folder.run(&format!("{line} --output-model {out}")).succeeds();
            folder.read(out)
        };
        let expected = record("compressed", "expected.circle", "--num-threads 1 --histogram");
        assert_eq!(record("records", "a.circle", "--num-threads 3"), expected);
        assert_eq!(record("packed", "b.circle", "--num-threads 2"), expected);
        assert_eq!(record("packed", "c.circle", "--num-threads 2 --histogram"), expected);
        folder
            .run("record --input-model x.circle --input-data records.h5 --checkpoint d.rmm --records 0..17")
            .succeeds();
        assert_eq!(record("records", "d.circle", "--checkpoint d.rmm --resume"), expected);
    }
}
