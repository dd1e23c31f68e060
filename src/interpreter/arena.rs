//! Places tensors in one buffer so that those alive at the same time do not overlap.

/// Alignment of every tensor: a cache line.
const ALIGNMENT: usize = 64;

/// A tensor's size and the steps (inclusive) during which its memory is its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) size: usize,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Offsets for all tensors and the length of the buffer; `None` if it would overflow.
///
/// Largest first, each at the lowest offset that is free during its whole life (greedy by size, after
/// Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
pub(crate) fn assign(lifetimes: &[Lifetime]) -> Option<(Vec<usize>, usize)> {
    let mut by_size: Vec<usize> = (0..lifetimes.len()).collect();
    by_size.sort_by_key(|&i| (std::cmp::Reverse(lifetimes[i].size), lifetimes[i].first, i));
    let mut offsets = vec![0; lifetimes.len()];
    // Placed tensors by ascending offset.
    let mut placed: Vec<usize> = Vec::new();
    let mut total = 0;
    for i in by_size {
        let Lifetime { size, first, last } = lifetimes[i];
        // An empty tensor takes a line too, so that no two tensors start at the same place.
        let size = size.max(1).checked_next_multiple_of(ALIGNMENT)?;
        let mut offset = 0_usize;
        for &other in &placed {
            let there = lifetimes[other];
            if there.last < first || last < there.first {
                continue;
            }
            if offset.checked_add(size)? <= offsets[other] {
                break;
            }
            let end = offsets[other] + there.size.max(1).next_multiple_of(ALIGNMENT);
            offset = offset.max(end);
        }
        offsets[i] = offset;
        total = total.max(offset.checked_add(size)?);
        let at = placed.partition_point(|&other| offsets[other] <= offset);
        placed.insert(at, i);
    }
    Some((offsets, total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chain_needs_two_buffers() {
        let chain: Vec<_> =
            (0..10).map(|i| Lifetime { size: 640, first: i, last: i + 1 }).collect();
        let (_, total) = assign(&chain).unwrap();
        assert_eq!(total, 1280);
    }

    proptest! {
        #[test]
        fn living_tensors_do_not_overlap(
            tensors in prop::collection::vec((0..5000_usize, 0..20_usize, 0..8_usize), 1..40)
        ) {
            let lifetimes: Vec<_> = tensors
                .into_iter()
                .map(|(size, first, life)| Lifetime { size, first, last: first + life })
                .collect();
            let (offsets, total) = assign(&lifetimes).unwrap();
            for (i, a) in lifetimes.iter().enumerate() {
                prop_assert!(offsets[i] % ALIGNMENT == 0 && offsets[i] + a.size <= total);
                for (j, b) in lifetimes.iter().enumerate().skip(i + 1) {
                    let in_time = a.first <= b.last && b.first <= a.last;
                    let in_space =
                        offsets[i] < offsets[j] + b.size && offsets[j] < offsets[i] + a.size;
                    prop_assert!(!(in_time && in_space && a.size > 0 && b.size > 0));
                }
            }
        }
    }
}
