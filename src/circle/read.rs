//! From FlatBuffer tables to plain data. Everything in the file is untrusted: each position, size and
//! type is checked here, so that nothing behind needs to.

use std::fmt::Write as _;
use std::sync::Arc;

use super::details::details;
use super::model_file::Format;
use super::slots;
use super::tensor_type::dtype;
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::graph::{
    Body, COMPOSITE, Constant, Model, Node, OperatorCode, Place, Quantization, QuantizationDetails,
    SharedBytes, Subgraph, Tensor,
};
use crate::schema;
use crate::tensor::{AlignedBuffer, DType, num_elements};

/// How many problems are listed.
const LISTED: usize = 20;

/// Most dimensions of a tensor; more is damage.
const MAX_RANK: usize = 32;

/// The model behind `root`; constants refer to `file`.
pub(super) fn graph(
    root: schema::Model<'_>,
    format: Format,
    file: &Arc<dyn SharedBytes>,
) -> Result<Model> {
    let mut reader = Reader { root, format, file, problems: Vec::new(), count: 0 };
    let codes = reader.operator_codes();
    let mut subgraphs = Vec::new();
    for (i, subgraph) in root.subgraphs().into_iter().flatten().enumerate() {
        subgraphs.push(reader.subgraph(i, subgraph, &codes));
    }
    if subgraphs.is_empty() {
        reader.problem("there is no subgraph".to_owned());
    }
    reader.finish()?;
    Body::tell(&mut subgraphs);
    Ok(Model { description: root.description().unwrap_or_default().to_owned(), subgraphs })
}

struct Reader<'a> {
    root: schema::Model<'a>,
    format: Format,
    file: &'a Arc<dyn SharedBytes>,
    problems: Vec<String>,
    count: usize,
}

impl Reader<'_> {
    fn problem(&mut self, what: String) {
        self.count += 1;
        if self.problems.len() < LISTED {
            self.problems.push(what);
        }
    }

    fn finish(self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut text = String::from("the model contradicts itself:");
        for problem in &self.problems {
            text.push_str("\n  ");
            text.push_str(problem);
        }
        if self.count > self.problems.len() {
            let more = self.count - self.problems.len();
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  ... and {more} more");
        }
        Err(Error::model(text))
    }

    /// What each operator code means, and its version.
    fn operator_codes(&mut self) -> Vec<(OperatorCode, i32)> {
        let mut codes = Vec::new();
        for code in self.root.operator_codes().into_iter().flatten() {
            let builtin = resolve(code.deprecated_builtin_code(), code.builtin_code());
            let meaning = if builtin == schema::BuiltinOperator::CUSTOM {
                OperatorCode::Custom(code.custom_code().unwrap_or_default().to_owned())
            } else {
                OperatorCode::Builtin(builtin)
            };
            codes.push((meaning, code.version()));
        }
        codes
    }

    fn subgraph(
        &mut self,
        i: usize,
        subgraph: schema::SubGraph<'_>,
        codes: &[(OperatorCode, i32)],
    ) -> Subgraph {
        let name = subgraph.name().unwrap_or_default().to_owned();
        let mut tensors = Vec::new();
        for (t, tensor) in subgraph.tensors().into_iter().flatten().enumerate() {
            tensors.push(self.tensor(i, t, tensor));
        }
        let n = tensors.len();
        let mut list = |what: &str, positions: Option<flatbuffers::Vector<'_, i32>>| {
            let mut found = Vec::new();
            for position in positions.into_iter().flatten() {
                match usize::try_from(position).ok().filter(|&p| p < n) {
                    Some(p) => found.push(p),
                    None => self.problem(format!(
                        "{what} of subgraph {i} is tensor {position}, but there are {n} tensors"
                    )),
                }
            }
            found
        };
        let inputs = list("an input", subgraph.inputs());
        let outputs = list("an output", subgraph.outputs());
        let mut nodes = Vec::new();
        for (o, operator) in subgraph.operators().into_iter().flatten().enumerate() {
            if let Some(node) = self.node((i, o), operator, codes, n) {
                nodes.push(node);
            }
        }
        let origins = self.origins(i, &tensors, &inputs, &nodes);
        for (tensor, origin) in tensors.iter_mut().zip(&origins) {
            // A constant without elements has no bytes by which it could be told.
            let is_empty = tensor.shape.contains(&Some(0));
            if origin.is_none() && is_empty && !tensor.is_variable {
                tensor.data = Some(AlignedBuffer::zeroed(0).into());
            }
        }
        Subgraph { name, tensors, inputs, outputs, nodes }
    }

    /// Where each tensor's value comes from; there is one origin at most.
    fn origins(
        &mut self,
        i: usize,
        tensors: &[Tensor],
        inputs: &[usize],
        nodes: &[Node],
    ) -> Vec<Option<String>> {
        let mut origin: Vec<Option<String>> = vec![None; tensors.len()];
        for (t, tensor) in tensors.iter().enumerate() {
            if tensor.data.is_some() {
                origin[t] = Some("a constant".to_owned());
            }
        }
        let from_inputs = inputs.iter().map(|&t| (t, "an input".to_owned()));
        let from_nodes = nodes.iter().enumerate().flat_map(|(o, node)| {
            node.outputs
                .iter()
                .map(move |&t| (t, format!("computed by operator {o} {}", node.code)))
        });
        for (t, what) in from_inputs.chain(from_nodes) {
            if let Some(before) = &origin[t] {
                let name = &tensors[t].name;
                self.problem(format!(
                    "tensor {t} `{name}` of subgraph {i} is {before} and also {what}"
                ));
            }
            origin[t] = Some(what);
        }
        origin
    }

    fn node(
        &mut self,
        (i, o): (usize, usize),
        operator: schema::Operator<'_>,
        codes: &[(OperatorCode, i32)],
        tensors: usize,
    ) -> Option<Node> {
        let index = operator.opcode_index();
        let Some((code, version)) = codes.get(index as usize) else {
            let n = codes.len();
            self.problem(format!(
                "operator {o} of subgraph {i} has operator code {index}, but there are {n}"
            ));
            return None;
        };
        let mut positions = |what: &str, list: Option<flatbuffers::Vector<'_, i32>>| {
            let mut found = Vec::new();
            for position in list.into_iter().flatten() {
                let valid = usize::try_from(position).ok().filter(|&p| p < tensors);
                if valid.is_none() && position != -1 {
                    self.problem(format!(
                        "{what} of operator {o} {code} in subgraph {i} is tensor {position}, but there \
                         are {tensors} tensors"
                    ));
                }
                found.push(valid);
            }
            found
        };
        let inputs = positions("an input", operator.inputs());
        let outputs = positions("an output", operator.outputs());
        let intermediates = positions("an intermediate", operator.intermediates());
        if outputs.contains(&None) {
            self.problem(format!("an output of operator {o} {code} in subgraph {i} is left out"));
        }
        let custom_options = if let Some(options) = operator.custom_options() {
            options.bytes().to_vec()
        } else {
            let place =
                (operator.large_custom_options_offset(), operator.large_custom_options_size());
            let range = self.behind(place, &format!("the options of operator {o} {code}"));
            range.map(|range| self.file.bytes()[range].to_vec()).unwrap_or_default()
        };
        let unpacked = operator.unpack();
        let decomposition = (*code == OperatorCode::Builtin(COMPOSITE)).then(|| {
            // The schema has no such table; the second field of it is the subgraph.
            let wire = Wire(self.file.bytes());
            let subgraph = || -> Result<Option<i32>> {
                let node = wire.table(operator._tab.loc())?;
                let Some(table) = wire.child(node, slots::operator::OPTIONS_2)? else {
                    return Ok(None);
                };
                wire.field(table, 1)?.map(|at| wire.i32(at)).transpose()
            };
            match subgraph() {
                Ok(subgraph) => subgraph.unwrap_or(0),
                Err(error) => {
                    self.problem(error.to_string());
                    0
                }
            }
        });
        Some(Node {
            place: Place { subgraph: i as u32, index: o as u32 },
            decomposition,
            body: None,
            code: code.clone(),
            version: *version,
            inputs,
            outputs: outputs.into_iter().flatten().collect(),
            intermediates: intermediates.into_iter().flatten().collect(),
            options: unpacked.builtin_options,
            options_2: unpacked.builtin_options_2,
            custom_options,
        })
    }

    /// A range of the file behind the FlatBuffer, if there is one.
    fn behind(&mut self, (offset, size): (u64, u64), what: &str) -> Option<std::ops::Range<usize>> {
        if offset <= 1 {
            return None;
        }
        let range = usize::try_from(offset).ok().zip(usize::try_from(size).ok());
        let range = range.and_then(|(start, len)| Some(start..start.checked_add(len)?));
        let file_len = self.file.bytes().len();
        let inside = range.filter(|range| range.end <= file_len);
        if inside.is_none() {
            self.problem(format!(
                "{what} are {size} bytes at {offset}, but the file has {file_len} bytes"
            ));
        }
        inside
    }

    fn tensor(&mut self, i: usize, t: usize, tensor: schema::Tensor<'_>) -> Tensor {
        let name = tensor.name().unwrap_or_default().to_owned();
        let dtype = dtype(tensor.type_());
        let what = format!("tensor {t} `{name}` of subgraph {i}");
        let shape = self.shape(&what, tensor);
        let data = self.constant(&what, tensor, dtype, &shape);
        // Before `has_rank` existed, an empty shape was a scalar wherever a value was known.
        let has_rank = tensor.has_rank() || !shape.is_empty() || data.is_some();
        Tensor {
            place: Place { subgraph: i as u32, index: t as u32 },
            dtype,
            has_rank,
            is_variable: tensor.is_variable(),
            quantization: tensor.quantization().map(|q| self.quantization(&what, q)),
            sparsity: tensor.sparsity().map(|s| s.unpack()),
            name,
            shape,
            data,
        }
    }

    fn shape(&mut self, what: &str, tensor: schema::Tensor<'_>) -> Vec<Option<usize>> {
        let dims: Vec<i32> = tensor.shape().into_iter().flatten().collect();
        let signature: Vec<i32> = tensor.shape_signature().into_iter().flatten().collect();
        if dims.len() > MAX_RANK {
            self.problem(format!("{what} has {} dimensions", dims.len()));
            return Vec::new();
        }
        if !signature.is_empty() && signature.len() != dims.len() {
            self.problem(format!("{what} has shape {dims:?} and signature {signature:?}"));
        }
        let mut shape = Vec::with_capacity(dims.len());
        for (axis, &d) in dims.iter().enumerate() {
            let is_unknown = d == -1 || signature.get(axis) == Some(&-1);
            match usize::try_from(d) {
                Ok(d) if !is_unknown => shape.push(Some(d)),
                _ if is_unknown => shape.push(None),
                _ => {
                    self.problem(format!("{what} has shape {dims:?}"));
                    shape.push(None);
                }
            }
        }
        shape
    }

    fn quantization(
        &mut self,
        what: &str,
        parameters: schema::QuantizationParameters<'_>,
    ) -> Quantization {
        let axis = usize::try_from(parameters.quantized_dimension()).unwrap_or_else(|_| {
            self.problem(format!("{what} is quantized along a negative dimension"));
            0
        });
        let details = details(self.format, parameters).unwrap_or_else(|error| {
            self.problem(format!("{what}: {error}"));
            QuantizationDetails::None
        });
        Quantization {
            details,
            scale: parameters.scale().into_iter().flatten().collect(),
            zero_point: parameters.zero_point().into_iter().flatten().collect(),
            axis,
            min: parameters.min().into_iter().flatten().collect(),
            max: parameters.max().into_iter().flatten().collect(),
        }
    }

    /// The value of a tensor whose buffer has one.
    fn constant(
        &mut self,
        what: &str,
        tensor: schema::Tensor<'_>,
        dtype: DType,
        shape: &[Option<usize>],
    ) -> Option<Constant> {
        let index = tensor.buffer();
        let buffers = self.root.buffers();
        let n = buffers.map_or(0, |b| b.len());
        if index as usize >= n {
            // Some writers leave out the table of buffers when nothing is constant.
            if index != 0 {
                self.problem(format!("{what} has buffer {index}, but there are {n} buffers"));
            }
            return None;
        }
        let buffer = buffers?.get(index as usize);
        let range = match buffer.data().map(|d| d.bytes()).filter(|d| !d.is_empty()) {
            Some(data) => self.range_of(data),
            None => self.behind((buffer.offset(), buffer.size()), &format!("the values of {what}")),
        }?;
        if tensor.is_variable() {
            self.problem(format!("{what} is a variable, but has a constant value"));
        }
        if let (None, Some(dims)) = (tensor.sparsity(), known_dimensions(shape)) {
            let elements = num_elements(&dims);
            let needed = match dtype {
                DType::I4 | DType::U4 => elements.map(|n| n.div_ceil(2)),
                _ => dtype.byte_len().and_then(|b| elements?.checked_mul(b)),
            };
            let has_size = needed.is_some() || dtype.byte_len().is_some();
            if has_size && needed != Some(range.len()) {
                self.problem(format!(
                    "{what}, {dtype} {dims:?}, has a value of {} bytes",
                    range.len()
                ));
                return None;
            }
        }
        // No element is read in units of more than eight bytes.
        let alignment = dtype.byte_len().map_or(1, |bytes| bytes.clamp(1, 8));
        Constant::in_shared(self.file, range, alignment)
    }

    /// Where in the file `data` lies.
    fn range_of(&self, data: &[u8]) -> Option<std::ops::Range<usize>> {
        let start = data.as_ptr().addr().checked_sub(self.file.bytes().as_ptr().addr())?;
        Some(start..start.checked_add(data.len())?)
    }
}

/// The shape, if no dimension is unknown.
fn known_dimensions(shape: &[Option<usize>]) -> Option<Vec<usize>> {
    shape.iter().copied().collect()
}

/// The operator that two fields stand for. Old files have only the byte, in which 127 stands for
/// codes that do not fit; circle's negative codes fit the byte.
pub(super) fn resolve(deprecated: i8, code: schema::BuiltinOperator) -> schema::BuiltinOperator {
    match deprecated {
        // A file without the byte has a zero there, which is also ADD.
        127 | 0 => code,
        other => schema::BuiltinOperator(i32::from(other)),
    }
}

#[cfg(test)]
mod tests;
