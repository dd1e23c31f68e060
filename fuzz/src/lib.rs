//! What is done with untrusted bytes; whatever they are, it must end soon, without a panic.
//! The fuzz targets call it, and `tests/fuzzing.rs`.

mod recording;

use std::sync::Arc;

use record_minmax::circle::{ModelFile, listing, ranges};
use record_minmax::interpreter::{Groups, Interpreter, Plan, PlanOptions};
use record_minmax::observation::RecordObservations;
use record_minmax::tensor::{AlignedBuffer, DType};

pub use recording::read_recording;

/// Bytes of a tensor, and of all of an interpreter.
const MEMORY: usize = 1 << 18;

/// Multiply-adds of a record.
const WORK: u64 = 1 << 26;

/// Reads a model and everything that is said about it.
pub fn read_model(bytes: &[u8]) {
    let Ok(file) = ModelFile::from_bytes("fuzzed", bytes.to_vec()) else { return };
    let _ = file.graph();
    let _ = listing(&file);
    let _ = ranges(&file);
}

/// Plans a model, and runs it over two records.
pub fn run_model(bytes: &[u8]) {
    let Ok(file) = ModelFile::from_bytes("fuzzed", bytes.to_vec()) else { return };
    let Ok(graph) = file.graph() else { return };
    let options = PlanOptions {
        memory_limit: MEMORY,
        round_limit: 20,
        groups: Groups::AtMost(2),
        ..PlanOptions::new()
    };
    let Ok(plan) = Plan::new(&graph, &options) else { return };
    if plan.steps().map(|(_, work)| work.multiply_adds).sum::<u64>() > WORK {
        return;
    }
    let plan = Arc::new(plan);
    let mut interpreter = Interpreter::new(Arc::clone(&plan));
    let mut observed = RecordObservations::default();
    for seed in [0_u8, 77] {
        let (mut buffers, mut shapes) = (Vec::new(), Vec::new());
        for input in plan.inputs() {
            let open = 1 + usize::from(seed % 3);
            let shape: Vec<usize> =
                input.input_type.shape.iter().map(|dim| dim.unwrap_or(open)).collect();
            let element = input.input_type.dtype.byte_len().unwrap_or(1);
            let elements = shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n));
            let Some(elements) = elements.filter(|&all| all <= MEMORY / element) else { return };
            let mut buffer = AlignedBuffer::zeroed(elements * element);
            fill(&mut buffer, input.input_type.dtype, seed);
            buffers.push(buffer);
            shapes.push(shape);
        }
        let inputs: Vec<&[u8]> = buffers.iter().map(AlignedBuffer::bytes).collect();
        if interpreter.run_shaped(&inputs, &shapes).is_ok() {
            let _ = interpreter.finish(0, &mut observed);
        }
    }
}

/// Small numbers of both signs; a BOOL is 0 or 1.
fn fill(buffer: &mut AlignedBuffer, dtype: DType, seed: u8) {
    let number = |i: usize| (i as i64 * 7 + i64::from(seed)) % 11 - 3;
    match dtype {
        DType::F32 => {
            for (i, value) in buffer.as_mut_slice::<f32>().iter_mut().enumerate() {
                *value = number(i) as f32 * 0.75;
            }
        }
        DType::I32 => {
            for (i, value) in buffer.as_mut_slice::<i32>().iter_mut().enumerate() {
                *value = number(i) as i32;
            }
        }
        DType::I64 => {
            for (i, value) in buffer.as_mut_slice::<i64>().iter_mut().enumerate() {
                *value = number(i);
            }
        }
        DType::Bool => {
            for (i, value) in buffer.bytes_mut().iter_mut().enumerate() {
                *value = u8::from(number(i) > 0);
            }
        }
        _ => {
            for (i, value) in buffer.bytes_mut().iter_mut().enumerate() {
                *value = number(i) as u8;
            }
        }
    }
}
