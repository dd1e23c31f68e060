//! Branches, loops and variables: what is observed of them, and what is refused.

use super::*;
use crate::graph::COMPOSITE;
use crate::histogram::BinLimit;
use crate::schema::{IfOptionsT, VarHandleOptionsT, WhileOptionsT};

fn typed(name: &str, dtype: DType, shape: &[usize]) -> Tensor {
    let shape: Vec<_> = shape.iter().copied().map(Some).collect();
    Tensor { dtype, ..float(name, &shape) }
}

fn subgraph(
    tensors: Vec<Tensor>,
    inputs: &[usize],
    outputs: &[usize],
    nodes: Vec<Node>,
) -> Subgraph {
    let (inputs, outputs) = (inputs.to_vec(), outputs.to_vec());
    Subgraph { name: String::new(), tensors, inputs, outputs, nodes }
}

fn with_options(options: BuiltinOptionsT, outputs: &[usize], node: Node) -> Node {
    Node { options, outputs: outputs.to_vec(), ..node }
}

fn of(subgraphs: Vec<Subgraph>) -> Model {
    Model { description: String::new(), subgraphs }
}

/// Observations by tensor.
type Observed = Vec<(String, Vec<Observation>)>;

/// Runs records and gives what was observed of each, by tensor: name and observations.
fn observe(model: &Model, records: &[&[&[u8]]]) -> Vec<Result<Observed>> {
    let options = PlanOptions { round_limit: 100, ..PlanOptions::new() };
    check_counts(model, &options, records);
    let plan = Arc::new(Plan::new(model, &options).unwrap());
    let mut interpreter = Interpreter::new(Arc::clone(&plan));
    let run = |record: &&[&[u8]]| {
        let mut observed = RecordObservations::default();
        interpreter.run(record, &mut observed)?;
        let of_tensor = |(i, single): (usize, &Observation)| {
            let several = observed.repeated.iter().find(|(tensor, _)| *tensor as usize == i);
            several.map_or_else(|| vec![*single], |(_, all)| all.clone())
        };
        let all = observed.single.iter().enumerate().map(of_tensor);
        Ok(plan.observed().iter().map(|it| it.name.clone()).zip(all).collect())
    };
    records.iter().map(run).collect()
}

/// That counting elements changes no observation, and counts what every execution has observed: where tensors
/// have one element, observations are all there is.
fn check_counts(model: &Model, options: &PlanOptions, records: &[&[&[u8]]]) {
    let limit = BinLimit::default();
    let counting = PlanOptions { histograms: Some(limit), ..options.clone() };
    let mut both = [options, &counting]
        .map(|options| Interpreter::new(Arc::new(Plan::new(model, options).unwrap())));
    let (mut plain, mut counted) = (RecordObservations::default(), RecordObservations::default());
    for record in records {
        let results = [both[0].run(record, &mut plain), both[1].run(record, &mut counted)];
        let [without, with] = results.map(|it| it.map_err(|error| error.to_string()));
        assert_eq!(without, with);
        if with.is_err() {
            continue;
        }
        assert_eq!((&plain.single, &plain.repeated), (&counted.single, &counted.repeated));
        for (i, histogram) in counted.histograms.iter().enumerate() {
            let several = counted.repeated.iter().find(|(tensor, _)| *tensor as usize == i);
            let observed = several.map_or_else(|| vec![counted.single[i]], |(_, all)| all.clone());
            assert!(histogram.finite() >= observed.len() as u64);
            if histogram.finite() == observed.len() as u64 {
                let elements: Vec<f32> = observed.iter().map(|it| it.min).collect();
                assert_eq!(*histogram, histograms::counted(&elements, limit));
            }
        }
    }
}

fn bytes(values: &[f32]) -> &[u8] {
    bytemuck::cast_slice(values)
}

fn same(value: f32) -> Observation {
    Observation { min: value, max: value }
}

/// `if flag { -x } else { |x| }`
fn branching(then: i32) -> Model {
    let options = IfOptionsT { then_subgraph_index: then, else_subgraph_index: 2 };
    let options = BuiltinOptionsT::IfOptions(Box::new(options));
    let main = subgraph(
        vec![
            typed("flag", DType::Bool, &[1]),
            typed("x", DType::F32, &[1]),
            float("out", &[Some(1)]),
        ],
        &[0, 1],
        &[2],
        vec![with_options(options, &[2], node(Code::IF, &[0, 1], 2))],
    );
    let branch = |name: &str, code| {
        let tensors = vec![float(&format!("{name} in"), &[Some(1)]), float(name, &[Some(1)])];
        subgraph(tensors, &[0], &[1], vec![node(code, &[0], 1)])
    };
    of(vec![main, branch("negative", Code::NEG), branch("absolute", Code::ABS)])
}

#[test]
fn branches_that_are_not_taken_are_not_observed() {
    let records: [&[&[u8]]; 2] = [&[&[1], bytes(&[3.0])], &[&[0], bytes(&[-5.0])]];
    let observed = observe(&branching(1), &records);
    let named = |values: [(&str, &[f32]); 6]| {
        let all =
            values.map(|(name, of)| (name.to_owned(), of.iter().copied().map(same).collect()));
        all.to_vec()
    };
    assert_eq!(
        observed[0].as_ref().unwrap(),
        &named([
            ("x", &[3.0]),
            ("out", &[-3.0]),
            ("negative in", &[3.0]),
            ("negative", &[-3.0]),
            ("absolute in", &[]),
            ("absolute", &[]),
        ])
    );
    assert_eq!(
        observed[1].as_ref().unwrap(),
        &named([
            ("x", &[-5.0]),
            ("out", &[5.0]),
            ("negative in", &[]),
            ("negative", &[]),
            ("absolute in", &[-5.0]),
            ("absolute", &[5.0]),
        ])
    );
    for bad in [3, -1] {
        let (kind, text) = message(Plan::new(&branching(bad), &PlanOptions::new()));
        assert_eq!(kind, ErrorKind::Model);
        assert!(text.ends_with(&format!("there is no subgraph {bad}")), "{text}");
    }
}

#[test]
fn subgraphs_that_run_themselves_are_refused() {
    let (kind, text) = message(Plan::new(&branching(0), &PlanOptions::new()));
    assert_eq!((kind, text.as_str()), (ErrorKind::Model, "subgraph 0 ``: subgraph 0 runs itself"));
}

/// `while x < limit { x = x + x }`
fn doubling(limit: f32) -> Model {
    let options = WhileOptionsT { cond_subgraph_index: 1, body_subgraph_index: 2 };
    let options = BuiltinOptionsT::WhileOptions(Box::new(options));
    let main = subgraph(
        vec![float("x", &[Some(1)]), float("out", &[Some(1)])],
        &[0],
        &[1],
        vec![with_options(options, &[1], node(Code::WHILE, &[0], 1))],
    );
    let condition = subgraph(
        vec![
            float("state", &[Some(1)]),
            constant("limit", &[limit]),
            typed("less", DType::Bool, &[1]),
        ],
        &[0],
        &[2],
        vec![node(Code::LESS, &[0, 1], 2)],
    );
    let body = subgraph(
        vec![float("before", &[Some(1)]), float("after", &[Some(1)])],
        &[0],
        &[1],
        vec![node(Code::ADD, &[0, 0], 1)],
    );
    of(vec![main, condition, body])
}

#[test]
fn bodies_of_loops_are_observed_in_every_round() {
    let observed = observe(&doubling(6.0), &[&[bytes(&[1.0])], &[bytes(&[7.0])]]);
    let [first, second] = observed.as_slice() else { panic!("two records") };
    let named = |all: &[(&str, &[f32])]| -> Observed {
        let of = |values: &[f32]| values.iter().copied().map(same).collect();
        all.iter().map(|(name, values)| ((*name).to_owned(), of(values))).collect()
    };
    let rounds = named(&[
        ("x", &[1.0]),
        ("out", &[8.0]),
        ("state", &[1.0, 2.0, 4.0, 8.0]),
        ("before", &[1.0, 2.0, 4.0]),
        ("after", &[2.0, 4.0, 8.0]),
    ]);
    assert_eq!(first.as_ref().unwrap(), &rounds);
    let none = named(&[
        ("x", &[7.0]),
        ("out", &[7.0]),
        ("state", &[7.0]),
        ("before", &[]),
        ("after", &[]),
    ]);
    assert_eq!(second.as_ref().unwrap(), &none);
}

#[test]
fn loops_that_do_not_end_are_errors_of_the_record() {
    let observed = observe(&doubling(1e9), &[&[bytes(&[0.0])], &[bytes(&[1e9])]]);
    let error = observed[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Record);
    assert!(error.to_string().ends_with("do not end in 100 rounds"), "{error}");
    assert!(observed[1].is_ok(), "it goes on with other records");
}

#[test]
fn variables_start_anew_with_every_record() {
    let options = VarHandleOptionsT { container: None, shared_name: Some("total".to_owned()) };
    let options = BuiltinOptionsT::VarHandleOptions(Box::new(options));
    let main = subgraph(
        vec![
            float("x", &[Some(1)]),
            typed("handle", DType::Resource, &[1]),
            float("before", &[Some(1)]),
        ],
        &[0],
        &[2],
        vec![
            with_options(options, &[1], node(Code::VAR_HANDLE, &[], 1)),
            node(Code::READ_VARIABLE, &[1], 2),
            Node { outputs: Vec::new(), ..node(Code::ASSIGN_VARIABLE, &[1, 0], 0) },
        ],
    );
    for result in observe(&of(vec![main]), &[&[bytes(&[1.0])], &[bytes(&[2.0])]]) {
        let error = result.unwrap_err();
        assert!(error.to_string().ends_with("is read before it has a value"), "{error}");
    }
}

/// A composite of a negation and a sum, called so many times.
fn composites(calls: usize) -> Model {
    let call = |from: usize| Node {
        code: OperatorCode::Builtin(COMPOSITE),
        decomposition: Some(1),
        ..node(Code::CUSTOM, &[from], from + 1)
    };
    let tensors = (0..=calls).map(|i| float(&format!("t{i}"), &[Some(1)])).collect();
    let main = placed(0, (tensors, (0..calls).map(call).collect()));
    let tensors = ["in", "negated", "sum"].map(|name| float(name, &[Some(1)])).into();
    let nodes = vec![node(Code::NEG, &[0], 1), node(Code::ADD, &[1, 1], 2)];
    let body = placed(1, (tensors, nodes));
    of(vec![subgraph(main.0, &[0], &[calls], main.1), subgraph(body.0, &[0], &[2], body.1)])
}

#[test]
fn what_is_in_composites_is_observed_in_its_place() {
    for calls in [1, 2] {
        let model = composites(calls);
        let plan = Plan::new(&model, &PlanOptions::new()).unwrap();
        let places: Vec<_> = plan.observed().iter().map(|it| (it.subgraph, it.index)).collect();
        let expected = (0..=calls as u32).map(|i| (0, i)).chain((0..3).map(|i| (1, i)));
        assert_eq!(places, expected.collect::<Vec<_>>());
        // A single one costs nothing: it is a part of the plan.
        assert_eq!(plan.steps().next().is_some(), calls == 1);
        let observed = observe(&model, &[&[bytes(&[3.0])]]).remove(0).unwrap();
        let of = |name: &str| observed.iter().find(|it| it.0 == name).unwrap().1.clone();
        let inputs: Vec<_> = [3.0, -6.0].into_iter().take(calls).map(same).collect();
        assert_eq!(of("in"), inputs);
        assert_eq!(of("t1"), [same(-6.0)]);
        let negated: Vec<_> = [-3.0, 6.0].into_iter().take(calls).map(same).collect();
        assert_eq!(of("negated"), negated);
        let sums: Vec<_> = [-6.0, 12.0].into_iter().take(calls).map(same).collect();
        assert_eq!(of("sum"), sums);
    }
}

#[test]
fn composites_that_contradict_themselves() {
    for (model, message) in [
        (
            Model { subgraphs: composites(2).subgraphs[..1].to_vec(), ..composites(2) },
            "no subgraph 1",
        ),
        (
            {
                let mut model = composites(1);
                model.subgraphs[1].inputs.push(1);
                model
            },
            "it has 1 inputs and 1 outputs, but subgraph 1 has 2 and 1",
        ),
        (
            {
                let mut model = composites(1);
                let nodes = model.subgraphs[0].nodes.clone();
                model.subgraphs[1].nodes.extend(nodes);
                model
            },
            "runs itself",
        ),
    ] {
        let error = Plan::new(&model, &PlanOptions::new()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
