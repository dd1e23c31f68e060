//! How a run is shown while it goes on: as a bar, as lines, as JSON, or not at all.

mod bar;
mod json;
mod plain;

use std::fmt::Display;
use std::time::{Duration, Instant};

use indicatif::HumanCount;

use crate::pipeline::{Event, Note, Schedule};

use super::args::Progress as Style;
use super::printer::{Printer, is_capable_terminal};

/// Unusable records that are warned about one by one; the rest is only counted.
const WARNED_RECORDS: u64 = 20;

/// A way to show progress.
trait View {
    /// Something changed.
    fn update(&mut self, status: &Status, change: Change);
    /// Nothing will change any more.
    fn finish(&mut self, _status: &Status) {}
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It is known what there is to do.
    Scheduled,
    /// Another shard is being recorded.
    Shard,
    /// One more record is done.
    Record,
    /// What was done is durable.
    Commit,
}

/// How far a run is.
#[derive(Debug)]
struct Status {
    /// When it began.
    started: Instant,
    /// Records of the dataset.
    total: u64,
    /// Records that were done before.
    known: u64,
    /// Records done in this run, unusable ones included.
    done: u64,
    /// Unusable records in this run.
    skipped: u64,
    /// Name, position from 1 and number of shards.
    shard: Option<(String, usize, usize)>,
    /// Records of the dataset that are durable; `None` if nothing is recorded.
    committed: Option<u64>,
    /// Size of the recording at the last commit, in bytes.
    byte_len: u64,
}

impl Status {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            total: 0,
            known: 0,
            done: 0,
            skipped: 0,
            shard: None,
            committed: None,
            byte_len: 0,
        }
    }

    /// Records done, earlier runs included.
    fn position(&self) -> u64 {
        self.known + self.done
    }

    /// Records per second in this run.
    fn rate(&self) -> f64 {
        self.done as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    /// How much longer it takes at this rate.
    fn remaining(&self) -> Option<Duration> {
        let left = self.total.saturating_sub(self.position());
        Duration::try_from_secs_f64(left as f64 / self.rate()).ok()
    }

    /// For instance `shard 3 of 12 (data-3.h5), 5,120 records committed`.
    fn place(&self) -> String {
        let shard = self.shard.as_ref();
        let shard = shard.map(|(name, number, of)| format!("shard {number} of {of} ({name})"));
        let committed = self.committed.map(|it| format!("{} records committed", HumanCount(it)));
        shard.into_iter().chain(committed).collect::<Vec<_>>().join(", ")
    }
}

/// Shows a run's events.
pub(super) struct Progress {
    view: Option<Box<dyn View>>,
    status: Status,
    printer: Printer,
    /// The first records that were left out.
    left_out: Vec<String>,
}

impl Progress {
    /// `style` as asked for; a bar needs a terminal and is a line now and then elsewhere.
    pub fn new(style: Style, printer: &Printer) -> Self {
        let view: Option<Box<dyn View>> = match style {
            // The objects are what was asked for; the others only tell that it goes on.
            Style::Auto | Style::Bar | Style::Plain if printer.is_quiet() => None,
            Style::Auto | Style::Bar if is_capable_terminal() => {
                Some(Box::new(bar::Bar::new(printer)))
            }
            Style::Auto | Style::Bar | Style::Plain => {
                Some(Box::new(plain::Plain::new(printer.clone())))
            }
            Style::Json => Some(Box::new(json::Json::new(printer.clone()))),
            Style::None => None,
        };
        Self { view, status: Status::new(), printer: printer.clone(), left_out: Vec::new() }
    }

    /// Shows something that goes through `total` records and records nothing.
    pub fn of_dataset(style: Style, total: u64, printer: &Printer) -> Self {
        let mut progress = Self::new(style, printer);
        progress.set_total(total);
        progress
    }

    /// Says how many records there are, once that is known.
    pub fn set_total(&mut self, total: u64) {
        self.status.started = Instant::now();
        self.status.total = total;
        self.update(Change::Scheduled);
    }

    /// Shows one event of a run.
    pub fn show(&mut self, event: &Event<'_>) {
        let change = match event {
            Event::Scheduled(schedule) => {
                for note in &schedule.notes {
                    self.note(note);
                }
                if schedule.wanted != (0..schedule.total) {
                    self.printer.say(part(schedule));
                }
                self.status.started = Instant::now();
                self.status.known = schedule.known;
                self.status.committed = Some(schedule.known);
                self.status.total = schedule.known + schedule.records();
                if schedule.records() == 0 {
                    return;
                }
                Change::Scheduled
            }
            Event::ShardStarted { shard, index, of } => {
                return self.shard(&shard.name, *index, *of);
            }
            Event::Recorded => return self.recorded(),
            Event::Skipped { shard, record, reason } => {
                return self.skipped(&shard.name, *record, reason);
            }
            Event::Committed(commit) => {
                self.status.committed = Some(self.status.position());
                self.status.byte_len = commit.byte_len;
                Change::Commit
            }
        };
        self.update(change);
    }

    /// A shard begins.
    pub fn shard(&mut self, name: &str, index: usize, of: usize) {
        self.status.shard = Some((name.to_owned(), index + 1, of));
        self.update(Change::Shard);
    }

    /// A record is done.
    pub fn recorded(&mut self) {
        self.status.done += 1;
        self.update(Change::Record);
    }

    /// A record is left out.
    pub fn skipped(&mut self, shard: &str, record: u64, reason: &dyn Display) {
        self.status.done += 1;
        self.status.skipped += 1;
        if self.status.skipped <= WARNED_RECORDS {
            self.printer.warn(format_args!("left out: {reason}"));
            self.left_out.push(format!("{shard}, record {record}"));
        }
        if self.status.skipped == WARNED_RECORDS {
            self.printer.warn("more unusable records are left out without a word");
        }
        self.update(Change::Record);
    }

    fn update(&mut self, change: Change) {
        if let Some(view) = &mut self.view {
            view.update(&self.status, change);
        }
    }

    /// Ends the display, and tells how long the run took and which records were left out first.
    pub fn finish(mut self) -> (Duration, Vec<String>) {
        if let Some(view) = &mut self.view {
            view.finish(&self.status);
        }
        (self.status.started.elapsed(), self.left_out)
    }

    fn note(&self, note: &Note) {
        let printer = &self.printer;
        match note {
            // There may be thousands of these.
            Note::Known { name } => {
                tracing::info!("{name}: already recorded");
            }
            Note::Continued { name, done, records } => printer.say(format_args!(
                "{name}: continuing after {} of {} records",
                HumanCount(*done),
                HumanCount(*records)
            )),
            Note::Grown { name, before, records } => printer.say(format_args!(
                "{name}: has grown from {} to {} records; recording the new ones",
                HumanCount(*before),
                HumanCount(*records)
            )),
            Note::Absent { name, done, records } => printer.warn(format_args!(
                "{name} is not in the dataset: the {} of its {} records that are recorded count, the \
                 others are missing",
                HumanCount(*done),
                HumanCount(*records)
            )),
            Note::Repeated { name, first } => printer
                .warn(format_args!("{name} has the same records as {first} and is counted once")),
        }
    }
}

/// For instance `part of the dataset: records 100 to 199 of 1,000`.
fn part(schedule: &Schedule) -> String {
    let (wanted, total) = (&schedule.wanted, HumanCount(schedule.total));
    match wanted.end.checked_sub(1) {
        Some(last) if last >= wanted.start => {
            let (first, last) = (HumanCount(wanted.start), HumanCount(last));
            format!("part of the dataset: records {first} to {last} of {total}, counted from 0")
        }
        _ => format!("this part of the dataset is empty: it has only {total} records"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_speaks_of_the_whole_dataset() {
        let mut status = Status::new();
        (status.total, status.known, status.done) = (1000, 400, 100);
        status.started = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        assert_eq!(status.position(), 500);
        assert!((status.rate() - 10.0).abs() < 0.1);
        assert_eq!(status.remaining().unwrap().as_secs_f64().round(), 50.0);
        status.shard = Some(("a.h5".to_owned(), 3, 12));
        status.committed = Some(5120);
        assert_eq!(status.place(), "shard 3 of 12 (a.h5), 5,120 records committed");
    }

    #[test]
    fn nothing_done_means_no_estimate() {
        let mut status = Status::new();
        status.total = 10;
        assert_eq!(status.remaining(), None);
    }
}
