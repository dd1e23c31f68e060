//! Recurrent layers: LSTM, RNN, GRU, and SVDF, which keeps a memory too.
//!
//! State tensors are variables of the model: every record finds them as they were before the first.

mod basic_lstm;
mod bidirectional;
mod gru;
mod layer;
mod lstm;
mod operands;
mod passes;
mod rnn;
mod sizes;
mod svdf;
#[cfg(test)]
mod tests;

pub(super) use bidirectional::{BidirectionalLstm, BidirectionalRnn};
pub(super) use gru::Gru;
pub(super) use lstm::Lstm;
pub(super) use rnn::Rnn;
pub(super) use svdf::Svdf;
