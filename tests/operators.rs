//! Holds `docs/operators.md` against the registry and the conformance suite: which operators there are, and
//! what of them is compared with LiteRT. `UPDATE_DOCS=1 cargo test --test operators` writes it.
#![forbid(unsafe_code)]

#[path = "support/families.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use record_minmax::circle::ModelFile;
use record_minmax::graph::{Model, Node, OperatorCode, Subgraph};
use record_minmax::interpreter::{CONTROL, Plan, PlanOptions};
use record_minmax::operator::Observe;
use record_minmax::ops::registry;
use record_minmax::tensor::DType;

use support::families;

/// What the suite says of an operator.
#[derive(Default)]
struct Tested {
    cases: BTreeMap<String, usize>,
    types: BTreeSet<String>,
    attributes: BTreeSet<String>,
    observed: BTreeSet<&'static str>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Operators by name. Those without cases of their own, such as handles of variables, have the cases that
/// contain them.
fn tested() -> BTreeMap<String, Tested> {
    let mut own = BTreeMap::<String, Tested>::new();
    let mut others = BTreeMap::<String, Tested>::new();
    for family in families() {
        for case in &family.cases {
            let model = family.at(&case["model"]).to_vec();
            let graph = ModelFile::from_bytes("case", model).unwrap().graph().unwrap();
            let operator = case["operator"].as_str().unwrap();
            let reference = case["reference"].as_str().unwrap();
            own.entry(operator.to_owned()).or_default().add(operator, reference, &graph);
            let nodes = graph.subgraphs.iter().flat_map(|it| &it.nodes);
            let mut names: BTreeSet<_> = nodes.map(|node| name(&node.code)).collect();
            names.remove(operator);
            for other in names {
                others.entry(other.clone()).or_default().add(&other, reference, &graph);
            }
        }
    }
    for (name, tested) in others {
        own.entry(name).or_insert(tested);
    }
    own
}

impl Tested {
    /// Adds what a case shows.
    fn add(&mut self, operator: &str, reference: &str, graph: &Model) {
        *self.cases.entry(reference.to_owned()).or_default() += 1;
        let nodes =
            graph.subgraphs.iter().flat_map(|it| it.nodes.iter().map(move |node| (it, node)));
        for (subgraph, node) in nodes.filter(|(_, node)| name(&node.code) == operator) {
            self.types.extend(types(subgraph, node));
            self.attributes.extend(fields(&format!("{:?}", node.options)));
            self.attributes.extend(fields(&format!("{:?}", node.options_2)));
        }
        let [subgraph] = &graph.subgraphs[..] else { return };
        let [Node { outputs, .. }] = &subgraph.nodes[..] else { return };
        let is_float = |&it: &usize| subgraph.tensors[it].dtype == DType::F32;
        if outputs.first().is_some_and(is_float) {
            let plan = Plan::new(graph, &PlanOptions::new()).unwrap();
            if plan.is_static() {
                self.observed.extend(plan.observes().map(kind));
            }
        }
    }
}

fn kind(observe: &Observe) -> &'static str {
    match observe {
        Observe::Fused => "as it is computed",
        Observe::SameAs(_) => "as its input",
        Observe::UnionOfInputs => "from its inputs",
        Observe::WithZero(_) => "as its input, and zero",
        Observe::Scan => "in a pass of its own",
    }
}

fn name(code: &OperatorCode) -> String {
    match code {
        OperatorCode::Custom(name) => name.clone(),
        code => code.to_string(),
    }
}

/// The element type of the first input that is not a constant, or of the first output.
fn types(subgraph: &Subgraph, node: &Node) -> Option<String> {
    let given = node.inputs.iter().flatten().find(|&&it| subgraph.tensors[it].data.is_none());
    let tensor = given.or(node.inputs.iter().flatten().next()).or(node.outputs.first())?;
    Some(subgraph.tensors[*tensor].dtype.to_string())
}

/// Names of the fields of a table, by its debug text: `Member(TableT { name: value, ... })`.
fn fields(text: &str) -> Vec<String> {
    let Some((_, inner)) = text.split_once('{') else { return Vec::new() };
    let (mut depth, mut found, mut word) = (0_i32, Vec::new(), String::new());
    for letter in inner.chars() {
        match letter {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ':' if depth == 0 && !word.is_empty() => found.push(std::mem::take(&mut word)),
            ',' => word.clear(),
            _ if letter.is_ascii_alphanumeric() || letter == '_' => word.push(letter),
            _ => word.clear(),
        }
    }
    found
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(", ")
}

/// Every operator that runs, in alphabetical order.
fn operators() -> Vec<String> {
    let builtin = registry::BUILTIN.iter().map(|(code, _)| *code).chain(CONTROL.iter().copied());
    let mut names: Vec<String> = builtin.map(|code| name(&OperatorCode::Builtin(code))).collect();
    names.extend(registry::CUSTOM.iter().map(|(name, _)| (*name).to_owned()));
    names.sort();
    names
}

/// The lines between the marks in the page.
fn generated(tested: &BTreeMap<String, Tested>) -> String {
    let names = operators();
    let mut text = format!("{} operators:\n\n", names.len());
    text += "| operator | element types | attributes | observed | cases |\n";
    text += "|---|---|---|---|---|\n";
    let none = Tested::default();
    for name in names {
        let it = tested.get(&name).unwrap_or(&none);
        let cases = list(it.cases.iter().map(|(reference, n)| format!("{n} {reference}")));
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {cases} |",
            list(&it.types),
            list(it.attributes.iter().map(|it| format!("`{it}`"))),
            list(&it.observed),
        );
    }
    text
}

#[test]
fn the_page_of_operators_is_current() {
    let page = path("docs/operators.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (start, end) = ("<!-- generated -->\n", "<!-- end -->\n");
    let (head, rest) = text.split_once(start).expect("a start mark");
    let (_, tail) = rest.split_once(end).expect("an end mark");
    let current = format!("{head}{start}{}{end}{tail}", generated(&tested()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, current).unwrap();
        return;
    }
    assert!(
        text == current,
        "docs/operators.md is out of date: run `UPDATE_DOCS=1 cargo test --test operators`"
    );
}

#[test]
fn every_operator_is_compared_with_another_implementation() {
    let tested = tested();
    let missing: Vec<String> =
        operators().into_iter().filter(|name| !tested.contains_key(name)).collect();
    assert!(missing.is_empty(), "no cases of {}", missing.join(", "));
}
