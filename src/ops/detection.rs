//! The custom operator `TFLite_Detection_PostProcess`: boxes, scores and anchors to detections.
//!
//! Boxes are decoded, and of those that overlap too much the one with the best score is kept: either for each
//! class by itself (regular), or for the best classes of each box together (fast). Semantics: TFLite's
//! `detection_postprocess.cc` for float32; what it leaves unwritten is zero here, and equal scores stay in
//! the order of boxes.

use std::cmp::Ordering;

use super::flexbuffer::Map;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::double::exp;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// Detections of a class, if the attribute is not there.
const DETECTIONS_PER_CLASS: usize = 100;

#[derive(Clone, Copy)]
pub(super) struct Detection {
    max_detections: usize,
    max_classes: usize,
    detections_per_class: usize,
    is_regular: bool,
    score_threshold: f32,
    overlap_threshold: f32,
    classes: usize,
    /// Of y, x, h and w.
    scales: [f32; 4],
}

/// `[ymin, xmin, ymax, xmax]`
type Corners = [f32; 4];

/// One detection.
#[derive(Clone, Copy)]
struct Found {
    /// Its place among the outputs.
    place: usize,
    anchor: usize,
    class: usize,
    score: f32,
}

impl Detection {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let map = Map::read(&node.custom_options)?;
        let detections_per_class = if map.has("detections_per_class") {
            map.count("detections_per_class")?
        } else {
            DETECTIONS_PER_CLASS
        };
        let mut scales = [0.0; 4];
        for (scale, key) in scales.iter_mut().zip(["y_scale", "x_scale", "h_scale", "w_scale"]) {
            *scale = map.float(key)?;
        }
        let detection = Self {
            max_detections: map.count("max_detections")?,
            max_classes: map.count("max_classes_per_detection")?,
            detections_per_class,
            is_regular: map.bool("use_regular_nms")?,
            score_threshold: map.float("nms_score_threshold")?,
            overlap_threshold: map.float("nms_iou_threshold")?,
            classes: map.count("num_classes")?,
            scales,
        };
        let overlap = detection.overlap_threshold;
        if !(overlap > 0.0 && overlap <= 1.0) {
            return Err(Error::model(format!("an overlap of {overlap} is no threshold")));
        }
        if detection.max_classes == 0 || detection.classes == 0 || detections_per_class == 0 {
            return Err(Error::model("it is to detect nothing"));
        }
        Ok(Box::new(detection))
    }

    /// Number of boxes, values of a box, scores of a box.
    fn sizes(&self, inputs: &Inputs) -> Result<(usize, usize, usize)> {
        for i in 0..3 {
            inputs.expect_dtype(i, DType::F32)?;
        }
        let [batch, boxes, coordinates] = inputs.shape_of_rank(0)?;
        let scores @ [_, _, columns] = inputs.shape_of_rank::<3>(1)?;
        let anchors = inputs.shape_of_rank(2)?;
        let fits = batch == 1 && scores == [1, boxes, columns] && anchors == [boxes, 4];
        if !fits || coordinates < 4 {
            return Err(Error::model(format!(
                "boxes {:?}, scores {scores:?} and anchors {anchors:?} do not fit each other",
                [batch, boxes, coordinates],
            )));
        }
        // There may be a column of the background before the classes.
        if columns != self.classes && Some(columns) != self.classes.checked_add(1) {
            return Err(Error::model(format!(
                "{columns} scores of a box are not those of {} classes",
                self.classes
            )));
        }
        Ok((boxes, coordinates, columns))
    }

    /// A box around an anchor, in the precision of each step of TFLite's.
    fn decode(&self, code: &[f32], anchor: &[f32]) -> Corners {
        let ratio = |i: usize| f64::from(code[i]) / f64::from(self.scales[i]);
        let centre = |i: usize| ratio(i) * f64::from(anchor[i + 2]) + f64::from(anchor[i]);
        let half = |i: usize| 0.5 * exp(ratio(i)) * f64::from(anchor[i]);
        let (y, x) = (centre(0) as f32, centre(1) as f32);
        let (h, w) = (half(2) as f32, half(3) as f32);
        [y - h, x - w, y + h, x + w]
    }

    /// The best boxes of those whose scores reach the threshold, no more than `most`, no two of which
    /// overlap too much.
    fn suppress(&self, boxes: &[Corners], scores: &[f32], most: usize) -> Vec<usize> {
        let mut candidates: Vec<usize> =
            (0..boxes.len()).filter(|&i| scores[i] >= self.score_threshold).collect();
        candidates.sort_by(|&a, &b| descending(scores[a], scores[b]));
        let mut selected: Vec<usize> = Vec::new();
        for candidate in candidates {
            if selected.len() >= most {
                break;
            }
            let overlaps =
                |&kept: &usize| overlap(&boxes[kept], &boxes[candidate]) > self.overlap_threshold;
            if !selected.iter().any(overlaps) {
                selected.push(candidate);
            }
        }
        selected
    }

    /// Each class by itself; the best of all are kept.
    fn regular(&self, boxes: &[Corners], scores: &[f32], columns: usize) -> Vec<Found> {
        let background = columns - self.classes;
        let mut all: Vec<Found> = Vec::new();
        for class in 0..self.classes {
            let column = scores.iter().skip(class + background).step_by(columns);
            let scores: Vec<f32> = column.copied().collect();
            let selected = self.suppress(boxes, &scores, self.detections_per_class);
            all.extend(selected.into_iter().map(|anchor| Found {
                place: 0,
                anchor,
                class,
                score: scores[anchor],
            }));
            all.sort_by(|a, b| descending(a.score, b.score));
            all.truncate(self.max_detections);
        }
        for (place, found) in all.iter_mut().enumerate() {
            found.place = place;
        }
        all
    }

    /// Boxes by their best score, each with its best classes.
    fn fast(&self, boxes: &[Corners], scores: &[f32], columns: usize) -> Vec<Found> {
        let of_box = |anchor: usize| &scores[anchor * columns..][columns - self.classes..columns];
        let best = |anchor: usize| {
            let mut classes: Vec<usize> = (0..self.classes).collect();
            let scores = of_box(anchor);
            classes.sort_by(|&a, &b| descending(scores[a], scores[b]));
            classes
        };
        let tops: Vec<f32> = (0..boxes.len())
            .map(|anchor| {
                let scores = of_box(anchor).iter().copied();
                scores.reduce(|top, score| if score > top { score } else { top }).unwrap_or(0.0)
            })
            .collect();
        let selected = self.suppress(boxes, &tops, self.max_detections);
        let mut all = Vec::new();
        for (i, anchor) in selected.into_iter().enumerate() {
            for (j, class) in best(anchor).into_iter().take(self.max_classes).enumerate() {
                let place = i * self.max_classes + j;
                all.push(Found { place, anchor, class, score: of_box(anchor)[class] });
            }
        }
        all
    }

    fn detect(
        &self,
        (coordinates, columns): (usize, usize),
        context: &mut EvalContext<'_>,
    ) -> Result<()> {
        let (codes, scores, anchors): (&[f32], &[f32], &[f32]) =
            (context.input(0), context.input(1), context.input(2));
        let pairs = codes.chunks_exact(coordinates).zip(anchors.chunks_exact(4));
        let boxes: Vec<Corners> = pairs.map(|(code, anchor)| self.decode(code, anchor)).collect();
        if let Some(i) = boxes.iter().position(|it| it[0] > it[2] || it[1] > it[3]) {
            return Err(Error::record(format!("box {i} is turned inside out: {:?}", boxes[i])));
        }
        let all = if self.is_regular {
            self.regular(&boxes, scores, columns)
        } else {
            self.fast(&boxes, scores, columns)
        };
        for output in 0..3 {
            context.output::<f32>(output).fill(0.0);
        }
        for found in &all {
            let corners = &boxes[found.anchor];
            context.output::<f32>(0)[4 * found.place..][..4].copy_from_slice(corners);
            context.output::<f32>(1)[found.place] = found.class as f32;
            context.output::<f32>(2)[found.place] = found.score;
        }
        // Without further classes of each box.
        let boxes = if self.is_regular { 1 } else { self.max_classes.min(self.classes) };
        context.output::<f32>(3)[0] = (all.len() / boxes) as f32;
        Ok(())
    }
}

/// From the largest to the smallest, NaN last.
fn descending(a: f32, b: f32) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then(b.partial_cmp(&a).unwrap_or(Ordering::Equal))
}

/// The area that two boxes share, as a part of the area that they cover.
fn overlap(a: &Corners, b: &Corners) -> f32 {
    let area = |it: &Corners| (it[2] - it[0]) * (it[3] - it[1]);
    if area(a) <= 0.0 || area(b) <= 0.0 {
        return 0.0;
    }
    let side = |i: usize| (a[i + 2].min(b[i + 2]) - a[i].max(b[i])).max(0.0);
    let shared = side(0) * side(1);
    shared / (area(a) + area(b) - shared)
}

impl Operator for Detection {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        self.sizes(inputs)?;
        let n = self.max_detections.checked_mul(self.max_classes);
        let n = n.ok_or_else(|| Error::model("there are too many detections"))?;
        let shapes = [vec![1, n, 4], vec![1, n], vec![1, n], vec![1]];
        Ok(shapes.map(|shape| TensorType::new(DType::F32, shape)).into())
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (_, coordinates, columns) = self.sizes(context.inputs)?;
        let detection = *self;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            detection.detect((coordinates, columns), context)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::flexbuffer::map_of;
    use crate::ops::registry::operator;
    use crate::ops::testing::{custom_node, inputs_of};

    const OPTIONS: [(&str, f64); 8] = [
        ("max_detections", 10.0),
        ("max_classes_per_detection", 2.0),
        ("nms_iou_threshold", 0.5),
        ("num_classes", 3.0),
        ("y_scale", 1.0),
        ("x_scale", 1.0),
        ("h_scale", 1.0),
        ("w_scale", 1.0),
    ];

    fn infer(changed: (&str, f64), shapes: [&[usize]; 3]) -> Result<Vec<usize>> {
        let options = [&[changed][..], &OPTIONS].concat();
        let operator = operator(&custom_node("TFLite_Detection_PostProcess", map_of(&options)))?;
        let inputs = inputs_of(&shapes.map(|shape| (DType::F32, shape)));
        Ok(operator.infer(&inputs)?.swap_remove(0).shape)
    }

    #[test]
    fn misfits_are_errors() {
        let none = ("unknown", 0.0);
        let shapes: [&[usize]; 3] = [&[1, 7, 4], &[1, 7, 4], &[7, 4]];
        assert_eq!(infer(none, shapes).unwrap(), [1, 20, 4]);
        let error = |changed, shapes| infer(changed, shapes).unwrap_err().to_string();
        assert!(
            error(("nms_iou_threshold", 0.0), shapes).contains("an overlap of 0 is no threshold")
        );
        assert!(error(("num_classes", 0.0), shapes).contains("to detect nothing"));
        assert!(error(("max_detections", -1.0), shapes).contains("`max_detections` is -1"));
        assert!(
            error(none, [&[1, 7, 4], &[1, 7, 5], &[7, 4]]).contains("are not those of 3 classes")
        );
        assert!(error(none, [&[1, 7, 4], &[1, 6, 4], &[7, 4]]).contains("do not fit each other"));
        assert!(error(none, [&[1, 7, 3], &[1, 7, 4], &[7, 4]]).contains("do not fit each other"));
        assert!(error(none, [&[2, 7, 4], &[2, 7, 4], &[7, 4]]).contains("do not fit each other"));
    }

    #[test]
    fn boxes_overlap() {
        let [a, b, empty] = [[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 2.0], [1.0, 1.0, 1.0, 2.0]];
        assert_eq!((overlap(&a, &b), overlap(&a, &a), overlap(&a, &empty)), (1.0 / 5.0, 1.0, 0.0));
        assert_eq!(overlap(&a, &[5.0, 0.0, 6.0, 1.0]), 0.0);
        let mut scores = [0.5, f32::NAN, -0.0, 0.9, 0.0];
        scores.sort_by(|a, b| descending(*a, *b));
        assert_eq!(scores[..4], [0.9, 0.5, 0.0, 0.0]);
        assert!(scores[4].is_nan());
    }
}
