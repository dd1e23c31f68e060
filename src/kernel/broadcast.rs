//! How operands of different shapes meet.

use super::odometer::{Loop, Odometer};

/// Outer loops, and an inner run in which each of `N` operands is either contiguous or one repeated
/// element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast<const N: usize> {
    /// Outer loops, outermost first: count, and the operands' strides in elements.
    pub(super) outer: Vec<Loop<N>>,
    /// Length of the inner run.
    pub(super) inner: usize,
    /// Whether each operand advances in the inner run.
    pub(super) advances: [bool; N],
    /// Elements of each operand.
    pub(super) lens: [usize; N],
}

impl<const N: usize> Broadcast<N> {
    /// The loops for operands of these shapes, and the result's shape; `None` if the shapes do not
    /// broadcast.
    pub fn new(shapes: [&[usize]; N]) -> Option<(Self, Vec<usize>)> {
        let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
        let mut result = Vec::with_capacity(rank);
        // Neighbouring dimensions that all operands walk in the same way are one.
        let mut loops: Vec<(usize, [bool; N])> = Vec::new();
        for i in 0..rank {
            let dims = shapes.map(|s| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]));
            let n = dims.into_iter().find(|&n| n != 1).unwrap_or(1);
            if dims.iter().any(|&d| d != 1 && d != n) {
                return None;
            }
            result.push(n);
            if n == 1 {
                continue;
            }
            let moves = dims.map(|d| d != 1);
            match loops.last_mut() {
                Some(last) if last.1 == moves => last.0 = last.0.checked_mul(n)?,
                _ => loops.push((n, moves)),
            }
        }
        let (inner, advances) = loops.pop().unwrap_or((1, [true; N]));
        let mut strides = advances.map(|moves| if moves { inner } else { 1 });
        let mut outer = Vec::with_capacity(loops.len());
        for (n, moves) in loops.into_iter().rev() {
            let mut steps = [0; N];
            for ((step, stride), moves) in steps.iter_mut().zip(&mut strides).zip(moves) {
                if moves {
                    *step = *stride;
                    *stride *= n;
                }
            }
            outer.push((n, steps));
        }
        outer.reverse();
        let lens = shapes.map(|shape| shape.iter().product());
        Some((Self { outer, inner, advances, lens }, result))
    }

    /// Elements of the result.
    pub(super) fn len(&self) -> usize {
        self.outer.iter().map(|o| o.0).product::<usize>() * self.inner
    }

    /// Length of operand `i` in the inner run.
    #[inline(always)]
    pub(super) fn run_len(&self, i: usize) -> usize {
        if self.advances[i] { self.inner } else { 1 }
    }
}

/// Applies `function` to every pair of elements, whatever their types.
///
/// # Panics
/// If the lengths are not those of the shapes that `broadcast` was made from.
pub fn zip<A: Copy, B: Copy, C>(
    broadcast: &Broadcast<2>,
    (a, b): (&[A], &[B]),
    output: &mut [C],
    function: impl Fn(A, B) -> C,
) {
    assert_eq!(output.len(), broadcast.len(), "one result an element");
    assert_eq!([a.len(), b.len()], broadcast.lens, "operand lengths");
    if output.is_empty() {
        return;
    }
    let mut odometer = Odometer::new(&broadcast.outer);
    for to in output.chunks_exact_mut(broadcast.inner) {
        let [at_a, at_b] = odometer.at;
        let a = &a[at_a..][..broadcast.run_len(0)];
        let b = &b[at_b..][..broadcast.run_len(1)];
        match broadcast.advances {
            [true, true] => {
                let pairs = to.iter_mut().zip(a).zip(b);
                pairs.for_each(|((to, &a), &b)| *to = function(a, b));
            }
            [true, false] => to.iter_mut().zip(a).for_each(|(to, &a)| *to = function(a, b[0])),
            [false, _] => to.iter_mut().zip(b).for_each(|(to, &b)| *to = function(a[0], b)),
        }
        odometer.advance();
    }
}

/// Takes each element from `a` where the condition is not zero, and from `b` where it is.
///
/// # Panics
/// If the lengths are not those of the shapes that `broadcast` was made from.
pub fn select<T: Copy>(
    broadcast: &Broadcast<3>,
    condition: &[u8],
    (a, b): (&[T], &[T]),
    output: &mut [T],
) {
    assert_eq!(output.len(), broadcast.len(), "one result an element");
    assert_eq!([condition.len(), a.len(), b.len()], broadcast.lens, "operand lengths");
    if output.is_empty() {
        return;
    }
    let steps = broadcast.advances.map(usize::from);
    let mut odometer = Odometer::new(&broadcast.outer);
    for to in output.chunks_exact_mut(broadcast.inner) {
        let [at_condition, at_a, at_b] = odometer.at;
        let condition = &condition[at_condition..][..broadcast.run_len(0)];
        let a = &a[at_a..][..broadcast.run_len(1)];
        let b = &b[at_b..][..broadcast.run_len(2)];
        for (i, to) in to.iter_mut().enumerate() {
            let takes_a = condition[i * steps[0]] != 0;
            *to = if takes_a { a[i * steps[1]] } else { b[i * steps[2]] };
        }
        odometer.advance();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_few() {
        let loops = |a: &[usize], b: &[usize]| {
            let (broadcast, _) = Broadcast::new([a, b]).unwrap();
            (broadcast.outer.len(), broadcast.inner, broadcast.advances)
        };
        // What layer normalization is made of: rows with a value each, and a row for all.
        assert_eq!(loops(&[1, 128, 384], &[1, 128, 1]), (1, 384, [true, false]));
        assert_eq!(loops(&[1, 128, 1], &[1, 1, 384]), (1, 384, [false, true]));
        assert_eq!(loops(&[384], &[1, 128, 384]), (1, 384, [true, true]));
        assert_eq!(loops(&[1, 128, 384], &[1, 128, 384]), (0, 128 * 384, [true, true]));
        assert_eq!(loops(&[2, 3, 4], &[]), (0, 24, [true, false]));
        assert_eq!(loops(&[], &[1, 1]), (0, 1, [true, true]));
    }

    #[test]
    fn shapes_that_do_not_broadcast() {
        assert!(Broadcast::new([&[2, 3], &[3, 2]]).is_none());
        assert!(Broadcast::new([&[4], &[2, 3]]).is_none());
        assert!(Broadcast::new([&[2], &[1], &[3]]).is_none());
        let (_, shape) = Broadcast::new([&[2, 0, 3], &[1, 3]]).unwrap();
        assert_eq!(shape, [2, 0, 3]);
    }

    #[test]
    fn pairs_of_any_type() {
        let (broadcast, shape) = Broadcast::new([&[2, 1], &[3]]).unwrap();
        assert_eq!(shape, [2, 3]);
        let mut output = [false; 6];
        zip(&broadcast, (&[1_i32, 5], &[0_i64, 2, 9]), &mut output, |a, b| i64::from(a) < b);
        assert_eq!(output, [false, true, true, false, false, true]);
    }

    #[test]
    fn selection_of_any_shapes() {
        let (broadcast, shape) = Broadcast::new([&[2, 1], &[3], &[]]).unwrap();
        assert_eq!(shape, [2, 3]);
        let mut output = [0_u16; 6];
        select(&broadcast, &[1, 0], (&[1, 2, 3], &[7]), &mut output);
        assert_eq!(output, [1, 2, 3, 7, 7, 7]);
    }
}
