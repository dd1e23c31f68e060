//! `--histogram`, and the modes that need it.

use std::fs;

use crate::support::Folder;

const MODEL: &str = "--input-model model.tflite";

/// Elements of the input.
const VALUES: u32 = 24 * 24 * 3;

const MODES: [(&str, &str); 4] = [
    ("element_percentile", "--mode element_percentile"),
    ("narrow", "--mode element_percentile --min-percentile 5 --max-percentile 95"),
    ("kl", "--mode kl --bits 6"),
    ("mse", "--mode mse --bits 4"),
];

#[test]
fn counting_changes_no_observation_and_no_recording_without() {
    let folder = Folder::new();
    folder.make_data("data.h5", 30, 0);
    let record = format!("record {MODEL} --input-data data.h5");
    folder.run(&format!("{record} --checkpoint plain.rmm")).succeeds();
    folder.run(&format!("{record} --checkpoint counted.rmm --histogram")).succeeds();
    let observations =
        |name: &str| folder.run(&format!("inspect {name} --observations")).succeeds().stdout;
    assert_eq!(observations("plain.rmm"), observations("counted.rmm"));
    for mode in ["moving_average", "percentile", "minmax"] {
        for name in ["plain", "counted"] {
            let line =
                format!("embed {MODEL} --recording {name}.rmm -o {name}.circle --mode {mode}");
            folder.run(&line).succeeds();
        }
        assert_eq!(folder.read("plain.circle"), folder.read("counted.circle"), "{mode}");
    }
    let listing = folder.run("inspect counted.rmm --json").succeeds().stdout;
    assert!(listing.contains("\"histogram_bins\": 2048"), "{listing}");
    assert!(
        folder.run("inspect counted.rmm").succeeds().stdout.contains("histograms     2048 bins")
    );
    assert!(!folder.run("inspect plain.rmm --json").succeeds().stdout.contains("histogram"));
}

/// However a dataset was recorded: the same model, byte for byte.
#[test]
fn threads_commits_interruptions_and_parts_do_not_matter() {
    let folder = Folder::new();
    folder.make_data("a.h5", 21, 1);
    folder.make_data("b.h5", 34, 2);
    let record = format!("record {MODEL} --histogram=512 --progress none");
    let both = format!("{record} --input-data a.h5 --input-data b.h5");
    folder.run(&format!("{both} --checkpoint whole.rmm --num-threads 1")).succeeds();
    folder
        .run(&format!(
            "{both} --checkpoint often.rmm --num-threads 3 --checkpoint-interval 0s --isa portable"
        ))
        .succeeds();
    folder
        .run(&format!("{record} --input-data a.h5 --checkpoint resumed.rmm --records ..7"))
        .succeeds();
    folder.run(&format!("{both} --checkpoint resumed.rmm --resume")).succeeds();
    for part in 0..3 {
        let part = format!("--checkpoint part{part}.rmm --shard-index {part} --num-shards 3");
        folder.run(&format!("{both} {part}")).succeeds();
    }
    folder.run("merge part2.rmm part0.rmm part1.rmm -o merged.rmm").succeeds();
    for (name, mode) in MODES {
        let model = |recording: &str| {
            let line =
                format!("embed {MODEL} --recording {recording}.rmm -o {recording}.circle {mode}");
            folder.run(&line).succeeds();
            let line =
                format!("verify --model {recording}.circle --recording {recording}.rmm {mode}");
            folder.run(&line).succeeds();
            folder.read(&format!("{recording}.circle"))
        };
        let whole = model("whole");
        for recording in ["often", "resumed", "merged"] {
            assert!(model(recording) == whole, "{name}: {recording}");
        }
        let at_once = format!("{MODEL} --histogram=512 --input-data a.h5 --input-data b.h5");
        folder
            .run(&format!(
                "{at_once} --checkpoint at-once.rmm -o at-once.circle {mode} --overwrite"
            ))
            .succeeds();
        assert!(folder.read("at-once.circle") == whole, "{name}: in one run");
    }
}

/// A record in the middle that cannot be used: all before it are counted, it is not, and those after it are only
/// if it is left out.
#[test]
fn unusable_records_are_not_counted() {
    let folder = Folder::new();
    let text = |records: std::ops::Range<u32>, bad: Option<u32>| {
        let line = |record: u32| {
            let value = |i: u32| match bad {
                Some(bad) if bad == record => "nan".to_owned(),
                _ => format!("{}", (record * 37 + i * 11) % 101),
            };
            (0..VALUES).map(value).collect::<Vec<_>>().join(",") + "\n"
        };
        records.map(line).collect::<String>()
    };
    for (name, content) in [
        ("bad.txt", text(0..9, Some(5))),
        ("before.txt", text(0..5, None)),
        ("good.txt", text(0..5, None) + &text(6..9, None)),
    ] {
        fs::write(folder.path(name), content).unwrap();
    }
    let record = format!("record {MODEL} --histogram --input-data-format text --num-threads 2");
    let tensors = |recording: &str| {
        let text = folder.run(&format!("inspect {recording}.rmm --mode mse")).succeeds().stdout;
        text.split("\ntensors").nth(1).map(str::to_owned)
    };
    for name in ["before", "good"] {
        folder.run(&format!("{record} --input-data {name}.txt --checkpoint {name}.rmm")).succeeds();
    }
    folder.run(&format!("{record} --input-data bad.txt --checkpoint stopped.rmm")).exits_with(1);
    assert_eq!(tensors("stopped"), tensors("before"));
    let skip = "--on-bad-record skip --checkpoint skipped.rmm";
    folder.run(&format!("{record} --input-data bad.txt {skip}")).succeeds();
    assert_eq!(tensors("skipped"), tensors("good"));
}

#[test]
fn what_was_not_counted_is_said() {
    let folder = Folder::new();
    folder.make_data("data.h5", 5, 0);
    let record = format!("record {MODEL} --input-data data.h5");
    folder.run(&format!("{record} --checkpoint plain.rmm")).succeeds();
    folder.run(&format!("{record} --checkpoint counted.rmm --histogram=256")).succeeds();
    for mode in ["element_percentile", "kl", "mse"] {
        for line in [
            format!("embed {MODEL} --recording plain.rmm -o o.circle --mode {mode}"),
            format!("inspect plain.rmm --mode {mode}"),
            format!("report plain.rmm -o r.html --mode {mode}"),
        ] {
            folder
                .run(&line)
                .exits_with(1)
                .says(&format!("mode {mode} needs the elements, which were not counted"))
                .says("hint: record again with --histogram");
        }
        folder
            .run(&format!("{record} --checkpoint new.rmm --mode {mode}"))
            .exits_with(2)
            .says("hint: count them with --histogram");
    }
    assert!(!folder.exists("o.circle") && !folder.exists("r.html") && !folder.exists("new.rmm"));
    folder
        .run(&format!("embed {MODEL} --recording counted.rmm -o o.circle --mode kl"))
        .exits_with(2)
        .says("mode kl with 8 bits needs 1024 bins, and there are 256");
    folder
        .run(&format!("{record} --checkpoint counted.rmm --resume"))
        .exits_with(1)
        .says("made with --histogram=256, not without --histogram");
    folder
        .run("merge plain.rmm counted.rmm -o all.rmm --on-overlap skip")
        .exits_with(1)
        .says("made without --histogram, not with --histogram=256");
    folder
        .run(&format!("{record} --checkpoint new.rmm --histogram=1000"))
        .exits_with(2)
        .says("power of two");
}

#[test]
fn reports_have_the_modes_of_elements_if_there_are_any() {
    let folder = Folder::new();
    folder.make_data("data.h5", 12, 0);
    let record = format!("record {MODEL} --input-data data.h5");
    folder.run(&format!("{record} --checkpoint plain.rmm")).succeeds();
    folder.run(&format!("{record} --checkpoint counted.rmm --histogram")).succeeds();
    let csv = |name: &str| folder.run(&format!("report {name} --csv -")).succeeds().stdout;
    let (plain, counted) = (csv("plain.rmm"), csv("counted.rmm"));
    for mode in ["element_percentile", "kl", "mse"] {
        assert!(!plain.lines().next().unwrap().contains(mode), "{mode}");
        assert!(counted.lines().next().unwrap().contains(mode), "{mode}");
    }
    // What is in both is the same.
    for (plain, counted) in plain.lines().zip(counted.lines()) {
        let fields = plain.split(',').take(9).collect::<Vec<_>>().join(",");
        assert!(counted.starts_with(&fields), "{counted}");
    }
    folder.run("report counted.rmm --mode mse --bits 4 -o page.html --json all.json").succeeds();
    let json = String::from_utf8(folder.read("all.json")).unwrap();
    assert!(json.contains("mse (4 bits)") && json.contains("\"histogram_bins\": 2048"));
    let compare = "compare plain.rmm counted.rmm --mode minmax";
    folder.run(compare).succeeds();
    folder.run("compare counted.rmm counted.rmm --mode kl").succeeds();
}

#[test]
fn a_dataset_check_estimates_histograms() {
    let folder = Folder::new();
    folder.make_data("data.h5", 30, 0);
    let check = format!("dataset check {MODEL} --input-data data.h5 --estimate-for 1s --json");
    let size = |line: &str| -> u64 {
        let text = folder.run(line).succeeds().stdout;
        let (_, rest) = text.split_once("\"recording_bytes\":").expect("it is there");
        rest.trim().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let (plain, counted) = (size(&check), size(&format!("{check} --histogram")));
    assert!(counted > plain + 1000, "{counted} {plain}");
}
