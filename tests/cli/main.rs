//! Runs the program as a person or a script would.

mod errors;
mod help;
mod interrupt;
mod large;
mod parts;
mod record;
mod results;
#[path = "../support/mod.rs"]
mod support;
