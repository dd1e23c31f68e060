//! Concatenations with fewer copies: tensors that are written where a concatenation has them.
//!
//! Rows of such a tensor are parts of the rows of the joined one, which may itself be a part of another.
//! Whoever reads it must know that its rows are apart, and so must whoever writes it, unless there is but one row.
//! That is left to concatenations: convolutions that write their results so take longer by what a copy would.

use super::build::{Builder, Planned};
use super::group::Split;
use crate::operator::Compute;
use crate::tensor::TensorType;

/// Where a tensor is in the memory of another, its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Bytes before the first.
    pub(super) first: usize,
    /// How its rows lie, if there are several.
    pub(super) rows: Option<Rows>,
}

/// Rows that are apart, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) len: usize,
    /// From one to the next.
    pub(super) pitch: usize,
}

impl Rows {
    /// From the first byte to the last of a tensor of `bytes`.
    pub(super) fn span(self, bytes: usize) -> usize {
        bytes.checked_div(self.len).and_then(|n| n.checked_sub(1)).unwrap_or(0) * self.pitch
            + self.len
    }
}

/// Who uses the memory of each tensor, by its root.
pub(super) struct Users {
    /// The step that writes it, if one does.
    writers: Vec<Option<usize>>,
    /// The steps that read it.
    readers: Vec<Vec<usize>>,
    /// Whether it is read after the run.
    is_result: Vec<bool>,
}

impl Users {
    pub(super) fn new(builder: &Builder<'_>, planned: &[Planned]) -> Self {
        let n = builder.root.len();
        let mut users = Self {
            writers: vec![None; n],
            readers: vec![Vec::new(); n],
            is_result: vec![false; n],
        };
        for (at, step) in planned.iter().enumerate() {
            let (inputs, outputs) = builder.touched(step);
            for input in inputs {
                users.readers[builder.root[input]].push(at);
            }
            if !matches!(step.prepared.compute, Compute::Alias(_)) {
                for output in outputs {
                    users.writers[output] = Some(at);
                }
            }
        }
        for &result in &builder.results {
            users.is_result[builder.root[result]] = true;
        }
        users
    }
}

impl Builder<'_> {
    /// Lets tensors be parts of the concatenations that read them, where nobody needs them elsewhere.
    pub(super) fn share(&mut self, planned: &[Planned], split: Split) {
        if self.options.keeps_tensors() {
            return;
        }
        let users = Users::new(self, planned);
        // From the last on: what is joined may be joined again.
        for (at, step) in planned.iter().enumerate().rev() {
            for i in 0..step.prepared.joins.as_ref().map_or(0, Vec::len) {
                let Some((tensor, whole, columns)) = self.columns(&users, planned, split, (at, i))
                else {
                    continue;
                };
                for other in 0..self.root.len() {
                    if self.root[other] == tensor {
                        self.root[other] = whole;
                        self.columns[other] = Some(columns);
                    }
                }
            }
        }
    }

    /// Whether an input of step `at` could be part of its output, if nothing followed at once.
    pub(super) fn may_share(&self, users: &Users, planned: &[Planned], at: usize) -> bool {
        let split = Split { records: 1, tail: planned.len() };
        let inputs = planned[at].prepared.joins.as_ref().map_or(0, Vec::len);
        (0..inputs).any(|i| self.columns(users, planned, split, (at, i)).is_some())
    }

    /// Whether, and where, input `i` of step `at` can be part of its output: root of the input, that of the output,
    /// and the place.
    fn columns(
        &self,
        users: &Users,
        planned: &[Planned],
        split: Split,
        (at, i): (usize, usize),
    ) -> Option<(usize, usize, Columns)> {
        let Planned { node, prepared, chain, .. } = &planned[at];
        let node = &self.subgraph.nodes[*node];
        let &[output] = &node.outputs[..] else { return None };
        let input = node.inputs[i]?;
        if self.columns[input].is_some() || !chain.links.is_empty() {
            return None;
        }
        let columns = self.part(output, prepared.joins.as_ref()?, i)?;
        let (root, whole) = (self.root[input], self.root[output]);

        let times = node.inputs.iter().flatten().filter(|&&it| self.root[it] == root).count();
        if times != 1 || users.is_result[root] {
            return None;
        }
        let writer = users.writers[root]?;
        let fits = match columns.rows {
            None => {
                // Who writes several records at once has them one after another.
                let in_groups = planned[writer].prepared.in_groups.is_some();
                split.records == 1 || writer < split.tail || !in_groups
            }
            Some(Rows { len, .. }) => {
                let alone = (0..self.root.len()).all(|it| it == root || self.root[it] != root);
                let is_whole = |it: &usize| self.root[*it] == whole;
                // What a step reads must not lie between rows that it writes.
                let mut readers = users.readers[root].iter().filter(|&&reader| reader != at);
                alone
                    && writes_apart(&planned[writer], len)
                    && !self.touched(&planned[writer]).0.iter().any(is_whole)
                    && readers.all(|&reader| {
                        self.reads_apart(&planned[reader], root, len)
                            && !self.touched(&planned[reader]).1.iter().any(is_whole)
                    })
            }
        };
        fits.then_some((root, whole, columns))
    }

    /// Where a concatenation, which joins so many bytes of each input, has input `i`, if that is not empty and the
    /// concatenation's own rows are not apart in another way.
    pub(super) fn part(&self, output: usize, joins: &[usize], i: usize) -> Option<Columns> {
        let (row, total) = (joins[i], joins.iter().sum::<usize>());
        let bytes = self.types[output].as_ref().and_then(TensorType::byte_len)?;
        let outer = bytes.checked_div(total).filter(|_| row > 0)?;
        let (before, pitch) = match self.columns[output] {
            None => (0, total),
            Some(Columns { first, rows: None }) => (first, total),
            Some(Columns { first, rows: Some(rows) }) if rows.len == total => (first, rows.pitch),
            Some(_) => return None,
        };
        let rows = (outer > 1 && row != pitch).then_some(Rows { len: row, pitch });
        Some(Columns { first: before + joins[..i].iter().sum::<usize>(), rows })
    }

    /// Whether a step reads `tensor` nowhere but where its rows, of `len` bytes, may be apart.
    fn reads_apart(&self, step: &Planned, tensor: usize, len: usize) -> bool {
        let inputs = &self.subgraph.nodes[step.node].inputs;
        let may_be = |i: usize| match &step.prepared.joins {
            Some(joins) => joins[i] == len,
            None => i == 0 && step.prepared.reads_apart == Some(len),
        };
        let mut all = inputs.iter().enumerate().filter(|(_, input)| **input == Some(tensor));
        all.all(|(i, _)| may_be(i)) && !step.others.contains(&tensor)
    }
}

/// Whether a step can write its output in rows of `len` bytes that are apart.
fn writes_apart(step: &Planned, len: usize) -> bool {
    let joins = step.prepared.joins.as_ref();
    joins.is_some_and(|joins| joins.iter().sum::<usize>() == len) && step.chain.links.is_empty()
}
