//! Tensors that are written where a concatenation has them.

use super::residuals::{conv, dims, filter};
use super::*;
use crate::interpreter::plan::Location;
use crate::observation::LOWEST;
use crate::schema::{ActivationFunctionType, ConcatenationOptionsT, PackOptionsT};

fn concatenation(inputs: &[usize], output: usize, axis: i32) -> Node {
    let fused_activation_function = ActivationFunctionType::NONE;
    let options = ConcatenationOptionsT { axis, fused_activation_function };
    let options = BuiltinOptionsT::ConcatenationOptions(Box::new(options));
    Node { options, ..node(Code::CONCATENATION, inputs, output) }
}

/// A block in which all that was computed is joined again and again, whose parts are then joined in one piece, and
/// one with branches.
fn dense_block(batch: usize) -> Model {
    let image = |channels| dims(&[batch, 12, 12, channels]);
    let mut identity = vec![0.0; 16 * 16];
    identity.iter_mut().step_by(17).for_each(|it| *it = 1.0);
    let identity = Tensor { shape: dims(&[16, 1, 1, 16]), ..constant("identity", &identity) };
    let new_shape = AlignedBuffer::copy_of(&[batch as i32, 144, 16]);
    let new_shape = Some(Constant::from(new_shape));
    let row = |name, n: u8| constant(name, &(0..n).map(|i| f32::from(i) - 7.5).collect::<Vec<_>>());
    let tensors = vec![
        float("x", &image(16)),
        filter("square", &[32, 3, 3, 16]),
        filter("narrow", &[8, 1, 1, 32]),
        identity,
        row("row", 56),
        filter("grow", &[16, 3, 3, 56]),
        filter("window", &[8, 5, 5, 72]),
        filter("last", &[16, 1, 1, 88]),
        Tensor { dtype: DType::I32, shape: dims(&[3]), data: new_shape, ..float("new_shape", &[]) },
        float("a", &image(32)),
        float("b", &image(8)),
        float("same", &image(16)),
        float("joined", &image(56)),
        float("scaled", &image(56)),
        float("shifted", &image(56)),
        float("grown", &image(16)),
        float("joined2", &image(72)),
        float("seen", &image(8)),
        float("negative", &image(8)),
        float("joined3", &image(88)),
        float("p", &image(16)),
        float("q", &image(16)),
        float("flat_p", &dims(&[batch, 144, 16])),
        float("flat_q", &dims(&[batch, 144, 16])),
        float("flat", &dims(&[batch, 288, 16])),
        float("twice", &dims(&[batch, 576, 16])),
        float("stacked", &dims(&[2, batch, 576, 16])),
        float("negative_twice", &dims(&[batch, 576, 16])),
        float("r", &image(16)),
        float("s", &image(8)),
        float("t", &image(32)),
        float("inner", &image(24)),
        float("outer", &image(56)),
        float("outer_seen", &image(16)),
        filter("see", &[16, 1, 1, 56]),
        float("front", &image(32)),
        float("back", &image(32)),
        float("pair", &dims(&[2 * batch, 12, 12, 32])),
        float("triple", &dims(&[3 * batch, 12, 12, 32])),
        float("out", &dims(&[2, batch, 576, 16])),
    ];
    let pack = PackOptionsT { values_count: 2, axis: 0 };
    let pack = BuiltinOptionsT::PackOptions(Box::new(pack));
    let nodes = vec![
        conv(&[0, 1], 9),
        conv(&[9, 2], 10),
        conv(&[0, 3], 11),
        concatenation(&[9, 10, 11], 12, 3),
        node(Code::MUL, &[12, 4], 13),
        node(Code::ADD, &[13, 4], 14),
        conv(&[14, 5], 15),
        concatenation(&[12, 15], 16, -1),
        conv(&[16, 6], 17),
        node(Code::NEG, &[17], 18),
        // All of these are in one piece: convolutions and NEG neither read nor write rows that are apart.
        concatenation(&[17, 16, 18], 19, 3),
        conv(&[19, 7], 20),
        conv(&[20, 3], 21),
        node(Code::RESHAPE, &[20, 8], 22),
        node(Code::RESHAPE, &[21, 8], 23),
        concatenation(&[22, 23], 24, 1),
        concatenation(&[24, 24], 25, 1),
        node(Code::NEG, &[25], 27),
        Node { options: pack, ..node(Code::PACK, &[25, 27], 26) },
        // One that is read by another only.
        conv(&[19, 7], 28),
        conv(&[9, 2], 29),
        conv(&[0, 1], 30),
        concatenation(&[28, 29], 31, 3),
        concatenation(&[30, 31], 32, 3),
        conv(&[32, 34], 33),
        // One that is in the last one's place is elsewhere in another part of it.
        node(Code::ABS, &[30], 35),
        node(Code::NEG, &[35], 36),
        concatenation(&[35, 36], 37, 0),
        concatenation(&[35, 37], 38, 0),
        node(Code::NEG, &[26], 39),
    ];
    model(tensors, nodes)
}

/// How many inputs of steps are there already.
fn count(plan: &Plan) -> usize {
    let inputs = plan.steps.iter().flat_map(|step| &step.inputs);
    inputs.filter(|input| matches!(input, Some(Location::Output))).count()
}

#[test]
fn parts_of_concatenations_are_written_in_their_place() {
    for (batch, parts) in [(1, 9), (2, 6)] {
        let model = dense_block(batch);
        let mut records: Vec<Vec<f32>> = (0..3)
            .map(|r| {
                (0..batch * 12 * 12 * 16).map(|i| ((i + r) * 31 % 97) as f32 / 97.0 - 0.3).collect()
            })
            .collect();
        // What makes folds uncertain, in two rows.
        records[1][5] = LOWEST;
        records[1][64 * 16 + 5] = LOWEST;
        let inputs: Vec<&[u8]> = records.iter().map(|it| bytemuck::cast_slice(it)).collect();
        for isa in Isa::supported() {
            let run = |scan_only, groups| {
                let options = PlanOptions { isa, scan_only, groups, ..PlanOptions::new() };
                let plan = Arc::new(Plan::new(&model, &options).unwrap());
                let count = count(&plan);
                let mut interpreter = Interpreter::new(plan);
                let mut all = Vec::new();
                // Twice: nothing may be left from the group before.
                for inputs in [&inputs[..], &inputs[1..2]] {
                    interpreter.run_group(inputs).unwrap();
                    for record in 0..inputs.len() {
                        let mut observed = RecordObservations::default();
                        interpreter.finish(record, &mut observed).unwrap();
                        all.push(observed.single.clone());
                    }
                }
                (count, all, interpreter.output(0, &inputs[1..]).unwrap().to_vec())
            };
            let groups = |tail| Groups::Fixed { records: 3, tail };
            let (none, expected, output) = run(true, groups(0));
            assert_eq!(none, 0);
            for tail in [0, 10, 100] {
                let (count, found, bytes) = run(false, groups(tail));
                // In groups, parts of several records would not follow one another.
                assert!(tail < 100 || count == parts, "{count} parts of {batch} images");
                assert!(found == expected && bytes == output, "{isa}, {batch}, tail from {tail}");
            }
        }
    }
}
