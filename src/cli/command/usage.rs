//! How the program is used, for shells and `man`.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

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
    write_page(&command, &mut text)
        .map_err(|error| Error::internal(format!("the page cannot be made: {error}")))?;
    print(&text, printer)
}

fn write_page(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let page = Man::new(command.clone());
    page.render_title(text)?;
    page.render_name_section(text)?;
    page.render_synopsis_section(text)?;
    page.render_description_section(text)?;
    page.render_options_section(text)?;
    write_after_help(command, text)?;
    write_commands(command, "", text)?;
    page.render_version_section(text)
}

/// Writes a section for each command, and for those of each.
fn write_commands(command: &Command, of: &str, text: &mut Vec<u8>) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|it| it.get_name() != "help") {
        let name = format!("{of}{}", sub.get_name());
        let mut parts = Vec::new();
        let page = Man::new(sub.clone());
        page.render_description_section(&mut parts)?;
        page.render_synopsis_section(&mut parts)?;
        page.render_options_section(&mut parts)?;
        write_after_help(sub, &mut parts)?;
        // They are parts of this section.
        let parts = String::from_utf8_lossy(&parts).replace(".SH ", ".SS ");
        let mut section = Roff::new();
        section.control("SH", [name.to_uppercase().as_str()]);
        section.to_writer(text)?;
        text.extend_from_slice(parts.as_bytes());
        write_commands(sub, &format!("{name} "), text)?;
    }
    Ok(())
}

/// Writes what follows the options in the help: examples line by line, the rest as paragraphs.
fn write_after_help(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let Some(help) = command.get_after_help().map(ToString::to_string) else { return Ok(()) };
    let mut section = Roff::new();
    for (i, paragraph) in help.split("\n\n").enumerate() {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            section.control("SH", ["EXAMPLES"]).control("nf", []);
            for line in examples.lines() {
                section.text([roman(line)]);
            }
            section.control("fi", []);
        } else {
            if i == 1 {
                section.control("SH", ["NOTES"]);
            }
            section.control("PP", []).text([roman(paragraph)]);
        }
    }
    section.to_writer(text)
}

fn print(text: &[u8], printer: &Printer) -> Result<ExitStatus> {
    printer.data(&String::from_utf8_lossy(text))?;
    Ok(ExitStatus::Success)
}
