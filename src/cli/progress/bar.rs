use std::time::{Duration, Instant};

use indicatif::{FormattedDuration, HumanCount, ProgressBar, ProgressStyle};

use super::{Change, Printer, Status, View};

/// Time between changes of the texts; the eye cannot follow more.
const PERIOD: Duration = Duration::from_millis(100);

/// Time between redraws when nothing comes, so that the clock goes on.
const TICK: Duration = Duration::from_millis(500);

/// Two lines at the bottom of a terminal. Both shrink with it: the first is cut, in the second the
/// bar gives way.
pub(super) struct Bar {
    bar: ProgressBar,
    shown: Instant,
}

impl Bar {
    pub fn new(printer: &Printer) -> Self {
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{wide_msg}\n{wide_bar} {prefix}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        Self { bar: printer.add_bar(bar), shown: Instant::now() }
    }
}

impl View for Bar {
    fn update(&mut self, status: &Status, change: Change) {
        if change == Change::Scheduled {
            self.bar.set_length(status.total);
            self.bar.enable_steady_tick(TICK);
        } else if change == Change::Record && self.shown.elapsed() < PERIOD {
            return;
        }
        self.shown = Instant::now();
        self.bar.set_position(status.position());
        self.bar.set_message(status.place());
        self.bar.set_prefix(numbers(status));
    }

    fn finish(&mut self, _status: &Status) {
        self.bar.finish_and_clear();
    }
}

/// For instance `1,200/5,000 14.2/s ETA 00:04:27`.
fn numbers(status: &Status) -> String {
    let (position, total) = (HumanCount(status.position()), HumanCount(status.total));
    match status.remaining() {
        Some(left) => {
            format!("{position}/{total} {:.1}/s ETA {}", status.rate(), FormattedDuration(left))
        }
        None => format!("{position}/{total}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let mut status = Status::new();
        status.total = 5000;
        assert_eq!(numbers(&status), "0/5,000");
        status.done = 1200;
        status.started = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        assert_eq!(numbers(&status), "1,200/5,000 12.0/s ETA 00:05:16");
    }
}
