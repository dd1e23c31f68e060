//! Work by several threads whose results are taken in order.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::dataset::Record;
use crate::error::{Error, Result};

/// Records that each thread has, done or not: while one is taken, the next is made.
const PER_THREAD: usize = 3;

/// Makes a record of a number.
type Make<'a> = dyn Fn(u64, &mut Record) -> Result<()> + Sync + 'a;

/// Takes a record, or why there is none; whether more are wanted.
type Show<'a> = dyn FnMut(u64, Result<&Record>) -> Result<bool> + 'a;

/// Makes the records 0 to `count - 1` and shows them in order.
///
/// Thread `t` of `n` makes the records `t`, `t + n`, `t + 2n`, ... and hands them on through a channel of its own,
/// so that taking from the channels in turn gives the order, and memory is bounded without any bookkeeping.
///
/// # Errors
/// The first of `show` or `empty`.
pub(super) fn for_each(
    count: u64,
    threads: usize,
    empty: &dyn Fn() -> Result<Record>,
    make: &Make<'_>,
    show: &mut Show<'_>,
) -> Result<()> {
    let threads = (threads as u64).clamp(1, count.max(1));
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for first in 0..threads {
            let (free_sender, free) = bounded(PER_THREAD);
            let (done_sender, done) = bounded(PER_THREAD);
            for _ in 0..PER_THREAD {
                // There is room for all of them.
                let _ = free_sender.send(empty()?);
            }
            scope.spawn(move || {
                let numbers = (first..count).step_by(threads as usize);
                work(numbers, &free, &done_sender, make);
            });
            workers.push((free_sender, done));
        }
        for (number, worker) in (0..count).zip((0..threads as usize).cycle()) {
            let taken =
                workers.get(worker).and_then(|(free, done)| Some((free, done.recv().ok()?)));
            let Some((free, (record, outcome))) = taken else {
                return Err(Error::internal(format!("record {number} was not made")));
            };
            if !show(number, outcome.map(|()| &record))? {
                break;
            }
            // The thread may have no more to do.
            let _ = free.send(record);
        }
        // Channels are closed, and so threads end.
        Ok(())
    })
}

fn work(
    numbers: impl Iterator<Item = u64>,
    free: &Receiver<Record>,
    done: &Sender<(Record, Result<()>)>,
    make: &Make<'_>,
) {
    for number in numbers {
        // Fails when nobody wants more.
        let Ok(mut record) = free.recv() else { return };
        let outcome = make(number, &mut record);
        if done.send((record, outcome)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn numbers(count: u64, threads: usize, until: u64) -> Vec<Result<u64, String>> {
        let make = |number: u64, record: &mut Record| {
            // Later ones are ready first.
            thread::sleep(Duration::from_micros(100 * (number % 7)));
            record.shapes = vec![vec![number as usize]];
            if number % 5 == 3 { Err(Error::record(number.to_string())) } else { Ok(()) }
        };
        let mut shown = Vec::new();
        for_each(count, threads, &|| Ok(Record::default()), &make, &mut |number, record| {
            let record = record.map(|it| it.shapes[0][0] as u64).map_err(|e| e.to_string());
            assert_eq!(record.clone().unwrap_or_else(|e| e.parse().unwrap()), number);
            shown.push(record);
            Ok(number < until)
        })
        .unwrap();
        shown
    }

    #[test]
    fn results_come_in_order_however_many_threads_there_are() {
        let one = numbers(50, 1, 100);
        assert_eq!(one.len(), 50);
        for threads in [2, 3, 8, 70] {
            assert_eq!(numbers(50, threads, 100), one, "{threads}");
        }
        assert!(numbers(0, 4, 100).is_empty());
    }

    #[test]
    fn stopping_stops_the_threads() {
        assert_eq!(numbers(1_000_000_000, 4, 10).len(), 11);
        let failed = for_each(100, 3, &|| Ok(Record::default()), &|_, _| Ok(()), &mut |_, _| {
            Err(Error::internal("enough"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "enough");
    }
}
