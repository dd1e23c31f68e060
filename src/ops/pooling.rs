//! `MAX_POOL_2D`, `AVERAGE_POOL_2D` and `L2_POOL_2D` over `[n, h, w, c]`.
//!
//! Semantics: TFLite's `pooling.cc` for float32; an average leaves padding out of the count.

use super::activation::Activation;
use super::attributes::{attributes, window_axis};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::pool::{Pool, Pooling};
use crate::kernel::window::{Ring, Window};
use crate::observation::Observation;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, Padding};
use crate::tensor::{DType, TensorType};

pub(super) struct Pool2d {
    pooling: Pooling,
    padding: Padding,
    strides: (i32, i32),
    taps: (i32, i32),
    activation: Activation,
}

impl Pool2d {
    pub(super) fn max(node: &Node) -> Result<Box<dyn Operator>> {
        Self::from_node(Pooling::Max, node)
    }

    pub(super) fn average(node: &Node) -> Result<Box<dyn Operator>> {
        Self::from_node(Pooling::Average, node)
    }

    pub(super) fn root_mean_square(node: &Node) -> Result<Box<dyn Operator>> {
        Self::from_node(Pooling::RootMeanSquare, node)
    }

    fn from_node(pooling: Pooling, node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, Pool2DOptions);
        Ok(Box::new(Self {
            pooling,
            padding: options.padding,
            strides: (options.stride_h, options.stride_w),
            taps: (options.filter_height, options.filter_width),
            activation: Activation::new(options.fused_activation_function)?,
        }))
    }

    fn window(&self, inputs: &Inputs) -> Result<(usize, Window, usize)> {
        inputs.expect_dtype(0, DType::F32)?;
        let [batch, h, w, channels] = inputs.shape_of_rank(0)?;
        let axis = |input, taps: i32, stride| {
            let taps = usize::try_from(taps).map_err(|_| {
                Error::model(format!("a window of {taps} positions is not possible"))
            })?;
            window_axis(self.padding, input, taps, stride, 1)
        };
        let y = axis(h, self.taps.0, self.strides.0)?;
        let x = axis(w, self.taps.1, self.strides.1)?;
        Ok((batch, Window { y, x }, channels))
    }
}

impl Operator for Pool2d {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (batch, Window { y, x }, channels) = self.window(inputs)?;
        Ok(vec![TensorType::new(DType::F32, [batch, y.output, x.output, channels])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (batch, window, channels) = self.window(context.inputs)?;
        let activation = self.activation;
        let Window { y, x } = window;
        let ring = Ring::whole(y.input);
        let pool = Pool { pooling: self.pooling, window, ring, channels, clamp: activation.clamp };
        let prepared = Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let (y, ring) = context.part(y);
            let pool = Pool { window: Window { y, x }, ring, ..pool };
            let input_len = ring.places * x.input * channels;
            let output_len = y.output * x.output * channels;
            let output = context.output::<f32>(0);
            let mut observed = Observation::EMPTY;
            for image in 0..batch {
                let from = &input[image * input_len..][..input_len];
                let to = &mut output[image * output_len..][..output_len];
                observed = observed.union(pool.run(isa, from, to));
            }
            let observed = activation.finish(isa, observed, output);
            context.observe(0, observed);
            Ok(())
        });
        Ok(Prepared { rows: (batch == 1).then_some(y), ..prepared })
    }
}
