//! Time of one record on one core, with every activation observed, in all and step by step.
//!
//! `cargo bench --bench model -- MODEL [ISA [RECORDS TAIL]]`; groups as fixed by the last two.
#![allow(clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use record_minmax::circle::ModelFile;
use record_minmax::interpreter::{Groups, Interpreter, Plan, PlanOptions, Profile};
use record_minmax::kernel::{Isa, peak};
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
    let number = |i: usize| arguments.get(i).map(|text| text.parse().expect("a number"));
    let groups = match (number(2), number(3)) {
        (Some(records), Some(tail)) => Groups::Fixed { records, tail },
        _ => Groups::default(),
    };
    let options = PlanOptions { isa, groups, ..PlanOptions::new() };
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
            let mut buffer = AlignedBuffer::zeroed(input.input_type.byte_len().unwrap_or(0));
            if input.input_type.dtype == DType::F32 {
                for (i, value) in buffer.as_mut_slice::<f32>().iter_mut().enumerate() {
                    *value = (i * 7919 % 1000) as f32 / 1000.0;
                }
            }
            buffer
        })
        .collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(AlignedBuffer::bytes).collect();
    let mut interpreter = Interpreter::new(Arc::clone(&plan));
    let mut profile = Profile::new(plan.steps().count());
    let group = inputs.repeat(plan.group());
    let mut times = Vec::new();
    let rounds = 40_usize.div_ceil(plan.group()).max(5);
    for round in 0..=rounds {
        if round == 1 {
            // The first round is slower: it touches all memory.
            profile = Profile::new(plan.steps().count());
        }
        let start = Instant::now();
        interpreter.run_group_timed(&group, &mut profile).expect("a group");
        times.push(start.elapsed().as_secs_f64() * 1e3 / plan.group() as f64);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "  groups of {} from step {}; {} tensors, {:.2} ms a record (best), {:.2} ms (median)",
        plan.group(),
        plan.tail(),
        plan.observed().len(),
        times[0],
        times[times.len() / 2]
    );
    steps(&plan, &profile, rounds * plan.group());
}

/// A line a step: its time and the limits that it comes near to.
fn steps(plan: &Plan, profile: &Profile, records: usize) {
    let limit = fma_limit(plan.isa());
    let total: f64 = profile.times().iter().map(Duration::as_secs_f64).sum();
    println!(
        "  FMA limit {limit:.1} GFLOP/s; transforms of Winograd's algorithm count as operations"
    );
    println!("  {:>8} {:>6} {:>9} {:>6} {:>7}  step", "us", "share", "GFLOP/s", "limit", "GB/s");
    for ((name, work), time) in plan.steps().zip(profile.times()) {
        let time = time.as_secs_f64();
        let seconds = time / records as f64;
        let flops = 2.0 * work.multiply_adds as f64 / seconds / 1.0e9;
        println!(
            "  {:>8.1} {:>5.1}% {flops:>9.1} {:>5.1}% {:>7.1}  {name}",
            seconds * 1e6,
            100.0 * time / total,
            100.0 * flops / limit,
            work.activations as f64 / seconds / 1.0e9,
        );
    }
}

fn fma_limit(isa: Isa) -> f64 {
    let rates = (0..5).map(|_| {
        let start = Instant::now();
        let flops = peak::multiply_add(isa, 1_000_000);
        flops as f64 / start.elapsed().as_secs_f64() / 1.0e9
    });
    rates.fold(0.0, f64::max)
}
