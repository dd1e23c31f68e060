//! Results in the place of what is added to them.

use super::*;
use crate::interpreter::plan::Location;

pub(super) fn dims(shape: &[usize]) -> Vec<Option<usize>> {
    shape.iter().map(|&d| Some(d)).collect()
}

pub(super) fn filter(name: &str, shape: &[usize]) -> Tensor {
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|i| (i * 7919 % 31) as f32 / 31.0 - 0.4).collect();
    Tensor { shape: dims(shape), ..constant(name, &values) }
}

pub(super) fn conv(inputs: &[usize], output: usize) -> Node {
    let options = Conv2DOptionsT {
        stride_h: 1,
        stride_w: 1,
        dilation_h_factor: 1,
        dilation_w_factor: 1,
        ..Conv2DOptionsT::default()
    };
    let options = BuiltinOptionsT::Conv2DOptions(Box::new(options));
    Node { options, ..node(Code::CONV_2D, inputs, output) }
}

fn row() -> Tensor {
    constant("row", &(0..40_u8).map(|i| f32::from(i) - 17.5).collect::<Vec<_>>())
}

/// Convolutions with residuals behind: one that is not read again, one that is, one behind a product with
/// a row, and one that the convolution itself reads.
pub(super) fn blocks() -> Model {
    let image = dims(&[1, 40, 40, 40]);
    let tensors = vec![
        float("x", &dims(&[1, 40, 40, 16])),
        filter("first", &[40, 1, 1, 16]),
        filter("reduce", &[8, 1, 1, 40]),
        filter("expand", &[40, 1, 1, 8]),
        filter("square", &[40, 1, 1, 40]),
        row(),
        float("stem", &image),
        float("reduced", &dims(&[1, 40, 40, 8])),
        float("expanded", &image),
        float("added", &image),
        float("reduced2", &dims(&[1, 40, 40, 8])),
        float("expanded2", &image),
        float("added2", &image),
        float("reduced3", &dims(&[1, 40, 40, 8])),
        float("expanded3", &image),
        float("scaled3", &image),
        float("added3", &image),
        float("negative3", &image),
        float("own", &image),
        float("own_added", &image),
        float("out", &image),
    ];
    let nodes = vec![
        conv(&[0, 1], 6),
        conv(&[6, 2], 7),
        conv(&[7, 3], 8),
        node(Code::ADD, &[6, 8], 9),
        conv(&[9, 2], 10),
        conv(&[10, 3], 11),
        node(Code::ADD, &[11, 9], 12),
        conv(&[12, 2], 13),
        conv(&[13, 3], 14),
        node(Code::MUL, &[5, 14], 15),
        node(Code::SUB, &[15, 12], 16),
        node(Code::NEG, &[16], 17),
        // What is added is also the convolution's input.
        conv(&[17, 4], 18),
        node(Code::ADD, &[18, 17], 19),
        node(Code::MUL, &[9, 19], 20),
    ];
    model(tensors, nodes)
}

/// Runs a model as a whole, in groups and record by record: all observations and the output are those of separate
/// operators. `placed` says which tensors gave their place away.
fn check(model: &Model, placed: fn(&Plan) -> Vec<usize>, expected_places: &[usize]) {
    let records: Vec<Vec<f32>> = (0..3)
        .map(|r| (0..40 * 40 * 16).map(|i| ((i + r) * 31 % 97) as f32 / 97.0 - 0.3).collect())
        .collect();
    let inputs: Vec<&[u8]> = records.iter().map(|it| bytemuck::cast_slice(it)).collect();
    for isa in Isa::supported() {
        let run = |scan_only, groups| {
            let options = PlanOptions { isa, scan_only, groups, ..PlanOptions::new() };
            let plan = Arc::new(Plan::new(model, &options).unwrap());
            assert_eq!(placed(&plan), if scan_only { &[] } else { expected_places });
            let mut interpreter = Interpreter::new(plan);
            let mut all = Vec::new();
            // Twice: nothing may be left from the group before.
            for inputs in [&inputs[..], &inputs[..1]] {
                interpreter.run_group(inputs).unwrap();
                for record in 0..inputs.len() {
                    let mut observed = RecordObservations::default();
                    interpreter.finish(record, &mut observed).unwrap();
                    all.push(observed.single.clone());
                }
            }
            (all, interpreter.output(0, &inputs).unwrap().to_vec())
        };
        let groups = |tail| Groups::Fixed { records: 3, tail };
        let expected = run(true, groups(0));
        // All records at once, one by one, and with residuals from one part to the other.
        for tail in [0, 2, 4, 100] {
            assert!(run(false, groups(tail)) == expected, "{isa}, tail from {tail}");
        }
    }
}

#[test]
fn results_take_the_place_of_what_is_read_for_the_last_time() {
    // `added` is read again, and gives its place at the end; `negative3` cannot, since its own convolution
    // reads it.
    let over = |plan: &Plan| plan.steps.iter().filter_map(|step| step.chain.over).collect();
    check(&blocks(), over, &[0, 1, 1]);
}

#[test]
fn elementwise_operators_replace_what_they_read_for_the_last_time() {
    let image = dims(&[1, 40, 40, 40]);
    let mut tensors = vec![
        float("x", &dims(&[1, 40, 40, 16])),
        filter("first", &[40, 1, 1, 16]),
        filter("reduce", &[8, 1, 1, 40]),
        row(),
    ];
    // Each image is read by a convolution, and then by the next operator.
    for name in ["stem", "scaled", "difference", "negative", "square"] {
        tensors.push(float(name, &image));
        tensors.push(float(&format!("{name}_reduced"), &dims(&[1, 40, 40, 8])));
    }
    tensors.push(float("out", &image));
    let nodes = vec![
        conv(&[0, 1], 4),
        conv(&[4, 2], 5),
        node(Code::MUL, &[4, 3], 6),
        conv(&[6, 2], 7),
        node(Code::SUB, &[3, 6], 8),
        conv(&[8, 2], 9),
        node(Code::NEG, &[8], 10),
        conv(&[10, 2], 11),
        // Read twice.
        node(Code::MUL, &[10, 10], 12),
        conv(&[12, 2], 13),
        node(Code::ADD, &[12, 3], 14),
    ];
    let replaced = |plan: &Plan| {
        let is_replaced = |it: &Option<Location>| matches!(it, Some(Location::Output));
        plan.steps.iter().filter_map(|step| step.inputs.iter().position(is_replaced)).collect()
    };
    check(&model(tensors, nodes), replaced, &[0, 1, 0, 0]);
}
