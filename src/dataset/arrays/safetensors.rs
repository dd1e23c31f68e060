//! Tensors in safetensors files.

use std::io::Read;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::stream::Stream;
use super::{Array, Arrays};
use crate::dataset::files;
use crate::tensor::DType;

/// Bytes of a header: inputs of a model are few.
const MOST_HEADER: u64 = 1 << 20;

/// Opens a file.
///
/// # Errors
/// What is wrong with it, to be put after its name.
pub(in crate::dataset) fn open(path: &Path) -> Result<Arrays, String> {
    let mut file = files::open(path)?;
    let unreadable = |error| format!("cannot be read: {error}");
    let len = file.metadata().map_err(unreadable)?.len();
    let mut header = vec![0; 8];
    file.read_exact(&mut header).map_err(unreadable)?;
    let header_len = header.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let start = header_len.saturating_add(8);
    if header_len > MOST_HEADER || start > len {
        return Err("is not a safetensors file, or was cut inside its header".to_owned());
    }
    header.resize(start as usize, 0);
    file.read_exact(header.get_mut(8..).unwrap_or_default()).map_err(unreadable)?;
    // The crate's own entrance wants all data in memory.
    let metadata: Metadata = serde_json::from_slice(header.get(8..).unwrap_or_default())
        .map_err(|error| format!("is not a safetensors file: {error}"))?;
    let mut arrays = Vec::new();
    for (name, info) in metadata.tensors() {
        let (from, to) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let end = len.min(start.saturating_add(to));
        let from = start.saturating_add(from).min(end);
        arrays.push(Array {
            name,
            dtype: dtype(info.dtype).ok_or_else(|| format!("{:?}", info.dtype)),
            is_big_endian: false,
            shape: info.shape.clone(),
            data: Stream::plain(files::open(path)?, from, end - from),
        });
    }
    // They come in no order.
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(("safetensors", arrays))
}

fn dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::BOOL => DType::Bool,
        Dtype::I8 => DType::I8,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        Dtype::U8 => DType::U8,
        Dtype::U16 => DType::U16,
        Dtype::U32 => DType::U32,
        Dtype::U64 => DType::U64,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::C64 => DType::Complex64,
        _ => return None,
    })
}
