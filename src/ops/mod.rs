//! The operators: one file a family, with attributes, shape inference, preparation and tests.
//!
//! `registry.rs` is the table of contents. Adding an operator touches its family's file and one
//! registry line.
#![forbid(unsafe_code)]
// Constructors have one signature, so that the registry can hold them; few need no attributes.
#![allow(clippy::unnecessary_wraps)]

mod activation;
mod attributes;
mod audio;
mod batch_matmul;
mod binary;
mod comparison;
mod complex;
mod concatenation;
mod convolution;
mod dequantize;
mod detection;
mod flexbuffer;
mod fully_connected;
mod gather;
mod padding;
mod pooling;
mod reduction;
pub mod registry;
mod reshape;
mod rope;
mod select;
mod slice;
mod softmax;
mod spectrum;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transpose;
mod transposed;
mod unary;
mod unpooling;
mod volume;
