//! Rotary position embeddings: pairs of elements are turned by an angle whose sine and cosine are given.

use super::broadcast::Broadcast;
use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::odometer::Odometer;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// Turns the halves of every row of `head` elements: with `i` in the first half and `j` its partner in the
/// second, `y[i] = x[i] cos[i] - x[j] sin[i]`, `y[j] = x[i] sin[j] + x[j] cos[j]`. `rows` says which rows of
/// the tables meet which rows of the input. Folds the extremes.
///
/// # Panics
/// If the lengths are not those of the shapes that `rows` was made from, or `head` is odd.
pub fn rotate(
    isa: Isa,
    rows: &Broadcast<3>,
    head: usize,
    [input, sin, cos]: [&[f32]; 3],
    output: &mut [f32],
) -> Observation {
    assert_eq!(output.len(), rows.len() * head, "one result an element");
    assert_eq!([input.len(), sin.len(), cos.len()], rows.lens.map(|n| n * head), "operand lengths");
    assert!(head.is_multiple_of(2), "two halves");
    if output.is_empty() {
        return Observation::EMPTY;
    }
    isa.dispatch(Rotate { rows, head, input, sin, cos, output })
}

struct Rotate<'a> {
    rows: &'a Broadcast<3>,
    head: usize,
    input: &'a [f32],
    sin: &'a [f32],
    cos: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Rotate<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Self { rows, head, input, sin, cos, output } = self;
        let half = head / 2;
        let mut fold = Fold::new(s);
        let mut odometer = Odometer::new(&rows.outer);
        for run in output.chunks_exact_mut(rows.inner * head) {
            for (i, to) in run.chunks_exact_mut(head).enumerate() {
                let mut row = [0; 3];
                for (row, (at, advances)) in
                    row.iter_mut().zip(odometer.at.into_iter().zip(rows.advances))
                {
                    *row = (at + if advances { i } else { 0 }) * head;
                }
                let (x0, x1) = input[row[0]..][..head].split_at(half);
                let (sin0, sin1) = sin[row[1]..][..head].split_at(half);
                let (cos0, cos1) = cos[row[2]..][..head].split_at(half);
                let (to0, to1) = to.split_at_mut(half);
                for at in (0..half).step_by(LANES) {
                    let some = at..half.min(at + LANES);
                    let (a, b) = (s.load_up_to(&x0[some.clone()]), s.load_up_to(&x1[some.clone()]));
                    let (sin0, sin1) =
                        (s.load_up_to(&sin0[some.clone()]), s.load_up_to(&sin1[some.clone()]));
                    let (cos0, cos1) =
                        (s.load_up_to(&cos0[some.clone()]), s.load_up_to(&cos1[some.clone()]));
                    let y0 = s.sub(s.mul(a, cos0), s.mul(b, sin0));
                    let y1 = s.add(s.mul(a, sin1), s.mul(b, cos1));
                    fold.push_first(s, y0, some.len());
                    fold.push_first(s, y1, some.len());
                    s.store_up_to(y0, &mut to0[some.clone()]);
                    s.store_up_to(y1, &mut to1[some]);
                }
            }
            odometer.advance();
        }
        fold.finish(s)
    }
}
