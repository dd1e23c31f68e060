//! The multiply-add limit of all threads at once, as one JSON object for programs.
//!
//! `cargo bench --bench peak [-- THREADS [ISA]]`
#![allow(clippy::print_stdout, missing_docs)]

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use record_minmax::kernel::{Isa, peak};

const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_millis(100);

/// Rate of one thread in each round, in GFLOP/s; rounds begin together.
fn rates(isa: Isa, together: &Barrier) -> Vec<f64> {
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        together.wait();
        let (start, mut flops) = (Instant::now(), 0);
        while start.elapsed() < ROUND {
            flops += peak::multiply_add(isa, 100_000);
        }
        rates.push(flops as f64 / start.elapsed().as_secs_f64() / 1.0e9);
    }
    rates
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let threads = arguments
        .first()
        .map_or_else(thread::available_parallelism, |number| {
            Ok(number.parse().expect("a number of threads"))
        })
        .expect("the number of cores")
        .get();
    let isa = arguments.get(1).map_or("auto", String::as_str).parse().expect("an instruction set");
    let together = Barrier::new(threads);
    let rates: Vec<Vec<f64>> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| rates(isa, &together))).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread's rates")).collect()
    });
    let best = (0..ROUNDS)
        .map(|round| rates.iter().map(|of_thread| of_thread[round]).sum::<f64>())
        .fold(0.0, f64::max);
    println!(r#"{{"isa": "{isa}", "threads": {threads}, "gflops": {best:.1}}}"#);
}
