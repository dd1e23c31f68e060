//! Stand-in.
#![forbid(unsafe_code)]
#![allow(dead_code)]
mod args;
mod config;
mod printer;
mod progress;
mod signals;
/// Runs the program.
pub fn main() -> std::process::ExitCode {
    let cli = <args::Cli as clap::Parser>::parse();
    let _ = cli;
    std::process::ExitCode::SUCCESS
}
