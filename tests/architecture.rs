//! Holds what modules use against the table in `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module to the modules it may use; `None` for everything.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

fn table(page: &str) -> Table {
    let rows: Vec<(Vec<String>, &str)> = page
        .lines()
        .skip_while(|line| !line.starts_with("| module |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            (quoted(cells[1]), cells[2].trim())
        })
        .collect();
    let base: BTreeSet<String> =
        rows.last().expect("the table has rows").0.iter().cloned().collect();
    let mut table = Table::new();
    for (modules, uses) in rows {
        for module in modules {
            let allowed = (uses != "everything").then(|| {
                let mut allowed: BTreeSet<String> = quoted(uses).into_iter().collect();
                if uses.ends_with("base") {
                    allowed.extend(base.clone());
                }
                allowed.insert(module.clone());
                allowed
            });
            table.insert(module, allowed);
        }
    }
    table
}

/// The words between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// First path segments after every `crate::` in code that is not test code or a comment.
fn used(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(first_segments(group)),
            None => used.extend(identifier(rest)),
        }
    }
    // `crate::Error` and `crate::Result` are re-exports of `error`.
    used.into_iter()
        .map(|it| if it == "Error" || it == "Result" { "error".to_owned() } else { it })
        .collect()
}

/// `error::Error, tensor::{A, B}}` gives `error` and `tensor`.
fn first_segments(group: &str) -> Vec<String> {
    let (mut depth, mut item, mut segments) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => segments.extend(identifier(std::mem::take(&mut item).trim())),
            _ => item.push(c),
        }
    }
    segments.extend(identifier(item.trim()));
    segments
}

fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    Some(text[..end].to_owned()).filter(|it| !it.is_empty())
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn modules_use_what_the_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).expect("the page is there");
    let table = table(&page);
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);

    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for file in files {
        let relative = file.strip_prefix(root.join("src")).expect("it is inside");
        let mut parts = relative.iter().map(|it| it.to_string_lossy().into_owned());
        let module = parts.next().expect("a file has a name").replace(".rs", "");
        if module == "lib" || module == "main" || parts.any(|it| it.starts_with("test")) {
            continue;
        }
        seen.insert(module.clone());
        let Some(allowed) = table.get(&module) else {
            problems.push(format!("{}: `{module}` is not in the table", relative.display()));
            continue;
        };
        let source = fs::read_to_string(&file).expect("a readable file");
        for used in used(&source) {
            if allowed.as_ref().is_some_and(|allowed| !allowed.contains(&used)) {
                problems.push(format!("{}: may not use `{used}`", relative.display()));
            }
        }
    }
    let missing: Vec<_> = table.keys().filter(|it| !seen.contains(*it)).collect();
    assert!(missing.is_empty(), "in docs/architecture.md but not in src/: {missing:?}");
    assert!(problems.is_empty(), "against docs/architecture.md:\n{}", problems.join("\n"));
}

#[test]
fn nothing_uses_the_command_line() {
    let page = "| module | may use |\n|---|---|\n| `cli` | everything |\n| `a` | `b`, base |\n| `b` | base |\n";
    let table = table(page);
    assert_eq!(table["cli"], None);
    assert_eq!(table["a"], Some(BTreeSet::from(["a".to_owned(), "b".to_owned()])));
}

#[test]
fn uses_are_found_in_every_form() {
    let source = "use crate::error::Result;\nuse crate::{\n    graph::{Model, Node},\n    tensor,\n};\n\
                  // crate::cli is not used\nfn f() -> crate::Result<()> { crate::stats::x() }\n\
                  #[cfg(test)]\nmod tests {\n    use crate::dataset;\n}\n";
    let found: Vec<String> = used(source).into_iter().collect();
    assert_eq!(found, ["error", "graph", "stats", "tensor"]);
}
