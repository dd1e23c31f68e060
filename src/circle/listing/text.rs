//! The listing as text, in the manner of circledump: one line a tensor, with its quantization
//! parameters in the next.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::{Attribute, ListedOperator, ListedQuantization, ListedSubgraph, ListedTensor};
use super::{Listing, Number};

/// Lists of numbers are shown up to this length, and this much of longer ones.
const SHOWN: usize = 4;

impl Display for Listing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} model, version {}, {} bytes", self.format, self.version, self.byte_len)?;
        if !self.description.is_empty() {
            writeln!(f, "{}", printable(&self.description))?;
        }
        writeln!(f, "\nOperator codes")?;
        for (i, code) in self.operator_codes.iter().enumerate() {
            writeln!(f, "[{i}] {} version {}", printable(&code.name), code.version)?;
        }
        for (i, subgraph) in self.subgraphs.iter().enumerate() {
            write_subgraph(f, i, subgraph)?;
        }
        writeln!(f, "\nBuffers")?;
        for (i, buffer) in self.buffers.iter().enumerate() {
            write!(f, "B({i}) {} bytes", buffer.byte_len)?;
            match buffer.offset {
                Some(offset) => writeln!(f, " at {offset}, behind the FlatBuffer")?,
                None => writeln!(f)?,
            }
        }
        if !self.metadata.is_empty() {
            writeln!(f, "\nMetadata")?;
        }
        for metadata in &self.metadata {
            writeln!(f, "B({}) {}", metadata.buffer, printable(&metadata.name))?;
        }
        if !self.signatures.is_empty() {
            writeln!(f, "\nSignatures")?;
        }
        for signature in &self.signatures {
            let s = signature.subgraph;
            writeln!(f, "{} of subgraph {s}", printable(&signature.key))?;
            for (letter, names) in [("I", &signature.inputs), ("O", &signature.outputs)] {
                for (name, tensor) in names {
                    writeln!(f, "    {letter} T({s}:{tensor}) {}", printable(name))?;
                }
            }
        }
        Ok(())
    }
}

fn write_subgraph(f: &mut Formatter<'_>, i: usize, subgraph: &ListedSubgraph) -> fmt::Result {
    writeln!(f, "\nSubgraph {i} {}", printable(&subgraph.name))?;
    writeln!(f, "\nTensors")?;
    for (t, tensor) in subgraph.tensors.iter().enumerate() {
        write!(f, "T({i}:{t}) ")?;
        write_tensor(f, tensor)?;
    }
    writeln!(f, "\nOperators")?;
    for (o, operator) in subgraph.operators.iter().enumerate() {
        write!(f, "O({i}:{o}) ")?;
        write_operator(f, operator)?;
        for (letter, tensors) in
            [("I", &operator.inputs), ("O", &operator.outputs), ("M", &operator.intermediates)]
        {
            write_operands(f, letter, i, tensors, subgraph)?;
        }
    }
    writeln!(f, "\nInputs and outputs")?;
    write_operands(f, "I", i, &subgraph.inputs, subgraph)?;
    write_operands(f, "O", i, &subgraph.outputs, subgraph)
}

fn write_tensor(f: &mut Formatter<'_>, tensor: &ListedTensor) -> fmt::Result {
    write!(f, "{} ", tensor.dtype)?;
    match &tensor.shape {
        Some(shape) => write_dimensions(f, shape)?,
        None => write!(f, "(unknown rank)")?,
    }
    if !tensor.shape_signature.is_empty() {
        write!(f, " ")?;
        write_dimensions(f, &tensor.shape_signature)?;
    }
    write!(f, " B({})", tensor.buffer)?;
    if tensor.is_variable {
        write!(f, " variable")?;
    }
    if tensor.is_sparse {
        write!(f, " sparse")?;
    }
    writeln!(f, " {}", printable(&tensor.name))?;
    match &tensor.quantization {
        Some(quantization) => write_quantization(f, quantization),
        None => Ok(()),
    }
}

fn write_dimensions(f: &mut Formatter<'_>, shape: &[i32]) -> fmt::Result {
    write!(f, "(")?;
    write_separated(f, shape, ", ")?;
    write!(f, ")")
}

fn write_quantization(f: &mut Formatter<'_>, parameters: &ListedQuantization) -> fmt::Result {
    write!(f, "    Quantization: ")?;
    write_list(f, "min", &parameters.min)?;
    write_list(f, "max", &parameters.max)?;
    write_list(f, "scale", &parameters.scale)?;
    write_list(f, "zero_point", &parameters.zero_point)?;
    write!(f, "quantized_dimension({})", parameters.quantized_dimension)?;
    match &parameters.details {
        Some(details) => writeln!(f, " details({details})"),
        None => writeln!(f),
    }
}

/// `name(1, 2) `, or `name(64: 1, 2, 3, 4, ...) `, or nothing for an empty list.
fn write_list<T: Display>(f: &mut Formatter<'_>, name: &str, values: &[T]) -> fmt::Result {
    match values.len() {
        0 => return Ok(()),
        1..=SHOWN => {
            write!(f, "{name}(")?;
            write_separated(f, values, ", ")?;
        }
        len => {
            write!(f, "{name}({len}: ")?;
            write_separated(f, &values[..SHOWN], ", ")?;
            write!(f, ", ...")?;
        }
    }
    write!(f, ") ")
}

fn write_separated<T: Display>(
    f: &mut Formatter<'_>,
    values: &[T],
    separator: &str,
) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        let separator = if i == 0 { "" } else { separator };
        write!(f, "{separator}{value}")?;
    }
    Ok(())
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Very large and very small ones are unreadable with all their zeros.
        match self.0.abs() {
            0.0 | 1e-5..1e9 => Display::fmt(&self.0, f),
            _ if self.0.is_finite() => fmt::LowerExp::fmt(&self.0, f),
            _ => Display::fmt(&self.0, f),
        }
    }
}

fn write_operator(f: &mut Formatter<'_>, operator: &ListedOperator) -> fmt::Result {
    writeln!(f, "{}", printable(&operator.name))?;
    if let Some(options) = &operator.options
        && operator.attributes.is_empty()
        && options.parse::<u8>().is_ok()
    {
        writeln!(f, "    attributes of kind {options}, which is not known")?;
    }
    if !operator.attributes.is_empty() {
        write!(f, "    ")?;
        write_separated(f, &operator.attributes, " ")?;
        writeln!(f)?;
    }
    if operator.custom_options_byte_len > 0 {
        writeln!(f, "    custom options of {} bytes", operator.custom_options_byte_len)?;
    }
    Ok(())
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::String(name) => write!(f, "{}({})", self.name, printable(name)),
            Value::Null => write!(f, "{}()", self.name),
            Value::Array(values) if values.is_empty() => write!(f, "{}()", self.name),
            Value::Array(values) => {
                write!(f, "{}(", self.name)?;
                write_separated(f, values, ", ")?;
                write!(f, ")")
            }
            value => write!(f, "{}({value})", self.name),
        }
    }
}

/// One line a tensor: `    I T(0:3) name`.
fn write_operands(
    f: &mut Formatter<'_>,
    letter: &str,
    i: usize,
    tensors: &[i32],
    subgraph: &ListedSubgraph,
) -> fmt::Result {
    for &t in tensors {
        let tensor = usize::try_from(t).ok().and_then(|t| subgraph.tensors.get(t));
        let name = match tensor {
            Some(tensor) => printable(&tensor.name),
            None if t == -1 => "(left out)".to_owned(),
            None => "(no such tensor)".to_owned(),
        };
        writeln!(f, "    {letter} T({i}:{t}) {name}")?;
    }
    Ok(())
}

/// A name from the file without control characters, which could rewrite the terminal.
fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}
