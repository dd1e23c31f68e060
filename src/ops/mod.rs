//! The operators: one file a family, with attributes, shape inference, preparation and tests.
//!
//! `registry.rs` is the table of contents. Adding an operator touches its family's file and one
//! registry line.
#![forbid(unsafe_code)]
// Constructors have one signature, so that the registry can hold them; few need no attributes.
#![allow(clippy::unnecessary_wraps)]

mod activation;
mod add_n;
mod arg_extreme;
mod attention;
mod attributes;
mod audio;
mod batch_matmul;
mod binary;
mod blocks;
mod boxes;
mod bucketize;
mod by_type;
mod cast;
mod combination;
mod comparison;
mod complex;
mod concatenation;
mod convolution;
mod cumsum;
mod dequantize;
mod detection;
mod dynamic_slice;
mod edges;
mod embedding_lookup;
mod fake_quant;
mod fill;
mod flexbuffer;
mod fully_connected;
mod gather;
mod gather_nd;
mod hashtable_lookup;
mod indices;
mod integer;
mod iota;
mod logic;
mod lookup_sparse;
mod lsh_projection;
mod matrix_diag;
mod nonzero;
mod normalization;
mod one_hot;
mod pack;
mod padding;
mod pooling;
mod quantize;
mod random;
mod recurrent;
mod reduction;
pub mod registry;
mod reshape;
mod resize;
mod reverse;
mod reverse_sequence;
mod rope;
mod runs;
mod scales;
mod scatter;
mod segments;
mod select;
mod shape;
mod slice;
mod softmax;
mod spectrum;
mod split;
mod stablehlo;
mod stablehlo_convolution;
mod stablehlo_elementwise;
mod stablehlo_gather;
mod stablehlo_reduce;
mod stablehlo_scatter;
mod stages;
mod suppression;
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
mod unpooling;
mod update_slice;
mod volume;
mod weights;
mod window_reduction;
