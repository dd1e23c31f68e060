//! Channels of every image less their mean, over their standard deviation.
//!
//! Sums are made in double precision, in ascending order of positions where channels are last, else of
//! sixteen partial sums of every sixteenth element each, added in halves.

use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::normalize::sum_of_lanes;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// `clamp(gamma (x - mean) / sqrt(variance + epsilon) + beta)`, gamma and beta of one value or of one a
/// channel.
#[derive(Clone, Copy, Debug)]
pub struct InstanceNorm<'a> {
    /// Number of channels.
    pub channels: usize,
    /// Elements of a channel of an image.
    pub positions: usize,
    /// Whether images are `[positions, channels]` and not `[channels, positions]`.
    pub channels_last: bool,
    /// What is added to the variance.
    pub epsilon: f32,
    /// Factors.
    pub gamma: &'a [f32],
    /// Summands.
    pub beta: &'a [f32],
    /// Fused activation.
    pub clamp: Clamp,
}

impl InstanceNorm<'_> {
    /// Normalizes images and folds the extremes of the results.
    ///
    /// # Panics
    /// If the lengths differ or are not whole images, or there are more or fewer factors or summands.
    pub fn run(&self, isa: Isa, input: &[f32], output: &mut [f32]) -> Observation {
        assert_eq!(input.len(), output.len(), "one result an element");
        if input.is_empty() {
            return Observation::EMPTY;
        }
        let image = self.channels * self.positions;
        assert_eq!(input.len() % image, 0, "whole images");
        let fits = |values: &[f32]| values.len() == 1 || values.len() == self.channels;
        assert!(fits(self.gamma) && fits(self.beta), "one factor and summand, or one a channel");
        isa.dispatch(Images { norm: self, input, output })
    }

    /// The mean, and the factor and summand of what differs from it.
    #[inline(always)]
    fn line(&self, channel: usize, sum: f64, squares: f64) -> [f32; 3] {
        let of =
            |values: &[f32]| f64::from(if values.len() == 1 { values[0] } else { values[channel] });
        let count = self.positions as f64;
        let mean = sum / count;
        let variance = squares / count - mean * mean;
        // Rounding may leave less than nothing.
        let variance = if variance < 0.0 { 0.0 } else { variance };
        let factor = of(self.gamma) / (variance + f64::from(self.epsilon)).sqrt();
        // What the rounded mean is off by is made good for.
        let rounded = mean as f32;
        let summand = of(self.beta) - (mean - f64::from(rounded)) * factor;
        [rounded, factor as f32, summand as f32]
    }
}

struct Images<'a> {
    norm: &'a InstanceNorm<'a>,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Images<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Self { norm, input, output } = self;
        let mut fold = Fold::new(s);
        if norm.channels_last {
            let image = norm.channels * norm.positions;
            for (from, to) in input.chunks_exact(image).zip(output.chunks_exact_mut(image)) {
                for first in (0..norm.channels).step_by(LANES) {
                    channels(s, norm, first, from, to, &mut fold);
                }
            }
        } else {
            let rows = input.chunks_exact(norm.positions);
            let rows = rows.zip(output.chunks_exact_mut(norm.positions));
            for (i, (from, to)) in rows.enumerate() {
                row(s, norm, i % norm.channels, from, to, &mut fold);
            }
        }
        fold.finish(s)
    }
}

/// Up to sixteen channels from `first` on, in an image with channels last.
#[inline(always)]
fn channels<S: Simd>(
    s: S,
    norm: &InstanceNorm<'_>,
    first: usize,
    from: &[f32],
    to: &mut [f32],
    fold: &mut Fold<S>,
) {
    let count = LANES.min(norm.channels - first);
    let (mut sums, mut squares) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    for from in from.chunks_exact(norm.channels) {
        let x = s.to_array(s.load_up_to(&from[first..first + count]));
        for i in 0..LANES {
            let x = f64::from(x[i]);
            sums[i] += x;
            squares[i] += x * x;
        }
    }
    let [mut means, mut factors, mut summands] = [[0.0; LANES]; 3];
    for i in 0..count {
        [means[i], factors[i], summands[i]] = norm.line(first + i, sums[i], squares[i]);
    }
    let (mean, factor, summand) = (s.load(&means), s.load(&factors), s.load(&summands));
    let rows = from.chunks_exact(norm.channels).zip(to.chunks_exact_mut(norm.channels));
    for (from, to) in rows {
        let x = s.load_up_to(&from[first..first + count]);
        let y = norm.clamp.apply(s, s.fma(s.sub(x, mean), factor, summand));
        fold.push_first(s, y, count);
        s.store_up_to(y, &mut to[first..first + count]);
    }
}

/// One channel whose positions follow each other.
#[inline(always)]
fn row<S: Simd>(
    s: S,
    norm: &InstanceNorm<'_>,
    channel: usize,
    from: &[f32],
    to: &mut [f32],
    fold: &mut Fold<S>,
) {
    let (mut sums, mut squares) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    for from in from.chunks(LANES) {
        // Lanes beyond the row are zero.
        let x = s.to_array(s.load_up_to(from));
        for i in 0..LANES {
            let x = f64::from(x[i]);
            sums[i] += x;
            squares[i] += x * x;
        }
    }
    let line = norm.line(channel, sum_of_lanes(sums), sum_of_lanes(squares));
    let [mean, factor, summand] = line.map(|value| s.splat(value));
    for (from, to) in from.chunks(LANES).zip(to.chunks_mut(LANES)) {
        let y = s.fma(s.sub(s.load_up_to(from), mean), factor, summand);
        let y = norm.clamp.apply(s, y);
        fold.push_first(s, y, to.len());
        s.store_up_to(y, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};

    #[test]
    fn equals_the_formula_in_double() {
        for (batch, channels, positions) in [(1, 1, 1), (2, 3, 10), (1, 16, 7), (2, 37, 33)] {
            for channels_last in [true, false] {
                // A mean that is large beside the deviation.
                let input = ramp(batch * channels * positions, 6);
                let input: Vec<f32> = input.iter().map(|x| 50.0 + x).collect();
                let (gamma, beta) = (ramp(channels, 1), ramp(channels, 2));
                let norm = InstanceNorm {
                    channels,
                    positions,
                    channels_last,
                    epsilon: 0.01,
                    gamma: &gamma,
                    beta: &beta,
                    clamp: Clamp { low: f32::NEG_INFINITY, high: 1.0 },
                };
                let at = |image: usize, channel: usize, position: usize| {
                    let inner = if channels_last {
                        position * channels + channel
                    } else {
                        channel * positions + position
                    };
                    image * channels * positions + inner
                };
                let mut expected = vec![0.0; input.len()];
                for (image, channel) in (0..batch).flat_map(|i| (0..channels).map(move |c| (i, c)))
                {
                    let x = |p| f64::from(input[at(image, channel, p)]);
                    let mean = (0..positions).map(x).sum::<f64>() / positions as f64;
                    let variance = (0..positions).map(|p| (x(p) - mean).powi(2)).sum::<f64>()
                        / positions as f64;
                    for p in 0..positions {
                        let share = (x(p) - mean) / (variance + f64::from(0.01_f32)).sqrt();
                        let y = f64::from(gamma[channel]) * share + f64::from(beta[channel]);
                        expected[at(image, channel, p)] = y.min(1.0);
                    }
                }
                let mut reference: Option<Vec<f32>> = None;
                for isa in Isa::supported() {
                    let mut output = vec![f32::NAN; input.len()];
                    let observed = norm.run(isa, &input, &mut output);
                    assert!(observed.same_bits(Observation::scan(&output)), "{isa}");
                    for (&found, expected) in output.iter().zip(&expected) {
                        assert!((f64::from(found) - expected).abs() < 1.0e-6, "{isa}");
                    }
                    let reference = reference.get_or_insert_with(|| output.clone());
                    assert_same_bits(&output, reference, isa.name());
                }
            }
        }
    }
}
