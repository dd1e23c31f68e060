//! Results in the place of what is added to them.

use super::*;

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

/// Convolutions with residuals behind: one that is not read again, one that is, one behind a product with
/// a row, and one that the convolution itself reads.
pub(super) fn blocks() -> Model {
    let image = dims(&[1, 40, 40, 40]);
    let mut row = constant("row", &(0..40_u8).map(|i| f32::from(i) - 17.5).collect::<Vec<_>>());
    row.shape = dims(&[40]);
    let tensors = vec![
        float("x", &dims(&[1, 40, 40, 16])),
        filter("first", &[40, 1, 1, 16]),
        filter("reduce", &[8, 1, 1, 40]),
        filter("expand", &[40, 1, 1, 8]),
        filter("square", &[40, 1, 1, 40]),
        row,
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

#[test]
fn results_take_the_place_of_what_is_read_for_the_last_time() {
    let model = blocks();
    let records: Vec<Vec<f32>> = (0..3)
        .map(|r| (0..40 * 40 * 16).map(|i| ((i + r) * 31 % 97) as f32 / 97.0 - 0.3).collect())
        .collect();
    let inputs: Vec<&[u8]> = records.iter().map(|it| bytemuck::cast_slice(it)).collect();
    for isa in Isa::supported() {
        let run = |scan_only, groups| {
            let options = PlanOptions { isa, scan_only, groups, ..PlanOptions::new() };
            let plan = Arc::new(Plan::new(&model, &options).unwrap());
            let over: Vec<_> = plan.steps.iter().filter_map(|step| step.chain.over).collect();
            // `added` is read again, and gives its place at the end; `negative3` cannot, since its own
            // convolution reads it.
            assert_eq!(over, if scan_only { vec![] } else { vec![0, 1, 1] });
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
