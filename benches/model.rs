//! Time of one record on one core, operator families apart from nothing: plain inference with every
//! activation observed.
//!
//! `cargo bench --bench model -- MODEL [ISA]`
#![allow(clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use record_minmax::circle::ModelFile;
use record_minmax::interpreter::{Interpreter, Plan, PlanOptions};
use record_minmax::observation::RecordObservations;
use record_minmax::tensor::{AlignedBuffer, DType};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let Some(path) = arguments.first() else {
        println!("usage: cargo bench --bench model -- MODEL [ISA]");
        return;
    };
    let isa = arguments.get(1).map_or("auto", String::as_str).parse().expect("an instruction set");
    let start = Instant::now();
    let model = ModelFile::open(Path::new(path)).and_then(|file| file.graph()).expect("a model");
    let options = PlanOptions { isa, ..PlanOptions::new() };
    let plan = Arc::new(Plan::new(&model, &options).expect("a plan"));
    println!("{path} on {isa}: planned in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    println!(
        "  arena and scratch: {} bytes, packed: {}",
        plan.interpreter_bytes(),
        plan.shared_bytes()
    );
    let inputs: Vec<AlignedBuffer> = plan
        .inputs()
        .iter()
        .map(|input| {
            let mut buffer = AlignedBuffer::zeroed(input.tensor_type.byte_len().unwrap_or(0));
            if input.tensor_type.dtype == DType::F32 {
                for (i, value) in buffer.as_mut_slice::<f32>().iter_mut().enumerate() {
                    *value = (i * 7919 % 1000) as f32 / 1000.0;
                }
            }
            buffer
        })
        .collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(AlignedBuffer::bytes).collect();
    let mut interpreter = Interpreter::new(Arc::clone(&plan));
    let mut observations = RecordObservations::default();
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        interpreter.run(&inputs, &mut observations).expect("a record");
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "  {} tensors, {:.2} ms a record (best), {:.2} ms (median)",
        plan.observed().len(),
        times[0],
        times[10]
    );
}
