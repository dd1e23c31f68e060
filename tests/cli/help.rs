use crate::support::Folder;

#[test]
fn help_of_every_command() {
    let folder = Folder::new();
    for command in [
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
        "dataset pack",
        "dataset info",
        "dataset check",
        "dataset random",
    ] {
        let help = folder.run(&format!("{command} -h")).succeeds().stdout;
        let name = if command.is_empty() { "main" } else { command };
        insta::assert_snapshot!(format!("help-{}", name.replace(' ', "-")), help);
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
