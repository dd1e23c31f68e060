//! Events of the library as lines of talk, for `--verbose`.

use std::io;

use tracing_subscriber::fmt;

use super::printer::Printer;

/// Says every event from now on: a line each, with the seconds since this call.
pub(super) fn show(printer: &Printer) {
    let printer = printer.clone();
    let shown = fmt()
        .with_writer(move || Talk(printer.clone()))
        .with_timer(fmt::time::uptime())
        .with_level(false)
        .with_target(false)
        .try_init();
    // Somebody else listens already only where the program is a part of another.
    drop(shown);
}

/// Takes whole lines.
struct Talk(Printer);

impl io::Write for Talk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.talk(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
