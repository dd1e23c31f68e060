//! A model of more than 2 GB, whose weights stand behind the FlatBuffer: recorded and written, in memory for
//! one copy of the weights. The file is sparse; the written one is not. `make large` runs it.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use crate::support::{Folder, start};
use flatbuffers::FlatBufferBuilder;
use record_minmax::schema::{
    BufferT, BuiltinOperator, ModelT, OperatorCodeT, OperatorT, SubGraphT, TensorT,
};

/// Width of the model's two layers; a multiple of sixteen, so that packed weights are no larger.
const OUTER: usize = 17_008;
const INNER: usize = 16_384;

/// Bytes of one layer's weights.
const LAYER: u64 = (OUTER * INNER * size_of::<f32>()) as u64;

/// Where the weights begin.
const BEHIND: u64 = 4096;

fn tensor(name: &str, shape: &[usize], buffer: u32) -> TensorT {
    let mut tensor = TensorT::default();
    tensor.name = Some(name.to_owned());
    tensor.shape = Some(shape.iter().map(|&d| d as i32).collect());
    tensor.has_rank = true;
    tensor.buffer = buffer;
    tensor
}

/// `out = w2 (w1 in)`
fn model() -> Vec<u8> {
    let layer = |inputs: [i32; 2], output: i32| {
        let mut layer = OperatorT::default();
        layer.inputs = Some(inputs.to_vec());
        layer.outputs = Some(vec![output]);
        layer
    };
    let mut code = OperatorCodeT::default();
    code.builtin_code = BuiltinOperator::FULLY_CONNECTED;
    code.deprecated_builtin_code = BuiltinOperator::FULLY_CONNECTED.0 as i8;
    let weights = |i: u64| {
        let mut buffer = BufferT::default();
        (buffer.offset, buffer.size) = (BEHIND + i * LAYER, LAYER);
        buffer
    };
    let mut graph = SubGraphT::default();
    graph.tensors = Some(vec![
        tensor("in", &[1, OUTER], 0),
        tensor("w1", &[INNER, OUTER], 1),
        tensor("middle", &[1, INNER], 0),
        tensor("w2", &[OUTER, INNER], 2),
        tensor("out", &[1, OUTER], 0),
    ]);
    (graph.inputs, graph.outputs) = (Some(vec![0]), Some(vec![4]));
    graph.operators = Some(vec![layer([0, 1], 2), layer([2, 3], 4)]);
    let mut model = ModelT::default();
    model.operator_codes = Some(vec![code]);
    model.subgraphs = Some(vec![graph]);
    model.buffers = Some(vec![BufferT::default(), weights(0), weights(1)]);
    let mut builder = FlatBufferBuilder::new();
    let root = model.pack(&mut builder);
    builder.finish(root, Some("CIR0"));
    builder.finished_data().to_vec()
}

/// Puts a float at an element of the weights.
fn put(file: &mut File, element: u64, value: f32) {
    file.seek(SeekFrom::Start(BEHIND + element * 4)).unwrap();
    file.write_all(&value.to_le_bytes()).unwrap();
}

/// Anonymous memory of a process, in bytes; what is mapped from the model can be had again.
fn anonymous(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[test]
#[ignore = "needs 5 GB of disk and 4 GB of memory: make large"]
fn models_beyond_two_gigabytes() {
    let folder = Folder::new();
    let path = folder.path("large.circle");
    let mut file = File::create(&path).unwrap();
    let bytes = model();
    assert!(bytes.len() as u64 <= BEHIND);
    file.write_all(&bytes).unwrap();
    let len = BEHIND + 2 * LAYER;
    assert!(len > 1 << 31);
    file.set_len(len).unwrap();
    // middle[last] = 2 in[first] - 3 in[last], out[last] = 5 middle[last]
    let elements = LAYER / 4;
    put(&mut file, elements - OUTER as u64, 2.0);
    put(&mut file, elements - 1, -3.0);
    put(&mut file, 2 * elements - 1, 5.0);
    drop(file);

    folder.run("dataset random --input-model large.circle -o data.h5 -n 4 --seed 1").succeeds();
    let line = "record --input-model large.circle --input-data data.h5 --mode minmax \
                --output-model out.circle --num-threads 2";
    let mut child = start(&mut folder.command(line));
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = most.max(anonymous(child.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success());
    let (weights, megabyte) = (2 * LAYER, 1 << 20);
    assert!(
        most > weights / 2,
        "{} MB were seen, so it was not looked at in time",
        most / megabyte
    );
    assert!(
        most < weights + 256 * megabyte,
        "{} MB for {} MB of weights",
        most / megabyte,
        weights / megabyte
    );

    // Ranges are those of the formula, and the weights are where they were.
    let listing = folder.run("inspect --observations out.rmm").succeeds().stdout;
    let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); 5];
    for line in listing.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| cells[i].parse::<f32>().unwrap();
        let range = &mut ranges[cells[3].parse::<usize>().unwrap()];
        *range = (range.0.min(number(4)), range.1.max(number(5)));
    }
    assert!(ranges[2].0 < 0.0 || ranges[2].1 > 0.0, "{ranges:?}");
    assert_eq!((ranges[4].0, ranges[4].1), (ranges[2].0 * 5.0, ranges[2].1 * 5.0));
    folder.run("verify --model out.circle --recording out.rmm").succeeds();
    let mut written = File::open(folder.path("out.circle")).unwrap();
    assert!(written.metadata().unwrap().len() >= len);
    written.seek(SeekFrom::End(-4)).unwrap();
    let mut last = [0; 4];
    written.read_exact(&mut last).unwrap();
    assert_eq!(f32::from_le_bytes(last), 5.0);
}
