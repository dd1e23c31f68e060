//! Hand-written machine loops; the only module with `unsafe` (beside the mapping of model files).
//!
//! Kernels are written once over sixteen lanes (`simd`) and compiled for every instruction set.
//! Each has one fixed arithmetic order, so that all instruction sets agree to the bit, and folds
//! the observation of its output while the values are still in registers.
#![allow(unsafe_code)]
// Vector code must end up inside the function that enables its instructions: see `isa::Task`.
#![allow(clippy::inline_always)]

pub mod attention;
pub mod broadcast;
pub mod conv;
pub mod cyclic;
pub mod depthwise;
pub mod double;
pub mod elementwise;
pub mod fft;
pub mod gemm;
pub mod histogram;
pub mod instance_norm;
mod isa;
mod math;
pub mod minmax;
pub mod normalize;
mod odometer;
pub mod peak;
pub mod pool;
pub mod recurrent;
pub mod reduce;
pub mod resize;
pub mod rotary;
mod simd;
mod sliding;
pub mod softmax;
pub mod sum;
#[cfg(test)]
mod testing;
pub mod transpose;
pub mod transposed;
pub mod window;
pub mod winograd;

pub use isa::Isa;
