//! Which steps run for a group of records, and how large groups are.

use std::ops::Range;

use super::plan::{Groups, Work};

/// How records are grouped in one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Records of a group.
    pub(super) records: usize,
    /// First step of the tail.
    pub(super) tail: usize,
}

/// Bytes of packed weights that may be read again for every record.
const FEW_WEIGHTS: usize = 128 << 10;

/// Multiply-adds a nanosecond.
const MULTIPLY_ADDS: f64 = 55.0;

/// Bytes a nanosecond at which weights come: from memory, since all of them together are larger than
/// a cache.
const WEIGHTS: f64 = 12.0;

/// How fast activations come, in bytes a nanosecond, when those of one step are as large: from a
/// core's own cache, from its share of the last one, or from memory.
fn activation_rate(bytes: usize) -> f64 {
    const CACHE: usize = 512 << 10;
    const SHARE: usize = 4 << 20;
    if bytes <= CACHE {
        100.0
    } else if bytes <= SHARE {
        16.0
    } else {
        12.0
    }
}

/// Bytes that all activations of a step of a group may take.
const MEMORY: usize = 48 << 20;

/// Bytes that all inputs of a group may take: there are several times as many in flight.
const INPUTS: usize = 10 << 20;

/// Nanoseconds that a group may take: an interrupted run waits for it.
const PATIENCE: f64 = 1.0e9;

/// A larger group must save at least this share of the time.
const WORTH: f64 = 0.02;

/// Nanoseconds for a record of step `i` in a group; in the head that is a group of one.
fn cost(work: &Work, in_groups: bool, records: usize) -> f64 {
    let computing = work.multiply_adds as f64 / MULTIPLY_ADDS;
    let readers = if in_groups { records } else { 1 };
    let weights = work.weights as f64 / readers as f64 / WEIGHTS;
    let activations = work.activations as f64 / activation_rate(work.activations * records);
    computing + weights + activations
}

/// The best tail for groups of `records`, and its cost.
fn best_tail(work: &[Work], in_groups: &[bool], records: usize) -> Option<(f64, usize)> {
    let n = work.len();
    // From the end: what the tail would cost more than the head.
    let (mut excess, mut best) = (0.0, (0.0, n));
    for at in (0..n).rev() {
        if work[at].activations.saturating_mul(records) > MEMORY {
            break;
        }
        excess += cost(&work[at], in_groups[at], records) - cost(&work[at], in_groups[at], 1);
        if excess < best.0 {
            best = (excess, at);
        }
    }
    let alone: f64 = work.iter().zip(in_groups).map(|(work, &it)| cost(work, it, 1)).sum();
    (best.1 < n).then_some((alone + best.0, best.1))
}

/// Splits the steps of a plan by cost, unless that is fixed.
pub(super) fn split(
    groups: Groups,
    work: &[Work],
    in_groups: &[bool],
    input_bytes: usize,
) -> Split {
    let most = match groups {
        Groups::Fixed { records, tail } => return Split { records: records.max(1), tail },
        Groups::AtMost(most) => most,
    };
    let mut split = Split { records: 1, tail: work.len() };
    let mut least: f64 = work.iter().zip(in_groups).map(|(work, &it)| cost(work, it, 1)).sum();
    for records in [2, 4, 8, 16, 32, 64] {
        let too_long = least * records as f64 > PATIENCE;
        if records > most || input_bytes.saturating_mul(records) > INPUTS || too_long {
            break;
        }
        if let Some((time, tail)) = best_tail(work, in_groups, records)
            && time < least * (1.0 - WORTH)
        {
            (least, split) = (time, Split { records, tail });
        }
    }
    split
}

/// Successive steps of the tail that take one record at a time, and hardly any weights. They run for one record after
/// the other, so that what they hand on is in the cache, and has one place for all records.
pub(super) fn turns(tail: usize, work: &[Work], in_groups: &[bool]) -> Vec<Range<usize>> {
    let mut turns: Vec<Range<usize>> = Vec::new();
    let steps = work.iter().zip(in_groups).enumerate().skip(tail);
    for (at, (work, &in_groups)) in steps {
        if in_groups || work.weights > FEW_WEIGHTS {
            continue;
        }
        match turns.last_mut() {
            Some(turn) if turn.end == at => turn.end = at + 1,
            _ => turns.push(at..at + 1),
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_without_groups_and_weights_take_turns() {
        let heavy = Work { weights: FEW_WEIGHTS + 1, ..Work::default() };
        let work = [Work::default(), Work::default(), Work::default(), heavy, Work::default()];
        let found = |tail, in_groups: [bool; 5]| turns(tail, &work, &in_groups);
        assert_eq!(found(0, [false; 5]), [0..3, 4..5]);
        assert_eq!(found(1, [false; 5]), [1..3, 4..5]);
        assert_eq!(found(0, [false, true, false, false, true]), [0..1, 2..3]);
        assert_eq!(found(5, [false; 5]), []);
    }

    fn work(multiply_adds: u64, activations: usize, weights: usize) -> Work {
        Work { multiply_adds, activations, weights }
    }

    #[test]
    fn weights_are_shared_where_they_outweigh_activations() {
        let image = work(100_000_000, 3 << 20, 64 << 10);
        let deep = work(100_000_000, 200 << 10, 10 << 20);
        let steps = [image, image, deep, deep];
        let found = split(Groups::AtMost(64), &steps, &[true; 4], 1000);
        assert_eq!(found.tail, 2);
        assert!(found.records >= 8, "{found:?}");
        let four = Split { records: 4, tail: 2 };
        assert_eq!(split(Groups::AtMost(4), &steps, &[true; 4], 1000), four);
        // Large inputs of many records would not stay in the cache.
        assert_eq!(split(Groups::AtMost(64), &steps, &[true; 4], 2000 << 10), four);
    }

    #[test]
    fn nothing_to_share_needs_no_groups() {
        let alone = Split { records: 1, tail: 2 };
        let image = work(100_000_000, 3 << 20, 64 << 10);
        assert_eq!(split(Groups::AtMost(64), &[image; 2], &[true; 2], 600 << 10), alone);
        // Steps that take one record at a time read their weights for each.
        let deep = work(1000, 1000, 10 << 20);
        assert_eq!(split(Groups::AtMost(64), &[deep; 2], &[false; 2], 1000), alone);
        assert_eq!(split(Groups::AtMost(64), &[], &[], 0), Split { records: 1, tail: 0 });
    }
}
