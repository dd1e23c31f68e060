//! What `--help`, the manual page and completions say.

use std::fs;
use std::path::Path;

use crate::support::Folder;

/// All commands, in an order in which their examples find what they need.
const COMMANDS: [&str; 18] = [
    "",
    "record",
    "embed",
    "merge",
    "inspect",
    "report",
    "compare",
    "import",
    "import-minmax",
    "verify",
    "dataset",
    "dataset pack",
    "dataset info",
    "dataset check",
    "dataset random",
    "completions",
    "man",
    "help",
];

#[test]
fn help_of_every_command() {
    let folder = Folder::new();
    for command in COMMANDS.into_iter().filter(|&it| it != "help") {
        let name = if command.is_empty() { "main" } else { command }.replace(' ', "-");
        for (flag, kind) in [("-h", "help"), ("--help", "long-help")] {
            let help = folder.run(&format!("{command} {flag}")).succeeds().stdout;
            insta::assert_snapshot!(format!("{kind}-{name}"), help);
        }
    }
}

/// The examples in a help text: what is typed, with the lines that a backslash joins.
fn examples(help: &str) -> Vec<String> {
    let mut lines = help.lines().skip_while(|&line| line != "Examples:").skip(1);
    let mut examples: Vec<String> = Vec::new();
    while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        let mut example = line.trim().to_owned();
        while let Some(begun) = example.strip_suffix('\\') {
            example = format!("{begun}{}", lines.next().unwrap_or_default().trim_start());
        }
        examples.push(example);
    }
    examples
}

#[test]
fn commands_are_all_known_here() {
    let listed = |help: &str| -> Vec<String> {
        let commands = help.lines().skip_while(|&line| line != "Commands:").skip(1);
        let commands = commands.take_while(|line| !line.is_empty());
        commands.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let folder = Folder::new();
    let mut known: Vec<String> = vec![String::new()];
    for command in listed(&folder.run("-h").succeeds().stdout) {
        known.push(command.clone());
        if command == "dataset" {
            let of_datasets = listed(&folder.run("dataset -h").succeeds().stdout);
            let of_datasets = of_datasets.iter().filter(|&it| it != "help");
            known.extend(of_datasets.map(|it| format!("dataset {it}")));
        }
    }
    let mut here: Vec<String> = COMMANDS.map(str::to_owned).to_vec();
    known.sort();
    here.sort();
    assert_eq!(known, here);
}

/// The manual's text as it would be typed.
fn typed(roff: &str) -> String {
    let plain = roff.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\");
    plain.replace("\\\n      ", "")
}

#[test]
fn examples_run_and_are_in_the_manual() {
    let folder = Folder::new();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    folder.run("import model.tflite -o model.circle").succeeds();
    folder.make_data("data.h5", 4, 1);
    for (name, seed) in [("shards", 2), ("photos", 0)] {
        fs::create_dir(folder.path(name)).unwrap();
        if seed > 0 {
            folder.make_data(&format!("{name}/1.h5"), 3, seed);
            folder.make_data(&format!("{name}/2.h5"), 3, seed + 1);
        }
    }
    fs::copy(testdata.join("images/class/photo.jpg"), folder.path("photos/photo.jpg")).unwrap();
    fs::copy(testdata.join("minmax/runs.h5"), folder.path("minmax.h5")).unwrap();
    folder
        .run("record --input-model model.circle --input-data shards --checkpoint part1.rmm --records 3..")
        .succeeds();

    let manual = typed(&folder.run("man").succeeds().stdout);
    for command in COMMANDS.into_iter().filter(|&it| it != "help") {
        let help = folder.run(&format!("{command} -h")).succeeds().stdout;
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command}");
        for example in examples {
            // The name alone, as it is typed when it is installed.
            let script = format!("record-minmax() {{ $RM \"$@\"; }}\n{example}");
            folder.bash(&script).succeeds();
            assert!(manual.contains(&example), "not in the manual: {example}");
        }
    }
}

#[test]
fn shells_and_man_know_every_option() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = folder.run(&format!("completions {shell}")).succeeds().stdout;
        for known in ["input-data-format", "max-bad-records", "embed"] {
            assert!(text.contains(known), "{shell} {known}");
        }
    }
    let page = folder.run("man").succeeds().stdout;
    assert!(page.contains(".TH record-minmax 1"), "{page}");
    for known in ["input\\-data\\-format", "on\\-overlap", "MERGE", "Exit codes"] {
        assert!(page.contains(known), "{known}");
    }
}

#[test]
fn version_is_data() {
    let run = Folder::new().run("--version").succeeds();
    assert_eq!(run.stdout, format!("record-minmax {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run.stderr, "");
}
