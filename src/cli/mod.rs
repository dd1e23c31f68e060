//! Stand-in.
#![forbid(unsafe_code)]
#![allow(dead_code)]
mod args;
/// Runs the program.
pub fn main() -> std::process::ExitCode {
    let cli = <args::Cli as clap::Parser>::parse();
    let _ = cli;
    std::process::ExitCode::SUCCESS
}
