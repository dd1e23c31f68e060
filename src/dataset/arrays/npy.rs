//! NumPy arrays, `.npy`: a header in Python's notation, then the elements.
//!
//! The format is described in NumPy's documentation, `numpy.lib.format`. The header is taken apart here
//! and not by a general parser, since files are untrusted: it is one of three entries, or refused.

use std::path::Path;

use super::stream::Stream;
use super::{Array, Arrays};
use crate::dataset::files;
use crate::tensor::DType;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Bytes that a header may take: that of an array of numbers takes about 100.
const MOST_HEADER: usize = 4096;

/// Opens a file that holds one array.
///
/// # Errors
/// What is wrong with it, to be put after its name; so it is with all functions.
pub(in crate::dataset) fn open(path: &Path) -> Result<Arrays, String> {
    let file = files::open(path)?;
    let len = file.metadata().map_err(|error| format!("cannot be read: {error}"))?.len();
    Ok(("npy", vec![array(String::new(), Stream::plain(file, 0, len))?]))
}

/// The array in `data`.
pub(super) fn array(name: String, mut data: Stream) -> Result<Array, String> {
    let mut start = vec![0; data.len().min(MOST_HEADER as u64 + 12) as usize];
    data.read_at(0, &mut start).map_err(|error| format!("cannot be read: {error}"))?;
    let (header, behind) = header(&start)?;
    let Header { descr, is_fortran, shape } = Header::parse(header)
        .ok_or_else(|| "has a header that is not one of a NumPy array of numbers".to_owned())?;
    if is_fortran && shape.len() > 1 {
        return Err("is stored column by column: save np.ascontiguousarray of it".to_owned());
    }
    let (order, kind) = descr.split_at(1);
    Ok(Array {
        name,
        dtype: dtype(kind).ok_or_else(|| format!("\"{descr}\"")),
        is_big_endian: order == ">",
        shape,
        data: data.behind(behind),
    })
}

/// The text of the header, and the position behind it.
fn header(start: &[u8]) -> Result<(&str, u64), String> {
    let rest = start.strip_prefix(MAGIC).ok_or("is not a NumPy array (.npy)")?;
    let cut = || "is cut inside its header".to_owned();
    let (&[major, _], rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (len, rest) = match major {
        1 => {
            let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            (u32::from(u16::from_le_bytes(*len)), rest)
        }
        2 | 3 => {
            let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            (u32::from_le_bytes(*len), rest)
        }
        other => return Err(format!("is a NumPy array of format {other}, which is not known")),
    };
    if len as usize > MOST_HEADER {
        return Err(format!("has a header of {len} bytes, which no array of numbers has"));
    }
    let behind = (start.len() - rest.len()) as u64 + u64::from(len);
    let text = rest.get(..len as usize).ok_or_else(cut)?;
    let text = std::str::from_utf8(text).map_err(|_| "has a header that is not text".to_owned())?;
    Ok((text, behind))
}

/// The entries of a header, for instance `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
#[derive(Debug, PartialEq, Eq)]
struct Header<'a> {
    descr: &'a str,
    is_fortran: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// `None` if it is anything else.
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut is_fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, value) = quoted(rest)?;
            let value = value.trim_start().strip_prefix(':')?.trim_start();
            let behind = match key {
                "descr" => {
                    let (found, behind) = quoted(value)?;
                    // An order and a kind.
                    descr = Some(found).filter(|it| it.is_ascii() && it.len() > 1);
                    behind
                }
                "fortran_order" => {
                    let yes = value.strip_prefix("True");
                    is_fortran = Some(yes.is_some());
                    yes.or_else(|| value.strip_prefix("False"))?
                }
                "shape" => {
                    let (dims, behind) = value.strip_prefix('(')?.split_once(')')?;
                    let dims = dims.split(',').map(str::trim).filter(|dim| !dim.is_empty());
                    // Python 2 wrote long numbers as 3L.
                    let dims = dims.map(|dim| dim.strip_suffix('L').unwrap_or(dim).parse().ok());
                    shape = Some(dims.collect::<Option<Vec<usize>>>()?);
                    behind
                }
                _ => return None,
            };
            let behind = behind.trim_start();
            rest = behind.strip_prefix(',').unwrap_or(behind).trim_start();
        }
        Some(Self { descr: descr?, is_fortran: is_fortran?, shape: shape? })
    }
}

/// A word in quotation marks, and what is behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mark = text.chars().next().filter(|mark| matches!(mark, '\'' | '"'))?;
    text.get(1..)?.split_once(mark)
}

/// An element type by its kind and size, without the order of bytes.
fn dtype(kind: &str) -> Option<DType> {
    Some(match kind {
        "b1" => DType::Bool,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "u1" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "u8" => DType::U64,
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "c8" => DType::Complex64,
        "c16" => DType::Complex128,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let header = |text| Header::parse(text);
        let numpy = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }          \n";
        let expected = Header { descr: "<f4", is_fortran: false, shape: vec![3, 2] };
        assert_eq!(header(numpy), Some(expected));
        let turned = "{\"shape\":(7,),\"fortran_order\":True,\"descr\":\"|u1\"}";
        let expected = Header { descr: "|u1", is_fortran: true, shape: vec![7] };
        assert_eq!(header(turned), Some(expected));
        let single = header("{'descr': '>i8', 'fortran_order': False, 'shape': ()}");
        assert_eq!(single.map(|it| it.shape), Some(vec![]));
        for bad in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '\u{e9}', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}",
        ] {
            assert_eq!(header(bad), None, "{bad}");
        }
    }
}
