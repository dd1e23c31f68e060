//! The machine's multiply-add limit, to hold kernels against.

use super::isa::{Isa, Task};
use super::simd::{LANES, Simd};

/// `N` independent chains of multiply-adds.
struct Chains<const N: usize>(u64);

impl<const N: usize> Task for Chains<N> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let (x, y) = (s.splat(std::hint::black_box(0.999)), s.splat(std::hint::black_box(1.0e-3)));
        let mut sums = [s.splat(1.0); N];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = s.fma(*sum, x, y);
            }
        }
        let mut total = 0.0;
        for sum in sums {
            total += s.sum(sum);
        }
        total
    }
}

/// Does nothing but multiply-adds in registers and returns how many floating-point operations that
/// were (two a multiply-add). The caller takes the time.
pub fn multiply_add(isa: Isa, rounds: u64) -> u64 {
    // As many chains as hide the latency and still fit the registers.
    let chains = if isa.tile().1 > 1 {
        std::hint::black_box(isa.dispatch(Chains::<12>(rounds)));
        12
    } else {
        std::hint::black_box(isa.dispatch(Chains::<6>(rounds)));
        6
    };
    rounds * (chains * LANES * 2) as u64
}
