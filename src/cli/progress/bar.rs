use std::time::{Duration, Instant};

use indicatif::{FormattedDuration, HumanCount, ProgressBar, ProgressStyle};

use super::super::terminal;
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
        self.bar.set_prefix(numbers(status, terminal::width().into()));
    }

    fn finish(&mut self, _status: &Status) {
        self.bar.finish_and_clear();
    }
}

/// For instance `1,200/5,000 14.2/s ETA 00:04:27`, and less of it on a line of few columns.
fn numbers(status: &Status, columns: usize) -> String {
    let (position, total) = (HumanCount(status.position()), HumanCount(status.total));
    let mut texts = vec![format!("{position}"), format!("{position}/{total}")];
    if let Some(left) = status.remaining() {
        let left = FormattedDuration(left);
        texts.push(format!("{position}/{total} ETA {left}"));
        texts.push(format!("{position}/{total} {:.1}/s ETA {left}", status.rate()));
    }
    // The bar has at least the space before the text.
    texts.into_iter().rfind(|text| text.len() < columns).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let mut status = Status::new();
        status.total = 5000;
        assert_eq!(numbers(&status, 80), "0/5,000");
        status.done = 1200;
        status.started = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        for (columns, expected) in [
            (80, "1,200/5,000 12.0/s ETA 00:05:16"),
            (32, "1,200/5,000 12.0/s ETA 00:05:16"),
            (31, "1,200/5,000 ETA 00:05:16"),
            (20, "1,200/5,000"),
            (8, "1,200"),
            (3, ""),
        ] {
            assert_eq!(numbers(&status, columns), expected);
        }
    }
}
