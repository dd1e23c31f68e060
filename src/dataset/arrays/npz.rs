//! Archives of NumPy arrays, `.npz`, as `np.savez` and `np.savez_compressed` write them.

use std::io::BufReader;
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::stream::Stream;
use super::{Arrays, npy};
use crate::dataset::files;

/// Opens an archive.
///
/// # Errors
/// What is wrong with it, to be put after its name.
pub(in crate::dataset) fn open(path: &Path) -> Result<Arrays, String> {
    let file = files::open(path)?;
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| format!("is not an archive of NumPy arrays (.npz): {error}"))?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| format!("has an entry {index} that cannot be read: {error}"))?;
        let full =
            entry.name().map_err(|error| format!("has a nameless entry {index}: {error}"))?;
        let Some(name) = full.strip_suffix(".npy").map(str::to_owned) else {
            return Err(format!("has an entry {full:?}, which is no NumPy array"));
        };
        let start = entry.data_start();
        let (stored, len) = (entry.compressed_size(), entry.size());
        let start = start.filter(|_| !entry.encrypted());
        // Every array has a position in the file of its own.
        let file = files::open(path)?;
        let data = match (entry.compression(), start) {
            (CompressionMethod::Stored, Some(start)) => Stream::plain(file, start, len),
            (method, Some(start)) if method == CompressionMethod::DEFLATE => {
                Stream::deflated(file, start, stored, len)
            }
            (_, None) => return Err(format!("has an encrypted entry {name:?}")),
            (method, _) => {
                return Err(format!(
                    "has an entry {name:?} compressed by {method}, which is not known: save it with \
                     np.savez"
                ));
            }
        };
        let array = npy::array(name.clone(), data);
        arrays.push(array.map_err(|problem| format!("array \"{name}\" {problem}"))?);
    }
    Ok(("npz", arrays))
}
