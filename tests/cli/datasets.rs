//! Making datasets.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Folder;

const PACK: &str = "dataset pack --input-model model.tflite";

/// A folder of raw files, `bad` of which are cut.
fn raw_files(folder: &Folder, count: usize, bad: &[usize]) {
    folder.make_data("some.h5", 1, 0);
    let file = hdf5::File::open(folder.path("some.h5")).unwrap();
    let len = file.dataset("value/0/0").unwrap().size() * 4;
    fs::create_dir(folder.path("raw")).unwrap();
    for i in 0..count {
        let len = if bad.contains(&i) { len - 1 } else { len };
        fs::write(folder.path(&format!("raw/{i}")), vec![0; len]).unwrap();
    }
}

/// The names in the folder, hidden ones too.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("")).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_packed_whole_or_not_at_all() {
    let folder = Folder::new();
    raw_files(&folder, 5, &[3]);
    let before = names(&folder);
    let line = format!("{PACK} --input-data raw --input-data-format directory -o out.h5");
    folder.run(&line).exits_with(1).says("raw/3 has ").says("`--on-bad-record skip`");
    assert_eq!(names(&folder), before);
    for layout in ["records", "packed"] {
        folder
            .run(&format!("{line} --on-bad-record skip --layout {layout} --overwrite"))
            .succeeds()
            .says("left out: 1 unusable record: raw, record 3")
            .says("out.h5: 4 records");
        folder.run("record --input-model model.tflite --input-data out.h5 --checkpoint a.rmm --overwrite").succeeds().says("recorded 4 records");
    }
    let out = folder.read("out.h5");
    folder.run(&line).exits_with(1).says("out.h5 exists already").says("--overwrite");
    folder
        .run(&format!("{PACK} --input-data out.h5 -o ./out.h5 --overwrite"))
        .exits_with(2)
        .says("would overwrite out.h5");
    assert_eq!(folder.read("out.h5"), out);
}

#[test]
fn nothing_to_pack_is_an_error() {
    let folder = Folder::new();
    raw_files(&folder, 2, &[0, 1]);
    let before = names(&folder);
    folder.run(&format!("{PACK} --input-data none.h5 -o out.h5")).exits_with(1).says("none.h5");
    let raw = format!("{PACK} --input-data raw --input-data-format directory -o out.h5");
    folder.run(&format!("{raw} --on-bad-record skip")).exits_with(1).says("raw/0 has ");
    folder.run(&format!("{PACK} -o out.h5")).exits_with(2).says("--input-data");
    assert_eq!(names(&folder), before);
}

/// All floats of the first input.
fn floats(folder: &Folder, name: &str, records: usize) -> Vec<f32> {
    let file = hdf5::File::open(folder.path(name)).unwrap();
    let read = |i| file.dataset(&format!("value/{i}/0")).unwrap().read_raw::<f32>().unwrap();
    (0..records).flat_map(read).collect()
}

#[test]
fn random_values_are_distributed_as_asked() {
    let folder = Folder::new();
    let random = "dataset random --input-model model.tflite -n 2";
    folder.run(&format!("{random} -o a.h5 --uniform 0,1 --seed 9")).succeeds();
    assert!(floats(&folder, "a.h5", 2).iter().all(|it| (0.0..1.0).contains(it)));
    folder.run(&format!("{random} -o b.h5 --normal serving_default_image:0=-100,0.5")).succeeds();
    let values = floats(&folder, "b.h5", 2);
    assert!(values.iter().all(|it| (it + 100.0).abs() < 4.0));
    assert!(values.iter().any(|it| (it + 100.0).abs() > 0.5));
    for (options, said) in [
        ("--uniform 1,0", "the smallest value 1 is above the largest, 0"),
        ("--normal 0,1 --uniform 0,1", "all inputs are given two distributions"),
        ("--normal x=0,1", "the model has no input `x`"),
        ("--normal 0", "expected two numbers"),
        ("--values a.txt --seed 3", "cannot be used with"),
    ] {
        let line = format!("dataset random --input-model model.tflite -o c.h5 {options}");
        folder.run(&line).exits_with(2).says(said);
    }
    assert!(!folder.exists("c.h5"));
}

#[test]
fn explicit_values_are_written_as_they_are() {
    let folder = Folder::new();
    fs::create_dir(folder.path("values")).unwrap();
    let elements = 24 * 24 * 3;
    for record in [0, 2, 10] {
        let line: Vec<String> = (0..elements).map(|e| format!("{record}.{e:04}")).collect();
        fs::write(folder.path(&format!("values/{record}.txt")), line.join(", ")).unwrap();
    }
    folder
        .run("dataset random --input-model model.tflite -o a.h5 --values values")
        .succeeds()
        .says("a.h5: 3 records");
    let values = floats(&folder, "a.h5", 3);
    assert_eq!(values[..2], [0.0, 0.0001]);
    // In natural order.
    assert_eq!(values[elements + 25], 2.0025);
    assert_eq!(values[2 * elements + 1700], 10.17);
    let line = "record --input-model model.tflite --input-data values --input-data-format text \
                --checkpoint a.rmm";
    folder.run(line).succeeds().says("recorded 3 records");
    folder.run("record --input-model model.tflite --input-data a.h5 --checkpoint b.rmm").succeeds();
    let ranges = |file: &str| {
        let stdout = folder.run(&format!("inspect {file} --observations")).succeeds().stdout;
        let lines = stdout
            .lines()
            .skip(1)
            .map(|it| it.split_once('\t').unwrap().1.split_once('\t').unwrap().1.to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(ranges("a.rmm"), ranges("b.rmm"));
    fs::write(folder.path("values/3.txt"), "1, 2").unwrap();
    folder
        .run("dataset random --input-model model.tflite -o b.h5 --values values")
        .exits_with(1)
        .says("values/3.txt: record 0, input 0")
        .says("line 1 has 2 values, the model expects FLOAT32 [1, 24, 24, 3]");
}

/// A folder of images.
fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/images")
}

#[test]
fn images_become_a_dataset() {
    let folder = Folder::new();
    let pack = format!("{PACK} --input-data {}", images().display());
    let torch = "--resize 26 --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225";
    folder.run(&format!("{pack} {torch} -o a.h5 --num-threads 1")).succeeds().says("5 records");
    folder.run(&format!("{pack} {torch} -o b.h5 --num-threads 4")).succeeds();
    assert_eq!(folder.read("a.h5"), folder.read("b.h5"));
    let values = floats(&folder, "a.h5", 5);
    assert_eq!(values.len(), 5 * 24 * 24 * 3);
    // Black and white, normalized.
    let (low, high) = (-0.485 / 0.229, (1.0 - 0.406) / 0.225);
    assert!(values.iter().all(|&it| (low - 0.01..high + 0.01).contains(&it)));
    folder.run(&format!("{pack} --standardize -o c.h5 --layout packed")).succeeds();
    folder
        .run("record --input-model model.tflite --input-data c.h5 --checkpoint c.rmm")
        .succeeds()
        .says("recorded 5 records");
    for (line, said) in [
        ("--mean 1,2", "mean has 2 values, but the image has 3 channels"),
        ("--cast", "--cast is for datasets"),
        ("--resize fit", "expected stretch, crop, none, or the pixels"),
        ("--num-threads 0", "between 1 and 4096"),
    ] {
        folder.run(&format!("{pack} -o d.h5 {line}")).exits_with(2).says(said);
    }
    folder
        .run(&format!("{PACK} --input-data a.h5 -o d.h5 --standardize"))
        .exits_with(2)
        .says("options about images are given");
    let record = "record --input-model model.tflite --checkpoint d.rmm --input-data-format images";
    folder.run(&format!("{record} --input-data .")).exits_with(2).says("dataset pack");
    assert!(!folder.exists("d.h5") && !folder.exists("d.rmm"));
}

#[test]
fn images_that_cannot_be_decoded() {
    let folder = Folder::new();
    fs::create_dir(folder.path("images")).unwrap();
    for name in ["1-gray.png", "2-wide.png", "10-tall.png"] {
        fs::copy(images().join(name), folder.path(&format!("images/{name}"))).unwrap();
    }
    fs::write(folder.path("images/3.png"), "no image").unwrap();
    let before = names(&folder);
    let line = format!("{PACK} --input-data images -o a.h5 --layout packed");
    folder
        .run(&line)
        .exits_with(1)
        .says("images/3.png: cannot be decoded")
        .says("`--on-bad-record skip`");
    assert_eq!(names(&folder), before);
    folder
        .run(&format!("{line} --on-bad-record skip"))
        .succeeds()
        .says("left out: images/3.png")
        .says("a.h5: 3 records");
    let file = hdf5::File::open(folder.path("a.h5")).unwrap();
    assert_eq!(file.dataset("value/0").unwrap().shape(), [3, 1, 24, 24, 3]);
}

/// Lines as they are, but for sizes of whole datasets: those of HDF5 files depend on the library that wrote
/// them.
fn without_file_sizes(said: &str) -> String {
    let mut lines = String::new();
    for line in said.lines() {
        match line.rsplit_once(", ") {
            Some((rest, size)) if size.ends_with(" KiB") => writeln!(lines, "{rest}, SIZE KiB"),
            _ => writeln!(lines, "{line}"),
        }
        .unwrap();
    }
    lines
}

#[test]
fn info_says_what_a_dataset_contains() {
    let folder = Folder::new();
    folder.make_data("a.h5", 3, 0);
    fs::create_dir(folder.path("shards")).unwrap();
    folder.make_data("shards/2.h5", 2, 0);
    folder.make_data("shards/10.h5", 4, 1);
    raw_files(&folder, 3, &[1]);
    fs::write(folder.path("values.txt"), "1,2,3\n4,5,6\n").unwrap();
    let sets = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/datasets");
    for name in ["packed-le.h5", "raw.h5", "named.npz", "floats-be.npy", "uint8.h5"] {
        fs::copy(sets.join(name), folder.path(name)).unwrap();
    }
    let mut said = String::new();
    for line in [
        "a.h5",
        "shards",
        "a.h5 --values",
        "raw --input-data-format directory",
        "values.txt --input-data-format text",
        "packed-le.h5 --values",
        "named.npz",
        "raw.h5",
        "uint8.h5 --values",
        "floats-be.npy --values",
        "raw.h5 --values",
        "none.h5",
        "model.tflite",
    ] {
        let run = folder.run(&format!("dataset info {line}"));
        writeln!(said, "$ record-minmax dataset info {line}\n{}{}", run.stdout, run.stderr)
            .unwrap();
    }
    insta::assert_snapshot!(without_file_sizes(&said));
    let json = folder.run("dataset info shards --json --values").succeeds().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["records"], 6);
    assert_eq!(json["shards"][1]["inputs"][0]["shape"], serde_json::json!([1, 24, 24, 3]));
    assert_eq!(json["shards"][0]["inputs"][0]["type"], "FLOAT32");
    assert_eq!(json["values"][0]["values"], 6 * 24 * 24 * 3);
}

const CHECK: &str = "dataset check --input-model model.tflite";

#[test]
fn check_lists_all_problems() {
    let folder = Folder::new();
    folder.make_data("a.h5", 3, 0);
    fs::copy(folder.path("a.h5"), folder.path("b.h5")).unwrap();
    let mut bad: Vec<usize> = (0..60).step_by(2).collect();
    bad.push(7);
    raw_files(&folder, 60, &bad);
    let sets = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/datasets");
    fs::copy(sets.join("uint8.h5"), folder.path("c.h5")).unwrap();
    let mut said = String::new();
    for (line, code) in [
        ("--input-data a.h5", 0),
        ("--input-data a.h5 --input-data b.h5", 0),
        ("--input-data a.h5 --input-data c.h5 --input-data none.h5", 1),
        ("--input-data a.h5 --input-data c.h5 --headers-only", 1),
    ] {
        let run = folder.run(&format!("{CHECK} {line} --estimate-for 0s")).exits_with(code);
        writeln!(said, "$ record-minmax {CHECK} {line}\n{}{}", run.stdout, run.stderr).unwrap();
    }
    insta::assert_snapshot!(without_file_sizes(&said));
    let raw = format!("{CHECK} --input-data raw --input-data-format directory --json");
    let stdout = folder.run(&format!("{raw} --estimate-for 0s")).exits_with(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["problems"].as_array().unwrap().len(), bad.len());
    folder.run(CHECK).exits_with(2).says("--input-data");
}

#[test]
fn check_estimates_what_recording_takes() {
    let folder = Folder::new();
    folder.make_data("a.h5", 200, 0);
    let line = format!("{CHECK} --input-data a.h5 --estimate-for 100ms --num-threads 2");
    let text = folder.run(&line).succeeds().says("running the model for 100 ms").stdout;
    assert!(text.contains("with 2 threads") && text.contains("problems: none"), "{text}");
    let stdout = folder.run(&format!("{line} --json")).succeeds().stdout;
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let estimate = &json["estimate"];
    let (rate, seconds) =
        (estimate["records_per_second"].as_f64().unwrap(), estimate["seconds"].as_f64().unwrap());
    assert!((rate * seconds - 200.0).abs() < 1e-6);
    assert!(estimate["measured_records"].as_u64().unwrap() > 0);
    folder.run("record --input-model model.tflite --input-data a.h5 --checkpoint a.rmm").succeeds();
    let recorded = folder.read("a.rmm").len() as f64;
    let estimated = estimate["recording_bytes"].as_f64().unwrap();
    assert!((0.9..1.2).contains(&(estimated / recorded)), "{estimated} {recorded}");
    assert!(estimate["memory_bytes"].as_u64().unwrap() > 1 << 20);

    // What only running the model shows.
    let line = |values: &str| vec![values; 24 * 24 * 3].join(",");
    fs::write(folder.path("v.txt"), [line("1"), line("nan"), line("2")].join("\n")).unwrap();
    let run =
        folder.run(&format!("{CHECK} --input-data v.txt --input-data-format text")).exits_with(1);
    assert!(run.stdout.contains("has nothing but NaN"), "{}", run.stdout);
    assert!(run.stdout.contains("problems (1)"), "{}", run.stdout);
}

#[test]
fn progress_of_packing_is_told() {
    let folder = Folder::new();
    folder.make_data("a.h5", 3, 0);
    let line = format!("{PACK} --input-data a.h5 -o b.h5 --progress json");
    let stdout = folder.run(&line).succeeds().stdout;
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["records"]), (&"ended".into(), &3.into()));
    assert!(last["committed"].is_null(), "{last}");
}
