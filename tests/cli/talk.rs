//! How much is said: `--quiet`, `--verbose`, `--profile`.

use crate::support::{Folder, Run};

const RECORD: &str = "--input-model model.tflite --input-data data.h5";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.make_data("data.h5", 12, 1);
    folder
}

#[test]
fn quiet_says_nothing_but_errors() {
    let folder = folder();
    let silent = |run: Run| assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    silent(folder.run(&format!("{RECORD} -o a.circle --quiet")).succeeds());
    silent(folder.run(&format!("{RECORD} -o a.circle --resume -q")).succeeds());
    let embed = "embed --input-model model.tflite --recording a.rmm -o b.circle --mode minmax -q";
    silent(folder.run(embed).succeeds());
    // Not even warnings, of random records for instance.
    silent(folder.run("--input-model model.tflite -o c.circle -q").succeeds());

    let refused = folder.run(&format!("{RECORD} -o a.circle -q")).exits_with(1);
    assert!(
        refused.stderr.starts_with("error: a.rmm exists already\nhint: "),
        "{}",
        refused.stderr
    );

    // What is asked for is said.
    let listed = folder.run("inspect a.rmm -q").succeeds();
    assert!(listed.stdout.contains("12") && listed.stderr.is_empty(), "{}", listed.stdout);
    let objects = folder.run(&format!("{RECORD} -o d.circle -q --progress json")).succeeds();
    assert!(objects.stdout.starts_with('{') && objects.stderr.is_empty(), "{}", objects.stdout);
    folder.run("inspect a.rmm -q -v").exits_with(2).says("cannot be used with");
}

#[test]
fn verbose_tells_of_each_event_in_a_line() {
    let folder = folder();
    let run = folder.run(&format!("{RECORD} -o a.circle --verbose")).succeeds();
    let mut rest = run.stderr.as_str();
    for event in [
        "model.tflite: model open format=Tflite bytes=",
        "plan made isa=",
        "data.h5: shard checked kind=",
        "a.rmm: recording open records=0",
        "run scheduled shards=1 known=0 to_record=12",
        "data.h5: shard open records=12",
        "commit recorded=12 skipped=0",
        "a.circle: model written ranges=",
    ] {
        let at = rest.find(event).unwrap_or_else(|| panic!("{event} is not in\n{rest}"));
        rest = &rest[at..];
        let line = rest.lines().next().unwrap_or_default();
        assert!(!line.contains("\u{1b}["), "no colours in a pipe: {line}");
        rest = &rest[line.len()..];
    }
    let plain = folder.run(&format!("{RECORD} -o b.circle")).succeeds();
    assert!(!plain.stderr.contains("plan made"), "{}", plain.stderr);
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
}

#[test]
fn a_profile_is_a_table_or_json() {
    let folder = folder();
    let threads = "--num-threads 2";
    let table = folder.run(&format!("{RECORD} -o a.circle {threads} --profile")).succeeds();
    let table = table.says("profile: 12 records in ").says("ms/record  share  GFLOP/s  operators");
    assert!(table.stderr.contains("CONV_2D"), "{}", table.stderr);

    let json = format!("{RECORD} -o b.circle {threads} --profile=p.json");
    folder.run(&json).succeeds().says("p.json: written");
    let profile: serde_json::Value = serde_json::from_slice(&folder.read("p.json")).unwrap();
    assert_eq!(profile["records"], 12);
    let operators = profile["operators"].as_array().unwrap();
    let seconds = |it: &serde_json::Value| it["seconds"].as_f64().unwrap();
    let within: f64 = operators.iter().map(seconds).sum();
    assert!(within > 0.0 && within <= seconds(&profile), "{profile}");
    for it in operators {
        assert_eq!(it["runs"], 12, "{it}");
        assert!(it["name"].as_str().unwrap().starts_with("operator "), "{it}");
    }
    // Operators of branches are those that were run.
    let branches = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/models/branches.circle");
    let run = folder.run(&format!("--input-model {branches} -o e.circle --profile")).succeeds();
    run.says("profile: 3 records in ")
        .says("operator 0 NEG of subgraph ")
        .says("between operators");
    // Looking does not change anything.
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
    folder.run(&format!("{RECORD} -o c.circle")).succeeds();
    assert_eq!(folder.read("a.circle"), folder.read("c.circle"));

    let printed = folder.run(&format!("{RECORD} -o d.circle -q --profile=-")).succeeds();
    assert!(printed.stdout.starts_with('{') && printed.stderr.is_empty(), "{}", printed.stdout);
    let nothing = folder.run(&format!("{RECORD} -o d.circle --resume --profile")).succeeds();
    nothing.says("profile: no record was run");
}

#[test]
fn a_profile_does_not_overwrite_what_it_is_about() {
    let folder = folder();
    let line = format!("{RECORD} -o a.circle");
    for taken in ["model.tflite", "data.h5", "a.circle", "a.rmm"] {
        folder.run(&format!("{line} --profile={taken}")).exits_with(2).says("would overwrite");
    }
    folder
        .run(&format!("{line} --profile=- --progress json"))
        .exits_with(2)
        .says("both be on standard output");
    assert!(!folder.exists("a.rmm"));
}
