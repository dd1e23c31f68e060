//! Ranges are spliced into the model file: new tables are appended to the `FlatBuffer`, a few offsets
//! patched, and everything else stays where it is, byte for byte. A record of what was overwritten goes
//! with it, so that the file it was made from can be told, and another splice replaces the first.

mod check;
mod convert;
mod copy;
mod edit;
mod external;
mod insert;
mod layout;
mod original;
mod profiling;
#[cfg(test)]
mod tests;
mod trailer;

use std::path::Path;

use edit::{Edit, MAX_FLATBUFFER, too_large};
use original::Original;
pub use original::{original_fingerprint, source_fingerprint};
use profiling::Profiling;
use trailer::Trailer;

use super::model_file::{Format, ModelFile};
use crate::error::{Error, Result};
use crate::output::write_checked;

/// The range of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorRange {
    /// Position of the subgraph in the model.
    pub subgraph: u32,
    /// Position of the tensor in the subgraph.
    pub tensor: u32,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
}

/// Writes `model` with `ranges` to `output`, as a circle file; it may be the file that `model` was
/// opened from.
///
/// Each of the tensors gets exactly this range; its other quantization parameters stay. The rest of the
/// model is untouched. Ranges of an earlier splice are taken back first.
///
/// The output appears under its name whole, checked and synced, or not at all.
///
/// # Errors
/// If a range is of no tensor, is given twice, or is not one; if the model has no room for the ranges
/// or uses what circle does not have; or if the output cannot be written.
pub fn splice(model: &ModelFile, ranges: &[TensorRange], output: &Path) -> Result<()> {
    splice_with(model, ranges, SpliceOptions::default(), output)
}

/// What [`splice_with`] writes besides ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpliceOptions {
    /// The metadata entries `ONE_source_table` and `ONE_op_table`, which ONE's profiler reads, unless the model
    /// has one of them. They take the place of two empty buffers, whose tensors get the empty buffer 0.
    pub profiling: bool,
}

/// Writes `model` with `ranges` to `output`, as [`splice`] does, and what the options ask for.
///
/// # Errors
/// Those of [`splice`], and if the model has no room for what is asked for.
pub fn splice_with(
    model: &ModelFile,
    ranges: &[TensorRange],
    options: SpliceOptions,
    output: &Path,
) -> Result<()> {
    edit_and_write(model, ranges, options, Undo::Recorded, output)
}

/// Whether [`splice_with`] has a place in `model` for ranges of these tensors, given as (subgraph, tensor):
/// a run of days should not end with a model that cannot be written. Nothing is written.
///
/// # Errors
/// Those of [`splice_with`] that depend on neither the values of the ranges nor the output.
pub fn check_splice(
    model: &ModelFile,
    tensors: &[(u32, u32)],
    options: SpliceOptions,
) -> Result<()> {
    let any_range = |&(subgraph, tensor)| TensorRange { subgraph, tensor, min: 0.0, max: 0.0 };
    let ranges: Vec<TensorRange> = tensors.iter().map(any_range).collect();
    let edited =
        Original::of(model).and_then(|it| edit(it, &ranges, options, Undo::Recorded).map(|_| ()));
    edited.map_err(|e| e.context(model.path().display()))
}

/// Writes a TFLite model as circle to `output`. A circle model is copied as it is.
///
/// The output counts as a model of its own: it holds no record of the TFLite file.
///
/// # Errors
/// If the model uses what circle does not have, or the output cannot be written.
pub fn import(model: &ModelFile, output: &Path) -> Result<()> {
    if model.format() == Format::Circle {
        return write_checked(output, &[model.bytes()], |_| Ok(()));
    }
    edit_and_write(model, &[], SpliceOptions::default(), Undo::Left, output)
}

/// Whether the result tells what it was made from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    Recorded,
    Left,
}

fn edit_and_write(
    model: &ModelFile,
    ranges: &[TensorRange],
    options: SpliceOptions,
    undo: Undo,
    output: &Path,
) -> Result<()> {
    let here = |e: Error| e.context(model.path().display());
    let original = Original::of(model).map_err(here)?;
    let Edited { edit, behind, profiling } = edit(original, ranges, options, undo).map_err(here)?;
    let [flatbuffer, tail] = edit.parts();
    write_checked(output, &[flatbuffer, tail, behind], |written| {
        let before = original::without_splice(model)?;
        let expected = check::Expected { ranges, profiling: profiling.as_ref(), shift: tail.len() };
        check::check(&before, &ModelFile::open(written)?, &expected)
    })?;
    tracing::info!(ranges = ranges.len(), "{}: model written", output.display());
    Ok(())
}

/// A model after all changes.
struct Edited<'a> {
    edit: Edit,
    /// What stands behind the `FlatBuffer`.
    behind: &'a [u8],
    profiling: Option<Profiling>,
}

fn edit<'a>(
    original: Original<'a>,
    ranges: &[TensorRange],
    options: SpliceOptions,
    undo: Undo,
) -> Result<Edited<'a>> {
    let is_tflite = original.format()? == Format::Tflite;
    let (mut edit, behind) = original.into_edit();
    let fields = external::fields(edit.wire())?;
    let conversion = is_tflite.then(|| convert::to_circle(&mut edit)).transpose()?;
    let profiling = if options.profiling { Profiling::add(&mut edit)? } else { None };
    insert::insert(&mut edit, ranges)?;
    if let Some(conversion) = conversion {
        conversion.move_debug_indexes(&mut edit)?;
    }
    if let Some(profiling) = &profiling {
        profiling.add_entries(&mut edit)?;
    }
    finish(&mut edit, &fields, undo)?;
    Ok(Edited { edit, behind, profiling })
}

/// Moves what stands behind the `FlatBuffer` by the length of all that is appended, and appends the
/// record.
fn finish(edit: &mut Edit, fields: &external::Fields, undo: Undo) -> Result<()> {
    let flatbuffer_len = edit.original_len();
    let trailer_len = match undo {
        Undo::Recorded => trailer::byte_len_with(edit.patches(), fields.len()),
        Undo::Left => 0,
    };
    // The trailer ends where the FlatBuffer part does, and its length is known before its contents.
    let mut end = edit.len() + trailer_len;
    if !fields.is_empty() {
        let added = (end - flatbuffer_len).next_multiple_of(external::ALIGNMENT);
        end = flatbuffer_len + added;
    }
    if end > MAX_FLATBUFFER {
        return Err(too_large(end));
    }
    external::shift(edit, fields, end - flatbuffer_len)?;
    edit.pad_to(end - trailer_len);
    if undo == Undo::Recorded {
        let trailer = Trailer { flatbuffer_len, patches: edit.patches().to_vec() };
        edit.append(&trailer.encode(), 1, 0)?;
    }
    debug_assert_eq!(edit.len(), end);
    Ok(())
}
