//! What raw files hold: bytes.

use std::path::{Path, PathBuf};

use super::directory::{Directory, inputs_of};
use super::list::List;
use crate::dataset::describe::{Described, ShardDescription, StoredInput, described_records};
use crate::dataset::files;

/// Describes a list.
///
/// # Errors
/// What is wrong with it, to be put after its name; so it is with all functions.
pub fn describe_list(path: &Path) -> Result<ShardDescription, String> {
    let mut list = List::open_any(path)?;
    let records = list.records();
    describe(path, "list", records, &mut |record| list.paths(record).map_err(|it| it.message))
}

/// Describes a directory.
pub fn describe_directory(path: &Path) -> Result<ShardDescription, String> {
    let directory =
        Directory::open(path, inputs_of(path)?).map_err(|problems| problems.join("; "))?;
    let records = directory.records();
    describe(path, "directory", records, &mut |record| {
        directory.paths(record).map_err(|it| it.message)
    })
}

/// The files of a record.
type Paths<'a> = dyn FnMut(u64) -> Result<Vec<PathBuf>, String> + 'a;

fn describe(
    path: &Path,
    kind: &str,
    records: u64,
    paths: &mut Paths<'_>,
) -> Result<ShardDescription, String> {
    let mut described = Described::default();
    let mut byte_len = 0;
    for record in described_records(records) {
        let paths = paths(record).map_err(|problem| format!("record {record} {problem}"))?;
        let inputs = paths.iter().enumerate().map(|(index, path)| {
            let len = files::check(path).map_err(|why| format!("{} {why}", path.display()))?;
            byte_len += len;
            let bytes = [usize::try_from(len).unwrap_or(usize::MAX)];
            Ok::<_, String>(StoredInput::new(
                &index.to_string(),
                Err("raw bytes".to_owned()),
                &bytes,
            ))
        });
        described.add(inputs.collect::<Result<_, _>>()?);
    }
    Ok(ShardDescription {
        path: path.to_owned(),
        kind: kind.to_owned(),
        byte_len,
        records,
        notes: described.notes(records),
        inputs: described.inputs,
    })
}
