//! Runs of bytes: what the operands along an axis bring in turns.
//!
//! Along an axis, each part of a tensor is one run of bytes for every position of the axes before it.

use crate::operator::{EvalContext, Observe, Prepared};

/// The concatenation of such runs and nothing else.
pub(super) fn joined(runs: Vec<usize>) -> Prepared {
    let joins = Some(runs.clone());
    let prepared = Prepared::eval(Observe::UnionOfInputs, move |context| {
        join(&runs, context);
        Ok(())
    });
    Prepared { joins, ..prepared }
}

/// Writes runs of `runs[i]` bytes of every input `i` in turns into output 0, but for inputs that are there already.
pub(super) fn join(runs: &[usize], context: &mut EvalContext<'_>) {
    let total: usize = runs.iter().sum();
    let row = context.output_pitch().unwrap_or(total);
    let mut at = 0;
    for (i, &run) in runs.iter().enumerate() {
        if run > 0 && !context.is_there(i) {
            let from = context.input::<u8>(i).chunks(context.pitch(i).unwrap_or(run));
            // Behind the last run there may be less than a row.
            let to = context.output::<u8>(0).get_mut(at..).unwrap_or_default().chunks_mut(row);
            for (from, to) in from.zip(to) {
                to[..run].copy_from_slice(&from[..run]);
            }
        }
        at += run;
    }
}

/// Takes runs of `runs[i]` bytes in turns from an input, for every output `i`.
pub(super) fn part(input: usize, runs: &[usize], context: &mut EvalContext<'_>) {
    let total: usize = runs.iter().sum();
    let from = context.input::<u8>(input);
    let mut at = 0;
    for (i, &run) in runs.iter().enumerate() {
        if run > 0 {
            let to = context.output::<u8>(i).chunks_exact_mut(run);
            for (from, to) in from.chunks_exact(total).zip(to) {
                to.copy_from_slice(&from[at..at + run]);
            }
        }
        at += run;
    }
}
