//! Elements that lie in the file as they do in memory: read with one copy, not by the library, which takes
//! several, and by any thread.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5::Dataset;
use hdf5::dataset::Layout;

use super::element::Element;
use super::staging::select_records;
use crate::dataset::unread::Unread;

/// Bytes from which records are read one by one, straight to where they are wanted: a call costs little
/// then. Of shorter ones, several are read together.
pub(super) const LARGE: usize = 1 << 15;

/// Where a packed dataset is in its file.
pub(super) struct Direct {
    file: Arc<File>,
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
        if dataset.layout() != Layout::Contiguous || !is_native || record_len == 0 {
            return None;
        }
        let start = offset(path, dataset)?;
        let direct = Self { file: Arc::new(File::open(path).ok()?), start, record_len };
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

    /// Where a record is. The last one was read, so that nothing saturates.
    pub fn locate(&self, record: usize) -> Unread {
        let place = (record as u64).saturating_mul(self.record_len as u64);
        Unread::new(Arc::clone(&self.file), place.saturating_add(self.start))
    }

    /// Reads the bytes of records from `record` on, as many as there is room for.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn read(&self, record: usize, into: &mut [u8]) -> Result<(), String> {
        self.locate(record).read(into)
    }
}

/// A file with many datasets, opened once more for those that lie in it as in memory.
pub(super) struct Beside {
    path: PathBuf,
    opened: Opened,
}

enum Opened {
    /// Nothing was compared yet.
    Not,
    /// What is read from it is what the library reads.
    Same(Arc<File>),
    /// It is not, or the first dataset does not lie in it.
    Other,
}

impl Beside {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: Opened::Not }
    }

    /// Whether what is read beside the library is what the library reads.
    pub fn is_same(&self) -> bool {
        matches!(self.opened, Opened::Same(_))
    }

    /// Where a dataset of `len` bytes has its elements, which are stored as in memory. `None` if they are not in one
    /// piece, or not in this file, or nothing was [compared](Self::compare) yet.
    pub fn locate(&self, dataset: &Dataset, len: usize) -> Option<Unread> {
        let Opened::Same(file) = &self.opened else { return None };
        Some(Unread::new(Arc::clone(file), self.offset(dataset, len)?))
    }

    /// Compares the first such dataset with what the library has read of it.
    pub fn compare(&mut self, dataset: &Dataset, read: &[u8]) {
        if !matches!(self.opened, Opened::Not) {
            return;
        }
        let is_same = |file: Arc<File>, offset| {
            let mut here = vec![0; read.len()];
            Unread::new(file, offset).read(&mut here).is_ok() && here == read
        };
        let file = File::open(&self.path).map(Arc::new);
        self.opened = match (file, self.offset(dataset, read.len())) {
            (Ok(file), Some(offset)) if is_same(Arc::clone(&file), offset) => Opened::Same(file),
            _ => Opened::Other,
        };
    }

    /// Only a dataset in one piece has an offset.
    fn offset(&self, dataset: &Dataset, len: usize) -> Option<u64> {
        if dataset.storage_size() == len as u64 { offset(&self.path, dataset) } else { None }
    }
}

/// Where a dataset in one piece begins in the file at `path`.
fn offset(path: &Path, dataset: &Dataset) -> Option<u64> {
    // A link may lead to another file.
    if Path::new(&dataset.filename()) == path { dataset.offset() } else { None }
}
