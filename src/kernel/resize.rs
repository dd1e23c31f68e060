//! Bilinear interpolation of images `[h, w, c]`.
//!
//! Between rows first, then between columns: a row of the result costs one pass over a row of the input, and
//! two loads a vector. Lanes run across channels.

use super::isa::{Isa, Task};
use super::minmax::{Fold, scan};
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// Where a position of the result lies between two of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    /// The positions of the input.
    pub low: usize,
    /// The same, or the next one.
    pub high: usize,
    /// How much of `high` there is.
    pub weight: f32,
}

/// Values of scratch memory that [`bilinear`] needs for images of `width * channels` values a row.
pub fn scratch_len(width: usize, channels: usize) -> usize {
    width * channels + LANES
}

struct Bilinear<'a> {
    rows: &'a [Between],
    columns: &'a [Between],
    channels: usize,
    /// Values of an input row.
    row: usize,
    input: &'a [f32],
    between: &'a mut [f32],
    output: &'a mut [f32],
}

impl Task for Bilinear<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let (row, channels) = (self.row, self.channels);
        let mut fold = Fold::new(s);
        let out_row = self.columns.len() * channels;
        // Of a wide image, most columns are between none.
        let is_sparse = 2 * out_row < row;
        for (y, to) in self.rows.iter().zip(self.output.chunks_exact_mut(out_row)) {
            let low = &self.input[y.low * row..][..row];
            let high = &self.input[y.high * row..][..row];
            if is_sparse {
                for at in self.columns.iter().flat_map(|x| [x.low, x.high]) {
                    let pixel = at * channels..(at + 1) * channels;
                    let rows = (&low[pixel.clone()], &high[pixel.clone()]);
                    interpolate(s, rows, y.weight, &mut self.between[pixel]);
                }
            } else {
                interpolate(s, (low, high), y.weight, &mut self.between[..row]);
            }
            for (i, x) in self.columns.iter().enumerate() {
                let low = &self.between[x.low * channels..];
                let high = &self.between[x.high * channels..];
                let (rest, weight) = (s.splat(1.0 - x.weight), s.splat(x.weight));
                for c in (0..channels).step_by(LANES) {
                    // Lanes beyond the channels are of the next column, or of the end of the scratch memory;
                    // they are overwritten, or not written.
                    let low = s.load(low[c..][..LANES].try_into().expect("sixteen lanes"));
                    let high = s.load(high[c..][..LANES].try_into().expect("sixteen lanes"));
                    let v = s.fma(high, weight, s.mul(low, rest));
                    fold.push_first(s, v, channels - c);
                    let to = &mut to[i * channels + c..];
                    let room = to.len().min(LANES);
                    s.store_up_to(v, &mut to[..room]);
                }
            }
        }
        fold.finish(s)
    }
}

/// Values between those of two rows.
#[inline(always)]
fn interpolate<S: Simd>(s: S, (low, high): (&[f32], &[f32]), weight: f32, to: &mut [f32]) {
    let (rest, weight) = (s.splat(1.0 - weight), s.splat(weight));
    let vectors = to.chunks_mut(LANES).zip(low.chunks(LANES)).zip(high.chunks(LANES));
    for ((to, low), high) in vectors {
        let (low, high) = (s.load_up_to(low), s.load_up_to(high));
        s.store_up_to(s.fma(high, weight, s.mul(low, rest)), to);
    }
}

/// Interpolates an image of `channels` values a pixel to the given rows and columns; gives the observation of
/// the result.
///
/// # Panics
/// If a position is not inside the image, which has `width` columns, or lengths do not fit.
pub fn bilinear(
    isa: Isa,
    (rows, columns): (&[Between], &[Between]),
    (width, channels): (usize, usize),
    input: &[f32],
    scratch: &mut [f32],
    output: &mut [f32],
) -> Observation {
    assert_eq!(output.len(), rows.len() * columns.len() * channels, "one pixel a row and column");
    if output.is_empty() {
        return Observation::EMPTY;
    }
    let row = width * channels;
    let between = &mut scratch[..scratch_len(width, channels)];
    // What lies behind the row is loaded, but not used.
    between[row..].fill(0.0);
    let task = Bilinear { rows, columns, channels, row, input, between, output: &mut *output };
    let folded = isa.dispatch(task);
    if folded.needs_rescan() { scan(isa, output) } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};
    use crate::observation::LOWEST;

    fn positions(n: usize, count: usize) -> Vec<Between> {
        let position = |i: usize| {
            let at = i as f32 * n as f32 / count as f32;
            let low = (at as usize).min(n - 1);
            Between { low, high: (low + 1).min(n - 1), weight: at - low as f32 }
        };
        (0..count).map(position).collect()
    }

    #[test]
    fn equals_the_formula_to_the_bit() {
        for channels in [1, 3, 15, 16, 17, 40] {
            for (height, width, to_height, to_width) in [(1, 1, 1, 1), (3, 4, 7, 9), (5, 7, 2, 3)] {
                let mut input = ramp(height * width * channels, 7);
                input[0] = LOWEST;
                let (rows, columns) = (positions(height, to_height), positions(width, to_width));
                let mut expected = Vec::new();
                for (y, x) in rows.iter().flat_map(|y| columns.iter().map(move |x| (y, x))) {
                    for c in 0..channels {
                        let at = |y: usize, x: usize| input[(y * width + x) * channels + c];
                        let mix = |a: f32, b: f32, w: f32| b.mul_add(w, a * (1.0 - w));
                        let low = mix(at(y.low, x.low), at(y.high, x.low), y.weight);
                        let high = mix(at(y.low, x.high), at(y.high, x.high), y.weight);
                        expected.push(mix(low, high, x.weight));
                    }
                }
                for isa in Isa::supported() {
                    let mut scratch = vec![f32::NAN; scratch_len(width, channels)];
                    let mut output = vec![99.0; expected.len()];
                    let places = (&rows[..], &columns[..]);
                    let size = (width, channels);
                    let observed = bilinear(isa, places, size, &input, &mut scratch, &mut output);
                    let what = format!("{isa}, {channels} channels");
                    assert_same_bits(&output, &expected, &what);
                    assert!(observed.same_bits(Observation::scan(&expected)), "{what}");
                }
            }
        }
    }
}
