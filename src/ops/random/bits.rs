//! StableHLO's `rng_bit_generator`: random bits of a state, and the state behind them.
//!
//! Semantics: TFLite's `rng_bit_generator.cc`.

use super::philox::Philox;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::ops::attributes::attributes_2;
use crate::schema::{BuiltinOptions2T, RngAlgorithm};
use crate::tensor::{DType, TensorType};

pub(in crate::ops) struct RandomBits {
    is_philox: bool,
}

impl RandomBits {
    pub(in crate::ops) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        match attributes_2!(node, StablehloRngBitGeneratorOptions).algorithm {
            RngAlgorithm::DEFAULT | RngAlgorithm::PHILOX => Ok(Box::new(Self { is_philox: true })),
            RngAlgorithm::THREEFRY => Ok(Box::new(Self { is_philox: false })),
            other => Err(Error::model(format!("algorithm {other:?} is not known"))),
        }
    }
}

impl Operator for RandomBits {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::U64)?;
        let [len] = inputs.shape_of_rank(0)?;
        if len != 2 && !(self.is_philox && len == 3) {
            return Err(Error::model(format!("a state of {len} numbers is not known")));
        }
        let bits = inputs.declared(1)?.tensor_type()?;
        match bits.dtype {
            DType::I32 | DType::U32 | DType::I64 | DType::U64 => {}
            other => return Err(Error::model(format!("{other} elements are not supported"))),
        }
        Ok(vec![TensorType::new(DType::U64, [len]), bits])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        let is_philox = self.is_philox;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let state = context.input::<u64>(0);
            let (key, mut counter) = (state[0], state[1]);
            let upper = state.get(2).copied().unwrap_or(key);
            let bits: &mut [u32] = bytemuck::cast_slice_mut(context.outputs[1]);
            // The upper half of a counter stays what it is.
            if is_philox {
                for to in bits.chunks_mut(4) {
                    let block =
                        Philox::new(key, u128::from(upper) << 64 | u128::from(counter)).next();
                    to.copy_from_slice(&block[..to.len()]);
                    counter = counter.wrapping_add(1);
                }
            } else {
                for to in bits.chunks_mut(2) {
                    to.copy_from_slice(&threefry(key, counter)[..to.len()]);
                    counter = counter.wrapping_add(1);
                }
            }
            let after = context.output::<u64>(0);
            after.copy_from_slice(state);
            after[1] = counter;
            Ok(())
        }))
    }
}

/// Threefry 2x32-20, a function of a key and a counter (Salmon et al., Parallel random numbers: as easy as
/// 1, 2, 3, 2011).
fn threefry(key: u64, counter: u64) -> [u32; 2] {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    let [first, second] = halves(key);
    let keys = [first, second, first ^ second ^ 0x1bd1_1bda];
    let [mut a, mut b] = halves(counter);
    a = a.wrapping_add(keys[0]);
    b = b.wrapping_add(keys[1]);
    for round in 0..5 {
        let distances = if round % 2 == 0 { [13, 15, 26, 6] } else { [17, 29, 16, 24] };
        for distance in distances {
            a = a.wrapping_add(b);
            b = b.rotate_left(distance) ^ a;
        }
        a = a.wrapping_add(keys[(round + 1) % 3]);
        b = b.wrapping_add(keys[(round + 2) % 3]).wrapping_add(round as u32 + 1);
    }
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' library, Random123.
    #[test]
    fn known_answers() {
        assert_eq!(threefry(0, 0), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry(u64::MAX, u64::MAX), [0x1cb9_96fc, 0xbb00_2be7]);
    }
}
