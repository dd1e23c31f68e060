//! Records of a packed dataset that lie in the file as they do in memory: read with one copy, not by the
//! library, which takes several.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hdf5::Dataset;
use hdf5::dataset::Layout;

use super::element::Element;
use super::staging::select_records;

/// Bytes from which records are read one by one, straight to where they are wanted: a call costs little
/// then. Of shorter ones, several are read together.
const LARGE: usize = 1 << 15;

/// A dataset's place in its file.
pub(super) struct Direct {
    file: File,
    /// Offset of the first record.
    start: u64,
    /// Bytes of a record.
    record_len: usize,
}

impl Direct {
    /// `None` for a dataset that is stored in another way, such as in chunks, with other elements, or in
    /// another file.
    ///
    /// The first and the last record are compared with what the library reads, so that nothing depends on
    /// what this knows of the format.
    pub fn of(path: &Path, dataset: &Dataset, element: Element, shape: &[usize]) -> Option<Self> {
        let (&records, of_record) = shape.split_first()?;
        let len = |len: usize, &dim: &usize| len.checked_mul(dim);
        let record_len = of_record.iter().try_fold(element.byte_len(), len)?;
        let is_native = dataset.dtype().is_ok_and(|stored| element.is_native(&stored));
        let is_here = Path::new(&dataset.filename()) == path;
        if dataset.layout() != Layout::Contiguous || !is_native || !is_here || record_len == 0 {
            return None;
        }
        let direct = Self { file: File::open(path).ok()?, start: dataset.offset()?, record_len };
        let same = |record: usize| {
            let part = select_records(record..record + 1, shape.len());
            let mut bytes = vec![0; record_len];
            let is_read = direct.read(record, &mut bytes).is_ok();
            is_read && element.read_part(dataset, part).is_ok_and(|it| it.bytes() == bytes)
        };
        (same(0) && same(records.checked_sub(1)?)).then_some(direct)
    }

    /// Bytes of a record.
    pub fn record_len(&self) -> usize {
        self.record_len
    }

    /// Whether records are large enough to be read one by one.
    pub fn is_of_large_records(&self) -> bool {
        self.record_len >= LARGE
    }

    /// Reads the bytes of records from `record` on, as many as there is room for.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn read(&self, record: usize, into: &mut [u8]) -> Result<(), String> {
        let place = (record as u64).checked_mul(self.record_len as u64);
        let place = place.and_then(|it| it.checked_add(self.start));
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
        place.and_then(|it| self.file.read_exact_at(into, it)).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "cannot be read: the file ends before it".to_owned(),
            _ => format!("cannot be read: {error}"),
        })
    }
}
