//! What to tell about files that cannot be opened or read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::dataset::files;

/// First bytes of an HDF5 file (or of its superblock, further on, after a user block).
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// First bytes of files that are mistaken for shards, with the position where they stand.
const KNOWN: [(usize, &[u8], &str); 16] = [
    (0, b"version https://git-lfs", "a Git LFS pointer: fetch the data with `git lfs pull`"),
    (0, b"\x93NUMPY", "a NumPy array (.npy)"),
    (0, b"PK\x03\x04", "a zip archive, perhaps NumPy's .npz"),
    (0, b"\x1f\x8b", "gzip-compressed data: decompress it first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed data: decompress it first"),
    (0, b"\xfd7zXZ\0", "xz-compressed data: decompress it first"),
    (0, b"BZh", "bzip2-compressed data: decompress it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (4, b"CIR0", "a circle model"),
    (4, b"TFL3", "a TFLite model"),
    (0, b"\x0e\x03\x13\x01", "an HDF4 file: convert it with h4toh5"),
    (0, b"CDF", "a classic NetCDF file: convert it with nccopy"),
    (0, b"\xff\xd8\xff", "a JPEG image, of which `dataset pack` makes a dataset"),
    (0, b"\x89PNG", "a PNG image, of which `dataset pack` makes a dataset"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"<", "a web page or XML"),
];

/// What keeps a file from being opened at all, before the library sees it.
///
/// Opening a pipe would block, so only regular files are opened.
pub(super) fn check_readable(path: &Path) -> Result<(), String> {
    if files::check(path)? == 0 {
        return Err("is not an HDF5 file: it is empty (0 bytes)".to_owned());
    }
    files::open(path)?;
    Ok(())
}

/// Why the library could not open a file that [`check_readable`] found readable.
pub(super) fn describe_unopened(path: &Path, error: &hdf5::Error) -> String {
    let head = read_head(path).unwrap_or_default();
    if head.starts_with(&SIGNATURE) {
        let reason = reason(error);
        let hint = if reason.contains("truncated") {
            ": the file was cut, or is still being written"
        } else if reason.contains("lock") {
            ": another program is writing it, or the file system has no locks \
             (then set HDF5_USE_FILE_LOCKING=FALSE)"
        } else {
            ""
        };
        return format!("cannot be opened: {reason}{hint}");
    }
    if error.contains_minor(hdf5::MinorErrorCode::NotHdf5) {
        return match guess(&head) {
            Some(guess) => format!("is not an HDF5 file; it looks like {guess}"),
            None => "is not an HDF5 file".to_owned(),
        };
    }
    format!("cannot be opened: {}", reason(error))
}

/// What a file is, by its first bytes.
fn guess(head: &[u8]) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(position, magic, _)| {
        head.get(*position..).is_some_and(|tail| tail.starts_with(magic))
    });
    let is_text = || head.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    known.map(|(_, _, guess)| *guess).or_else(|| {
        is_text().then_some("plain text (a list of raw files needs --input-data-format list)")
    })
}

/// Enough of the file for [`KNOWN`].
fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    Ok(head)
}

/// The innermost reason that the library gives, on one line: outer ones only say which call failed.
pub(super) fn reason(error: &hdf5::Error) -> String {
    let innermost = error.stack().and_then(|stack| stack.last().map(|f| f.desc().to_owned()));
    let reason = innermost.unwrap_or_else(|| error.to_string());
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}
