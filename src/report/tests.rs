//! Reports of small recordings, held against the estimators and against a plain walk over all observations.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::series::bucket_count;
use super::*;
use crate::fingerprint::ModelFingerprint;
use crate::observation::{Observation, RecordObservations};
use crate::recording::{Header, MemoryStorage, TensorEntry, Writer};
use crate::shard::{ShardIdentity, ShardInfo, sample_positions};
use crate::stats::{Accumulator, MovingAverageSettings};
use crate::tensor::DType;

const SETTINGS: MovingAverageSettings = MovingAverageSettings { batch: 3, constant: 0.25 };

/// 0 is ordinary, 1 is in a branch, 2 in a loop, 3 is never observed, 4 is never negative.
const TENSORS: usize = 5;

const SHARDS: [u64; 2] = [137, 66];

fn modes() -> Vec<Mode> {
    let mode = |name: &str, estimator| Mode { name: name.into(), title: name.into(), estimator };
    vec![
        mode("moving_average", Estimator::MovingAverage(SETTINGS)),
        mode("percentile", Estimator::Percentile { min: 2.5, max: 95.0 }),
        mode("minmax", Estimator::MinMax),
        mode("mean", Estimator::Mean),
        mode("trimmed_mean", Estimator::TrimmedMean { trim: 0.125 }),
        mode("mean_std", Estimator::MeanStd { sigmas: 2.5 }),
    ]
}

/// What is observed of each tensor in a record of the whole dataset.
fn observations(record: u64) -> Vec<Vec<Observation>> {
    let mut state = (record + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state >> 29;
        state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 32;
        let (low, high) = ((state % 1009) as f32, (state >> 20) as f32 % 1013.0);
        Observation { min: -low / 16.0, max: high / 16.0 }
    };
    let relu = |it: Observation| Observation { min: 0.0, ..it };
    vec![
        vec![next()],
        (0..record % 2).map(|_| next()).collect(),
        (0..record % 4).map(|_| next()).collect(),
        Vec::new(),
        vec![relu(next())],
    ]
}

/// All records; each seventh is left out. `change` is what happens to the observations.
fn recording(change: impl Fn(u64, &mut Vec<Vec<Observation>>)) -> Reader {
    let storage = MemoryStorage::default();
    let entry = |i: usize| TensorEntry {
        subgraph: u32::from(i == 3),
        index: i as u32,
        name: format!("tensor{i}"),
    };
    let header = Header {
        arithmetic: Arithmetic::Fast,
        model: ModelFingerprint { hash: [7; 32], byte_len: 1000 },
        tensors: (0..TENSORS).map(entry).collect(),
        tool: "test".to_owned(),
        histograms: None,
    };
    let name = Path::new("memory.rmm");
    let mut writer = Writer::create_in(Box::new(storage.clone()), name, header, SETTINGS).unwrap();
    let mut number = 0;
    for (shard, records) in SHARDS.into_iter().enumerate() {
        let identity = ShardIdentity {
            records,
            inputs: vec![(DType::F32, vec![1])],
            sample: sample_positions(records),
            hash: [shard as u8; 32],
        };
        let (name, kind) = (format!("{shard}.h5"), "h5".to_owned());
        writer.begin_shard(&ShardInfo { name, kind, byte_len: 1, identity }, 0).unwrap();
        for _ in 0..records {
            if number % 7 == 6 {
                writer.skip("all NaN").unwrap();
            } else {
                let mut observations = observations(number);
                change(number, &mut observations);
                let mut record = RecordObservations::default();
                for (tensor, all) in (0_u32..).zip(observations) {
                    if let [one] = all[..] {
                        record.single.push(one);
                    } else {
                        record.single.push(Observation::EMPTY);
                        record.repeated.push((tensor, all));
                    }
                }
                writer.push(&record).unwrap();
            }
            number += 1;
            if number % 50 == 0 {
                writer.commit().unwrap();
            }
        }
    }
    writer.commit().unwrap();
    Reader::open_in(Box::new(storage), name).unwrap()
}

fn report_within(reader: &Reader, memory_budget: usize) -> Report {
    let options = Options { modes: &modes(), chosen: 0, model: None, memory_budget };
    Report::read(reader, "memory.rmm", options).unwrap()
}

/// Every observation of a tensor: shard, record in it, position among the observed records, observation.
fn walk(tensor: usize) -> Vec<(usize, u64, u64, Observation)> {
    let observed = (0..SHARDS[0] + SHARDS[1]).filter(|it| it % 7 != 6);
    let mut all = Vec::new();
    for (position, number) in (0..).zip(observed) {
        let shard = usize::from(number >= SHARDS[0]);
        let record = number - SHARDS[0] * shard as u64;
        all.extend(observations(number)[tensor].iter().map(|&it| (shard, record, position, it)));
    }
    all
}

#[test]
fn memory_does_not_matter() {
    let reader = recording(|_, _| ());
    let whole = report_within(&reader, 1 << 20).to_json().unwrap();
    // One tensor at a time, none at a time, and some.
    for budget in [8 * 174, 1, 8 * 174 * 2] {
        assert_eq!(report_within(&reader, budget).to_json().unwrap(), whole, "{budget}");
    }
}

#[test]
fn ranges_are_those_of_the_estimators() {
    let reader = recording(|_, _| ());
    let report = report_within(&reader, 1 << 20);
    for (position, mode) in modes().iter().enumerate() {
        let expected = reader.ranges(&mode.estimator, 1 << 20).unwrap();
        let found = report.tensors.iter().map(|it| it.ranges[position]);
        let found: Vec<_> = found.map(|it| it.map(|it| (it.min, it.max))).collect();
        let expected: Vec<_> = expected.iter().map(|it| it.map(|it| (it.min, it.max))).collect();
        assert_eq!(found, expected, "{}", mode.name);
    }
}

#[test]
fn movement_compares_with_the_first_90_percent() {
    let report = report_within(&recording(|_, _| ()), 1 << 20);
    // 174 records were observed, of which 18 are the last tenth.
    assert_eq!((report.records, report.late_records, report.left_out), (174, 18, 29));
    for tensor in [0, 1, 2, 4] {
        let early: Vec<Observation> =
            walk(tensor).iter().filter(|it| it.2 < 156).map(|it| it.3).collect();
        let mut average = Accumulator::new(1, SETTINGS);
        for &it in &early {
            average.observe(0, it);
        }
        let percentile = |p, end: fn(&Observation) -> f32| {
            let mut values: Vec<f32> = early.iter().map(end).collect();
            crate::stats::Ranked::Percentile(p).of(&mut values).unwrap()
        };
        let early = [
            average.moving_average(0).unwrap(),
            Observation { min: percentile(2.5, |it| it.min), max: percentile(95.0, |it| it.max) },
            early.iter().fold(Observation::EMPTY, |a, &b| a.union(b)),
        ];
        for (range, early) in report.tensors[tensor].ranges.iter().zip(early) {
            let range = range.unwrap();
            let (low, high) = ((range.min - early.min).abs(), (range.max - early.max).abs());
            let expected = f64::from(if low > high { low } else { high })
                / (f64::from(range.max) - f64::from(range.min));
            let moved = range.moved.unwrap();
            assert!((moved - expected).abs() < 1e-6, "tensor {tensor}: {moved}, not {expected}");
        }
    }
}

#[test]
fn extremes_name_their_records() {
    let report = report_within(&recording(|_, _| ()), 1 << 20);
    for tensor in [0, 1, 2, 4] {
        let mut all = walk(tensor);
        let place = |it: &(usize, u64, u64, Observation), value: f32| (value, it.0, it.1);
        // Stable, so that of equal ones the first record comes first; one entry for each record.
        all.sort_by(|a, b| a.3.min.total_cmp(&b.3.min));
        let mut lowest: Vec<_> = all.iter().map(|it| place(it, it.3.min)).collect();
        all.sort_by_key(|it| it.2);
        all.sort_by(|a, b| b.3.max.total_cmp(&a.3.max));
        let mut highest: Vec<_> = all.iter().map(|it| place(it, it.3.max)).collect();
        for (found, expected) in [
            (&report.tensors[tensor].lowest, &mut lowest),
            (&report.tensors[tensor].highest, &mut highest),
        ] {
            let mut seen = std::collections::HashSet::new();
            expected.retain(|it| seen.insert((it.1, it.2)));
            let found: Vec<_> = found.iter().map(|it| (it.value, it.shard, it.record)).collect();
            assert_eq!(found, expected[..3], "tensor {tensor}");
        }
    }
    assert!(report.tensors[3].lowest.is_empty());
    assert_eq!(
        report.tensors[3].unobserved,
        Some("its subgraph was not run: a branch that no record takes, or a loop without rounds")
    );
}

#[test]
fn series_are_envelopes() {
    let report = report_within(&recording(|_, _| ()), 1 << 20);
    assert_eq!(report.buckets, 174);
    let mut series = Series::new(10);
    let mut average = Accumulator::new(1, SETTINGS);
    let mut ends = [None; 10];
    for (_, _, position, observation) in walk(2) {
        let bucket = (position * 10 / 174) as usize;
        series.add(bucket, observation);
        average.observe(0, observation);
        ends[bucket] = average.moving_average(0);
    }
    let mut last = None;
    for (bucket, end) in ends.into_iter().enumerate() {
        last = end.or(last);
        series.set_average(bucket..bucket + 1, last);
    }
    let reader = recording(|_, _| ());
    let division = tracker::Division::new(174, 10);
    let options = Options { modes: &modes(), chosen: 0, model: None, memory_budget: 1 << 20 };
    let collected =
        collect::collect(&reader, options, division, &mut facts::Segments::default()).unwrap();
    assert_eq!(collected[2].tracker.series, series);
}

#[test]
fn buckets_are_bounded() {
    assert_eq!(bucket_count(0, 0), 1);
    assert_eq!(bucket_count(3, 10), 3);
    assert_eq!(bucket_count(1_000_000, 300), MAX_BUCKETS);
    for tensors in [1000, 20_000, 1_000_000] {
        let numbers = bucket_count(1_000_000, tensors) * tensors * 6;
        assert!(bucket_count(1_000_000, tensors).is_power_of_two());
        assert!(numbers <= 1_100_000.max(tensors * 6), "{tensors}");
    }
}

#[test]
fn what_stands_out_is_flagged() {
    let reader = recording(|record, observations| {
        // A record that is far from all others, and drift at the end.
        if record == 22 {
            observations[0][0].max = 5000.0;
            observations[4][0].max = 9000.0;
        }
        if record > 190 && !observations[1].is_empty() {
            observations[1][0].max += 40.0;
        }
        if record == 30 {
            observations[2][0].max = f32::INFINITY;
        }
    });
    let report = report_within(&reader, 1 << 20);
    let flags = |tensor: usize| report.tensors[tensor].flags.as_slice();
    assert!(flags(0).contains(&Flag::Outlier));
    assert_eq!(flags(1), [Flag::Moving], "{:?}", report.tensors[1].outlier_score);
    assert_eq!(flags(2)[0], Flag::Infinite);
    assert_eq!(flags(3), [Flag::Unobserved]);
    assert!(flags(4).contains(&Flag::Outlier));
    assert_eq!(report.tensors[2].infinite, 1);
    assert_eq!(report.suspects, [RecordExtremes { shard: 0, record: 22, minima: 0, maxima: 2 }]);
    assert_eq!(report.summary.observed, 4);
    assert_eq!(report.summary.settled, Some(false));
    assert_eq!(
        report.segments[..],
        [Segment { shard: 0, record: 0, before: 0 }, Segment { shard: 1, record: 0, before: 118 }]
    );
}

#[test]
fn other_tools_can_read_it() {
    let reader = recording(|record, observations| {
        if record == 30 {
            observations[2][0].max = f32::INFINITY;
        }
    });
    let report = report_within(&reader, 1 << 20);
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["records"], 174);
    assert_eq!(json["series"].as_array().unwrap().len(), TENSORS);
    assert_eq!(json["tensors"][2]["highest"][0]["value"], "Infinity");
    let csv = report.to_csv().unwrap();
    let mut lines = ::csv::Reader::from_reader(csv.as_bytes());
    let titles = lines.headers().unwrap().clone();
    let column = |name: &str| titles.iter().position(|it| it == name).unwrap();
    let rows: Vec<_> = lines.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), TENSORS);
    let parsed: f32 = rows[0][column("percentile_max")].parse().unwrap();
    assert_eq!(parsed, report.tensors[0].ranges[1].unwrap().max);
    assert_eq!(&rows[3][column("flags")], "unobserved");
    assert_eq!(&rows[2][column("minmax_max")], "inf");
    let svg = report.to_svg();
    assert_eq!(svg.matches("<title>").count(), TENSORS);
    assert!(svg.contains("tensor3: never observed"));
    assert_eq!(svg::escaped("a<b> & \"c\"\u{1}"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}");
}

#[test]
fn a_recording_without_records() {
    let storage = MemoryStorage::default();
    let entry = TensorEntry { subgraph: 0, index: 0, name: "x".to_owned() };
    let header = Header {
        arithmetic: Arithmetic::Fast,
        model: ModelFingerprint { hash: [7; 32], byte_len: 1000 },
        tensors: vec![entry],
        tool: "test".to_owned(),
        histograms: None,
    };
    let name = Path::new("memory.rmm");
    drop(Writer::create_in(Box::new(storage.clone()), name, header, SETTINGS).unwrap());
    let report = report_within(&Reader::open_in(Box::new(storage), name).unwrap(), 1 << 20);
    assert_eq!(report.tensors[0].unobserved, Some("there are no records"));
    assert_eq!(report.summary.settled, None);
    assert!(report.to_svg().contains("never observed"));
    report.to_json().unwrap();
    report.to_csv().unwrap();
}

/// What a script element of the page unpacks to.
fn unpacked(page: &str, id: &str) -> Vec<u8> {
    let start = format!("id=\"{id}\">");
    let (_, rest) = page.split_once(&start).unwrap();
    let bytes = STANDARD.decode(rest.split('<').next().unwrap()).unwrap();
    let mut unpacked = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
    unpacked
}

#[test]
fn a_page_has_everything_in_it() {
    let mut report = report_within(&recording(|_, _| ()), 1 << 20);
    report.file = "folder/<b>&\".rmm".to_owned();
    let page = report.to_html().unwrap();
    assert!(page.contains("<title>&lt;b&gt;&amp;&quot;.rmm: calibration report</title>"));
    assert!(!page.contains("{{"));
    let data: serde_json::Value = serde_json::from_slice(&unpacked(&page, "report-data")).unwrap();
    assert_eq!(data["file"], report.file);
    assert_eq!(data["page_buckets"], 174);
    assert_eq!(data["tensors"].as_array().unwrap().len(), TENSORS);
    // Three bytes of each number, by significance.
    let series = unpacked(&page, "report-series");
    let count = TENSORS * 6 * 174;
    assert_eq!(series.len(), 3 * count);
    for (i, expected) in report.tensors[2].series.max_low.iter().enumerate() {
        let at = (2 * 6 + 2) * 174 + i;
        let bytes = [series[at], series[count + at], series[2 * count + at], 0];
        let found = f32::from_be_bytes(bytes);
        let is_near = (found - expected).abs() <= expected.abs() / 8192.0;
        assert!(is_near || found.is_nan() && expected.is_nan(), "{found}, not {expected}");
    }
}

#[test]
fn pages_are_bounded() {
    let report = report_within(&recording(|_, _| ()), 1 << 20);
    // Random numbers, which do not compress, and more tensors than a page has.
    for (tensors, buckets, shown, shown_buckets) in [(1200, 512, 1200, 256), (9000, 2, 8000, 2)] {
        let mut large = report.clone();
        large.buckets = buckets;
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from_bits((state >> 9) | 0x3f80_0000) * if state & 256 == 0 { 1e3 } else { -1.0 }
        };
        large.tensors = (0..tensors)
            .map(|i| {
                let mut tensor = report.tensors[i % 3].clone();
                tensor.name = format!("model/layer_{i}/{}", next());
                for column in [&mut tensor.minima, &mut tensor.maxima] {
                    for it in column.iter_mut() {
                        *it = next();
                    }
                }
                let mut column = || (0..buckets).map(|_| next()).collect();
                tensor.series = Series {
                    min_low: column(),
                    min_high: column(),
                    max_low: column(),
                    max_high: column(),
                    average_min: column(),
                    average_max: column(),
                };
                tensor
            })
            .collect();
        let page = large.to_html().unwrap();
        assert!(page.len() <= 5_000_000, "{tensors}: {}", page.len());
        let data: serde_json::Value =
            serde_json::from_slice(&unpacked(&page, "report-data")).unwrap();
        assert_eq!(data["tensors"].as_array().unwrap().len(), shown);
        assert_eq!(data["tensors_left_out"], tensors - shown);
        assert_eq!(data["page_buckets"], shown_buckets);
    }
}
