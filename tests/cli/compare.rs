//! Ranges side by side. Exit codes are those of `diff`.

use std::fs;

use crate::support::Folder;

/// A folder with recordings of two datasets, and models with the ranges of the first.
fn recorded() -> Folder {
    let folder = Folder::new();
    for (name, records, seed) in [("a", 20, 1), ("b", 30, 2)] {
        folder.make_data(&format!("{name}.h5"), records, seed);
        folder
            .run(&format!(
                "--input-model model.tflite --input-data {name}.h5 -o {name}.circle --mode minmax"
            ))
            .succeeds();
    }
    folder
}

#[test]
fn a_recording_and_its_model_are_equal() {
    let folder = recorded();
    for (a, b) in [("a.rmm", "a.circle"), ("a.circle", "a.rmm"), ("b.rmm", "b.rmm")] {
        let run = folder.run(&format!("compare {a} {b} --mode minmax")).succeeds();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "0 of 9 tensors differ\n"));
    }
    let all = folder.run("compare a.rmm a.circle --mode minmax --all").succeeds().stdout;
    assert_eq!(all.matches("\n       0 %  [").count(), 9, "{all}");
    // Under another mode they are not.
    folder.run("compare a.rmm a.circle --mode percentile").exits_with(1);
}

#[test]
fn what_differs_is_listed() {
    let folder = recorded();
    let run = folder.run("compare a.rmm b.circle --mode minmax").exits_with(1);
    insta::assert_snapshot!("compare", run.stdout + &run.stderr);
    let line = "compare a.rmm b.circle --mode minmax --threshold";
    let some = folder.run(&format!("{line} 0.02 --json c.json --csv c.csv")).exits_with(1);
    assert!(some.stderr.contains(" of 9 tensors differ by more than 2 %"), "{}", some.stderr);
    let json: serde_json::Value = serde_json::from_slice(&folder.read("c.json")).unwrap();
    let tensors = json["tensors"].as_array().unwrap();
    let differing = tensors.iter().filter(|it| it["differs"] == true).count();
    assert_eq!(json["differing"], differing);
    assert_eq!(some.stdout.lines().filter(|line| line.contains("T(0:")).count(), differing);
    assert!(0 < differing && differing < tensors.len());
    let csv = String::from_utf8(folder.read("c.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + tensors.len());
    assert_eq!(csv.matches(",true\n").count(), differing);
    // As data, without anything else.
    let run = folder.run(&format!("{line} 0.02 --csv -")).exits_with(1);
    assert_eq!(run.stdout, csv);
    folder.run(&format!("{line} 1e9")).succeeds();
}

#[test]
fn models_without_ranges_and_other_models() {
    let folder = recorded();
    folder
        .run("compare a.rmm model.tflite")
        .exits_with(1)
        .says("there are no ranges in model.tflite: model")
        .says("9 of 9 tensors differ");
    // The same tensors, found by their names.
    let mut model = folder.read("model.tflite");
    model.extend_from_slice(b"another");
    fs::write(folder.path("other.tflite"), model).unwrap();
    folder
        .run("--input-model other.tflite --input-data a.h5 -o other.circle --mode minmax")
        .succeeds();
    folder
        .run("compare a.circle other.circle")
        .succeeds()
        .says("these are of different models: tensors are matched by name");
}

#[test]
fn what_cannot_be_compared_is_trouble() {
    let folder = recorded();
    for (line, text) in [
        ("compare a.rmm missing.rmm", "cannot open missing.rmm"),
        ("compare a.rmm a.h5", "a.h5: not a recording of record-minmax"),
        ("compare a.rmm b.rmm --threshold -1", "the threshold is -1"),
        ("compare a.rmm b.rmm --threshold nan", "the threshold is NaN"),
        ("compare a.rmm b.rmm --csv b.rmm", "would overwrite one of its sources"),
        ("compare a.rmm", "required arguments were not provided"),
    ] {
        let run = folder.run(line).exits_with(2).says(text);
        assert_eq!(run.stdout, "", "{line}");
    }
}
