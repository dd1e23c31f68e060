use std::time::{Duration, Instant};

use indicatif::{FormattedDuration, HumanCount};

use super::{Change, Printer, Status, View};

/// Time between lines.
const PERIOD: Duration = Duration::from_secs(5);

/// A line every few seconds, for logs.
pub(super) struct Plain {
    printer: Printer,
    shown: Instant,
}

impl Plain {
    pub fn new(printer: Printer) -> Self {
        Self { printer, shown: Instant::now() }
    }
}

impl View for Plain {
    fn update(&mut self, status: &Status, change: Change) {
        if change != Change::Scheduled && self.shown.elapsed() >= PERIOD {
            self.shown = Instant::now();
            self.printer.say(line(status));
        }
    }
}

/// For instance `1,200 of 5,000 records (24%), 14.2/s, ETA 00:04:27, shard 3 of 12 (a.h5), ...`.
fn line(status: &Status) -> String {
    let (position, total) = (status.position(), status.total);
    let percent = u128::from(position) * 100 / u128::from(total.max(1));
    let (position, total) = (HumanCount(position), HumanCount(total));
    let eta = match status.remaining() {
        Some(left) => format!(", ETA {}", FormattedDuration(left)),
        None => String::new(),
    };
    let (rate, place) = (status.rate(), status.place());
    format!("{position} of {total} records ({percent}%), {rate:.1}/s{eta}, {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_it_all() {
        let mut status = Status::new();
        (status.total, status.known, status.done) = (5000, 200, 1000);
        status.started = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        status.shard = Some(("a.h5".to_owned(), 3, 12));
        status.committed = Some(1100);
        assert_eq!(
            line(&status),
            "1,200 of 5,000 records (24%), 10.0/s, ETA 00:06:20, \
             shard 3 of 12 (a.h5), 1,100 records committed"
        );
    }
}
