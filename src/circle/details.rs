use super::model_file::Format;
use super::slots;
use super::wire::{Table, Wire};
use crate::error::Result;
use crate::graph::QuantizationDetails;
use crate::schema::QuantizationParameters;

/// The details of a quantization. The members of the union have other numbers in TFLite than in circle,
/// so neither the generated accessors nor what was verified fit it.
pub(super) fn details(
    format: Format,
    parameters: QuantizationParameters<'_>,
) -> Result<QuantizationDetails> {
    let number = parameters.details_type().0;
    if number == 0 {
        return Ok(QuantizationDetails::None);
    }
    let wire = Wire(parameters._tab.buf());
    let parameters = wire.table(parameters._tab.loc())?;
    let Some(table) = wire.child(parameters, slots::quantization::DETAILS)? else {
        return Ok(QuantizationDetails::None);
    };
    Ok(match (format, number) {
        (_, 1) => QuantizationDetails::Custom { byte_len: wire.vector_len(table, 0)? },
        (Format::Circle, 2) => QuantizationDetails::Mx { axis: number_in(wire, table, 0)? },
        (Format::Circle, 3) | (Format::Tflite, 2) => QuantizationDetails::Blockwise {
            scales: number_in(wire, table, 0)?,
            zero_points: number_in(wire, table, 1)?,
            block_size: number_in(wire, table, 2)?,
        },
        (_, other) => QuantizationDetails::Unknown(other),
    })
}

fn number_in(wire: Wire<'_>, table: Table, slot: usize) -> Result<i32> {
    wire.field(table, slot)?.map_or(Ok(0), |field| wire.i32(field))
}
