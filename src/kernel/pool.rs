//! Maximum, average and root mean square over sliding windows; lanes run across channels.

use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::simd::{LANES, Simd};
use super::sliding::{Taps, fits, slide};
use super::window::{Ring, Window};
use crate::observation::Observation;

/// What a window's values become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The largest value; a NaN is passed over when another value follows.
    Max,
    /// The sum, in ascending order of taps, divided by the number of taps that are not padding.
    Average,
    /// The square root of the average of the squares.
    RootMeanSquare,
}

/// A pooling over one image.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// What a window's values become.
    pub pooling: Pooling,
    /// Where outputs read.
    pub window: Window,
    /// Where the input has its rows.
    pub ring: Ring,
    /// Number of channels.
    pub channels: usize,
    /// Fused activation.
    pub clamp: Clamp,
}

impl Pool {
    /// Pools `input` `[places, w, channels]` into `output` `[h, w, channels]` and folds the extremes.
    ///
    /// # Panics
    /// If a buffer's length is not what the window, the ring and the channels say.
    pub fn run(&self, isa: Isa, input: &[f32], output: &mut [f32]) -> Observation {
        let Window { y, x } = self.window;
        assert!(self.ring.places >= y.input, "places for all rows");
        assert_eq!(input.len(), self.ring.places * x.input * self.channels, "input length");
        assert_eq!(output.len(), y.output * x.output * self.channels, "output length");
        isa.dispatch(Run { pool: self, input, output })
    }
}

struct Run<'a> {
    pool: &'a Pool,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Run<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Pool { window, ring, channels, .. } = *self.pool;
        macro_rules! squares {
            ($(($taps:literal, $stride:literal)),+) => {$(
                if fits::<S, $taps, $stride>(&window, channels) {
                    let Self { pool, input, output } = self;
                    let all = (&window, 0..window.y.output, ring);
                    return match pool.pooling {
                        Pooling::Max => {
                            let taps = Largest(pool.clamp);
                            slide::<S, _, $taps, $stride>(s, taps, all, channels, input, output)
                        }
                        Pooling::Average => {
                            let taps = Mean(pool.clamp);
                            slide::<S, _, $taps, $stride>(s, taps, all, channels, input, output)
                        }
                        Pooling::RootMeanSquare => Self { pool, input, output }.general(s),
                    };
                }
            )+};
        }
        squares!((2, 2), (3, 1), (3, 2));
        self.general(s)
    }
}

/// [`Pooling::Max`]
#[derive(Clone, Copy)]
struct Largest(Clamp);

impl<S: Simd> Taps<S> for Largest {
    #[inline(always)]
    unsafe fn start(&self, s: S, _: usize) -> S::R {
        s.register_splat(f32::MIN)
    }
    #[inline(always)]
    unsafe fn weights<const TAPS: usize>(&self, s: S, _: usize, _: usize) -> [S::R; TAPS] {
        [s.register_splat(1.0); TAPS]
    }
    #[inline(always)]
    fn join(&self, s: S, sum: S::R, value: S::R, _: S::R) -> S::R {
        s.register_max(value, sum)
    }
    #[inline(always)]
    fn clamp(&self) -> Clamp {
        self.0
    }
}

/// [`Pooling::Average`]
#[derive(Clone, Copy)]
struct Mean(Clamp);

impl<S: Simd> Taps<S> for Mean {
    const COUNTS: bool = true;

    #[inline(always)]
    unsafe fn start(&self, s: S, _: usize) -> S::R {
        s.register_splat(0.0)
    }
    #[inline(always)]
    unsafe fn weights<const TAPS: usize>(&self, s: S, _: usize, _: usize) -> [S::R; TAPS] {
        [s.register_splat(1.0); TAPS]
    }
    #[inline(always)]
    fn join(&self, s: S, sum: S::R, value: S::R, _: S::R) -> S::R {
        s.register_add(sum, value)
    }
    #[inline(always)]
    fn finish(&self, s: S, sum: S::R, count: usize) -> S::R {
        s.register_div(sum, s.register_splat(count as f32))
    }
    #[inline(always)]
    fn clamp(&self) -> Clamp {
        self.0
    }
}

impl Run<'_> {
    /// Any window and any number of channels.
    #[inline(always)]
    fn general<S: Simd>(self, s: S) -> Observation {
        let Self { pool, input, output } = self;
        let (Window { y, x }, channels) = (pool.window, pool.channels);
        let mut fold = Fold::new(s);
        if channels == 0 || x.output == 0 {
            return Observation::EMPTY;
        }
        for (position, to) in output.chunks_exact_mut(channels).enumerate() {
            let (oy, ox) = (position / x.output, position % x.output);
            let (taps_y, taps_x) = (y.valid_taps(oy), x.valid_taps(ox));
            let count = s.splat((taps_y.len() * taps_x.len()) as f32);
            for (block, to) in to.chunks_mut(LANES).enumerate() {
                let mut result = match pool.pooling {
                    Pooling::Max => s.splat(f32::MIN),
                    Pooling::Average | Pooling::RootMeanSquare => s.splat(0.0),
                };
                for ty in taps_y.clone() {
                    let iy = pool.ring.place(oy * y.stride + ty * y.dilation - y.before);
                    for tx in taps_x.clone() {
                        let ix = ox * x.stride + tx * x.dilation - x.before;
                        let at = (iy * x.input + ix) * channels + block * LANES;
                        let value = s.load_up_to(&input[at..at + to.len()]);
                        result = match pool.pooling {
                            Pooling::Max => s.max(value, result),
                            Pooling::Average => s.add(result, value),
                            Pooling::RootMeanSquare => s.fma(value, value, result),
                        };
                    }
                }
                result = match pool.pooling {
                    Pooling::Max => result,
                    Pooling::Average => s.div(result, count),
                    Pooling::RootMeanSquare => s.sqrt(s.div(result, count)),
                };
                let result = pool.clamp.apply(s, result);
                fold.push_first(s, result, to.len());
                s.store_up_to(result, to);
            }
        }
        fold.finish(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{in_ring, ramp};
    use crate::kernel::window::Axis;

    #[test]
    fn equals_the_formula() {
        let axes = [
            Axis { input: 8, output: 4, taps: 2, stride: 2, dilation: 1, before: 0 },
            Axis { input: 7, output: 7, taps: 3, stride: 1, dilation: 1, before: 1 },
            Axis { input: 7, output: 4, taps: 3, stride: 2, dilation: 1, before: 1 },
            Axis { input: 47, output: 23, taps: 2, stride: 2, dilation: 1, before: 0 },
            Axis { input: 24, output: 24, taps: 3, stride: 1, dilation: 1, before: 1 },
            Axis { input: 47, output: 23, taps: 3, stride: 2, dilation: 1, before: 0 },
        ];
        for (isa, y, x) in Isa::supported()
            .into_iter()
            .flat_map(|isa| axes.into_iter().flat_map(move |y| axes.map(move |x| (isa, y, x))))
        {
            for channels in [1, 16, 21, 72] {
                let input = ramp(y.input * x.input * channels, 5);
                for pooling in [Pooling::Max, Pooling::Average, Pooling::RootMeanSquare] {
                    let clamp = Clamp { low: -0.5, high: 0.75 };
                    let (window, ring) = (Window { y, x }, Ring::whole(y.input));
                    let pool = Pool { pooling, window, ring, channels, clamp };
                    let mut output = vec![0.0; y.output * x.output * channels];
                    let observed = pool.run(isa, &input, &mut output);
                    // Rows in a ring, and a place that is not theirs.
                    let ring = Ring { first: y.input / 2 + 1, places: y.input + 1 };
                    let turned = in_ring(&input, x.input * channels, ring);
                    let mut again = vec![0.0; output.len()];
                    let observed_again = Pool { ring, ..pool }.run(isa, &turned, &mut again);
                    assert_eq!(again, output, "{isa} {pooling:?} {y:?} {x:?} {channels}");
                    assert_eq!(observed_again, observed);
                    for (i, &result) in output.iter().enumerate() {
                        let (c, position) = (i % channels, i / channels);
                        let (oy, ox) = (position / x.output, position % x.output);
                        let values = (0..y.taps).flat_map(|ty| (0..x.taps).map(move |tx| (ty, tx)));
                        let values: Vec<f32> = values
                            .filter_map(|(ty, tx)| Some((y.source(oy, ty)?, x.source(ox, tx)?)))
                            .map(|(iy, ix)| input[(iy * x.input + ix) * channels + c])
                            .collect();
                        let pooled = match pooling {
                            Pooling::Max => values.iter().copied().fold(f32::MIN, f32::max),
                            Pooling::Average => values.iter().sum::<f32>() / values.len() as f32,
                            Pooling::RootMeanSquare => {
                                let sum = values.iter().fold(0.0_f32, |sum, x| x.mul_add(*x, sum));
                                (sum / values.len() as f32).sqrt()
                            }
                        };
                        assert_eq!(result, pooled.clamp(-0.5, 0.75), "{isa} {pooling:?}");
                    }
                    assert!(observed.same_bits(Observation::scan(&output)));
                }
            }
        }
    }
}
