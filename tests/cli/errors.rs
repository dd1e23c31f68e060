//! What is said when something is wrong, and the exit code.

use std::fmt::Write;
use std::fs;

use crate::support::Folder;

#[test]
fn wrong_usage() {
    let folder = Folder::new();
    let mut said = String::new();
    for line in [
        "",
        "--input-model model.tflite",
        "model.tflite data.h5",
        "model.tflite data.h5 out.circle --input-model model.tflite",
        "--input-model model.tflite --output-model model.tflite",
        "--input-model model.tflite -o out.circle --checkpoint out.circle",
        "--input-model model.tflite -o out.circle --resume --overwrite",
        "--input-model model.tflite -o out.circle --mode percentile --max-percentile 101",
        "--input-model model.tflite -o out.circle --moving_avg_batch 0",
        "--input-model model.tflite -o out.circle --moving-avg-const 2",
        "--input-model model.tflite -o out.circle --num-threads 0",
        "--input-model model.tflite -o out.circle --checkpoint-interval soon",
        "--input-model model.tflite -o out.circle --input_data_format xml",
        "record --input-model model.tflite",
        "merge a.rmm -o b.rmm",
        "frobnicate",
        "--input-modle model.tflite -o out.circle",
        "record --input-model model.tflite -o out.circle --mode percentil",
        "inspect model.tflite --quiet --verbose",
        "--input-model model.tflite -o out.circle --input-shape nothing=1,2",
    ] {
        let run = folder.run(line).exits_with(2);
        assert_eq!(run.stdout, "", "{line}");
        writeln!(said, "$ record-minmax {line}\n{}", run.steady_stderr()).unwrap();
    }
    assert!(!folder.exists("out.rmm") && !folder.exists("out.circle"));
    insta::assert_snapshot!(said);
}

#[test]
fn instructions_that_the_cpu_lacks() {
    // Not in the snapshot: the hint lists those of this CPU.
    let line = "--input-model model.tflite -o out.circle --isa mmx";
    Folder::new().run(line).exits_with(2).says("`mmx`").says("portable");
}

#[test]
fn files_that_cannot_be_used() {
    let folder = Folder::new();
    fs::write(folder.path("text.txt"), "not a model").unwrap();
    fs::write(folder.path("old.rmm"), "not a recording").unwrap();
    let mut said = String::new();
    for line in [
        "none.circle none.h5 out.circle",
        "text.txt none.h5 out.circle",
        "model.tflite none.h5 out.circle",
        "model.tflite text.txt out.circle",
        "model.tflite none.h5 none/out.circle",
        "--input-model model.tflite -o out.circle --checkpoint old.rmm",
        "--input-model model.tflite -o out.circle --checkpoint old.rmm --resume",
        "inspect text.txt",
        "inspect none.circle",
        "embed --input-model model.tflite --recording old.rmm -o out.circle",
        "merge old.rmm none.rmm -o all.rmm",
        "verify --model model.tflite --recording none.rmm",
    ] {
        let run = folder.run(line).exits_with(1);
        assert_eq!(run.stdout, "", "{line}");
        writeln!(said, "$ record-minmax {line}\n{}", run.steady_stderr()).unwrap();
    }
    assert!(!folder.exists("out.circle"));
    assert_eq!(folder.read("old.rmm"), b"not a recording");
    insta::assert_snapshot!(said);
}
