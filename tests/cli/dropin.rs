//! Command lines of ONE's tools, as their users and scripts write them: each gives the same output model as the
//! line in this program's own words, or the error that README's section "Drop-in" tells of.

use std::fmt::Write as _;
use std::fs;

use crate::support::{Folder, Run, change_files, sample_data, sample_records};

/// A folder with the sample's records as `data.h5`, `list.txt` and `raw`.
fn folder() -> Folder {
    let folder = Folder::new();
    fs::copy(sample_data(), folder.path("data.h5")).unwrap();
    fs::create_dir(folder.path("raw")).unwrap();
    let mut list = String::new();
    for (i, record) in sample_records().iter().enumerate() {
        fs::write(folder.path(&format!("raw/{i}.bin")), record).unwrap();
        writeln!(list, "raw/{i}.bin").unwrap();
    }
    fs::write(folder.path("list.txt"), list).unwrap();
    folder
}

/// Runs both lines and expects the same output model, which is returned. In each, `OUT` is the output.
#[track_caller]
fn assert_same(folder: &Folder, original: &str, own: &str) -> Vec<u8> {
    for name in ["original.rmm", "own.rmm"] {
        let _ = fs::remove_file(folder.path(name));
    }
    folder.run(&original.replace("OUT", "original.circle")).succeeds();
    folder.run(&own.replace("OUT", "own.circle")).succeeds();
    let written = folder.read("original.circle");
    assert!(written == folder.read("own.circle"), "{original}\n{own}");
    written
}

const ORIGINAL: &str = "--input_model model.tflite --output_model OUT";
const OWN: &str = "--input-model model.tflite --output-model OUT";

#[test]
fn options_with_underscores() {
    let folder = folder();
    let data = ("--input_data data.h5", "--input-data data.h5");
    let mut models = Vec::new();
    for (original, own) in [
        // Without a mode, the original takes percentiles: README says so.
        ("", ""),
        ("--mode percentile", "--mode percentile --min-percentile 1 --max-percentile 99"),
        ("--mode percentile --min_percentile 0.0 --max_percentile 100.0", "--mode minmax --quiet"),
        (
            "--mode percentile --min_percentile 5 --max_percentile 95 --input_data_format h5",
            "--mode percentile --min-percentile 5 --max-percentile 95",
        ),
        (
            "--mode moving_average --moving_avg_batch 16 --moving_avg_const 0.1 -V",
            "--moving-avg-batch 16 --moving-avg-const 0.1",
        ),
        (
            "--mode moving_average --moving_avg_batch 1 --moving_avg_const 0.01 --verbose",
            "--moving-avg-batch 1 --moving-avg-const 0.01",
        ),
        ("--num_threads 4 --input_data_format hdf5", "--num-threads 1"),
        ("--generate_profile_data", "--generate-profile-data"),
        // The original keeps eight bits of a batch and never ends.
        ("--mode moving_average --moving_avg_batch 256", "--moving-avg-batch 256"),
    ] {
        models.push(assert_same(
            &folder,
            &format!("{ORIGINAL} {} {original}", data.0),
            &format!("{OWN} {} {own}", data.1),
        ));
    }
    // The settings mean something: ranges differ where they should.
    for (a, b) in [(0, 1), (1, 2), (2, 3), (4, 5), (5, 8)] {
        assert_ne!(models[a], models[b], "{a} {b}");
    }
    assert_eq!((&models[0], &models[0]), (&models[4], &models[6]));
}

#[test]
fn lines_of_one_cmds() {
    let folder = folder();
    // As one-quantize runs it: always with a mode and percentiles, whatever the mode.
    for verbose in ["", "--verbose "] {
        let quantize = format!(
            "{verbose}{ORIGINAL} --input_data data.h5 --input_data_format h5 --min_percentile 1.0 \
             --max_percentile 99.0 --mode"
        );
        let own = format!("{OWN} --input-data data.h5 --mode");
        for mode in ["percentile", "moving_average"] {
            assert_same(&folder, &format!("{quantize} {mode}"), &format!("{own} {mode}"));
        }
    }
    let unused =
        format!("{ORIGINAL} --input_data data.h5 --min_percentile 1.0 --mode moving_average");
    folder
        .run(&unused.replace("OUT", "unused.circle"))
        .succeeds()
        .says("warning: mode moving_average does not use --min-percentile");
}

#[test]
fn files_without_options() {
    let folder = folder();
    let own = format!("{OWN} --input-data data.h5");
    assert_same(&folder, "model.tflite data.h5 OUT", &own);
    assert_same(
        &folder,
        "model.tflite data.h5 OUT --mode percentile --min_percentile 2 --max_percentile 98",
        &format!("{own} --mode percentile --min-percentile 2 --max-percentile 98"),
    );
    assert_same(&folder, "--num_threads 2 model.tflite data.h5 OUT", &own);
}

#[test]
fn formats_of_the_original() {
    let folder = folder();
    let own = format!("{OWN} --input-data data.h5");
    for (format, data) in [
        ("h5", "data.h5"),
        ("hdf5", "data.h5"),
        ("list", "list.txt"),
        ("filelist", "list.txt"),
        ("directory", "raw"),
        ("dir", "raw"),
        // The original has threads for HDF5 only.
        ("list --num_threads 4", "list.txt"),
        ("dir --num_threads 4", "raw"),
    ] {
        let original = format!("{ORIGINAL} --input_data {data} --input_data_format {format}");
        assert_same(&folder, &original, &own);
    }
    // rawdata2hdf5 marks its files by an attribute, and they hold bytes.
    raw_h5(&folder, "rawdata.h5");
    assert_same(&folder, &format!("{ORIGINAL} --input_data rawdata.h5"), &own);
}

/// The sample's records as rawdata2hdf5 writes them.
fn raw_h5(folder: &Folder, name: &str) {
    change_files(|| {
        let file = hdf5::File::create(folder.path(name)).unwrap();
        let value = file.create_group("value").unwrap();
        value.new_attr::<u8>().create("rawData").unwrap().write_scalar(&1_u8).unwrap();
        for (i, record) in sample_records().iter().enumerate() {
            let group = value.create_group(&i.to_string()).unwrap();
            group.new_dataset_builder().with_data(record).create("0").unwrap();
        }
    });
}

#[test]
fn without_data() {
    let folder = folder();
    assert_same(&folder, ORIGINAL, &format!("{OWN} --seed 0"));
    // Not with threads, there.
    assert_same(&folder, &format!("{ORIGINAL} --num_threads 2"), OWN);
    folder
        .run("--input_model model.tflite --output_model random.circle")
        .succeeds()
        .says("warning: no --input-data: recording 3 random records");
}

#[test]
fn what_is_not_as_in_the_original() {
    let folder = folder();
    let line = format!("{ORIGINAL} --input_data data.h5").replace("OUT", "out.circle");
    folder.run(&line).succeeds().says("mode: moving_average (batch 16, constant 0.1)");
    let refused = |run: Run, code: i32| run.exits_with(code).stderr;
    let mut said = String::new();
    for (options, code) in [
        ("", 1),
        ("--min_percentile -1 --overwrite", 2),
        ("--mode percentile --max_percentile 100.5 --overwrite", 2),
        ("--mode median --overwrite", 2),
        ("--moving_avg_batch 0 --overwrite", 2),
        ("--input_data_format xml --overwrite", 2),
        ("--num_threads 0 --overwrite", 2),
    ] {
        let stderr = refused(folder.run(&format!("{line} {options}")), code);
        writeln!(said, "$ record-minmax ... {options}\n{stderr}").unwrap();
    }
    for line in [
        "--input_model model.tflite",
        "--output_model a.circle",
        "model.tflite data.h5",
        "model.tflite minmax.h5 -o a.circle",
    ] {
        let stderr = refused(folder.run(line), 2);
        writeln!(said, "$ record-minmax {line}\n{stderr}").unwrap();
    }
    insta::assert_snapshot!(said);
}

/// `minmax-embedder MODEL MINMAX -o OUT --min_percentile P --max_percentile P` is two commands here.
#[test]
fn minmax_embedder() {
    let folder = folder();
    let minmax = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/minmax/runs.h5");
    folder.run(&format!("import-minmax --input_model model.tflite {minmax} -o a.rmm")).succeeds();
    let embed = "embed --input_model model.tflite --recording a.rmm --mode percentile";
    let own = "embed --input-model model.tflite --recording a.rmm -o OUT --mode percentile";
    let usual = assert_same(&folder, &format!("{embed} -o OUT"), own);
    let percentiles = "--min_percentile 0 --max_percentile 100";
    let all = assert_same(
        &folder,
        &format!("{embed} {percentiles} --output_model OUT"),
        "embed --input-model model.tflite --recording a.rmm -o OUT --mode minmax",
    );
    assert_ne!(usual, all);
}

#[test]
fn version_and_help() {
    let folder = Folder::new();
    assert!(folder.run("--version").succeeds().stdout.starts_with("record-minmax "));
    for help in ["-h", "--help"] {
        assert!(folder.run(help).succeeds().stdout.contains("--input-model"));
    }
    // Verbose, not the version.
    folder.run("-V").exits_with(2).says("no model is given");
}
