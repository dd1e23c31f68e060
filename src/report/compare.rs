use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::json::{number, pretty};
use crate::circle::Number;
use crate::error::Result;
use crate::observation::Observation;

/// The ranges of a recording or of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges {
    /// What they are from, for people.
    pub source: String,
    /// The tensors; those without a range too.
    pub tensors: Vec<NamedRange>,
}

/// A tensor and its range, if it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRange {
    /// Position of its subgraph in the model.
    pub subgraph: u32,
    /// Position in the subgraph.
    pub index: u32,
    /// Name in the model.
    pub name: String,
    /// Its range.
    pub range: Option<Observation>,
}

/// Two sets of ranges side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What the first ranges are from.
    pub a: String,
    /// What the second ranges are from.
    pub b: String,
    /// Differences beyond which tensors are said to differ.
    pub threshold: f64,
    /// Tensors that do.
    pub differing: usize,
    /// Tensors with a range on one side or both, the most different first.
    pub tensors: Vec<Difference>,
}

/// A tensor on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Position of its subgraph: that of the first side, if it is there.
    pub subgraph: u32,
    /// Position in the subgraph, likewise.
    pub tensor: u32,
    /// Its name.
    pub name: String,
    /// Its range on the first side.
    #[serde(serialize_with = "range")]
    pub a: Option<Observation>,
    /// Its range on the second side.
    #[serde(serialize_with = "range")]
    pub b: Option<Observation>,
    /// See [`difference`]; infinite if only one side has a range.
    #[serde(serialize_with = "single")]
    pub difference: f64,
    /// Whether that is beyond the threshold.
    pub differs: bool,
}

#[allow(clippy::ref_option, reason = "this is how serde calls it")]
fn range<S: Serializer>(range: &Option<Observation>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Range {
        #[serde(serialize_with = "number")]
        min: f32,
        #[serde(serialize_with = "number")]
        max: f32,
    }
    range.map(|Observation { min, max }| Range { min, max }).serialize(serializer)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "this is how serde calls it")]
fn single<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value as f32).serialize(serializer)
}

/// How different two ranges are: the larger distance between their ends, in widths of the wider one. 0 for
/// equal ranges, infinite where an end is on one side only infinite or not a number.
pub fn difference(a: Observation, b: Observation) -> f64 {
    let apart = |a: f32, b: f32| {
        if a == b || (a.is_nan() && b.is_nan()) {
            0.0
        } else {
            Some((f64::from(a) - f64::from(b)).abs())
                .filter(|it| !it.is_nan())
                .unwrap_or(f64::INFINITY)
        }
    };
    let larger = |a: f64, b: f64| if a < b { b } else { a };
    let distance = larger(apart(a.min, b.min), apart(a.max, b.max));
    if distance == 0.0 || distance.is_infinite() {
        return distance;
    }
    let width = |it: Observation| f64::from(it.max) - f64::from(it.min);
    // Where one end is infinite on both sides, the other is compared with nothing.
    match larger(width(a), width(b)) {
        width if width.is_finite() => distance / width,
        _ => f64::INFINITY,
    }
}

/// How a tensor is found on the other side: by subgraph and name, and by position among those of the same name.
/// A tensor without a name is found by its position in the model.
type Key<'a> = (u32, &'a str, u32);

impl Comparison {
    /// Compares two sets of ranges.
    pub fn of(a: &Ranges, b: &Ranges, threshold: f64) -> Self {
        let mut others: HashMap<Key<'_>, &NamedRange> = keyed(&b.tensors).collect();
        let mut tensors = Vec::new();
        for (key, first) in keyed(&a.tensors) {
            let second = others.remove(&key).and_then(|it| it.range);
            tensors.extend(Difference::new(first, first.range, second, threshold));
        }
        // Those that are left, in their order.
        let rest = keyed(&b.tensors).filter(|(key, _)| others.contains_key(key));
        tensors.extend(rest.filter_map(|(_, it)| Difference::new(it, None, it.range, threshold)));
        tensors.sort_by(|a, b| b.difference.total_cmp(&a.difference));
        Self {
            a: a.source.clone(),
            b: b.source.clone(),
            threshold,
            differing: tensors.iter().filter(|it| it.differs).count(),
            tensors,
        }
    }

    /// As JSON; non-finite numbers are strings.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) only.
    pub fn to_json(&self) -> Result<String> {
        pretty(self)
    }

    /// A line for each tensor, separated by commas.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) only.
    pub fn to_csv(&self) -> Result<String> {
        let titles = "subgraph,tensor,name,a_min,a_max,b_min,b_max,difference,differs";
        let rows = self.tensors.iter().map(|it| {
            let end = |range: Option<Observation>, end: fn(Observation) -> f32| {
                range.map(|it| end(it).to_string()).unwrap_or_default()
            };
            let mut cells = vec![it.subgraph.to_string(), it.tensor.to_string(), it.name.clone()];
            for range in [it.a, it.b] {
                cells.extend([end(range, |it| it.min), end(range, |it| it.max)]);
            }
            cells.extend([(it.difference as f32).to_string(), it.differs.to_string()]);
            cells
        });
        super::csv::table(titles.split(',').map(str::to_owned), rows)
    }
}

impl Difference {
    /// `None` for a tensor without a range on either side.
    fn new(
        tensor: &NamedRange,
        a: Option<Observation>,
        b: Option<Observation>,
        threshold: f64,
    ) -> Option<Self> {
        let difference = match (a, b) {
            (None, None) => return None,
            (Some(a), Some(b)) => difference(a, b),
            _ => f64::INFINITY,
        };
        Some(Self {
            subgraph: tensor.subgraph,
            tensor: tensor.index,
            name: tensor.name.clone(),
            a,
            b,
            difference,
            differs: difference > threshold,
        })
    }
}

fn keyed(tensors: &[NamedRange]) -> impl Iterator<Item = (Key<'_>, &NamedRange)> {
    let mut seen: HashMap<(u32, &str), u32> = HashMap::new();
    tensors.iter().map(move |tensor| {
        let NamedRange { subgraph, index, name, .. } = tensor;
        let among = if name.is_empty() {
            *index
        } else {
            let before = seen.entry((*subgraph, name)).or_default();
            *before += 1;
            *before
        };
        ((*subgraph, name.as_str(), among), tensor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: f32, max: f32) -> Observation {
        Observation { min, max }
    }

    fn named(index: u32, name: &str, range: Option<Observation>) -> NamedRange {
        NamedRange { subgraph: 0, index, name: name.to_owned(), range }
    }

    #[test]
    fn differences_are_in_widths_of_the_wider_range() {
        assert_eq!(difference(range(0.0, 4.0), range(0.0, 4.0)), 0.0);
        assert_eq!(difference(range(-0.0, 4.0), range(0.0, 4.0)), 0.0);
        assert_eq!(difference(range(0.0, 3.0), range(-0.5, 3.5)), 0.125);
        assert_eq!(difference(range(-0.5, 3.5), range(0.0, 3.0)), 0.125);
        assert_eq!(difference(range(1.0, 1.0), range(2.0, 2.0)), f64::INFINITY);
        let (infinite, nan) = (range(0.0, f32::INFINITY), range(f32::NAN, 1.0));
        assert_eq!(difference(infinite, infinite), 0.0);
        assert_eq!(difference(infinite, range(0.0, 1.0)), f64::INFINITY);
        assert_eq!(difference(infinite, range(-1.0, f32::INFINITY)), f64::INFINITY);
        assert_eq!(difference(nan, nan), 0.0);
        assert_eq!(difference(nan, range(0.0, 1.0)), f64::INFINITY);
        assert_eq!(difference(range(0.0, 1.0), nan), f64::INFINITY);
    }

    #[test]
    fn tensors_are_matched_by_name_wherever_they_are() {
        let side = |source: &str, tensors| Ranges { source: source.to_owned(), tensors };
        let one = Some(range(0.0, 1.0));
        let a = side(
            "a",
            vec![
                named(0, "same", one),
                named(1, "twice", Some(range(0.0, 4.0))),
                named(2, "twice", one),
                named(3, "gone", one),
                named(4, "never", None),
                named(5, "", one),
                named(6, "found", None),
            ],
        );
        let b = side(
            "b",
            vec![
                named(9, "twice", Some(range(0.0, 3.0))),
                named(10, "new", one),
                named(11, "twice", Some(range(0.0, 2.0))),
                named(12, "same", one),
                named(5, "", one),
                named(13, "found", one),
            ],
        );
        let compared = Comparison::of(&a, &b, 0.25);
        let found: Vec<_> = compared
            .tensors
            .iter()
            .map(|it| (it.name.as_str(), it.tensor, it.difference))
            .collect();
        assert_eq!(
            found,
            [
                ("gone", 3, f64::INFINITY),
                ("found", 6, f64::INFINITY),
                ("new", 10, f64::INFINITY),
                ("twice", 2, 0.5),
                ("twice", 1, 0.25),
                ("same", 0, 0.0),
                ("", 5, 0.0)
            ]
        );
        // As far as the threshold is not beyond it.
        assert_eq!(compared.differing, 4);
        let csv = compared.to_csv().unwrap();
        assert!(csv.contains("\n0,3,gone,0,1,,,inf,true\n"), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&compared.to_json().unwrap()).unwrap();
        assert_eq!(json["tensors"][0]["difference"], "Infinity");
        assert_eq!(json["tensors"][0]["b"], serde_json::Value::Null);
        assert_eq!(json["tensors"][4]["a"]["max"], 4.0);
    }
}
