//! The operators: one file a family, with attributes, shape inference, preparation and tests.
//!
//! `registry.rs` is the table of contents. Adding an operator touches its family's file and one
//! registry line.
#![forbid(unsafe_code)]
// Constructors have one signature, so that the registry can hold them; few need no attributes.
#![allow(clippy::unnecessary_wraps)]

mod activation;
mod attributes;
mod batch_matmul;
mod binary;
mod by_type;
mod comparison;
mod concatenation;
mod convolution;
mod dequantize;
mod embedding_lookup;
mod fake_quant;
mod fully_connected;
mod gather;
mod integer;
mod logic;
mod padding;
mod pooling;
mod quantize;
mod reduction;
pub mod registry;
mod reshape;
mod scales;
mod select;
mod slice;
mod softmax;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transpose;
mod unary;
mod weights;
