//! MediaPipe's custom operators `MaxPoolingWithArgmax2D` and `MaxUnpooling2D`.
//!
//! Their attributes are TFLite's `TfLitePoolParams`, as it lies in memory. Indices are places in a window, as
//! floats. Semantics: MediaPipe's `max_pool_argmax.cc` and `max_unpooling.cc`; with INT32 indices, which are
//! places in the image, TFLite's `perception/max_unpooling_2d.cc`.

use super::activation::Activation;
use super::attributes::window_axis;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::window::{Axis, Window};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{ActivationFunctionType, Padding};
use crate::tensor::{DType, TensorType};

/// The attributes of a pooling; vertical first.
#[derive(Clone, Copy)]
struct PoolParams {
    padding: Padding,
    strides: [i32; 2],
    taps: [usize; 2],
    activation: Activation,
}

/// Numbers of a C structure of 32-bit members.
pub(super) fn words<const N: usize>(options: &[u8]) -> Result<[i32; N]> {
    let (words, _) = options.as_chunks::<4>();
    let words = words.first_chunk::<N>().ok_or_else(|| {
        Error::model(format!("its attributes are {} bytes, not {}", options.len(), 4 * N))
    })?;
    Ok(words.map(i32::from_le_bytes))
}

/// A padding by its number in TFLite's C interface.
pub(super) fn padding_of(number: i32) -> Result<Padding> {
    match number {
        1 => Ok(Padding::SAME),
        2 => Ok(Padding::VALID),
        other => Err(Error::model(format!("padding {other} is not known"))),
    }
}

/// An activation by its number in TFLite's C interface, which is the schema's.
pub(super) fn activation_of(number: i32) -> Result<Activation> {
    let number = i8::try_from(number)
        .map_err(|_| Error::model(format!("activation {number} is not known")))?;
    Activation::new(ActivationFunctionType(number))
}

impl PoolParams {
    fn read(node: &Node) -> Result<Self> {
        let [padding, stride_w, stride_h, taps_w, taps_h, activation] =
            words(&node.custom_options)?;
        let taps = [taps_h, taps_w].map(usize::try_from);
        let [Ok(taps_h @ 1..), Ok(taps_w @ 1..)] = taps else {
            return Err(Error::model(format!("a window of {taps_h} by {taps_w} is not possible")));
        };
        Ok(Self {
            padding: padding_of(padding)?,
            strides: [stride_h, stride_w],
            taps: [taps_h, taps_w],
            activation: activation_of(activation)?,
        })
    }

    fn window(&self, size: [usize; 2]) -> Result<Window> {
        let axis = |i: usize| window_axis(self.padding, size[i], self.taps[i], self.strides[i], 1);
        Ok(Window { y: axis(0)?, x: axis(1)? })
    }
}

/// `MaxPoolingWithArgmax2D`
pub(super) struct ArgmaxPool(PoolParams);

impl ArgmaxPool {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self(PoolParams::read(node)?)))
    }

    fn window(&self, inputs: &Inputs) -> Result<(usize, Window, usize)> {
        inputs.expect_dtype(0, DType::F32)?;
        let [batch, h, w, channels] = inputs.shape_of_rank(0)?;
        Ok((batch, self.0.window([h, w])?, channels))
    }
}

impl Operator for ArgmaxPool {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (batch, Window { y, x }, channels) = self.window(inputs)?;
        let result = TensorType::new(DType::F32, [batch, y.output, x.output, channels]);
        Ok(vec![result.clone(), result])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (_, window, channels) = self.window(context.inputs)?;
        let activation = self.0.activation;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let input: &[f32] = context.input(0);
            let isa = context.isa();
            let mut best = vec![0.0; channels];
            let mut places = vec![0.0; channels];
            for position in 0..context.output::<f32>(0).len() / channels.max(1) {
                largest(window, input, position, &mut best, &mut places);
                let at = position * channels;
                context.output::<f32>(0)[at..][..channels].copy_from_slice(&best);
                context.output::<f32>(1)[at..][..channels].copy_from_slice(&places);
            }
            let output = context.output::<f32>(0);
            for value in &mut *output {
                // None is NaN.
                *value = value.max(activation.clamp.low).min(activation.clamp.high);
            }
            activation.finish(isa, Observation::EMPTY, output);
            Ok(())
        }))
    }
}

/// The largest value of each channel in the window of an output position, counted through the batch, and its
/// place there, a little above the whole number, as MediaPipe writes it.
fn largest(
    Window { y, x }: Window,
    input: &[f32],
    position: usize,
    best: &mut [f32],
    places: &mut [f32],
) {
    let channels = best.len();
    let (oy, ox) = (position / x.output % y.output, position % x.output);
    let image = position / x.output / y.output * y.input;
    best.fill(f32::MIN);
    places.fill(0.1);
    for (ty, tx) in y.valid_taps(oy).flat_map(|ty| x.valid_taps(ox).map(move |tx| (ty, tx))) {
        let (Some(iy), Some(ix)) = (y.source(oy, ty), x.source(ox, tx)) else { continue };
        let values = &input[((image + iy) * x.input + ix) * channels..][..channels];
        let place = (ty * x.taps + tx) as f32 + 0.1;
        for ((best, at), &value) in best.iter_mut().zip(&mut *places).zip(values) {
            if value > *best {
                (*best, *at) = (value, place);
            }
        }
    }
}

/// `MaxUnpooling2D`
pub(super) struct Unpool(PoolParams);

impl Unpool {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self(PoolParams::read(node)?)))
    }

    /// The batch, the window over the output, channels, and the type of indices.
    fn window(&self, inputs: &Inputs) -> Result<(usize, Window, usize, DType)> {
        inputs.expect_dtype(0, DType::F32)?;
        let input @ [batch, h, w, channels] = inputs.shape_of_rank::<4>(0)?;
        let indices = inputs.shape_of_rank::<4>(1)?;
        if indices != input {
            return Err(Error::model(format!(
                "indices of shape {indices:?} are not those of {input:?}"
            )));
        }
        let dtype = inputs.required(1)?.tensor_type.dtype;
        if !matches!(dtype, DType::F32 | DType::I32) {
            return Err(Error::model(format!("{dtype} elements are no indices")));
        }
        let PoolParams { padding, strides, taps, .. } = self.0;
        let axis = |i: usize, input: usize| {
            // Where the indices tell the place in the image, the size follows as in a convolution.
            let stride = usize::try_from(strides[i]).ok().filter(|&n| n > 0);
            let output = match dtype {
                DType::F32 => input.checked_mul(taps[i]),
                _ if padding == Padding::SAME => {
                    stride.and_then(|stride| input.checked_mul(stride))
                }
                _ => stride.and_then(|stride| {
                    input.checked_sub(1)?.checked_mul(stride)?.checked_add(taps[i])
                }),
            };
            let output = output.filter(|&n| n > 0);
            let (Some(output), Some(stride)) = (output, stride) else {
                return Err(Error::model(format!("{input} positions cannot be unpooled")));
            };
            // MediaPipe's, which counts the padding from the sizes at hand, whatever the attribute says.
            let needed = (input - 1).saturating_mul(stride).saturating_add(taps[i]);
            let before = needed.saturating_sub(output) / 2;
            let axis =
                Axis { input: output, output: input, taps: taps[i], stride, dilation: 1, before };
            Ok(axis)
        };
        Ok((batch, Window { y: axis(0, h)?, x: axis(1, w)? }, channels, dtype))
    }
}

impl Operator for Unpool {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (batch, Window { y, x }, channels, _) = self.window(inputs)?;
        Ok(vec![TensorType::new(DType::F32, [batch, y.input, x.input, channels])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (_, window, channels, dtype) = self.window(context.inputs)?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            context.output::<f32>(0).fill(0.0);
            match dtype {
                DType::F32 => unpool(window, channels, context),
                _ => scatter(window, channels, context),
            }
        }))
    }
}

/// Writes every value to the place in its window that its index says.
fn unpool(Window { y, x }: Window, channels: usize, context: &mut EvalContext<'_>) -> Result<()> {
    let (input, indices): (&[f32], &[f32]) = (context.input(0), context.input(1));
    let output = context.output::<f32>(0);
    for (at, (&value, &index)) in input.iter().zip(indices).enumerate() {
        let (position, channel) = (at / channels, at % channels);
        let image = position / x.output / y.output * y.input;
        let place = if index >= 0.0 { index as usize } else { usize::MAX };
        let (oy, ox) = (position / x.output % y.output, position % x.output);
        let to = y.source(oy, place / x.taps).zip(x.source(ox, place % x.taps));
        let Some((iy, ix)) = to.filter(|_| place < y.taps * x.taps) else {
            return Err(Error::record(format!("index {index} is outside the window or the image")));
        };
        output[((image + iy) * x.input + ix) * channels + channel] = value;
    }
    Ok(())
}

/// Writes every value to the place in its image that its index says.
fn scatter(Window { y, x }: Window, channels: usize, context: &mut EvalContext<'_>) -> Result<()> {
    let (input, indices): (&[f32], &[i32]) = (context.input(0), context.input(1));
    let (from_len, to_len) = (y.output * x.output * channels, y.input * x.input * channels);
    let output = context.output::<f32>(0);
    for (at, (&value, &index)) in input.iter().zip(indices).enumerate() {
        let Some(place) = usize::try_from(index).ok().filter(|&place| place < to_len) else {
            return Err(Error::record(format!(
                "index {index} is not in an image of {to_len} values"
            )));
        };
        output[at / from_len * to_len + place] = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::registry::operator;
    use crate::ops::testing::{custom_node, inputs_of};

    /// Padding, strides and taps (horizontal first), activation.
    fn options(words: [i32; 6]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn infer(name: &str, words: [i32; 6], types: &[(DType, &[usize])]) -> Result<Vec<usize>> {
        let operator = operator(&custom_node(name, options(words)))?;
        Ok(operator.infer(&inputs_of(types))?.swap_remove(0).shape)
    }

    #[test]
    fn shapes_follow_from_the_window() {
        let image: (DType, &[usize]) = (DType::F32, &[1, 4, 6, 2]);
        let places = (DType::I32, image.1);
        let pool = infer("MaxPoolingWithArgmax2D", [1, 3, 2, 3, 2, 0], &[image]).unwrap();
        assert_eq!(pool, [1, 2, 2, 2]);
        let name = "MaxUnpooling2D";
        assert_eq!(infer(name, [1, 3, 2, 3, 2, 0], &[image, image]).unwrap(), [1, 8, 18, 2]);
        assert_eq!(infer(name, [1, 3, 3, 1, 1, 0], &[image, places]).unwrap(), [1, 12, 18, 2]);
        assert_eq!(infer(name, [2, 1, 1, 3, 3, 0], &[image, places]).unwrap(), [1, 6, 8, 2]);
    }

    #[test]
    fn misfits_are_errors() {
        let image: (DType, &[usize]) = (DType::F32, &[1, 4, 6, 2]);
        let error =
            |words, types: &[_]| infer("MaxUnpooling2D", words, types).unwrap_err().to_string();
        let fine = [1, 2, 2, 2, 2, 0];
        assert!(error([0, 2, 2, 2, 2, 0], &[image, image]).contains("padding 0 is not known"));
        assert!(error([1, 2, 2, 0, 2, 0], &[image, image]).contains("2 by 0 is not possible"));
        assert!(error([1, 0, 2, 2, 2, 0], &[image, image]).contains("cannot be unpooled"));
        assert!(error([1, 2, 2, 2, 2, 300], &[image, image]).contains("activation 300"));
        assert!(error(fine, &[image]).contains("input 1 is missing"));
        assert!(
            error(fine, &[image, (DType::I64, image.1)]).contains("INT64 elements are no indices")
        );
        assert!(error(fine, &[image, (DType::F32, &[1, 4, 6, 1])]).contains("are not those of"));
        let short = operator(&custom_node("MaxUnpooling2D", vec![0; 23])).map(|_| ()).unwrap_err();
        assert!(short.to_string().contains("its attributes are 23 bytes, not 24"), "{short}");
    }
}
