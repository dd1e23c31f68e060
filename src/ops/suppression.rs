//! `NON_MAX_SUPPRESSION_V4` and `_V5`: boxes of the best scores that do not overlap better ones too much.
//! The second lowers the scores of boxes that overlap better ones (Bodla et al., Soft-NMS, 2017).
//!
//! Semantics: TFLite's `non_max_suppression.cc` for float32, boxes of equal scores in the order in which
//! its queue gives them.

mod queue;

use bytemuck::{Pod, Zeroable};

use super::indices::constant_count;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::Isa;
use crate::kernel::elementwise::{Unary, unary};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct Suppression {
    /// Whether overlapping lowers scores; the scores are an output then.
    is_soft: bool,
}

impl Suppression {
    pub(super) fn hard(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { is_soft: false }))
    }

    pub(super) fn soft(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { is_soft: true }))
    }
}

impl Operator for Suppression {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let ([boxes, corners], [scores]) = (inputs.shape_of_rank(0)?, inputs.shape_of_rank(1)?);
        if corners != 4 || boxes != scores || u32::try_from(boxes).is_err() {
            return Err(Error::model(format!(
                "boxes of shape [{boxes}, {corners}] and {scores} scores do not fit"
            )));
        }
        let numbers = if self.is_soft { 3..6 } else { 3..5 };
        for i in numbers.clone() {
            if num_elements(inputs.shape(i)?) != Some(1) {
                return Err(Error::model(format!("input {i} must be one number")));
            }
        }
        for i in [0, 1].into_iter().chain(numbers) {
            inputs.expect_dtype(i, DType::F32)?;
        }
        let most = constant_count(inputs, 2)?;
        let mut outputs = vec![TensorType::new(DType::I32, [most])];
        if self.is_soft {
            outputs.push(TensorType::new(DType::F32, [most]));
        }
        outputs.push(TensorType::new(DType::I32, []));
        Ok(outputs)
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let [boxes] = context.inputs.shape_of_rank(1)?;
        let most = constant_count(context.inputs, 2)?;
        let scratch = boxes
            .checked_mul(2 * size_of::<Candidate>())
            .ok_or_else(|| Error::model("there are too many boxes"))?;
        let is_soft = self.is_soft;
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            let number = |i: usize| context.input::<f32>(i)[0];
            let sigma = if is_soft { number(5) } else { 0.0 };
            let select = Select {
                isa: context.isa(),
                boxes: context.input(0),
                iou_threshold: number(3),
                score_threshold: number(4),
                scale: (sigma > 0.0).then(|| -0.5 / sigma),
            };
            let scores = context.input::<f32>(1);
            let candidates: &mut [Candidate] =
                bytemuck::cast_slice_mut(&mut context.scratch[..scratch]);
            let (queue, selected) = candidates.split_at_mut(boxes);
            let count = select.run(scores, most, queue, selected);
            store(context, is_soft, scratch, boxes..boxes + count);
            Ok(())
        });
        Ok(prepared.with_scratch(scratch))
    }
}

/// Writes the outputs: the candidates in `range` of the scratch memory were selected.
fn store(
    context: &mut EvalContext<'_>,
    is_soft: bool,
    scratch: usize,
    range: std::ops::Range<usize>,
) {
    let count = range.len() as i32;
    let selected = &bytemuck::cast_slice::<u8, Candidate>(&context.scratch[..scratch])[range];
    let outputs = &mut context.outputs;
    let indices: &mut [i32] = bytemuck::cast_slice_mut(outputs[0]);
    indices.fill(0);
    indices.iter_mut().zip(selected).for_each(|(to, it)| *to = it.index as i32);
    if is_soft {
        let scores: &mut [f32] = bytemuck::cast_slice_mut(outputs[1]);
        scores.fill(0.0);
        scores.iter_mut().zip(selected).for_each(|(to, it)| *to = it.score);
    }
    bytemuck::cast_slice_mut::<u8, i32>(outputs[1 + usize::from(is_soft)]).fill(count);
}

/// A box that may be selected.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Candidate {
    index: u32,
    score: f32,
    /// How many of those selected it was compared with.
    compared: u32,
}

struct Select<'a> {
    isa: Isa,
    /// Two opposite corners each, `[y, x, y, x]`.
    boxes: &'a [f32],
    iou_threshold: f32,
    score_threshold: f32,
    /// Of the squared overlap, in the exponent of the factor by which a score is lowered.
    scale: Option<f32>,
}

impl Select<'_> {
    /// Writes at most `most` candidates to `selected`, best first, and says how many; there is room for
    /// every box in both slices.
    fn run(
        &self,
        scores: &[f32],
        most: usize,
        queue: &mut [Candidate],
        selected: &mut [Candidate],
    ) -> usize {
        let mut len = 0;
        for (index, &score) in (0..).zip(scores) {
            if score > self.score_threshold {
                queue[len] = Candidate { index, score, compared: 0 };
                len += 1;
                queue::push(&mut queue[..len]);
            }
        }
        let most = most.min(len);
        let mut count = 0;
        while count < most && len > 0 {
            queue::pop(&mut queue[..len]);
            len -= 1;
            let mut candidate = queue[len];
            let before = candidate.score;
            let is_suppressed = self.compare(&mut candidate, &selected[..count]);
            candidate.compared = count as u32;
            if is_suppressed {
                continue;
            }
            if candidate.score == before {
                selected[count] = candidate;
                count += 1;
            }
            // One that was selected goes back too, as in TFLite: it will meet itself, and be suppressed
            // unless it has no area. The order of equal scores depends on it.
            if candidate.score > self.score_threshold {
                queue[len] = candidate;
                len += 1;
                queue::push(&mut queue[..len]);
            }
        }
        count
    }

    /// Compares a candidate with those selected since it was last, the latest first: whether one of them
    /// takes its place; else its score is lowered.
    fn compare(&self, candidate: &mut Candidate, selected: &[Candidate]) -> bool {
        for other in selected[candidate.compared as usize..].iter().rev() {
            let iou = self.iou(candidate.index, other.index);
            if iou >= self.iou_threshold {
                return true;
            }
            if let Some(scale) = self.scale {
                let mut factor = [0.0];
                unary(self.isa, Unary::Exp, &[scale * iou * iou], &mut factor);
                candidate.score *= factor[0];
            }
            if candidate.score <= self.score_threshold {
                break;
            }
        }
        false
    }

    /// The area that two boxes have in common, of the area that they cover.
    fn iou(&self, a: u32, b: u32) -> f32 {
        let edges = |i: u32| {
            let corners = &self.boxes[i as usize * 4..][..4];
            let y = [smaller(corners[0], corners[2]), larger(corners[0], corners[2])];
            let x = [smaller(corners[1], corners[3]), larger(corners[1], corners[3])];
            (y, x)
        };
        let ((a_y, a_x), (b_y, b_x)) = (edges(a), edges(b));
        let area = |y: [f32; 2], x: [f32; 2]| (y[1] - y[0]) * (x[1] - x[0]);
        let (a_area, b_area) = (area(a_y, a_x), area(b_y, b_x));
        if a_area <= 0.0 || b_area <= 0.0 {
            return 0.0;
        }
        let shared =
            |a: [f32; 2], b: [f32; 2]| larger(smaller(a[1], b[1]) - larger(a[0], b[0]), 0.0);
        let common = shared(a_y, b_y) * shared(a_x, b_x);
        let covered = a_area + b_area - common;
        if covered == 0.0 { 0.0 } else { common / covered }
    }
}

/// The first, unless the second is larger.
fn larger(a: f32, b: f32) -> f32 {
    if a < b { b } else { a }
}

/// The first, unless the second is smaller.
fn smaller(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn misfits_are_errors() {
        let select = |boxes: &[usize], scores: usize, most: i32, threshold: &[usize]| {
            let operands = [
                Some(Operand::input(boxes, &vec![0.0; boxes.iter().product()])),
                Some(Operand::input(&[scores], &vec![0.0; scores])),
                Some(Operand::indices(&[], &[most])),
                Some(Operand::constant(threshold, &vec![0.5; threshold.iter().product()])),
                Some(Operand::constant(&[], &[0.5])),
            ];
            let code = BuiltinOperator::NON_MAX_SUPPRESSION_V4;
            run_to(DType::I32, code, BuiltinOptionsT::NONE, &operands).unwrap_err().to_string()
        };
        assert!(select(&[2, 3], 2, 1, &[]).contains("do not fit"));
        assert!(select(&[2, 4], 3, 1, &[]).contains("do not fit"));
        assert!(select(&[2, 4], 2, -1, &[]).contains("must be one count"));
        assert!(select(&[2, 4], 2, 1, &[2]).contains("must be one number"));
    }
}
