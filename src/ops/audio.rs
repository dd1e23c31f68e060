//! Custom operators of speech models: `AudioSpectrogram` and `Mfcc`.
//!
//! Semantics: TFLite's `audio_spectrogram.cc` and `mfcc.cc` with their `internal` classes, in double precision
//! as there; but every audio channel starts afresh, where TFLite goes on with samples of the one before.

use super::flexbuffer::Map;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::double::{ln, turn};
use crate::kernel::fft::{Complex, RealFft};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// `[samples, channels]` to power spectra `[channels, frames, fft / 2 + 1]`.
pub(super) struct AudioSpectrogram {
    window: usize,
    stride: usize,
    is_squared: bool,
}

impl AudioSpectrogram {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let map = Map::read(&node.custom_options)?;
        let (window, stride) = (map.count("window_size")?, map.count("stride")?);
        if window < 2 || stride < 1 {
            return Err(Error::model(format!(
                "a window of {window} samples each {stride} gives no spectrum"
            )));
        }
        Ok(Box::new(Self { window, stride, is_squared: map.bool("magnitude_squared")? }))
    }

    /// Samples, channels and frames.
    fn sizes(&self, inputs: &Inputs) -> Result<(usize, usize, usize)> {
        inputs.expect_dtype(0, DType::F32)?;
        let [samples, channels] = inputs.shape_of_rank(0)?;
        let frames = samples.checked_sub(self.window).map_or(0, |left| 1 + left / self.stride);
        Ok((samples, channels, frames))
    }

    fn bins(&self) -> usize {
        self.window.next_power_of_two() / 2 + 1
    }
}

impl Operator for AudioSpectrogram {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, channels, frames) = self.sizes(inputs)?;
        Ok(vec![TensorType::new(DType::F32, [channels, frames, self.bins()])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (_, channels, frames) = self.sizes(context.inputs)?;
        let (window, stride, is_squared, bins) =
            (self.window, self.stride, self.is_squared, self.bins());
        if frames == 0 {
            return Ok(Prepared::eval(Observe::Scan, |_| Ok(())));
        }
        let prepared = Prepared::later(Observe::Scan, move || {
            let fft = RealFft::new(window.next_power_of_two());
            // A periodic Hann window.
            let hann = |i| 0.5 - 0.5 * turn(i as u64, window as u64).0;
            let hann: Vec<f64> = (0..window).map(hann).collect();
            move |context: &mut EvalContext<'_>| {
                let input: &[f32] = context.input(0);
                let (output, scratch) = context.output_and_scratch::<f32>();
                let spectrum: &mut [Complex] = bytemuck::cast_slice_mut(scratch);
                let spectrum = &mut spectrum[..bins];
                for (row, to) in output.chunks_exact_mut(bins).enumerate() {
                    let (channel, frame) = (row / frames, row % frames);
                    let samples = input[frame * stride * channels..].iter();
                    let samples = samples.skip(channel).step_by(channels).zip(&hann);
                    fft.run(samples.map(|(&x, weight)| f64::from(x) * weight), spectrum);
                    for (to, [re, im]) in to.iter_mut().zip(&*spectrum) {
                        let power = (re * re + im * im) as f32;
                        *to = if is_squared { power } else { power.sqrt() };
                    }
                }
                Ok(())
            }
        });
        Ok(prepared
            .with_scratch(bins * size_of::<Complex>())
            .holding(3 * window * size_of::<f64>()))
    }
}

/// Power spectra `[channels, frames, bins]` and a sample rate to cepstral coefficients of mel frequencies,
/// `[channels, frames, coefficients]`.
#[derive(Clone, Copy)]
pub(super) struct Mfcc {
    lower: f64,
    upper: f64,
    bands: usize,
    coefficients: usize,
}

/// How bins are summed to bands, and bands transformed.
struct Filters {
    /// Of bins from `first` on: the band on whose falling side it is (counted from 1), and its weight there.
    bins: Vec<(usize, f64)>,
    first: usize,
    /// `[coefficients, bands]`
    cosines: Vec<f64>,
}

impl Mfcc {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let map = Map::read(&node.custom_options)?;
        let mfcc = Self {
            // TFLite reads limits as whole numbers.
            lower: map.int("lower_frequency_limit")? as f64,
            upper: map.int("upper_frequency_limit")? as f64,
            bands: map.count("filterbank_channel_count")?,
            coefficients: map.count("dct_coefficient_count")?,
        };
        let Self { lower, upper, bands, coefficients } = mfcc;
        if lower < 0.0 || upper <= lower {
            return Err(Error::model(format!("there are no frequencies from {lower} to {upper}")));
        }
        if coefficients == 0 || coefficients > bands || bands > 1 << 12 {
            return Err(Error::model(format!(
                "{bands} bands do not give {coefficients} coefficients"
            )));
        }
        Ok(Box::new(mfcc))
    }

    /// Channels times frames, and bins.
    fn sizes(inputs: &Inputs) -> Result<([usize; 2], usize)> {
        inputs.expect_dtype(0, DType::F32)?;
        inputs.expect_dtype(1, DType::I32)?;
        let [channels, frames, bins] = inputs.shape_of_rank(0)?;
        let rate = inputs.shape(1)?;
        if rate.iter().product::<usize>() != 1 {
            return Err(Error::model(format!("a sample rate of shape {rate:?} is not one number")));
        }
        if bins < 2 {
            return Err(Error::model(format!("{bins} bins are no spectrum")));
        }
        Ok(([channels, frames], bins))
    }

    /// Triangular filters whose centres are evenly spaced in mel; the constant bin belongs to none.
    fn filters(self, bins: usize, rate: i32) -> Result<Filters> {
        let mel = |frequency: f64| 1127.0 * ln(1.0 + frequency / 700.0);
        if rate <= 0 {
            return Err(Error::record(format!("a sample rate of {rate} is not possible")));
        }
        let width = 0.5 * f64::from(rate) / (bins - 1) as f64;
        let (first, last) = ((1.5 + self.lower / width) as usize, (self.upper / width) as usize);
        let low = mel(self.lower);
        let spacing = (mel(self.upper) - low) / (self.bands + 1) as f64;
        let edge = |band: usize| low + spacing * band as f64;
        // Beyond the spectrum, TFLite sums nothing at all.
        let used = if last < bins { first..last + 1 } else { first..first };
        let mut band = 0;
        let filter = |bin: usize| {
            let here = mel(bin as f64 * width);
            while band < self.bands && edge(band + 1) < here {
                band += 1;
            }
            (band, (edge(band + 1) - here) / (edge(band + 1) - edge(band)))
        };
        let bins = used.map(filter).collect();
        let scale = (2.0 / self.bands as f64).sqrt();
        let cosine = |at: usize| {
            // cos(pi i (j + 1/2) / bands), as a part of a full turn.
            let (i, j) = ((at / self.bands) as u64, (at % self.bands) as u64);
            scale * turn(i * (2 * j + 1), 4 * self.bands as u64).0
        };
        let cosines = (0..self.coefficients * self.bands).map(cosine).collect();
        Ok(Filters { bins, first, cosines })
    }
}

impl Filters {
    fn apply(&self, spectrum: &[f32], bands: &mut [f64], output: &mut [f32]) {
        bands.fill(0.0);
        for (&power, &(band, weight)) in spectrum[self.first..].iter().zip(&self.bins) {
            let magnitude = f64::from(power).sqrt();
            let falling = magnitude * weight;
            if let Some(below) = band.checked_sub(1) {
                bands[below] += falling;
            }
            if let Some(above) = bands.get_mut(band) {
                *above += magnitude - falling;
            }
        }
        if !self.bins.is_empty() {
            for band in &mut *bands {
                *band = ln(if *band < 1e-12 { 1e-12 } else { *band });
            }
        }
        for (to, cosines) in output.iter_mut().zip(self.cosines.chunks_exact(bands.len())) {
            let products = cosines.iter().zip(&*bands);
            *to = products.fold(0.0, |sum, (cosine, band)| sum + cosine * band) as f32;
        }
    }
}

impl Operator for Mfcc {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let ([channels, frames], _) = Self::sizes(inputs)?;
        Ok(vec![TensorType::new(DType::F32, [channels, frames, self.coefficients])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (mfcc, (_, bins)) = (*self, Self::sizes(context.inputs)?);
        let rate = context.inputs.required(1)?.constant.as_ref();
        let known = rate.map(|rate| mfcc.filters(bins, rate.as_slice::<i32>()[0])).transpose()?;
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            let late;
            let filters = if let Some(known) = &known {
                known
            } else {
                late = mfcc.filters(bins, context.input::<i32>(1)[0])?;
                &late
            };
            let spectra: &[f32] = context.input(0);
            let (output, scratch) = context.output_and_scratch::<f32>();
            let bands: &mut [f64] = bytemuck::cast_slice_mut(scratch);
            let bands = &mut bands[..mfcc.bands];
            let rows = output.chunks_exact_mut(mfcc.coefficients);
            for (spectrum, to) in spectra.chunks_exact(bins).zip(rows) {
                filters.apply(spectrum, bands, to);
            }
            Ok(())
        });
        let held = (2 * bins + mfcc.coefficients * mfcc.bands) * size_of::<f64>();
        Ok(prepared.with_scratch(mfcc.bands * size_of::<f64>()).holding(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::flexbuffer::map_of;
    use crate::ops::registry::operator;
    use crate::ops::testing::{custom_node, inputs_of};

    fn infer(
        name: &str,
        options: &[(&str, f64)],
        types: &[(DType, &[usize])],
    ) -> Result<Vec<usize>> {
        let operator = operator(&custom_node(name, map_of(options)))?;
        Ok(operator.infer(&inputs_of(types))?.swap_remove(0).shape)
    }

    #[test]
    fn misfits_are_errors() {
        let spectrogram = |window, stride, shape: &[usize]| {
            let options = [("window_size", window), ("stride", stride)];
            infer("AudioSpectrogram", &options, &[(DType::F32, shape)])
        };
        assert_eq!(spectrogram(400.0, 160.0, &[16000, 2]).unwrap(), [2, 98, 257]);
        assert_eq!(spectrogram(400.0, 160.0, &[399, 1]).unwrap(), [1, 0, 257]);
        for (window, stride) in [(1.0, 1.0), (4.0, 0.0), (-4.0, 1.0)] {
            spectrogram(window, stride, &[16000, 1]).unwrap_err();
        }
        spectrogram(4.0, 2.0, &[16000]).unwrap_err();
        let mfcc = |lower, upper, bands, coefficients, bins, rates| {
            let options = [
                ("lower_frequency_limit", lower),
                ("upper_frequency_limit", upper),
                ("filterbank_channel_count", bands),
                ("dct_coefficient_count", coefficients),
            ];
            let types: [(DType, &[usize]); 2] =
                [(DType::F32, &[1, 9, bins]), (DType::I32, &[rates])];
            infer("Mfcc", &options, &types).map_err(|e| e.to_string())
        };
        assert_eq!(mfcc(20.0, 4000.0, 40.0, 13.0, 257, 1).unwrap(), [1, 9, 13]);
        let error = |result: Result<_, String>, what| assert!(result.unwrap_err().contains(what));
        error(mfcc(4000.0, 20.0, 40.0, 13.0, 257, 1), "no frequencies from 4000 to 20");
        error(mfcc(20.0, 4000.0, 12.0, 13.0, 257, 1), "12 bands do not give 13");
        error(mfcc(20.0, 4000.0, 12.0, 0.0, 257, 1), "do not give 0");
        error(mfcc(20.0, 4000.0, 40.0, 13.0, 1, 1), "1 bins are no spectrum");
        error(mfcc(20.0, 4000.0, 40.0, 13.0, 257, 2), "is not one number");
    }
}
