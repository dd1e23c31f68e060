use crate::support::Folder;

#[test]
fn help_of_every_command() {
    let folder = Folder::new();
    for command in ["", "record", "embed", "merge", "inspect", "import", "verify", "dataset random"]
    {
        let help = folder.run(&format!("{command} -h")).succeeds().stdout;
        let name = if command.is_empty() { "main" } else { command };
        insta::assert_snapshot!(format!("help-{}", name.replace(' ', "-")), help);
    }
}

#[test]
fn version_is_data() {
    let run = Folder::new().run("--version").succeeds();
    assert_eq!(run.stdout, format!("record-minmax {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run.stderr, "");
}
