//! Chains of elementwise operators behind a step: computed block by block, so that what lies between
//! them is observed, but never written to memory.

use smallvec::SmallVec;

use super::build::{Builder, Planned};
use crate::kernel::elementwise::{
    Binary, Gated, Unary, gate_in_place, hard_swish_in_place, unary, unary_in_place_knowing,
};
use crate::kernel::gemm::Clamp;
use crate::kernel::{Isa, cyclic, minmax};
use crate::observation::Observation;
use crate::operator::{Compute, Pointwise};
use crate::tensor::{DType, num_elements};

/// Elements of a block: all values of a chain stay in the first-level cache.
const BLOCK: usize = 2048;

/// Elements of a block of a chain without values between its ends: beginning and ending a block takes as long as
/// a hundred elements.
const LONG_BLOCK: usize = 32 * 1024;

/// An operand of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// The output of the step (0), or of an earlier link of the chain (from 1).
    Value(usize),
    /// One of the other tensors that the chain reads.
    Other(usize),
}

/// One operator of a chain.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) function: Pointwise,
    pub(super) operands: SmallVec<[Operand; 2]>,
    /// Position of the output.
    pub(super) tensor: usize,
    /// For messages.
    pub(super) name: String,
}

impl Link {
    /// Computes `to` from its operands, and folds the extremes.
    fn compute<'a>(
        &self,
        isa: Isa,
        operand: impl Fn(Operand) -> &'a [f32],
        to: &mut [f32],
    ) -> Observation {
        match (self.function, &self.operands[..]) {
            (Pointwise::Unary(function), &[a]) => unary(isa, function, operand(a), to),
            (Pointwise::Binary(function, clamp), &[a, b]) => {
                cyclic::binary(isa, function, (operand(a), operand(b)), clamp, to)
            }
            _ => unreachable!("the plan gives each function its operands"),
        }
    }

    /// The same where `to` holds `home`, which is one of the operands and has these extremes, as
    /// [`unary_in_place_knowing`] takes them.
    fn compute_in_place<'a>(
        &self,
        isa: Isa,
        (home, extremes, seen): (Operand, Observation, Observation),
        operand: impl Fn(Operand) -> &'a [f32],
        to: &mut [f32],
    ) -> Observation {
        match (self.function, &self.operands[..]) {
            (Pointwise::Unary(function), _) => {
                unary_in_place_knowing(isa, function, extremes, seen, to)
            }
            (Pointwise::Binary(function, clamp), &[a, b]) => {
                let is_right = b == home;
                let other = operand(if is_right { a } else { b });
                cyclic::binary_in_place(isa, function, (other, is_right), clamp, to)
            }
            _ => unreachable!("the plan gives each function its operands"),
        }
    }
}

/// What follows a step. The last link's result takes the place of the step's own output.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    /// Elements of each of the other tensors.
    pub(super) other_lens: SmallVec<[usize; 4]>,
    /// Which of the other tensors the result takes the place of, block by block, if any. The step's own
    /// output is elsewhere then.
    pub(super) over: Option<usize>,
}

/// Elements of a step's output, which a chain goes on with.
pub(super) struct Elements<'a> {
    /// Where they start in the output.
    pub(super) start: usize,
    /// Elements of the whole output.
    pub(super) len: usize,
    pub(super) values: &'a mut [f32],
    /// Their extremes, NaN aside, or [`Observation::ANY`].
    pub(super) extremes: Observation,
    /// The same elements of the tensor whose place the result takes: they are replaced then.
    pub(super) over: Option<&'a mut [f32]>,
}

impl Chain {
    /// Elements of a block, whole repetitions of every shorter operand, when a value has `len`.
    fn block_len(&self, len: usize) -> usize {
        // Shorter operands are rows of the last axes: the longest is a multiple of the others.
        let row = self.unit(len);
        let block = if self.has_inner_values() { BLOCK } else { LONG_BLOCK };
        row * (block / row).max(1)
    }

    /// Whether there are values that only the chain has, or a copy of what its result replaces.
    fn has_inner_values(&self) -> bool {
        self.links.len() > 1 || self.home_reads() != 1
    }

    /// How often the last link reads what its result replaces.
    fn home_reads(&self) -> usize {
        let operands = self.links.last().into_iter().flat_map(|link| &link.operands);
        operands.filter(|&&operand| operand == self.home()).count()
    }

    /// Whether blocks of values of `len` elements are small enough for the cache.
    pub(super) fn fits(&self, len: usize) -> bool {
        let (row, block) = (self.unit(len), self.block_len(len));
        let divides = |&other: &usize| other == len || block.is_multiple_of(other.max(1));
        row <= 4 * BLOCK && len > 0 && self.other_lens.iter().all(divides)
    }

    /// Bytes of scratch memory.
    pub(super) fn scratch_len(&self, len: usize) -> usize {
        if !self.has_inner_values() {
            return 0;
        }
        self.links.len() * self.block_len(len) * size_of::<f32>()
    }

    /// Elements of which blocks must be multiples, when a value has `len`.
    pub(super) fn unit(&self, len: usize) -> usize {
        self.other_lens.iter().copied().filter(|&it| it < len).max().unwrap_or(1)
    }

    /// Whether elements whose extremes are not known are folded on the way: that takes less than before, unless it takes
    /// nothing there.
    pub(super) fn folds(&self, isa: Isa) -> bool {
        self.is_hard_swish() && !isa.folds_freely()
    }

    fn is_hard_swish(&self) -> bool {
        let [link] = &self.links[..] else { return false };
        link.function == Pointwise::Unary(Unary::HardSwish) && self.over.is_none()
    }

    /// Replaces elements of the step's output by those of the last link, and unites the extremes of each
    /// link with `observed`. `others` are the whole other tensors. Gives the extremes of the elements, if they are known
    /// or [folded](Self::folds).
    pub(super) fn run(
        &self,
        isa: Isa,
        Elements { start, len, values, extremes, mut over }: Elements<'_>,
        others: &[&[f32]],
        scratch: &mut [f32],
        observed: &mut [Observation],
    ) -> Observation {
        if let Some(clamp) = self.gate() {
            let Gated { gates, products } =
                gate_in_place(isa, clamp, values, extremes, observed[1]);
            observed[0] = observed[0].union(gates);
            observed[1] = observed[1].union(minmax::settle(isa, products, values));
            return extremes;
        }
        if self.is_hard_swish() && extremes == Observation::ANY {
            let [elements, results] = hard_swish_in_place(isa, observed[0], values);
            observed[0] = observed[0].union(minmax::settle(isa, results, values));
            return elements;
        }
        let (block, home_reads) = (self.block_len(len), self.home_reads());
        for (i, values) in values.chunks_mut(block).enumerate() {
            let place = i * block..i * block + values.len();
            let start = start + place.start;
            // The last link's result takes the place of the home operand, and is computed in place where that
            // is read once. Value `i` of the others is at `i * block`, and a copy of the home operand before
            // them.
            let n = values.len();
            let (first, to): (&[f32], &mut [f32]) = match &mut over {
                Some(over) => (values, &mut over[place]),
                None => (&[], values),
            };
            if home_reads > 1 {
                scratch[..n].copy_from_slice(to);
            }
            for (i, (link, observed)) in self.links.iter().zip(&mut *observed).enumerate() {
                // There is no such memory for a link whose only values are those at the ends.
                let (earlier, later) = scratch.split_at_mut(scratch.len().min((i + 1) * block));
                let operand = |operand: Operand| match operand {
                    Operand::Value(0) => first,
                    Operand::Value(value) => &earlier[value * block..][..n],
                    Operand::Other(other) if others[other].len() == len => {
                        &others[other][start..start + n]
                    }
                    Operand::Other(other) => others[other],
                };
                let (folded, result) = if i + 1 < self.links.len() {
                    let result = &mut later[..n];
                    let home = if home_reads > 1 { &earlier[..n] } else { &*to };
                    let operand = |it| if it == self.home() { home } else { operand(it) };
                    (link.compute(isa, operand, result), &*result)
                } else if home_reads == 1 {
                    // Of the step's output the extremes are known, of all blocks together.
                    let home = self.home();
                    let extremes =
                        if home == Operand::Value(0) { extremes } else { Observation::ANY };
                    (link.compute_in_place(isa, (home, extremes, *observed), operand, to), &*to)
                } else {
                    let home = &earlier[..n];
                    let operand = |it| if it == self.home() { home } else { operand(it) };
                    (link.compute(isa, operand, to), &*to)
                };
                *observed = observed.union(minmax::settle(isa, folded, result));
            }
        }
        extremes
    }

    /// What is where the result goes to.
    fn home(&self) -> Operand {
        self.over.map_or(Operand::Value(0), Operand::Other)
    }

    /// The clamp, if the chain is `x * logistic(x)` and nothing else: one pass then. Gates between 0 and 1
    /// are never the lowest float, which that pass could not ignore.
    fn gate(&self) -> Option<Clamp> {
        let [first, second] = &self.links[..] else { return None };
        let (Pointwise::Unary(Unary::Logistic), Pointwise::Binary(Binary::Mul, clamp)) =
            (first.function, second.function)
        else {
            return None;
        };
        let (x, gate) = (Operand::Value(0), Operand::Value(1));
        let multiplies = second.operands[..] == [x, gate] || second.operands[..] == [gate, x];
        (first.operands[..] == [x] && multiplies).then_some(clamp)
    }
}

/// A chain that can be joined to a step.
pub(super) struct Joined {
    pub(super) chain: Chain,
    /// The other tensors that it reads.
    pub(super) others: Vec<usize>,
    /// Which steps its links were.
    pub(super) steps: Vec<usize>,
}

/// Finds chains: elementwise steps all of whose values but the last are read by nobody else.
pub(super) struct Joiner<'a> {
    builder: &'a Builder<'a>,
    /// For each tensor, the step that writes it; constants and inputs of the model have none.
    writers: Vec<Option<usize>>,
    /// For each tensor, the steps that read it, ascending; `usize::MAX` stands for the model's user.
    readers: Vec<Vec<usize>>,
}

impl<'a> Joiner<'a> {
    pub(super) fn new(builder: &'a Builder<'a>, planned: &[Planned]) -> Self {
        let n = builder.subgraph.tensors.len();
        let (mut writers, mut readers) = (vec![None; n], vec![Vec::new(); n]);
        for (at, step) in planned.iter().enumerate() {
            let node = &builder.subgraph.nodes[step.node];
            for &output in &node.outputs {
                writers[output] = Some(at);
            }
            for &input in node.inputs.iter().flatten() {
                readers[builder.root[input]].push(at);
            }
        }
        for &output in &builder.results {
            readers[builder.root[output]].push(usize::MAX);
        }
        Self { builder, writers, readers }
    }

    /// The longest chain behind step `at`.
    pub(super) fn chain(&self, planned: &[Planned], taken: &[bool], at: usize) -> Option<Joined> {
        let &[output] = &self.builder.subgraph.nodes[planned[at].node].outputs[..] else {
            return None;
        };
        let is_alias = matches!(planned[at].prepared.compute, Compute::Alias(_));
        let len = self.float_len(output)?;
        if is_alias || self.builder.root[output] != output {
            return None;
        }
        let mut values = vec![output];
        let mut joined = Joined { chain: Chain::default(), others: Vec::new(), steps: Vec::new() };
        let mut longest = None;
        while let Some(next) = self.next_reader(&values, &joined.steps) {
            let step = planned.get(next).filter(|_| !taken[next]);
            let Some(link) = step.and_then(|step| self.link(step, at, len, &values, &mut joined))
            else {
                break;
            };
            values.push(link.tensor);
            joined.chain.links.push(link);
            joined.steps.push(next);
            let inner = &values[..values.len() - 1];
            let alone =
                inner.iter().all(|&v| self.readers[v].iter().all(|r| joined.steps.contains(r)));
            if alone && joined.chain.fits(len) {
                longest = Some((joined.steps.len(), joined.others.len()));
            }
        }
        let (links, others) = longest?;
        joined.chain.links.truncate(links);
        joined.chain.other_lens.truncate(others);
        joined.others.truncate(others);
        joined.steps.truncate(links);
        Some(joined)
    }

    /// The first step that reads one of the values and is not in the chain yet.
    fn next_reader(&self, values: &[usize], steps: &[usize]) -> Option<usize> {
        let readers = values.iter().flat_map(|&value| &self.readers[value]).copied();
        readers.filter(|reader| !steps.contains(reader)).min()
    }

    /// `step` as a link behind step `at`, if all it reads is there by then.
    fn link(
        &self,
        step: &Planned,
        at: usize,
        len: usize,
        values: &[usize],
        joined: &mut Joined,
    ) -> Option<Link> {
        let node = &self.builder.subgraph.nodes[step.node];
        let function = step.prepared.pointwise?;
        let &[tensor] = &node.outputs[..] else { return None };
        let operands = match function {
            Pointwise::Unary(_) => 1,
            Pointwise::Binary(..) => 2,
        };
        // Operators pass over operands that they do not have; a link could not.
        if node.inputs.len() != operands || self.float_len(tensor)? != len {
            return None;
        }
        let mut operands = SmallVec::new();
        for &input in &node.inputs {
            let input = input?;
            if let Some(value) = values.iter().position(|&value| value == input) {
                operands.push(Operand::Value(value));
                continue;
            }
            let written = self.writers[self.builder.root[input]];
            if written.is_some_and(|written| written >= at) {
                return None;
            }
            operands.push(Operand::Other(joined.others.len()));
            joined.others.push(input);
            joined.chain.other_lens.push(self.float_len(input)?);
        }
        let name = format!("operator {} {}", step.node, node.code);
        Some(Link { function, operands, tensor, name })
    }

    /// Elements of a float tensor.
    fn float_len(&self, tensor: usize) -> Option<usize> {
        let tensor_type = self.builder.types[tensor].as_ref()?;
        (tensor_type.dtype == DType::F32).then(|| num_elements(&tensor_type.shape)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::LOWEST;

    #[test]
    fn blocks_are_computed_link_by_link() {
        let link = |function, operands: &[Operand]| Link {
            function,
            operands: operands.iter().copied().collect(),
            tensor: 0,
            name: String::new(),
        };
        // -(x * row) + other
        let chain = Chain {
            links: vec![
                link(
                    Pointwise::Binary(Binary::Mul, Clamp::NONE),
                    &[Operand::Other(0), Operand::Value(0)],
                ),
                link(Pointwise::Unary(Unary::Neg), &[Operand::Value(1)]),
                link(
                    Pointwise::Binary(Binary::Add, Clamp::NONE),
                    &[Operand::Value(2), Operand::Other(1)],
                ),
            ],
            other_lens: SmallVec::from_slice(&[7, 7 * 400]),
            over: None,
        };
        let row: Vec<f32> = (1..8_u8).map(f32::from).collect();
        let mut x: Vec<f32> = (0..7 * 400).map(|i| i as f32).collect();
        x[3] = LOWEST;
        let other: Vec<f32> = (0..7 * 400).map(|i| (i % 13) as f32).collect();
        let mul: Vec<f32> = x.iter().zip(row.iter().cycle()).map(|(x, r)| x * r).collect();
        let neg: Vec<f32> = mul.iter().map(|v| -v).collect();
        let sum: Vec<f32> = neg.iter().zip(&other).map(|(a, b)| a + b).collect();
        assert!(chain.fits(x.len()));
        for isa in Isa::supported() {
            let mut values = x.clone();
            let mut scratch = vec![f32::NAN; chain.scratch_len(x.len()) / 4];
            let mut observed = [Observation::EMPTY; 3];
            let (first, second) = values.split_at_mut(7 * 123);
            let others = [&row[..], &other];
            for (start, values) in [(0, first), (7 * 123, second)] {
                let elements =
                    Elements { start, len: 2800, values, extremes: Observation::ANY, over: None };
                chain.run(isa, elements, &others, &mut scratch, &mut observed);
            }
            assert_eq!(values, sum);
            for (observed, values) in observed.iter().zip([&mul, &neg, &sum]) {
                assert!(observed.same_bits(Observation::scan(values)), "{isa} {observed:?}");
            }
            // The same over what is added.
            let chain = Chain { over: Some(1), ..chain.clone() };
            let (mut values, mut over) = (x.clone(), other.clone());
            let mut observed_over = [Observation::EMPTY; 3];
            let (first, second) = values.split_at_mut(7 * 123);
            let (over_first, over_second) = over.split_at_mut(7 * 123);
            for (start, values, over) in [(0, first, over_first), (7 * 123, second, over_second)] {
                let others = [&row[..], &[]];
                let elements = Elements {
                    start,
                    len: 2800,
                    values,
                    extremes: Observation::ANY,
                    over: Some(over),
                };
                chain.run(isa, elements, &others, &mut scratch, &mut observed_over);
            }
            assert_eq!(over, sum);
            assert!(observed.iter().zip(&observed_over).all(|(a, b)| a.same_bits(*b)));
        }
    }

    #[test]
    fn a_gate_is_one_pass_with_the_same_bits() {
        let link = |function, operands: &[Operand]| Link {
            function,
            operands: operands.iter().copied().collect(),
            tensor: 0,
            name: String::new(),
        };
        let gate = link(Pointwise::Unary(Unary::Logistic), &[Operand::Value(0)]);
        let product =
            |operands: &[Operand]| link(Pointwise::Binary(Binary::Mul, Clamp::NONE), operands);
        let chain = |operands: &[Operand]| Chain {
            links: vec![gate.clone(), product(operands)],
            other_lens: SmallVec::new(),
            over: None,
        };
        let mut x: Vec<f32> = (0..3001).map(|i| (i as f32 - 1500.0) / 100.0).collect();
        x[7] = LOWEST;
        x[8] = f32::NAN;
        for isa in Isa::supported() {
            let mut gates = vec![0.0; x.len()];
            unary(isa, Unary::Logistic, &x, &mut gates);
            let products: Vec<f32> = x.iter().zip(&gates).map(|(x, g)| x * g).collect();
            for operands in
                [[Operand::Value(0), Operand::Value(1)], [Operand::Value(1), Operand::Value(0)]]
            {
                let chain = chain(&operands);
                assert!(chain.gate().is_some());
                let mut values = x.clone();
                let mut observed = [Observation::EMPTY; 2];
                let elements = Elements {
                    start: 0,
                    len: x.len(),
                    values: &mut values,
                    extremes: Observation::ANY,
                    over: None,
                };
                chain.run(isa, elements, &[], &mut [], &mut observed);
                let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan();
                assert!(values.iter().zip(&products).all(same));
                assert!(observed[0].same_bits(Observation::scan(&gates)));
                assert!(observed[1].same_bits(Observation::scan(&products)));
            }
        }
    }
}
