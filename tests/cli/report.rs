//! What a recording says about each tensor.

use std::fmt::Write;
use std::fs;

use crate::support::{Folder, sample_data};

/// A folder with `r.rmm`, the sample's recording.
fn recorded() -> Folder {
    let folder = Folder::new();
    let data = sample_data();
    let line = format!("record --input-model model.tflite --input-data {}", data.display());
    folder.run(&format!("{line} --checkpoint r.rmm")).succeeds();
    folder
}

#[test]
fn for_other_tools() {
    let folder = recorded();
    folder
        .run("report r.rmm --input-model model.tflite --json r.json --csv r.csv --svg r.svg")
        .succeeds()
        .says("r.csv: written");
    let json: serde_json::Value = serde_json::from_slice(&folder.read("r.json")).unwrap();
    let inspected = folder.run("inspect r.rmm --json --mode percentile").succeeds().stdout;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let tensors = json["tensors"].as_array().unwrap();
    for expected in inspected["tensors"].as_array().unwrap() {
        let same = |it: &&serde_json::Value| it["index"] == expected["tensor"];
        let found = tensors.iter().find(same).expect("the tensor");
        assert_eq!(found["ranges"][1]["min"], expected["min"]);
        assert_eq!(found["ranges"][1]["max"], expected["max"]);
    }
    insta::assert_snapshot!("report-csv", String::from_utf8(folder.read("r.csv")).unwrap());
    assert!(folder.read("r.svg").starts_with(b"<svg "));
    // The same on standard output, and nothing else there.
    let run = folder.run("report r.rmm --input-model model.tflite --csv -").succeeds();
    assert_eq!(run.stdout.as_bytes(), folder.read("r.csv"));
}

#[test]
fn a_page() {
    let folder = recorded();
    folder.run("report r.rmm").succeeds().says("r.html: written");
    let page = folder.read("r.html");
    assert!(page.starts_with(b"<!doctype html>") && page.len() < 5_000_000);
    // The same bytes whenever and wherever it is made, and whatever was there before.
    fs::create_dir(folder.path("elsewhere")).unwrap();
    fs::write(folder.path("elsewhere/page.html"), "old").unwrap();
    folder.run("report r.rmm -o elsewhere/page.html --csv r.csv").succeeds();
    assert_eq!(folder.read("elsewhere/page.html"), page);
    assert_eq!(fs::read_dir(folder.path("elsewhere")).unwrap().count(), 1);
    // What fails leaves nothing behind.
    fs::write(folder.path("damaged.rmm"), &folder.read("r.rmm")[..1000]).unwrap();
    folder.run("report damaged.rmm").exits_with(1);
    assert!(!folder.exists("damaged.html"));
}

#[test]
fn what_is_refused() {
    let folder = recorded();
    fs::copy(folder.path("r.rmm"), folder.path("copy.rmm")).unwrap();
    let cases = [
        ("report missing.rmm --csv -", 1),
        ("report model.tflite --csv -", 1),
        ("report r.rmm --csv a.txt --json a.txt", 2),
        ("report r.rmm --csv - --json -", 2),
        ("report r.rmm --csv r.rmm", 2),
        ("report r.rmm -o model.tflite --input-model model.tflite", 2),
        ("report r.rmm --csv missing/a.csv", 1),
        ("report r.rmm --csv - --max-percentile 101", 2),
    ];
    let mut said = String::new();
    for (line, code) in cases {
        let run = folder.run(line).exits_with(code);
        assert_eq!(run.stdout, "", "{line}");
        writeln!(said, "$ {line}\n{}", run.stderr).unwrap();
    }
    insta::assert_snapshot!("report-refusals", said);
    assert_eq!(folder.read("r.rmm"), folder.read("copy.rmm"));
    // A model that has the same tensors, but is another file.
    let mut model = folder.read("model.tflite");
    let last = model.len() - 1;
    model.push(model[last]);
    fs::write(folder.path("other.tflite"), model).unwrap();
    folder
        .run("report r.rmm --input-model other.tflite --csv -")
        .exits_with(1)
        .says("r.rmm was made with another model than other.tflite");
}
