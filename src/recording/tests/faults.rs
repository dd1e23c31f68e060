//! Cut and damaged files, and storage that fails.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::super::{Header, MemoryStorage, Storage, Writer};
use super::support::*;
use crate::error::ErrorKind;
use crate::stats::Estimator;
use std::path::Path;

/// A small recording, and its length after each commit.
fn sample() -> (Vec<u8>, Vec<u64>) {
    sample_with(header())
}

fn sample_with(header: Header) -> (Vec<u8>, Vec<u64>) {
    let storage = MemoryStorage::default();
    let mut writer = create_with(&storage, header);
    let mut commits = vec![writer.byte_len()];
    for op in sample_ops() {
        apply(&mut writer, std::slice::from_ref(&op)).unwrap();
        if matches!(op, Op::Commit) {
            commits.push(writer.byte_len());
        }
    }
    commits.push(writer.commit().unwrap().byte_len);
    (storage.live(), commits)
}

#[test]
fn a_file_cut_anywhere_opens_at_the_commit_before() {
    headers().into_iter().for_each(cut_anywhere);
}

fn cut_anywhere(header: Header) {
    let (bytes, commits) = sample_with(header);
    let whole =
        |len: u64| everything(&open(&MemoryStorage::new(bytes[..len as usize].to_vec())).unwrap());
    let expected: Vec<String> = commits.iter().map(|&len| whole(len)).collect();
    for len in 0..=bytes.len() as u64 {
        let storage = MemoryStorage::new(bytes[..len as usize].to_vec());
        let Some(last) = commits.iter().rposition(|&commit| commit <= len) else {
            assert_eq!(open(&storage).err().unwrap().kind(), ErrorKind::Recording);
            assert!(resume(&storage).unwrap().is_none(), "{len}");
            continue;
        };
        let reader = open(&storage).unwrap();
        assert_eq!(reader.byte_len(), commits[last], "{len}");
        if len < commits[last] + 3 || len % 16 == 0 {
            assert_eq!(everything(&reader), expected[last], "{len}");
        }
        let writer = resume(&storage).unwrap().unwrap();
        assert_eq!(writer.recovered(), len - commits[last]);
        assert_eq!(storage.durable().len() as u64, commits[last]);
    }
}

/// A changed byte is reported, or does not matter, or it was in the last commit and looks like an
/// interrupted one.
#[test]
fn a_changed_byte_never_changes_data() {
    headers().into_iter().for_each(change_anywhere);
}

fn change_anywhere(header: Header) {
    let has_counts = header.histograms.is_some();
    let (bytes, commits) = sample_with(header);
    let contents = |len: u64| {
        let storage = MemoryStorage::new(bytes[..len as usize].to_vec());
        let mut text = String::new();
        if let Ok(reader) = open(&storage) {
            text = everything(&reader);
        }
        text
    };
    let now = contents(commits[commits.len() - 1]);
    let before = contents(commits[commits.len() - 2]);
    let mut fallbacks = 0;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let storage = MemoryStorage::new(bytes);
            let Ok(reader) = open(&storage) else { continue };
            let checked = reader.check();
            let in_columns = reader.ranges(&ESTIMATORS[3], 1000);
            let blocks: Result<Vec<_>, _> = reader.blocks().collect();
            if checked.is_err() {
                let of_elements = Estimator::OfElements(ELEMENT_ESTIMATORS[0]);
                let in_counts = has_counts && reader.ranges(&of_elements, 1000).is_err();
                assert!(in_counts || (in_columns.is_err() && blocks.is_err()), "{at}");
                continue;
            }
            let text = everything(&reader);
            if text != now {
                assert_eq!(text, before, "{at}");
                fallbacks += 1;
            }
        }
    }
    // Only those in the last commit, which has no successor that proves it was complete.
    let commit_len = 24 + 16 + 400;
    assert!(fallbacks > 0 && fallbacks < 3 * commit_len, "{fallbacks}");
}

#[test]
fn damage_is_reported_with_its_place() {
    let (bytes, commits) = sample();
    let at = commits[1] as usize - 600;
    let mut bytes = bytes;
    bytes[at] ^= 1;
    let reader = open(&MemoryStorage::new(bytes)).unwrap();
    let error = reader.check().unwrap_err();
    assert!(error.to_string().starts_with("memory.rmm: damaged at byte "), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_lost_first_commit_with_data_behind_it_is_damage() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    let first = writer.byte_len() as usize;
    apply(&mut writer, &[Op::Begin(1, 9), Op::Push(2), Op::Commit]).unwrap();
    let mut bytes = storage.live();
    let end = bytes.len();
    bytes[first - 1] ^= 1;
    bytes[end - 1] ^= 1;
    let storage = MemoryStorage::new(bytes);
    assert_eq!(resume(&storage).err().unwrap().kind(), ErrorKind::Recording);
    assert_eq!(storage.live().len(), end);
}

/// What a crash brings back from another recording is not taken for a part of this one.
#[test]
fn frames_of_another_recording_do_not_count() {
    let (first, commits) = sample();
    let (second, _) = sample();
    let (len, cut) = (first.len(), commits[2] as usize);
    let mixed = [&first[..cut], &second[cut..len]].concat();
    let reader = open(&MemoryStorage::new(mixed)).unwrap();
    assert_eq!(reader.byte_len(), commits[2]);
}

#[test]
fn a_long_tail_is_searched_through() {
    let (mut bytes, commits) = sample();
    let len = bytes.len() as u64;
    bytes.extend((0..300_000_u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8));
    // Ends of commits that are not there.
    for at in [0_u64, len, u64::MAX, commits[0]] {
        bytes.extend(super::super::frame::trailer(at));
    }
    let storage = MemoryStorage::new(bytes);
    assert_eq!(open(&storage).unwrap().byte_len(), len);
    assert_eq!(resume(&storage).unwrap().unwrap().byte_len(), len);
    assert_eq!(storage.durable().len() as u64, len);
}

/// Durable and live bytes after each operation.
type History = Arc<Mutex<Vec<(Vec<u8>, Vec<u8>)>>>;

/// Storage that remembers what it held after every operation.
struct Watched {
    inner: MemoryStorage,
    history: History,
}

impl Watched {
    fn remember(&self) {
        self.history.lock().unwrap().push((self.inner.durable(), self.inner.live()));
    }
}

impl Storage for Watched {
    fn byte_len(&self) -> io::Result<u64> {
        self.inner.byte_len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_at(bytes, offset)?;
        self.remember();
        Ok(())
    }

    fn truncate(&mut self, byte_len: u64) -> io::Result<()> {
        self.inner.truncate(byte_len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()?;
        self.remember();
        Ok(())
    }
}

/// A crash keeps what was synced, and any sectors of the rest.
#[test]
fn any_sectors_may_survive_a_crash() {
    headers().into_iter().for_each(lose_sectors);
}

fn lose_sectors(header: Header) {
    const SECTOR: usize = 128;
    let (bytes, commits) = sample_with(header.clone());
    let history = History::default();
    let storage = Watched { inner: MemoryStorage::default(), history: history.clone() };
    let path = Path::new(NAME);
    let mut writer = Writer::create_in(Box::new(storage), path, header, SETTINGS).unwrap();
    apply(&mut writer, &sample_ops()).unwrap();
    writer.commit().unwrap();
    let expected: Vec<String> = (commits.iter())
        .map(|&len| everything(&open(&MemoryStorage::new(bytes[..len as usize].to_vec())).unwrap()))
        .collect();
    let mut images = 0;
    for (durable, live) in history.lock().unwrap().iter() {
        let acknowledged = commits.iter().rposition(|&len| len <= durable.len() as u64);
        for pattern in 0..32_u32 {
            let mut image = live.clone();
            for (number, sector) in image[durable.len()..].chunks_mut(SECTOR).enumerate() {
                if pattern.wrapping_mul(0x9e37_79b9).rotate_left(number as u32) & 1 == 1 {
                    sector.fill(0);
                }
            }
            let image = MemoryStorage::new(image);
            let Some(acknowledged) = acknowledged else {
                // Not published yet: any answer but a panic.
                let _ = resume(&image);
                continue;
            };
            let found = everything(&open(&image).unwrap());
            let found = expected.iter().position(|it| *it == found);
            assert!(found.is_some_and(|found| found >= acknowledged), "{}", durable.len());
            assert!(resume(&image).unwrap().is_some());
            images += 1;
        }
    }
    assert!(images > 500, "{images}");
}

/// Storage that fails from some operation on, possibly after writing a part.
struct Failing {
    inner: MemoryStorage,
    left: Arc<AtomicU64>,
    /// Bytes that the failing write still writes.
    partial: usize,
    /// Whether cutting works after the failure.
    cuts: bool,
}

impl Failing {
    fn fails(&self) -> bool {
        let taken =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        taken.is_err()
    }
}

impl Storage for Failing {
    fn byte_len(&self) -> io::Result<u64> {
        self.inner.byte_len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.fails() {
            let part = self.partial.min(bytes.len());
            self.inner.write_at(&bytes[..part], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.write_at(bytes, offset)
    }

    fn truncate(&mut self, byte_len: u64) -> io::Result<()> {
        if self.cuts { self.inner.truncate(byte_len) } else { Err(io::ErrorKind::Other.into()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.fails() { Err(io::ErrorKind::Other.into()) } else { self.inner.sync() }
    }
}

#[test]
fn storage_that_fails_during_creation() {
    for operations in 0..5 {
        let left = Arc::new(AtomicU64::new(operations));
        let inner = MemoryStorage::default();
        let failing = Failing { inner: inner.clone(), left, partial: 10, cuts: false };
        let path = Path::new(NAME);
        let created = Writer::create_in(Box::new(failing), path, header(), SETTINGS);
        assert_eq!(created.err().expect("it fails").kind(), ErrorKind::Io, "{operations}");
        // Such a file never gets a name; and if it did, it would be begun again.
        let begun = resume(&inner).unwrap();
        assert!(begun.is_none_or(|it| it.records() == 0), "{operations}");
    }
}

#[test]
fn storage_that_cannot_be_read_or_cut() {
    let (mut bytes, _) = sample();
    bytes.extend([1; 9]);
    let failing = |operations| Failing {
        inner: MemoryStorage::new(bytes.clone()),
        left: Arc::new(AtomicU64::new(operations)),
        partial: 0,
        cuts: operations > 0,
    };
    for operations in [0, 1] {
        let storage = failing(operations);
        let inner = storage.inner.clone();
        let path = Path::new(NAME);
        let result = Writer::resume_in(Box::new(storage), path, &header(), SETTINGS);
        match operations {
            // Cutting fails, and so nothing is written behind what could not be cut.
            0 => assert_eq!(result.err().expect("it fails").kind(), ErrorKind::Io),
            _ => assert_eq!(result.unwrap().unwrap().recovered(), 9),
        }
        assert_eq!(open(&inner).unwrap().records(), 17);
    }
}

#[test]
fn failing_storage_stops_the_writer_and_keeps_commits() {
    for header in headers() {
        fail_anywhere(&header);
    }
}

fn fail_anywhere(header: &Header) {
    let (whole, _) = sample_with(header.clone());
    let expected = everything(&open(&MemoryStorage::new(whole)).unwrap());
    let mut failures = 0;
    for (partial, cuts) in [(0, true), (1, false), (30, true), (100, false), (1000, false)] {
        for operations in 3.. {
            let storage = MemoryStorage::default();
            let left = Arc::new(AtomicU64::new(operations));
            let inner = storage.clone();
            let failing = Failing { inner, left: left.clone(), partial, cuts };
            let path = Path::new(NAME);
            let created = Writer::create_in(Box::new(failing), path, header.clone(), SETTINGS);
            let Ok(mut writer) = created else { continue };
            let mut acknowledged = 0;
            let mut result = Ok(());
            for op in sample_ops().into_iter().chain([Op::Commit]) {
                result = apply(&mut writer, &[op]);
                if result.is_err() {
                    break;
                }
                acknowledged = open(&MemoryStorage::new(storage.durable())).unwrap().records();
            }
            let Err(error) = result else { break };
            failures += 1;
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.hint().unwrap().contains("--resume"));
            // The disk has room again, and still nothing is written.
            left.store(1000, Ordering::Relaxed);
            let len = storage.live().len();
            assert!(writer.commit().is_err());
            assert!(writer.begin_shard(&shard(77, 4), 0).is_err());
            assert_eq!(storage.live().len(), len);
            drop(writer);
            for bytes in [storage.live(), storage.durable()] {
                let mut resumed = resume(&MemoryStorage::new(bytes)).unwrap().unwrap();
                assert!(resumed.records() >= acknowledged);
                finish(&mut resumed);
                // Blocks differ by where they were interrupted, ranges do not.
                let ranges = format!("{:?}", writer_ranges(&mut resumed));
                assert!(expected.ends_with(&ranges));
            }
        }
    }
    assert!(failures > 50, "{failures}");
}

/// Does what is missing of [`sample_ops`].
fn finish(writer: &mut Writer) {
    let done =
        |writer: &Writer, shard: usize| writer.shards().get(shard).map_or(0, |it| it.records.end);
    let step = |writer: &mut Writer, position: usize, seed, records, until, skipped: &[u64]| {
        if done(writer, position) >= until {
            return;
        }
        if writer.shards().len() == position {
            writer.begin_shard(&shard(seed, records), 0).unwrap();
        }
        writer.continue_shard(position, &shard(seed, records)).unwrap();
        while done(writer, position) < until {
            let next = done(writer, position);
            if skipped.contains(&next) {
                writer.skip("left out").unwrap();
            } else {
                push(writer, seed, next).unwrap();
            }
        }
    };
    step(writer, 0, 1, 9, 7, &[4]);
    step(writer, 1, 2, 4, 4, &[3]);
    step(writer, 0, 1, 12, 10, &[4]);
    step(writer, 2, 3, 8, 5, &[]);
    writer.commit().unwrap();
}
