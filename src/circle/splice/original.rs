use super::edit::{Edit, MAX_FLATBUFFER, Patch, too_large};
use super::external;
use super::trailer::Trailer;
use crate::circle::map::{self, PrivateBytes};
use crate::circle::model_file::{Format, ModelFile, identify};
use crate::circle::wire::Wire;
use crate::error::{Error, Result};
use crate::fingerprint::ModelFingerprint;

/// A model as it was before ranges were spliced into it; itself, if none were.
pub(super) struct Original<'a> {
    /// The `FlatBuffer` part.
    bytes: PrivateBytes,
    /// What stands behind it.
    behind: &'a [u8],
}

impl<'a> Original<'a> {
    /// Takes the splice of `model` back, in memory, if there is one.
    ///
    /// # Errors
    /// If the model is damaged.
    pub(super) fn of(model: &'a ModelFile) -> Result<Self> {
        let (whole, end, trailer) = parts(model)?;
        let behind = whole.get(end..).unwrap_or_default();
        let Some(trailer) = trailer else {
            if end > MAX_FLATBUFFER {
                return Err(too_large(end));
            }
            let bytes = model.private_copy(end)?;
            if end < whole.len() {
                // Otherwise it has been verified already.
                map::verify(&bytes).map_err(|e| {
                    e.context("buffers stand between the tables, where nothing can be inserted")
                })?;
            }
            return Ok(Self { bytes, behind });
        };
        let mut bytes = model.private_copy(trailer.flatbuffer_len)?;
        for Patch { at, original } in trailer.patches.iter().rev() {
            let place = bytes.get_mut(*at..).and_then(|rest| rest.get_mut(..original.len()));
            let place = place.ok_or_else(|| Error::internal("a patch out of the original"))?;
            place.copy_from_slice(original);
        }
        map::verify(&bytes).map_err(|e| e.context("the model without its ranges"))?;
        Ok(Self { bytes, behind })
    }

    /// Its format, which need not be that of the spliced file.
    pub(super) fn format(&self) -> Result<Format> {
        identify(&self.bytes)
    }

    /// Its identity.
    pub(super) fn fingerprint(&self) -> ModelFingerprint {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.bytes).update(self.behind);
        let byte_len = self.bytes.len() as u64 + self.behind.len() as u64;
        ModelFingerprint { hash: *hasher.finalize().as_bytes(), byte_len }
    }

    /// The `FlatBuffer` part for editing, and what stands behind it.
    pub(super) fn into_edit(self) -> (Edit, &'a [u8]) {
        (Edit::new(self.bytes), self.behind)
    }
}

/// The bytes of a model, the length of its `FlatBuffer` part, and the trailer there.
fn parts(model: &ModelFile) -> Result<(&[u8], usize, Option<Trailer>)> {
    let whole = model.bytes();
    let end = external::flatbuffer_len(&external::fields(Wire(whole))?, whole.len())?;
    Ok((whole, end, Trailer::find(whole.get(..end).unwrap_or_default())))
}

/// Identity of the model that ranges were spliced into, byte for byte as it was; `None` if `model`
/// holds no record of a splice.
///
/// # Errors
/// If the model is damaged.
pub fn original_fingerprint(model: &ModelFile) -> Result<Option<ModelFingerprint>> {
    let here = |e: Error| e.context(model.path().display());
    let (_, _, trailer) = parts(model).map_err(here)?;
    if trailer.is_none() {
        return Ok(None);
    }
    Original::of(model).map(|original| Some(original.fingerprint())).map_err(here)
}

/// Identity of a model apart from spliced ranges: [`original_fingerprint`] if it has a splice to take
/// back, its own fingerprint otherwise.
///
/// # Errors
/// If the model is damaged.
pub fn source_fingerprint(model: &ModelFile) -> Result<ModelFingerprint> {
    Ok(original_fingerprint(model)?.unwrap_or_else(|| model.fingerprint()))
}

/// `model` as it was before ranges were spliced into it. Only its tables may be used: positions behind
/// the `FlatBuffer` do not fit.
pub(super) fn without_splice(model: &ModelFile) -> Result<ModelFile> {
    let (_, _, trailer) = parts(model)?;
    match trailer {
        None => Ok(model.clone()),
        Some(_) => model.with_private_bytes(Original::of(model)?.bytes),
    }
}
