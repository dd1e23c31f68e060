//! How the program is used, for shells and `man`.

use clap::CommandFactory;
use clap_mangen::Man;

use super::super::ExitStatus;
use super::super::args::{Cli, CompletionsArgs};
use super::super::printer::Printer;
use crate::error::{Error, Result};

/// Prints completions.
pub(in crate::cli) fn completions(args: &CompletionsArgs, printer: &Printer) -> Result<ExitStatus> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "record-minmax", &mut text);
    print(&text, printer)
}

/// Prints the manual page, in the language of `man`, with a section for each command.
pub(in crate::cli) fn man(printer: &Printer) -> Result<ExitStatus> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    command.build();
    let written = Man::new(command.clone()).render(&mut text).and_then(|()| {
        for sub in command.get_subcommands().filter(|it| it.get_name() != "help") {
            let page = Man::new(sub.clone().display_name(sub.get_name().to_uppercase()));
            text.extend_from_slice(format!(".SH {}\n", sub.get_name().to_uppercase()).as_bytes());
            page.render_description_section(&mut text)?;
            page.render_synopsis_section(&mut text)?;
            page.render_options_section(&mut text)?;
        }
        Ok(())
    });
    written.map_err(|error| Error::internal(format!("the page cannot be made: {error}")))?;
    print(&text, printer)
}

fn print(text: &[u8], printer: &Printer) -> Result<ExitStatus> {
    printer.data(&String::from_utf8_lossy(text))?;
    Ok(ExitStatus::Success)
}
