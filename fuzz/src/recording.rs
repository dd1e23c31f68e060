use std::path::Path;

use record_minmax::histogram::Histogram;
use record_minmax::observation::{Observation, RecordObservations};
use record_minmax::recording::{MemoryStorage, Reader, Writer};
use record_minmax::stats::{ElementEstimator, Estimator, MovingAverageSettings};

/// Length of the preamble and of a frame's head.
const HEAD: usize = 24;

/// Reads everything that a recording can tell, and goes on with it.
pub fn read_recording(bytes: &[u8]) {
    read_as_it_is(bytes);
    // Hardly any change gets past the checksums, and what is behind them must hold as well.
    read_as_it_is(&resealed(bytes));
}

fn read_as_it_is(bytes: &[u8]) {
    let (name, storage) = (Path::new("fuzzed"), MemoryStorage::new(bytes.to_vec()));
    let Ok(reader) = Reader::open_in(Box::new(storage.clone()), name) else { return };
    let whole = reader.check().is_ok();
    let _ = reader.skipped_records();
    let _ = reader.observation_counts();
    let blocks = reader.blocks().take(100).filter_map(Result::ok);
    for block in blocks {
        let _ = block.for_each_observed(&mut |_, _| Ok(()));
    }
    for estimator in [
        Estimator::MovingAverage(MovingAverageSettings { batch: 2, constant: 0.1 }),
        Estimator::Percentile { min: 1.0, max: 99.0 },
        Estimator::MinMax,
        Estimator::TrimmedMean { trim: 0.1 },
        Estimator::MeanStd { sigmas: 3.0 },
        Estimator::OfElements(ElementEstimator::Percentile { min: 0.01, max: 99.99 }),
        Estimator::OfElements(ElementEstimator::Kl { bits: 6 }),
        Estimator::OfElements(ElementEstimator::Mse { bits: 8 }),
    ] {
        for budget in [0, 1 << 20] {
            let ranges = reader.ranges(&estimator, budget);
            // A range may be refused for not being a number, never given from what is damaged.
            if !whole && ranges.is_ok() {
                assert_state_only_is_wrong(&reader);
            }
        }
    }
    let (header, settings) = (reader.header().clone(), reader.settings());
    drop(reader);
    let resumed = Writer::resume_in(Box::new(storage.clone()), name, &header, settings);
    let Ok(Some(mut writer)) = resumed else { return };
    let before = writer.records();
    let one = Observation { min: -1.0, max: 1.0 };
    let tensors = header.tensors.len();
    let record = RecordObservations {
        single: vec![one; tensors],
        histograms: vec![Histogram::default(); tensors],
        ..RecordObservations::default()
    };
    let pushed = writer.push(&record).is_ok();
    if writer.commit().is_err() {
        return;
    }
    drop(writer);
    let reader = Reader::open_in(Box::new(storage), name).expect("what was committed is read");
    assert_eq!(reader.records(), before + u64::from(pushed));
}

/// The check also computes the last commit's state again, which ranges from blocks do not need.
fn assert_state_only_is_wrong(reader: &Reader) {
    assert!(reader.blocks().all(|block| block.is_ok()));
}

/// The same frames with the checksums that they should have, as far as there are frames.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some(preamble) = bytes.get_mut(..HEAD) else { return bytes };
    let version = if preamble[8] == 2 { 2 } else { 1 };
    preamble[..12].copy_from_slice(b"\x89RMM\r\n\x1a\n\x01\0\0\0");
    preamble[8] = version;
    let salt = <[u8; 8]>::try_from(&preamble[12..20]).expect("8 bytes");
    let checksum = crc32fast::hash(&preamble[..20]);
    preamble[20..].copy_from_slice(&checksum.to_le_bytes());
    let mut offset = HEAD;
    while let Some(rest) = bytes.get_mut(offset..).filter(|rest| rest.len() >= HEAD) {
        let number =
            |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let left = rest.len() - HEAD;
        let encoded = (number(4) as usize).min(left);
        let body = (number(8) as usize).min(left - encoded);
        rest[4..8].copy_from_slice(&(encoded as u32).to_le_bytes());
        rest[8..16].copy_from_slice(&(body as u64).to_le_bytes());
        if rest.starts_with(b"CMIT") && body == 16 {
            let trailer = &mut rest[HEAD + encoded..][..16];
            trailer[..8].copy_from_slice(&(offset as u64).to_le_bytes());
            trailer[8..].copy_from_slice(b"\x89commit\n");
        }
        if rest.starts_with(b"BLCK") {
            let (fields, body) = rest[HEAD..][..encoded + body].split_at_mut(encoded);
            reseal_columns(fields, body);
        }
        if rest.starts_with(b"HIST") {
            let (fields, body) = rest[HEAD..][..encoded + body].split_at_mut(encoded);
            reseal_histograms(fields, body);
        }
        let checksum = crc32fast::hash(&rest[HEAD..][..encoded]);
        rest[16..20].copy_from_slice(&checksum.to_le_bytes());
        let head = [&salt[..], &(offset as u64).to_le_bytes(), &rest[..20]].concat();
        rest[20..24].copy_from_slice(&crc32fast::hash(&head).to_le_bytes());
        offset += HEAD + encoded + body;
    }
    bytes
}

/// Gives the columns of a block the checksums of their bytes; stops where the fields make no sense.
fn reseal_columns(fields: &mut [u8], body: &[u8]) -> Option<()> {
    fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
        bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }
    let length = |at: usize| number(fields, at).map(u64::from_le_bytes).map(|it| it as usize);
    let observed = u32::from_le_bytes(number(fields, 12)?) as usize;
    let mut at = 24_usize;
    for _ in 0..length(16)? {
        at = at.checked_add(16)?.checked_add(length(at.checked_add(8)?)?)?;
    }
    let columns = length(at)?;
    at = at.checked_add(8)?;
    let mut start = 0_usize;
    for _ in 0..columns {
        let observations = u32::from_le_bytes(number(fields, at)?) as usize;
        let counts = if *fields.get(at.checked_add(4)?)? == 1 { observed } else { 0 };
        let column = body.get(start..start.checked_add(counts * 4 + observations * 8)?)?;
        let checksum = crc32fast::hash(column);
        fields.get_mut(at + 5..at + 9)?.copy_from_slice(&checksum.to_le_bytes());
        start += column.len();
        at += 9;
    }
    Some(())
}

/// Gives the counts of histograms the checksums of their bytes; stops where the fields make no sense.
fn reseal_histograms(fields: &mut [u8], body: &[u8]) -> Option<()> {
    /// Of the fields before the list of tensors, and of an entry.
    const BEFORE: usize = 28 + 8;
    const ENTRY: usize = 36;
    let mut start = 0_usize;
    for entry in fields.get_mut(BEFORE..)?.chunks_exact_mut(ENTRY) {
        let len = u32::from_le_bytes(entry[28..32].try_into().ok()?) as usize;
        let counts = body.get(start..start.checked_add(len)?)?;
        entry[32..].copy_from_slice(&crc32fast::hash(counts).to_le_bytes());
        start += len;
    }
    Some(())
}
