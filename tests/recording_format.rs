//! A recording written from docs/recording.md alone, by nothing of the program's own: what the page says is
//! what the program reads, checks, estimates from, and goes on with.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use record_minmax::histogram::{BinLimit, Histogram};
use record_minmax::observation::{Observation, RecordObservations};
use record_minmax::recording::{Reader, Writer};
use record_minmax::stats::{ElementEstimator, Estimator, MovingAverageSettings};

/// The page's "CRC-32 of zip and PNG", a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

/// Fields of an encoded part, in order and without padding.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn byte(self, value: u8) -> Self {
        self.raw(&[value])
    }

    fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.u64(text.len() as u64).raw(text.as_bytes())
    }

    fn u32s(self, values: &[u32]) -> Self {
        values.iter().fold(self.u64(values.len() as u64), |fields, &value| fields.u32(value))
    }

    fn u64s(self, values: &[u64]) -> Self {
        values.iter().fold(self.u64(values.len() as u64), |fields, &value| fields.u64(value))
    }

    fn floats(self, values: &[f32]) -> Self {
        let all = self.u64(values.len() as u64);
        values.iter().fold(all, |fields, value| fields.raw(&value.to_le_bytes()))
    }

    /// An option of two numbers.
    fn pair(self, pair: Option<(u64, u64)>) -> Self {
        match pair {
            None => self.byte(0),
            Some((first, second)) => self.byte(1).u64(first).u64(second),
        }
    }
}

const SALT: u64 = 0x0123_4567_89ab_cdef;

/// A file that is being written.
struct File(Vec<u8>);

impl File {
    fn new(version: u32) -> Self {
        let mut bytes = vec![0x89, 0x52, 0x4d, 0x4d, 0x0d, 0x0a, 0x1a, 0x0a];
        bytes.extend(version.to_le_bytes());
        bytes.extend(SALT.to_le_bytes());
        bytes.extend(crc32(&bytes).to_le_bytes());
        Self(bytes)
    }

    /// Appends a frame and gives its offset.
    fn frame(&mut self, kind: [u8; 4], encoded: &Fields, body: &[u8]) -> u64 {
        let offset = self.0.len() as u64;
        let mut head = kind.to_vec();
        head.extend((encoded.0.len() as u32).to_le_bytes());
        head.extend((body.len() as u64).to_le_bytes());
        head.extend(crc32(&encoded.0).to_le_bytes());
        let covered = [&SALT.to_le_bytes()[..], &offset.to_le_bytes(), &head].concat();
        head.extend(crc32(&covered).to_le_bytes());
        self.0.extend(head);
        self.0.extend(&encoded.0);
        self.0.extend(body);
        offset
    }

    /// `bins` in version 2.
    fn header(&mut self, bins: Option<u32>) {
        let encoded = Fields::default().raw(&[7; 32]).u64(1234);
        // The tensor table: an ordinary tensor, and one in a loop.
        let encoded = encoded.u64(2).u32(0).u32(3).text("conv").u32(1).u32(0).text("loop/x");
        // Arithmetic::Direct
        let encoded = encoded.u32(1).text("written by hand");
        let encoded = bins.into_iter().fold(encoded, Fields::u32);
        self.frame(*b"HEAD", &encoded, &[]);
    }

    fn shard(&mut self, first_record: u64, records: u64, previous: Option<(u64, u64)>) -> u64 {
        let encoded = Fields::default().u32(0).u64(first_record).text("a.h5").text("h5").u64(999);
        // Inputs: one of FLOAT32, the third variant, of shape [1, 2]; then sample and hash.
        let encoded = encoded.u64(records).u64(1).u32(2).u64s(&[1, 2]).u64s(&[0, records - 1]);
        let encoded = encoded.raw(&[records as u8; 32]).pair(previous);
        self.frame(*b"SHRD", &encoded, &[])
    }

    fn block(
        &mut self,
        first_record: u64,
        observed: u32,
        skipped: &[(u64, &str)],
        columns: &[Column],
    ) {
        let mut encoded = Fields::default().u32(0).u64(first_record).u32(observed);
        encoded = encoded.u64(skipped.len() as u64);
        for (record, reason) in skipped {
            encoded = encoded.u64(*record).text(reason);
        }
        encoded = encoded.u64(columns.len() as u64);
        let mut body = Vec::new();
        for column in columns {
            let bytes = column.bytes();
            encoded = encoded.u32(column.observations.len() as u32);
            encoded = encoded.byte(u8::from(!column.counts.is_empty())).u32(crc32(&bytes));
            body.extend(bytes);
        }
        self.frame(*b"BLCK", &encoded, &body);
    }

    /// Histograms of the tensors for records from the first number to before the second.
    fn histograms(&mut self, records: [u64; 2], observed: u64, tensors: &[Counts]) {
        let mut encoded = Fields::default().u32(0).u64(records[0]).u64(records[1]).u64(observed);
        encoded = encoded.u64(tensors.len() as u64);
        let mut body = Vec::new();
        for Counts { exponent, first, bins, infinities: [below, above], bytes } in tensors {
            encoded = encoded.raw(&exponent.to_le_bytes()).raw(&first.to_le_bytes()).u32(*bins);
            encoded = encoded.u64(*below).u64(*above).u32(bytes.len() as u32).u32(crc32(bytes));
            body.extend(*bytes);
        }
        self.frame(*b"HIST", &encoded, &body);
    }

    fn commit(&mut self, commit: &Commit) -> u64 {
        let Commit { previous, segment, shards, totals: [records, skipped, blocks], state } =
            commit;
        let mut encoded = Fields::default();
        encoded = match previous {
            None => encoded.byte(0),
            Some(offset) => encoded.byte(1).u64(*offset),
        };
        encoded = encoded.pair(*segment).u32(*shards).u64(*records).u64(*skipped).u64(*blocks);
        encoded = encoded.u32(2).raw(&0.25_f32.to_le_bytes()).u64s(&state.batches);
        for floats in &state.closed {
            encoded = encoded.floats(floats);
        }
        encoded = encoded.u32s(&state.open);
        for floats in &state.unclosed {
            encoded = encoded.floats(floats);
        }
        let offset = self.0.len() as u64;
        let body = [&offset.to_le_bytes()[..], b"\x89commit\n"].concat();
        self.frame(*b"CMIT", &encoded, &body)
    }
}

/// A tensor's part of a Histogram frame.
struct Counts {
    exponent: i32,
    first: i32,
    bins: u32,
    infinities: [u64; 2],
    bytes: &'static [u8],
}

struct Column {
    counts: Vec<u32>,
    observations: Vec<(f32, f32)>,
}

impl Column {
    fn bytes(&self) -> Vec<u8> {
        let counts = self.counts.iter().flat_map(|it| it.to_le_bytes());
        let minima = self.observations.iter().flat_map(|it| it.0.to_le_bytes());
        let maxima = self.observations.iter().flat_map(|it| it.1.to_le_bytes());
        counts.chain(minima).chain(maxima).collect()
    }
}

struct Commit {
    previous: Option<u64>,
    segment: Option<(u64, u64)>,
    shards: u32,
    /// Records observed, records left out, blocks.
    totals: [u64; 3],
    state: State,
}

/// The moving averages of the two tensors.
struct State {
    batches: [u64; 2],
    /// Averages of minima and of maxima, lowest, highest.
    closed: [[f32; 2]; 4],
    open: [u32; 2],
    unclosed: [[f32; 2]; 2],
}

const NOTHING: [[f32; 2]; 2] = [[f32::INFINITY; 2], [f32::NEG_INFINITY; 2]];

/// Records 3 to 9 of a shard of 10, one of them left out, in two commits; between them the shard grows.
fn recording() -> Vec<u8> {
    recording_with(false)
}

/// With histograms, if these are wanted.
fn recording_with(histograms: bool) -> Vec<u8> {
    let mut file = File::new(if histograms { 2 } else { 1 });
    file.header(histograms.then_some(256));
    let state = State {
        batches: [0; 2],
        closed: [[0.0; 2], [0.0; 2], NOTHING[0], NOTHING[1]],
        open: [0; 2],
        unclosed: NOTHING,
    };
    let first =
        file.commit(&Commit { previous: None, segment: None, shards: 0, totals: [0; 3], state });
    let shard = file.shard(3, 8, None);
    file.block(
        3,
        3,
        &[(5, "a.h5, record 5: all NaN")],
        &[
            Column { counts: vec![], observations: vec![(-1.0, 1.0), (-2.0, 3.0), (-8.0, 2.0)] },
            // The loop ran twice, not at all, and once.
            Column {
                counts: vec![2, 0, 1],
                observations: vec![(0.0, 4.0), (1.0, 2.0), (-4.0, 8.0)],
            },
        ],
    );
    if histograms {
        // Between -8 and 3, and between -4 and 8, in bins of 1/2: -16 to 6, and -8 to 16.
        let first = &[2, 0, 19, 0xac, 2, 5];
        let second = &[1, 0, 7, 0x82, 1, 0, 13, 9];
        file.histograms(
            [3, 7],
            3,
            &[
                Counts { exponent: -1, first: -16, bins: 23, infinities: [0, 0], bytes: first },
                Counts { exponent: -1, first: -8, bins: 25, infinities: [0, 1], bytes: second },
            ],
        );
    }
    // Of each tensor a batch of two is closed and one observation is in the open batch.
    let state = State {
        batches: [1, 1],
        closed: [[-2.0, 0.0], [3.0, 4.0], [-2.0, 0.0], [3.0, 4.0]],
        open: [1, 1],
        unclosed: [[-8.0, -4.0], [2.0, 8.0]],
    };
    let second = file.commit(&Commit {
        previous: Some(first),
        segment: Some((shard, 7)),
        shards: 1,
        totals: [3, 1, 1],
        state,
    });
    let grown = file.shard(7, 10, Some((shard, 7)));
    file.block(
        7,
        3,
        &[],
        &[
            Column { counts: vec![], observations: vec![(-4.0, 4.0), (-1.0, 1.0), (-1.0, 1.0)] },
            Column { counts: vec![0, 0, 1], observations: vec![(-2.0, 4.0)] },
        ],
    );
    if histograms {
        // In bins of 1/4, -16 to 16; and of the other tensor nothing but an infinity.
        let first = &[3, 0, 30, 3];
        file.histograms(
            [7, 10],
            3,
            &[
                Counts { exponent: -2, first: -16, bins: 33, infinities: [0, 0], bytes: first },
                Counts { exponent: 0, first: 0, bins: 0, infinities: [2, 0], bytes: &[] },
            ],
        );
    }
    // The average keeps 0.75 of itself: 0.75 * -2 + 0.25 * -8 = -3.5, then 0.75 * -3.5 + 0.25 * -1.
    let state = State {
        batches: [3, 2],
        closed: [[-2.875, -1.0], [2.6875, 5.0], [-8.0, -4.0], [4.0, 8.0]],
        open: [0; 2],
        unclosed: NOTHING,
    };
    file.commit(&Commit {
        previous: Some(second),
        segment: Some((grown, 10)),
        shards: 1,
        totals: [6, 1, 2],
        state,
    });
    // What a crash leaves behind the last commit.
    file.0.extend(b"BLCK and nothing that fits it");
    file.0
}

const SETTINGS: MovingAverageSettings = MovingAverageSettings { batch: 2, constant: 0.25 };

/// The ranges of both tensors.
fn both(first: (f32, f32), second: (f32, f32)) -> [Option<Observation>; 2] {
    [first, second].map(|(min, max)| Some(Observation { min, max }))
}

fn write(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("by-hand.rmm");
    fs::write(&path, recording()).expect("a file");
    path
}

#[test]
fn a_recording_written_by_hand_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let reader = Reader::open(&write(folder.path())).unwrap();
    assert_eq!((reader.records(), reader.skipped(), reader.uncommitted()), (6, 1, 29));
    assert_eq!(reader.header().model.byte_len, 1234);
    assert_eq!(reader.header().tool, "written by hand");
    assert_eq!(reader.header().arithmetic.name(), "direct");
    let names: Vec<String> = reader.header().tensors.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["conv (0:3)", "loop/x (1:0)"]);
    assert_eq!(reader.settings(), SETTINGS);
    assert_eq!(reader.observation_counts(), [6, 4]);
    let [shard] = reader.shards() else { panic!("{:?}", reader.shards()) };
    assert_eq!((shard.info.name.as_str(), shard.info.identity.records), ("a.h5", 10));
    assert_eq!(shard.records, 3..10);
    let [skipped] = &reader.skipped_records().unwrap()[..] else { panic!("not one") };
    assert_eq!((skipped.record, skipped.reason.as_str()), (5, "a.h5, record 5: all NaN"));
    // Everything: that checksums, totals, links and the state are as the program makes them.
    let summary = reader.check().unwrap();
    assert_eq!((summary.blocks, summary.commits, summary.observations), (2, 3, 10));

    for budget in [0, 1 << 20] {
        let ranges = |estimator| reader.ranges(&estimator, budget).unwrap();
        let average = ranges(Estimator::MovingAverage(SETTINGS));
        assert_eq!(average, both((-2.875, 2.6875), (-1.0, 5.0)));
        assert_eq!(ranges(Estimator::MinMax), both((-8.0, 4.0), (-4.0, 8.0)));
        let percentile = ranges(Estimator::Percentile { min: 0.0, max: 100.0 });
        assert_eq!(percentile, both((-8.0, 4.0), (-4.0, 8.0)));
    }
}

#[test]
fn a_recording_written_by_hand_is_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path());
    let (header, mut info) = {
        let reader = Reader::open(&path).unwrap();
        (reader.header().clone(), reader.shards()[0].info.clone())
    };
    let mut writer = Writer::resume(&path, &header, SETTINGS).unwrap();
    assert_eq!(writer.recovered(), 29);
    info.identity.records = 11;
    writer.continue_shard(0, &info).unwrap();
    let one = Observation { min: -16.0, max: 16.0 };
    writer
        .push(&RecordObservations { single: vec![one, one], ..RecordObservations::default() })
        .unwrap();
    writer.commit().unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.check().unwrap().commits, 4);
    assert_eq!(reader.shards()[0].records, 3..11);
    assert_eq!(reader.ranges(&Estimator::MinMax, 0).unwrap(), both((-16.0, 16.0), (-16.0, 16.0)));
}

#[test]
fn histograms_written_by_hand_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("by-hand.rmm");
    fs::write(&path, recording_with(true)).expect("a file");
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.header().histograms.map(BinLimit::get), Some(256));
    let summary = reader.check().unwrap();
    // 2, 300 and 5, then 1, 130 and 9, and 3 and 3.
    assert_eq!((summary.blocks, summary.commits, summary.elements), (2, 3, 453));
    let histograms = reader.histograms(0..2).unwrap().unwrap();
    let counts = |histogram: &Histogram| -> Vec<(f64, u64)> {
        let counts = histogram.counts().iter().enumerate();
        counts.filter(|it| *it.1 > 0).map(|(bin, &count)| (histogram.edge(bin), count)).collect()
    };
    let expected = [(-8.0, 2), (-4.0, 3), (2.5, 300), (3.0, 5), (4.0, 3)];
    assert_eq!(counts(&histograms[0]), expected);
    assert_eq!((histograms[0].below(), histograms[0].above()), (0, 0));
    assert_eq!(counts(&histograms[1]), [(-4.0, 1), (0.5, 130), (8.0, 9)]);
    assert_eq!((histograms[1].below(), histograms[1].above()), (2, 1));
    // 313 elements, of which 2 + 3 lie before the bin of 300: the median is in it.
    let median = ElementEstimator::Percentile { min: 50.0, max: 50.0 };
    let ranges = reader.ranges(&Estimator::OfElements(median), 0).unwrap();
    let inside = (2.5 + (156.5 - 5.0) / 300.0 * 0.5) as f32;
    assert_eq!(ranges[0], Some(Observation { min: inside, max: inside }));
}
