//! Elements of all tensors, counted.

use super::*;
use crate::histogram::{BinLimit, Histogram};
use crate::kernel::histogram::Counter;

/// That a histogram is one of so many elements with these extremes.
fn check(histogram: &Histogram, observed: Observation, elements: usize, name: &str) {
    assert_eq!(histogram.finite(), elements as u64, "{name}");
    let last = histogram.counts().len() - 1;
    for (bin, extreme) in [(0, observed.min), (last, observed.max)] {
        let inside = histogram.edge(bin)..histogram.edge(bin + 1);
        assert!(inside.contains(&f64::from(extreme)), "{name}: {inside:?} {extreme}");
        assert!(histogram.counts()[bin] > 0, "{name}");
    }
}

/// By the definition: the histogram of each value by itself, joined.
pub(super) fn counted(values: &[f32], limit: BinLimit) -> Histogram {
    let mut all = Histogram::default();
    for &value in values {
        let mut one = Histogram::default();
        let observed = Observation::scan(&[value]);
        Counter::new(Isa::detect(), limit).count(&[value], observed, &mut one);
        all.merge(&one, limit);
    }
    all
}

/// With chains, strips, residuals in place, and groups, none of which may be used when elements are counted.
#[test]
fn counting_changes_no_observation_and_counts_every_element() {
    let limit = BinLimit::new(256).unwrap();
    for (model, len) in [(images(), 90 * 90 * 16), (residuals::blocks(), 40 * 40 * 16)] {
        let tensors = &model.subgraphs[0].tensors;
        let records: Vec<Vec<f32>> = (0..3)
            .map(|r| (0..len).map(|i| ((i + r) * 31 % 97) as f32 / 97.0 - 0.3).collect())
            .collect();
        let inputs: Vec<&[u8]> = records.iter().map(|it| bytemuck::cast_slice(it)).collect();
        let run = |histograms, groups| {
            let options = PlanOptions { histograms, groups, ..PlanOptions::new() };
            let plan = Arc::new(Plan::new(&model, &options).unwrap());
            let mut interpreter = Interpreter::new(Arc::clone(&plan));
            let (mut all, mut observed) = (Vec::new(), RecordObservations::default());
            // Twice, and into memory that was used before: nothing may be left from the group before.
            for inputs in [&inputs[..], &inputs[..1], &inputs[..]] {
                interpreter.run_group(inputs).unwrap();
                all.clear();
                for record in 0..inputs.len() {
                    interpreter.finish(record, &mut observed).unwrap();
                    all.push(observed.clone());
                }
            }
            interpreter.run_group(&inputs[..1]).unwrap();
            (plan, all, interpreter.output(0, &inputs).unwrap().to_vec())
        };
        let (_, expected, output) = run(None, Groups::Fixed { records: 3, tail: 2 });
        for tail in [0, 3, 100] {
            let (plan, found, same_output) = run(Some(limit), Groups::Fixed { records: 3, tail });
            assert!(output == same_output, "tail from {tail}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found.single == expected.single, "tail from {tail}");
                for (i, tensor) in plan.observed().iter().enumerate() {
                    let shape = &tensors[tensor.index as usize].shape;
                    let elements = shape.iter().map(|it| it.unwrap()).product();
                    check(&found.histograms[i], found.single[i], elements, &tensor.name);
                }
            }
            // The first record's last tensor is the output.
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&output);
            let position = plan.observed().iter().position(|it| it.name == "out").unwrap();
            assert_eq!(found[0].histograms[position], counted(&values, limit), "tail from {tail}");
            let position = plan.observed().iter().position(|it| it.name == "x").unwrap();
            for (record, found) in records.iter().zip(&found) {
                assert_eq!(found.histograms[position], counted(record, limit));
            }
        }
    }
}

#[test]
fn constants_and_tensors_with_the_same_elements_are_counted() {
    let dims = |dims: &[usize]| dims.iter().map(|&d| Some(d)).collect::<Vec<_>>();
    let tensors = vec![
        float("x", &dims(&[1, 4])),
        constant("c", &[1.0, -2.0, 3.0, 3.0]),
        float("folded", &dims(&[4])),
        Tensor {
            dtype: DType::I32,
            data: Some(Constant::from(AlignedBuffer::copy_of(&[4_i32]))),
            ..float("shape", &dims(&[1]))
        },
        float("flat", &dims(&[4])),
        float("sum", &dims(&[4])),
    ];
    let nodes = vec![
        node(Code::NEG, &[1], 2),
        node(Code::RESHAPE, &[0, 3], 4),
        node(Code::ADD, &[4, 2], 5),
    ];
    let limit = BinLimit::default();
    let options = PlanOptions { histograms: Some(limit), ..PlanOptions::new() };
    let plan = Arc::new(Plan::new(&model(tensors, nodes), &options).unwrap());
    let names: Vec<&str> = plan.observed().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["x", "folded", "flat", "sum"]);
    let mut interpreter = Interpreter::new(Arc::clone(&plan));
    let mut observed = RecordObservations::default();
    for x in [[0.5, 0.25, 8.0, -1.0], [1.0, f32::NAN, f32::INFINITY, 0.0]] {
        interpreter.run(&[bytemuck::cast_slice(&x)], &mut observed).unwrap();
        let folded = [-1.0, 2.0, -3.0, -3.0];
        let sum: Vec<f32> = x.iter().zip(folded).map(|(x, y)| x + y).collect();
        for (histogram, values) in observed.histograms.iter().zip([&x, &folded, &x, &sum[..]]) {
            assert_eq!(*histogram, counted(values, limit), "{values:?}");
        }
    }
}
