//! A binary heap of candidates, the best at its root, that gives equal ones in the order of the GNU
//! standard library's `std::priority_queue`, which LiteRT is built with.

use super::Candidate;

/// Moves the last candidate to its place; the others are a heap.
pub(super) fn push(heap: &mut [Candidate]) {
    let Some((&last, _)) = heap.split_last() else { return };
    rise(heap, heap.len() - 1, last);
}

/// Puts a candidate where `hole` is, or above.
fn rise(heap: &mut [Candidate], mut hole: usize, candidate: Candidate) {
    while hole > 0 {
        let parent = (hole - 1) / 2;
        if !is_worse(heap[parent], candidate) {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = candidate;
}

/// Moves the best candidate to the end; the others are a heap again.
pub(super) fn pop(heap: &mut [Candidate]) {
    let Some((end, rest)) = heap.split_last_mut() else { return };
    let Some(&first) = rest.first() else { return };
    let last = std::mem::replace(end, first);
    // The better child moves up until there are no more, the second of equal ones; then the last
    // candidate rises from there.
    let mut hole = 0;
    while 2 * hole + 2 < rest.len() {
        let (left, right) = (2 * hole + 1, 2 * hole + 2);
        let child = if is_worse(rest[right], rest[left]) { left } else { right };
        rest[hole] = rest[child];
        hole = child;
    }
    if 2 * hole + 2 == rest.len() {
        rest[hole] = rest[2 * hole + 1];
        hole = 2 * hole + 1;
    }
    rise(rest, hole, last);
}

fn is_worse(a: Candidate, b: Candidate) -> bool {
    a.score < b.score
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_candidates_come_in_the_order_of_the_gnu_library() {
        let mut heap: Vec<Candidate> = Vec::new();
        for index in 0..12 {
            heap.push(Candidate { index, score: 0.5, compared: 0 });
            push(&mut heap);
        }
        let mut order = Vec::new();
        while !heap.is_empty() {
            pop(&mut heap);
            order.extend(heap.pop().map(|it| it.index));
        }
        assert_eq!(order, [0, 2, 6, 11, 10, 9, 8, 5, 7, 4, 1, 3]);
    }
}
