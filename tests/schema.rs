//! The declared schema and the code generated from it are those of the published circle schema.
//!
//! `testdata/schema/circle-0.10.1.json` holds the facts of the `PyPI` package `circle-schema`;
//! `tests/reference/check_schema.py` has written it.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// Values of an enumeration or members of a union.
type Values = BTreeMap<String, i64>;

#[derive(Deserialize)]
struct Published {
    enums: BTreeMap<String, Values>,
    unions: BTreeMap<String, Values>,
    tables: BTreeMap<String, Table>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Table {
    /// Number of slots, those of deprecated fields included.
    slots: usize,
    fields: Vec<Field>,
}

/// Slot, name in camel case, type, default of a number.
#[derive(Deserialize, Debug, PartialEq)]
struct Field(usize, String, String, Option<f64>);

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn published() -> Published {
    serde_json::from_str(&text("testdata/schema/circle-0.10.1.json")).expect("facts")
}

// ---- The declaration

/// (name with what stands between it and the brace, body) of each declaration of a kind.
fn declarations<'a>(schema: &'a str, kind: &str) -> Vec<(&'a str, &'a str)> {
    let starts = schema.match_indices(kind).filter(|(at, _)| {
        // Only at the start of a line, so not within a name.
        schema[..*at].ends_with('\n') && schema[at + kind.len()..].starts_with(' ')
    });
    let bodies = starts.filter_map(|(at, _)| {
        let (head, rest) = schema[at + kind.len()..].split_once('{')?;
        Some((head.trim(), rest.split_once('}')?.0))
    });
    bodies.collect()
}

/// The entries of an enumeration or union, each one more than the one before unless it says.
fn values(body: &str, first: i64) -> Values {
    let mut next = first;
    let mut found = Values::new();
    for entry in body.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        next = value.trim().parse().unwrap_or(next);
        found.insert(name.trim().to_owned(), next);
        next += 1;
    }
    found
}

struct Declared {
    enums: BTreeMap<String, Values>,
    /// Number type of each enumeration.
    widths: BTreeMap<String, String>,
    unions: BTreeMap<String, Values>,
    tables: BTreeMap<String, Table>,
}

fn declared() -> Declared {
    let schema = text("schema/circle.fbs");
    let without_comments: Vec<&str> =
        schema.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let schema = without_comments.join("\n");
    let mut declared = Declared {
        enums: BTreeMap::new(),
        widths: BTreeMap::new(),
        unions: BTreeMap::new(),
        tables: BTreeMap::new(),
    };
    for (head, body) in declarations(&schema, "enum") {
        let (name, width) = head.split_once(':').expect("a number type");
        let width = number_type(width.trim()).expect("a number type");
        declared.widths.insert(name.trim().to_owned(), width.to_owned());
        declared.enums.insert(name.trim().to_owned(), values(body, 0));
    }
    for (name, body) in declarations(&schema, "union") {
        let mut members = values(body, 1);
        members.insert("NONE".to_owned(), 0);
        declared.unions.insert(name.to_owned(), members);
    }
    for (name, body) in declarations(&schema, "table") {
        let table = table(body, &declared);
        declared.tables.insert(name.to_owned(), table);
    }
    declared
}

fn table(body: &str, declared: &Declared) -> Table {
    let mut table = Table { slots: 0, fields: Vec::new() };
    for line in body.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(':').expect("a type");
        let rest = rest.trim();
        let is_deprecated = rest.ends_with("(deprecated)");
        let rest = rest.trim_end_matches("(deprecated)");
        let (kind, default) = rest.split_once('=').unwrap_or((rest, ""));
        let (kind, default) = (kind.trim(), default.trim());
        let element = kind.trim_matches(['[', ']']);
        let plain = number_type(element).or(declared.widths.get(element).map(String::as_str));
        let name = camel_case(name.trim());
        let mut push = |name: String, kind: String, default: Option<f64>| {
            if !is_deprecated {
                table.fields.push(Field(table.slots, name, kind, default));
            }
            table.slots += 1;
        };
        if declared.unions.contains_key(element) {
            push(format!("{name}Type"), "uint8".to_owned(), Some(0.0));
            push(name, "union".to_owned(), None);
        } else if kind != element {
            push(name, format!("[{}]", plain.unwrap_or(element)), None);
        } else if let Some(plain) = plain {
            let value = declared.enums.get(element).and_then(|values| values.get(default));
            let value = value.map_or_else(|| number(default), |&value| value as f64);
            push(name, plain.to_owned(), Some(value));
        } else {
            push(name, element.to_owned(), None);
        }
    }
    table
}

fn number_type(name: &str) -> Option<&str> {
    Some(match name {
        "bool" => "bool",
        "byte" => "int8",
        "ubyte" => "uint8",
        "short" => "int16",
        "ushort" => "uint16",
        "int" => "int32",
        "uint" => "uint32",
        "long" => "int64",
        "ulong" => "uint64",
        "float" => "float32",
        "int8" | "uint8" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "uint64" => name,
        _ => return None,
    })
}

fn number(text: &str) -> f64 {
    match text {
        "" | "false" | "Default::default()" => 0.0,
        "true" => 1.0,
        number => number.parse().unwrap_or_else(|_| panic!("a number: {number}")),
    }
}

fn camel_case(snake: &str) -> String {
    let words = snake.split('_').filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

#[test]
fn declaration_is_the_published_schema() {
    let (published, declared) = (published(), declared());
    assert!(published.tables.len() > 170 && published.enums["BuiltinOperator"].len() > 210);
    assert_eq!(published.enums, declared.enums);
    assert_eq!(published.unions, declared.unions);
    assert!(published.tables.keys().eq(declared.tables.keys()), "names of tables");
    for (name, table) in &published.tables {
        assert_eq!(declared.tables.get(name), Some(table), "{name}");
    }
}

// ---- The generated code

/// What stands between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no `{}`", start.trim()));
    rest.split_once(end).expect("an end").0
}

#[test]
fn generated_values_are_the_published_ones() {
    let code = text("src/schema/circle_generated.rs");
    let published = published();
    for (name, values) in published.enums.iter().chain(&published.unions) {
        let body = between(&code, &format!("\nimpl {name} {{\n"), "\n}\n");
        let constants = body.lines().filter_map(|line| {
            let (name, value) =
                line.trim().strip_prefix("pub const ")?.split_once(": Self = Self(")?;
            Some((name.to_owned(), value.strip_suffix(");")?.parse().ok()?))
        });
        assert_eq!(&constants.collect::<Values>(), values, "{name}");
    }
}

#[test]
fn generated_fields_are_in_the_published_slots() {
    let code = text("src/schema/circle_generated.rs");
    let published = published();
    for (name, table) in &published.tables {
        let body = between(&code, &format!("\nimpl<'a> {name}<'a> {{\n"), "\n}\n");
        let mut found: Vec<(usize, String)> = body
            .lines()
            .filter_map(|line| {
                let (field, rest) = line.trim().strip_prefix("pub const VT_")?.split_once(':')?;
                let offset: usize = rest.split_once("= ")?.1.strip_suffix(';')?.parse().ok()?;
                Some(((offset - 4) / 2, camel_case(&field.to_lowercase())))
            })
            .collect();
        found.sort();
        let fields = table.fields.iter().map(|field| (field.0, field.1.to_lowercase()));
        let found: Vec<_> =
            found.into_iter().map(|(slot, field)| (slot, field.to_lowercase())).collect();
        assert_eq!(found, fields.collect::<Vec<_>>(), "{name}");
        for Field(slot, field, kind, default) in &table.fields {
            let Some(default) = default else { continue };
            assert_eq!(
                generated_default(&published, body, name, *slot),
                *default,
                "default of {name}.{field}, {kind}"
            );
        }
    }
}

/// The default that the accessor of a number gives.
fn generated_default(published: &Published, body: &str, table: &str, slot: usize) -> f64 {
    let offset = format!(": ::flatbuffers::VOffsetT = {};", 4 + 2 * slot);
    let line = body.lines().find(|line| line.ends_with(&offset)).expect("the slot's constant");
    let constant = between(line, "pub const ", ":");
    let call = between(body, &format!("({table}::{constant}, Some("), ")).unwrap()");
    match call.split_once("::") {
        Some((kind, value)) if published.enums.contains_key(kind) => {
            published.enums[kind][value] as f64
        }
        Some((kind, value)) if published.unions.contains_key(kind) => {
            published.unions[kind][value] as f64
        }
        _ => number(call),
    }
}
