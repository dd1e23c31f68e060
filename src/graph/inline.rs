//! Composites by what they are made of.

use super::{Model, Node, OperatorCode, Place, Subgraph};
use crate::error::{Error, Result};
use crate::schema::BuiltinOptionsT;

/// Subgraphs within each other; more are left to be run one by one, if at all.
pub const MOST_NESTED: usize = 64;

impl Model {
    /// The same model, in which the operators of a decomposition are where the composite was, if no other
    /// operator runs that subgraph. Operators and tensors keep their places in the file, so that what is
    /// said of them is said of these.
    ///
    /// # Errors
    /// If a composite does not fit its decomposition.
    pub fn inlined(&self) -> Result<Self> {
        let mut model = self.clone();
        let callers = self.callers();
        // Others end up within their callers.
        let kept = model.subgraphs.iter_mut().enumerate().filter(|(index, _)| callers[*index] != 1);
        for (index, subgraph) in kept {
            let mut inlining = Inlining { model: self, callers: &callers, open: vec![index] };
            inlining.subgraph(subgraph)?;
        }
        Ok(model)
    }

    /// How many operators run each subgraph; those that do not run it once, in place, count twice.
    fn callers(&self) -> Vec<usize> {
        let mut callers = vec![0_usize; self.subgraphs.len()];
        let mut count = |index: i32, times: usize| {
            let known = usize::try_from(index).ok().and_then(|index| callers.get_mut(index));
            if let Some(callers) = known {
                *callers += times;
            }
        };
        count(0, 2);
        for node in self.subgraphs.iter().flat_map(|subgraph| &subgraph.nodes) {
            if let Some(decomposition) = node.decomposition {
                count(decomposition, 1);
            }
            match &node.options {
                BuiltinOptionsT::IfOptions(options) => {
                    count(options.then_subgraph_index, 2);
                    count(options.else_subgraph_index, 2);
                }
                BuiltinOptionsT::WhileOptions(options) => {
                    count(options.cond_subgraph_index, 2);
                    count(options.body_subgraph_index, 2);
                }
                BuiltinOptionsT::CallOnceOptions(options) => count(options.init_subgraph_index, 2),
                _ => {}
            }
        }
        callers
    }
}

struct Inlining<'a> {
    model: &'a Model,
    callers: &'a [usize],
    /// Subgraphs that are being put together, from the outermost.
    open: Vec<usize>,
}

impl Inlining<'_> {
    /// Replaces the composites of a subgraph.
    fn subgraph(&mut self, subgraph: &mut Subgraph) -> Result<()> {
        if !subgraph.nodes.iter().any(Node::is_composite) {
            return Ok(());
        }
        for node in std::mem::take(&mut subgraph.nodes) {
            let decomposition = node.decomposition.and_then(|it| usize::try_from(it).ok());
            match decomposition {
                Some(index)
                    if self.callers.get(index) == Some(&1) && self.open.len() < MOST_NESTED =>
                {
                    self.composite(subgraph, &node, index).map_err(|e| e.context(node.title()))?;
                }
                _ => subgraph.nodes.push(node),
            }
        }
        Ok(())
    }

    fn composite(&mut self, into: &mut Subgraph, node: &Node, index: usize) -> Result<()> {
        let mut body = self.model.subgraphs[index].clone();
        if (body.inputs.len(), body.outputs.len()) != (node.inputs.len(), node.outputs.len()) {
            return Err(Error::model(format!(
                "it has {} inputs and {} outputs, but subgraph {index} has {} and {}",
                node.inputs.len(),
                node.outputs.len(),
                body.inputs.len(),
                body.outputs.len()
            )));
        }
        self.open.push(index);
        self.subgraph(&mut body)?;
        self.open.pop();
        let first = into.tensors.len();
        into.tensors.append(&mut body.tensors);
        for (&outer, &inner) in node.inputs.iter().zip(&body.inputs) {
            into.nodes.push(identity(node.place, outer, first + inner));
        }
        for mut inner in body.nodes {
            inner.inputs.iter_mut().flatten().for_each(|tensor| *tensor += first);
            let positions = inner.outputs.iter_mut().chain(&mut inner.intermediates);
            positions.for_each(|tensor| *tensor += first);
            into.nodes.push(inner);
        }
        for (&inner, &outer) in body.outputs.iter().zip(&node.outputs) {
            into.nodes.push(identity(node.place, Some(first + inner), outer));
        }
        Ok(())
    }
}

fn identity(place: Place, from: Option<usize>, to: usize) -> Node {
    Node {
        place,
        code: OperatorCode::Identity,
        version: 1,
        inputs: vec![from],
        outputs: vec![to],
        intermediates: Vec::new(),
        options: BuiltinOptionsT::NONE,
        options_2: crate::schema::BuiltinOptions2T::NONE,
        custom_options: Vec::new(),
        decomposition: None,
        body: None,
    }
}
