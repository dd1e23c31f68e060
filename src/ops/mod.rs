//! The operators: one file a family, with attributes, shape inference, preparation and tests.
//!
//! `registry.rs` is the table of contents. Adding an operator touches its family's file and one
//! registry line.
#![forbid(unsafe_code)]
// Constructors have one signature, so that the registry can hold them; few need no attributes.
#![allow(clippy::unnecessary_wraps)]

mod activation;
mod arg_extreme;
mod add_n;
mod attributes;
mod audio;
mod batch_matmul;
mod binary;
mod blocks;
mod cast;
mod bucketize;
mod comparison;
mod complex;
mod concatenation;
mod convolution;
mod cumsum;
mod dequantize;
mod fill;
mod detection;
mod flexbuffer;
mod fully_connected;
mod gather;
mod matrix_diag;
mod pack;
mod gather_nd;
mod hashtable_lookup;
mod indices;
mod lookup_sparse;
mod lsh_projection;
mod nonzero;
mod one_hot;
mod normalization;
mod padding;
mod pooling;
mod recurrent;
mod reduction;
pub mod registry;
mod reshape;
mod resize;
mod reverse;
mod runs;
mod reverse_sequence;
mod scatter;
mod segments;
mod rope;
mod select;
mod shape;
mod slice;
mod softmax;
mod split;
mod suppression;
mod spectrum;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tile;
mod top_k;
mod transpose;
mod transposed;
mod unary;
mod unique;
mod update_slice;
mod unpooling;
mod volume;
