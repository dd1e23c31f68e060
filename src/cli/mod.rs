//! The command line: arguments, configuration, commands, and everything that is said.
//!
//! Arguments are parsed into plain values (`args`), checked against each other and the file system
//! (`config`), and carried out by one file per command (`command`).
#![forbid(unsafe_code)]

mod args;
mod command;
mod config;
mod events;
mod outputs;
mod printer;
mod profile;
mod progress;
mod signals;
mod terminal;
mod text;

use std::process::ExitCode;

use clap::Parser;

use crate::error::{Error, ErrorKind, Result};

use self::args::{Cli, Command, DatasetCommand, misspelt_command};
use self::printer::Printer;

/// How the program ends, if not by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitStatus {
    /// All is done.
    Success,
    /// What was asked is answered with no, or an error was shown already.
    Failure,
    /// What was asked cannot be answered, where "no" is an answer; the error was shown already.
    Trouble,
    /// Stopped by a signal, with everything committed.
    Interrupted(i32),
}

/// Runs the program.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + signal when interrupted.
pub fn main() -> ExitCode {
    if let Some(error) = std::env::args_os().nth(1).and_then(|word| misspelt_command(&word)) {
        Printer::new(false).error(&error);
        return exit_code(&error);
    }
    let cli = Cli::parse();
    let printer = Printer::new(cli.talk.quiet);
    if cli.talk.verbose {
        events::show(&printer);
    }
    match run(cli, &printer) {
        Ok(ExitStatus::Success) => ExitCode::SUCCESS,
        Ok(ExitStatus::Failure) => ExitCode::FAILURE,
        Ok(ExitStatus::Trouble) => ExitCode::from(2),
        Ok(ExitStatus::Interrupted(signal)) => ExitCode::from(128_u8.wrapping_add(signal as u8)),
        Err(error) => {
            printer.error(&error);
            exit_code(&error)
        }
    }
}

fn run(cli: Cli, printer: &Printer) -> Result<ExitStatus> {
    let Some(command) = cli.command else {
        return command::record::run(cli.record, true, printer);
    };
    match command {
        Command::Record(args) => command::record::run(*args, false, printer),
        Command::Embed(args) => command::embed::run(&args, printer),
        Command::Merge(args) => command::merge::run(&args, printer),
        Command::Inspect(args) => command::inspect::run(&args, printer),
        Command::Report(args) => command::report::run(&args, printer),
        Command::Compare(args) => Ok(command::compare::run(&args, printer)),
        Command::Import(args) => command::import::run(&args, printer),
        Command::ImportMinmax(args) => command::import_minmax::run(&args, printer),
        Command::Verify(args) => command::verify::run(&args, printer),
        Command::Dataset(command) => dataset(command, printer),
        Command::Completions(args) => command::usage::completions(&args, printer),
        Command::Man => command::usage::man(printer),
    }
}

fn dataset(command: DatasetCommand, printer: &Printer) -> Result<ExitStatus> {
    match command {
        DatasetCommand::Pack(args) => command::dataset::pack(&args, printer),
        DatasetCommand::Info(args) => command::dataset::info(&args, printer),
        DatasetCommand::Check(args) => command::dataset::check(&args, printer),
        DatasetCommand::Random(args) => command::dataset::random(&args, printer),
    }
}

fn exit_code(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::Usage => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
