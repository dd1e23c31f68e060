//! Runs the program as a person or a script would.

mod bad_records;
mod compare;
mod compatibility;
mod datasets;
mod dropin;
mod errors;
#[cfg(unix)]
mod faults;
mod formats;
mod growth;
mod help;
mod histograms;
mod interrupt;
#[cfg(unix)]
mod kills;
mod large;
mod library;
mod minmax;
mod parts;
mod record;
mod report;
mod results;
#[path = "../support/mod.rs"]
mod support;
mod talk;
mod unread;
