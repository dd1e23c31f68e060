//! From TFLite to circle, in place: the formats differ in little more than the identifier.
//! `schema/README.md` lists the differences.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::edit::Edit;
use crate::circle::read::resolve;
use crate::circle::slots::{model, operator, quantization, subgraph, tensor};
use crate::circle::wire::{Table, Wire};
use crate::error::{Error, Result};
use crate::schema;

/// Members of TFLite's `QuantizationDetails`; circle has `MXQuantization` at 2.
const TFLITE_BLOCKWISE: u8 = 2;
const TFLITE_MULTI_AXIS: u8 = 3;

/// TFLite's `BlockwiseQuantization.block_shape` and `FullyConnectedOptions.quant_spec`, vectors that
/// circle does not have.
const BLOCK_SHAPE: usize = 3;
const QUANT_SPEC: usize = 5;

/// How many problems are listed.
const LISTED: usize = 20;

/// Makes a TFLite `FlatBuffer` a circle one, but for [`Conversion::move_debug_indexes`].
///
/// # Errors
/// If the model uses what circle 0.10 does not have; all of it is listed.
pub(super) fn to_circle(edit: &mut Edit) -> Result<Conversion> {
    let mut conversion = Conversion::default();
    conversion.look(edit.wire())?;
    conversion.refuse()?;
    edit.write(4, b"CIR0")?;
    if let Some(field) = edit.wire().field(edit.wire().root()?, model::VERSION)? {
        edit.write(field, &0_u32.to_le_bytes())?;
    }
    for &field in &conversion.blockwise {
        edit.write(field, &[schema::QuantizationDetails::BlockwiseQuantization.0])?;
    }
    Ok(conversion)
}

/// What there is to convert, and what cannot be.
#[derive(Default)]
pub(super) struct Conversion {
    /// Subgraphs with a debug metadata index, by position.
    with_debug_index: Vec<Table>,
    /// Type fields of blockwise details.
    blockwise: Vec<usize>,
    seen: HashSet<usize>,
    problems: Vec<String>,
}

impl Conversion {
    /// Moves each subgraph's debug metadata index to the slot that circle has it in, with a vtable that
    /// says so. That one is appended, so [`Edit::wire`] cannot read these subgraphs any more.
    pub(super) fn move_debug_indexes(&self, edit: &mut Edit) -> Result<()> {
        for &table in &self.with_debug_index {
            let mut entries = edit.entries(table)?;
            entries.resize(entries.len().max(subgraph::DEBUG_METADATA_INDEX + 1), 0);
            entries.swap(subgraph::TFLITE_DEBUG_METADATA_INDEX, subgraph::DEBUG_METADATA_INDEX);
            let inline_len = edit.wire().inline_len(table)?;
            let vtable = edit.append_vtable(&entries, inline_len)?;
            edit.use_vtable(table.at, vtable)?;
        }
        Ok(())
    }

    fn refuse(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut text = String::from("circle 0.10 has no place for what this TFLite model uses:");
        for problem in self.problems.iter().take(LISTED) {
            text.push_str("\n  ");
            text.push_str(problem);
        }
        if let Some(more) = self.problems.len().checked_sub(LISTED).filter(|&more| more > 0) {
            let _ = write!(text, "\n  ... and {more} more");
        }
        Err(Error::model(text).with_hint("convert the model with an older TensorFlow"))
    }

    fn look(&mut self, wire: Wire<'_>) -> Result<()> {
        let root = wire.root()?;
        for slot in model::COUNT..root.slots {
            if wire.vector_len(root, slot)? > 0 {
                self.problems
                    .push(format!("a field of the model in slot {slot}, external buffers"));
            }
        }
        for (i, code) in wire.tables(root, model::OPERATOR_CODES)?.into_iter().enumerate() {
            self.look_at_code(wire, i, code)?;
        }
        for (i, subgraph) in wire.tables(root, model::SUBGRAPHS)?.into_iter().enumerate() {
            if self.seen.insert(subgraph.at) {
                self.look_at_subgraph(wire, i, subgraph)?;
            }
        }
        Ok(())
    }

    fn look_at_code(&mut self, wire: Wire<'_>, i: usize, code: Table) -> Result<()> {
        let byte = wire.field(code, 0)?.map_or(Ok(0), |field| wire.u8(field))?;
        let number = wire.field(code, 3)?.map_or(Ok(0), |field| wire.i32(field))?;
        let builtin = resolve(byte as i8, schema::BuiltinOperator(number));
        if builtin.0 < 0 || builtin.variant_name().is_none() {
            self.problems.push(format!("operator {} (operator code {i})", builtin.0));
        }
        Ok(())
    }

    fn look_at_subgraph(&mut self, wire: Wire<'_>, i: usize, table: Table) -> Result<()> {
        if wire.field(table, subgraph::TFLITE_DEBUG_METADATA_INDEX)?.is_some() {
            self.with_debug_index.push(table);
        }
        for slot in subgraph::DEBUG_METADATA_INDEX..table.slots {
            if wire.field(table, slot)?.is_some() {
                self.problems.push(format!("a field of subgraph {i} in slot {slot}"));
            }
        }
        for (t, tensor) in wire.tables(table, subgraph::TENSORS)?.into_iter().enumerate() {
            if self.seen.insert(tensor.at) {
                self.look_at_tensor(wire, &format!("tensor {t} of subgraph {i}"), tensor)?;
            }
        }
        for (o, operator) in wire.tables(table, subgraph::OPERATORS)?.into_iter().enumerate() {
            self.look_at_operator(wire, &format!("operator {o} of subgraph {i}"), operator)?;
        }
        Ok(())
    }

    fn look_at_tensor(&mut self, wire: Wire<'_>, what: &str, table: Table) -> Result<()> {
        self.look_at_type(wire, what, table)?;
        for variant in wire.tables(table, tensor::VARIANT_TENSORS)? {
            self.look_at_type(wire, &format!("a variant of {what}"), variant)?;
        }
        if let Some(field) = wire.field(table, tensor::COMPRESSION_TYPE)?
            && wire.u32(field)? != 0
        {
            self.problems.push(format!("{what} lies in another file"));
        }
        let Some(parameters) = wire.child(table, tensor::QUANTIZATION)? else { return Ok(()) };
        if !self.seen.insert(parameters.at) {
            return Ok(());
        }
        let Some(field) = wire.field(parameters, quantization::DETAILS_TYPE)? else {
            return Ok(());
        };
        match wire.u8(field)? {
            0 | 1 => {}
            TFLITE_BLOCKWISE => {
                self.blockwise.push(field);
                if let Some(details) = wire.child(parameters, quantization::DETAILS)?
                    && wire.vector_len(details, BLOCK_SHAPE)? > 0
                {
                    self.problems.push(format!("{what} is quantized in blocks of several axes"));
                }
            }
            TFLITE_MULTI_AXIS => {
                self.problems.push(format!("{what} is quantized along several axes"));
            }
            other => self.problems.push(format!("{what} has quantization details {other}")),
        }
        Ok(())
    }

    /// Tensors and variants of tensors have their type in the same slot.
    fn look_at_type(&mut self, wire: Wire<'_>, what: &str, table: Table) -> Result<()> {
        let number = wire.field(table, tensor::TYPE)?.map_or(Ok(0), |field| wire.u8(field))?;
        let element = schema::TensorType(number as i8);
        if element.0 < 0 || element.variant_name().is_none() {
            self.problems.push(format!("{what} has elements of type {}", element.0));
        }
        Ok(())
    }

    fn look_at_operator(&mut self, wire: Wire<'_>, what: &str, table: Table) -> Result<()> {
        let member = |slot: usize| wire.field(table, slot)?.map_or(Ok(0), |field| wire.u8(field));
        let options = schema::BuiltinOptions(member(operator::OPTIONS_TYPE)?);
        let first_of_circle = schema::BuiltinOptions::AttentionOptions;
        if options >= first_of_circle || options.variant_name().is_none() {
            self.problems.push(format!("{what} has attributes {}", options.0));
        }
        let options_2 = schema::BuiltinOptions2(member(operator::OPTIONS_2_TYPE)?);
        if options_2.variant_name().is_none() {
            self.problems.push(format!("{what} has attributes {} of the second kind", options_2.0));
        }
        if options == schema::BuiltinOptions::FullyConnectedOptions
            && let Some(attributes) = wire.child(table, operator::OPTIONS)?
            && wire.vector_len(attributes, QUANT_SPEC)? > 0
        {
            self.problems.push(format!("{what} has a `quant_spec`"));
        }
        Ok(())
    }
}
