//! Sums of several tensors of one shape, element by element, in the order of the tensors.

use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// Adds the elements at each position and folds the extremes of the sums.
///
/// # Panics
/// If there is nothing to add, or a length differs.
pub fn sum(isa: Isa, inputs: &[&[f32]], output: &mut [f32]) -> Observation {
    assert!(inputs.iter().all(|input| input.len() == output.len()), "one sum an element");
    isa.dispatch(Sum { inputs, output })
}

struct Sum<'a> {
    inputs: &'a [&'a [f32]],
    output: &'a mut [f32],
}

impl Task for Sum<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let (first, others) = self.inputs.split_first().expect("something to add");
        let mut fold = Fold::new(s);
        for (i, to) in self.output.chunks_mut(LANES).enumerate() {
            let at = i * LANES..i * LANES + to.len();
            let mut sum = s.load_up_to(&first[at.clone()]);
            for other in others {
                sum = s.add(sum, s.load_up_to(&other[at.clone()]));
            }
            fold.push_first(s, sum, to.len());
            s.store_up_to(sum, to);
        }
        fold.finish(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};

    #[test]
    fn tensors_are_added_in_order() {
        for len in [0, 1, 16, 37] {
            let inputs: Vec<Vec<f32>> = (0..5).map(|seed| ramp(len, seed)).collect();
            for count in 1..=5 {
                let inputs: Vec<&[f32]> = inputs[..count].iter().map(Vec::as_slice).collect();
                let expected: Vec<f32> = (0..len)
                    .map(|i| inputs.iter().skip(1).fold(inputs[0][i], |sum, it| sum + it[i]))
                    .collect();
                for isa in Isa::supported() {
                    let mut output = vec![f32::NAN; len];
                    let observed = sum(isa, &inputs, &mut output);
                    assert_same_bits(&output, &expected, isa.name());
                    assert!(observed.same_bits(Observation::scan(&expected)), "{isa}");
                }
            }
        }
    }
}
