use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use super::terminal;
use crate::error::{Error, Result};

/// Everything that is said goes through here: data to standard output, talk to standard error, and
/// around progress bars so that they are not torn.
#[derive(Clone)]
pub(super) struct Printer {
    bars: MultiProgress,
    color: bool,
    quiet: bool,
}

impl Printer {
    /// A `quiet` one says only errors, and what was asked for.
    pub fn new(quiet: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        let color = !plain && is_capable_terminal();
        let target = if is_capable_terminal() {
            terminal::draw_target()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self { bars: MultiProgress::with_draw_target(target), color, quiet }
    }

    /// Whether only errors are said.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// One line of talk.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            self.answer(line);
        }
    }

    /// Lines that were asked for.
    pub fn answer(&self, lines: impl Display) {
        self.talk(&format!("{lines}\n"));
    }

    /// Something that the user should look at, though the work goes on.
    pub fn warn(&self, line: impl Display) {
        self.say(format_args!("{} {line}", self.paint("1;33", "warning:")));
    }

    /// Why the program ends before its work is done, though nothing is wrong.
    pub fn stopped(&self, line: impl Display) {
        self.answer(format_args!("{} {line}", self.paint("1;33", "warning:")));
    }

    /// What can be done about an error or a stop.
    pub fn hint(&self, line: impl Display) {
        self.answer(format_args!("{} {line}", self.paint("1;36", "hint:")));
    }

    /// An error and its hint.
    pub fn error(&self, error: &Error) {
        self.answer(format_args!("{} {error}", self.paint("1;31", "error:")));
        if let Some(hint) = error.hint() {
            self.hint(hint);
        }
    }

    /// Data, complete with line ends. A reader that has seen enough and closed the pipe is fine.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if standard output cannot be written for another reason.
    pub fn data(&self, text: &str) -> Result<()> {
        let written = self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::new(crate::error::ErrorKind::Io, "cannot write to standard output")
                    .with_source(error))
            }
            _ => Ok(()),
        }
    }

    /// Shows a bar below the talk.
    pub fn add_bar(&self, bar: ProgressBar) -> ProgressBar {
        self.bars.add(bar)
    }

    /// Talk, complete with line ends.
    pub fn talk(&self, text: &str) {
        // When nobody can hear, there is nothing to be done about it.
        let _ = self.bars.suspend(|| io::stderr().lock().write_all(text.as_bytes()));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Whether standard error is a terminal that can move its cursor.
pub(super) fn is_capable_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
