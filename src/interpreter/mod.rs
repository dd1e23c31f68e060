//! Runs a model over records and observes every float activation.
//!
//! A [`Plan`] is immutable and shared by all workers: verified order, folded constants, inferred
//! shapes, arena offsets from tensor lifetimes, kernels chosen for this CPU, weights packed once. An
//! [`Interpreter`] is one worker's memory: arena, scratch and observations. Kernels are
//! single-threaded; the parallelism is over records.
#![forbid(unsafe_code)]

mod arena;
mod build;
mod chain;
mod columns;
mod control;
mod group;
mod histograms;
mod layout;
mod memory;
mod order;
mod place;
mod plan;
mod profile;
mod program;
mod run;
mod session;
mod strips;
#[cfg(test)]
mod tests;

pub use control::CONTROL;
pub use plan::{DEFAULT_ROUNDS, Groups, ObservedTensor, Plan, PlanInput, PlanOptions, Work};
pub use profile::{OperatorTime, Profile};
pub use run::{Feed, Interpreter, RecordInputs};
