use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};

use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Cancel;

use super::ExitStatus;
use super::printer::Printer;

/// Signals that ask to stop.
const STOPPING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Turns the first stop signal into a request to cancel, and lets the second end the process at
/// once.
pub(super) struct SignalWatch {
    cancel: Arc<Cancel>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatch {
    /// Watches until it is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn start(printer: &Printer) -> Result<Self> {
        let failed = |source: std::io::Error| {
            Error::new(ErrorKind::Io, "cannot watch for signals").with_source(source)
        };
        let once = Arc::new(AtomicBool::new(false));
        for signal in STOPPING {
            // In this order: the first signal finds the flag down and raises it, the second finds it
            // raised. Both happen in the handler itself, so that it works whatever hangs.
            flag::register_conditional_shutdown(signal, 128 + signal, once.clone())
                .map_err(failed)?;
            flag::register(signal, once.clone()).map_err(failed)?;
        }
        let mut signals = Signals::new(STOPPING).map_err(failed)?;
        let handle = signals.handle();
        let cancel = Arc::new(Cancel::new());
        let (printer, request) = (printer.clone(), cancel.clone());
        let wait = move || {
            for signal in signals.forever() {
                request.request(signal);
                let name = signal_name(signal);
                printer.say(format_args!("{name}: finishing what is begun (again: stop at once)"));
            }
        };
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(wait);
        Ok(Self { cancel, handle, thread: Some(thread.map_err(failed)?) })
    }

    /// If a signal came: says that it stopped the work, and what became of it (`; nothing is written`, for
    /// instance, or nothing), and how the program ends.
    pub fn stopped(&self, outcome: &str, printer: &Printer) -> Option<ExitStatus> {
        let signal = self.cancel.signal()?;
        printer.stopped(format_args!("stopped by {}{outcome}", signal_name(signal)));
        Some(ExitStatus::Interrupted(signal))
    }

    /// What the signals are turned into.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It only panics if standard error does.
            let _ = thread.join();
        }
    }
}

/// For instance `SIGINT`.
fn signal_name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("a signal")
}
