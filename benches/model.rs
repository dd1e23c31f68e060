//! Time of one record on one core, with every activation observed, in all and step by step.
//!
//! `cargo bench --bench model -- MODEL [ISA [RECORDS TAIL]]`; groups as fixed by the last two.
#![allow(clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use record_minmax::circle::ModelFile;
use record_minmax::graph::Model;
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
    steps(&model, &plan, &profile, rounds * plan.group());
}

/// A line a step: its time, its shares of two limits, and what it is.
fn steps(model: &Model, plan: &Plan, profile: &Profile, records: usize) {
    let limit = fma_limit(plan.isa());
    let total: f64 = profile.times().iter().map(Duration::as_secs_f64).sum();
    println!(
        "  FMA limit {limit:.1} GFLOP/s; transforms of Winograd's algorithm count as operations\n  \
         copy: bytes in and out, of those that are copied in this time if there are as many"
    );
    println!(
        "  {:>8} {:>6} {:>9} {:>6} {:>7} {:>6}  step",
        "us", "share", "GFLOP/s", "limit", "GB/s", "copy"
    );
    let mut copies = Copies::default();
    for ((name, work), time) in plan.steps().zip(profile.times()) {
        let time = time.as_secs_f64();
        let seconds = time / records as f64;
        let flops = 2.0 * work.multiply_adds as f64 / seconds / 1.0e9;
        let bytes = work.activations as f64 / seconds / 1.0e9;
        println!(
            "  {:>8.1} {:>5.1}% {flops:>9.1} {:>5.1}% {bytes:>7.1} {:>5.1}%  {name}{}",
            seconds * 1e6,
            100.0 * time / total,
            100.0 * flops / limit,
            100.0 * bytes / copies.rate(work.activations),
            shapes(model, &name, work.multiply_adds).unwrap_or_default(),
        );
    }
}

/// The shapes that the first operator of a step of this name reads and makes, and whether it needs fewer multiply-adds
/// than its definition has.
fn shapes(model: &Model, name: &str, multiply_adds: u64) -> Option<String> {
    let node: usize = name.strip_prefix("operator ")?.split_once(' ')?.0.parse().ok()?;
    let subgraph = model.subgraphs.first()?;
    let node = subgraph.nodes.get(node)?;
    let shape = |tensor: usize| -> Option<Vec<usize>> {
        subgraph.tensors[tensor].shape.iter().copied().collect()
    };
    let input = shape((*node.inputs.first()?)?)?;
    let output = shape(*node.outputs.first()?)?;
    let text = |shape: &[usize]| {
        let dimensions: Vec<String> = shape.iter().skip(1).map(usize::to_string).collect();
        dimensions.join("x")
    };
    let (input, result) = (text(&input), text(&output));
    let has_filter = name.contains("CONV_2D") && multiply_adds > 0;
    let second = node.inputs.get(1).copied().flatten().filter(|_| has_filter);
    let filter = second.and_then(shape);
    let Some([n, y, x, c]) = filter.as_deref() else {
        return Some(format!("  {input} -> {result}"));
    };
    let direct = output.iter().take(3).product::<usize>() * n * y * x * c;
    let algorithm = if multiply_adds < direct as u64 { ", Winograd" } else { "" };
    Some(format!("  {input} -> {result}, {y}x{x}{algorithm}"))
}

/// How fast memory is copied, by how much it is: with each power of two from 64 KiB on.
#[derive(Default)]
struct Copies(Vec<f64>);

impl Copies {
    /// Bytes read and written in a nanosecond where both together are so many.
    fn rate(&mut self, bytes: usize) -> f64 {
        let class = bytes.div_ceil(64 * 1024).next_power_of_two().trailing_zeros().min(12) as usize;
        for class in self.0.len()..=class {
            let len = (32 * 1024) << class;
            let (from, mut to) = (vec![1_u8; len], vec![0; len]);
            let repeats = (64 * 1024 * 1024 / len).max(2);
            let rates = (0..5).map(|_| {
                let start = Instant::now();
                for _ in 0..repeats {
                    std::hint::black_box(&mut to).copy_from_slice(std::hint::black_box(&from));
                }
                (2 * len * repeats) as f64 / start.elapsed().as_secs_f64() / 1.0e9
            });
            self.0.push(rates.fold(0.0, f64::max));
        }
        self.0[class]
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
