//! The cases of `testdata/conformance`, a file per family of operators.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The bytes of a family's file, and where its cases are in them.
pub struct Family {
    bytes: Vec<u8>,
    pub cases: Vec<Value>,
}

/// All families, by name.
pub fn families() -> impl Iterator<Item = Family> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| Family::read(&path))
}

impl Family {
    fn read(path: &Path) -> Self {
        let file = hdf5::File::open(path).unwrap();
        let read = |name: &str| file.dataset(name).unwrap().read_raw::<u8>().unwrap();
        Self { bytes: read("bytes"), cases: serde_json::from_slice(&read("index")).unwrap() }
    }

    /// What the index says to be at a place: offset and length.
    pub fn at(&self, place: &Value) -> &[u8] {
        let number = |i: usize| usize::try_from(place[i].as_u64().unwrap()).unwrap();
        &self.bytes[number(0)..number(0) + number(1)]
    }
}
