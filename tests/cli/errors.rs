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
fn names_that_are_misspelt() {
    let folder = Folder::new();
    folder.make_data("data.h5", 2, 0);
    folder.run("--input-model model.tflite --input-data data.h5 -o out.circle").succeeds();
    fs::create_dir(folder.path("shards")).unwrap();
    let mut said = String::new();
    for (line, code) in [
        ("inspct out.rmm", 2),
        ("mrege a.rmm b.rmm -o c.rmm", 2),
        ("imbed --input-model model.tflite --recording out.rmm -o p.circle", 2),
        ("dataset pakc --input-model model.tflite --input-data data.h5 -o all.h5", 2),
        ("inspect out.rmm --observatons", 2),
        ("--input_modle model.tflite --output_model a.circle", 2),
        ("inspect out.rmm --mode moving_avrage", 2),
        ("inspect out.rmm --tensor classify_1/MatMul", 2),
        ("inspect out.rmm --observations --tensor *pool_1/mean", 2),
        ("inspect out.circle --tensor *Mean", 2),
        ("record --input-model model.tflite --checkpoint a.rmm --on-bad-record skp", 2),
        ("--input-model model.tflite -o a.circle --input-shape serving_default_imgae:0=1,2", 2),
        ("--input-model model.tflite -o a.circle --input-shape image=1,2", 2),
        ("dataset random --input-model model.tflite -o a.h5 --normal serving_default_image=0,1", 2),
        ("--input-model modle.tflite -o a.circle", 1),
        ("--input-model model.circle -o a.circle", 1),
        ("--input-model model.tflite --input-data date.h5 -o a.circle", 1),
        ("--input-model model.tflite --input-data shard -o a.circle", 1),
        ("inspect uot.rmm", 1),
        ("report out.rm", 1),
        ("embed --input-model model.tflite --recording out.rmn -o p.circle", 1),
    ] {
        let run = folder.run(line).exits_with(code);
        assert_eq!(run.stdout, "", "{line}");
        writeln!(said, "$ record-minmax {line}\n{}", run.steady_stderr()).unwrap();
    }
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
