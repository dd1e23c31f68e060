//! Records of a packed dataset that lie in the file as they do in memory: read with one copy, not by the
//! library, which takes several.

use std::fs::File;
use std::io;
use std::ops::Range;
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
    records: usize,
    /// Bytes of a record.
    record_len: usize,
    /// Records that are read together at most.
    most: usize,
    /// Room for them.
    block: Vec<u8>,
    /// Those that are there.
    held: Range<usize>,
}

impl Direct {
    /// `None` for a dataset that is stored in another way, such as in chunks, with other elements, or in
    /// another file. Blocks take `block_bytes`.
    ///
    /// The first and the last record are compared with what the library reads, so that nothing depends on
    /// what this knows of the format.
    pub fn of(
        path: &Path,
        dataset: &Dataset,
        element: Element,
        shape: &[usize],
        block_bytes: usize,
    ) -> Option<Self> {
        let (&records, of_record) = shape.split_first()?;
        let len = |len: usize, &dim: &usize| len.checked_mul(dim);
        let record_len = of_record.iter().try_fold(element.byte_len(), len)?;
        let is_native = dataset.dtype().is_ok_and(|stored| element.is_native(&stored));
        let is_here = Path::new(&dataset.filename()) == path;
        if dataset.layout() != Layout::Contiguous || !is_native || !is_here || record_len == 0 {
            return None;
        }
        let direct = Self {
            file: File::open(path).ok()?,
            start: dataset.offset()?,
            records,
            record_len,
            most: (block_bytes / record_len).max(1),
            block: Vec::new(),
            held: 0..0,
        };
        let same = |record: usize| {
            let part = select_records(record..record + 1, shape.len());
            let mut bytes = vec![0; record_len];
            let is_read = direct.read_at(record, &mut bytes).is_ok();
            is_read && element.read_part(dataset, part).is_ok_and(|it| it.bytes() == bytes)
        };
        (same(0) && same(records.checked_sub(1)?)).then_some(direct)
    }

    /// Copies a record to `into`, which has its size.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&mut self, record: usize, into: &mut [u8]) -> Result<(), String> {
        if into.len() >= LARGE {
            return self.read_at(record, into).map_err(|error| unreadable(&error));
        }
        if !self.held.contains(&record) {
            self.read_block(record).map_err(|error| unreadable(&error))?;
        }
        let at = (record - self.held.start) * self.record_len;
        let held = self.block.get(at..at + self.record_len).filter(|it| it.len() == into.len());
        into.copy_from_slice(held.ok_or("cannot be read: it is not in its block")?);
        Ok(())
    }

    /// Blocks grow as long as one follows the other: identities are made of a few records far apart.
    fn read_block(&mut self, record: usize) -> io::Result<()> {
        let follows = self.held.end == record && !self.held.is_empty();
        let window = if follows { (self.held.len() * 2).min(self.most) } else { 1 };
        let window = window.min(self.records.saturating_sub(record)).max(1);
        // The fault may be in a record further on.
        let read = self.fill(record..record + window);
        if read.is_err() && window > 1 { self.fill(record..record + 1) } else { read }
    }

    fn fill(&mut self, records: Range<usize>) -> io::Result<()> {
        self.held = 0..0;
        let mut block = std::mem::take(&mut self.block);
        block.resize(records.len() * self.record_len, 0);
        self.read_at(records.start, &mut block)?;
        (self.block, self.held) = (block, records);
        Ok(())
    }

    fn read_at(&self, record: usize, into: &mut [u8]) -> io::Result<()> {
        let place = (record as u64).checked_mul(self.record_len as u64);
        let place = place.and_then(|it| it.checked_add(self.start));
        self.file.read_exact_at(into, place.ok_or(io::ErrorKind::UnexpectedEof)?)
    }
}

fn unreadable(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "cannot be read: the file ends before it".to_owned();
    }
    format!("cannot be read: {error}")
}
