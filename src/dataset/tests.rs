//! Tests of what values of `--input-data` stand for, and of the one error that lists all problems.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::tensor::{DType, TensorType};

/// A FLOAT32 input `x` of the shape that most files in `testdata/datasets` have.
pub(super) fn float_input() -> Vec<InputSpec> {
    vec![input("x", DType::F32, &[2, 3])]
}

pub(super) fn input(name: &str, dtype: DType, shape: &[usize]) -> InputSpec {
    InputSpec { name: name.to_owned(), input_type: TensorType::new(dtype, shape).into() }
}

pub(super) fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/datasets")
}

pub(super) fn testdata(name: &str) -> PathBuf {
    datasets().join(name)
}

pub(super) fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}

pub(super) fn open_files(names: &[&str], inputs: &[InputSpec]) -> Result<Box<dyn RecordSource>> {
    let data: Vec<String> = names.iter().map(|name| text(testdata(name))).collect();
    open(&data, DataFormat::Auto, inputs)
}

/// The lines of a list of problems, with paths relative to `directory`.
pub(super) fn problems(result: Result<Box<dyn RecordSource>>, directory: &Path) -> Vec<String> {
    let error = result.err().expect("there are problems");
    assert_eq!(error.kind(), ErrorKind::Dataset);
    let text = error.to_string().replace(&format!("{}/", directory.display()), "");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("the dataset cannot be used as it is:"));
    lines.map(|line| line.strip_prefix("  ").unwrap().to_owned()).collect()
}

fn shard_names(source: &dyn RecordSource) -> Vec<&str> {
    source.shards().iter().map(|shard| shard.name.as_str()).collect()
}

/// A directory with copies of a good shard.
fn directory_of(names: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(testdata("raw.h5"), path).unwrap();
    }
    directory
}

fn open_in(directory: &TempDir, values: &[&str]) -> Result<Box<dyn RecordSource>> {
    let data: Vec<String> = values.iter().map(|v| text(directory.path().join(v))).collect();
    open(&data, DataFormat::H5, &float_input())
}

#[test]
fn files_of_a_directory_come_in_natural_order() {
    let names = ["s-10.h5", "s-2.h5", "s-1.HDF5", "notes.txt", ".s-3.h5", "sub/s-4.h5"];
    let directory = directory_of(&names);
    let source = open_in(&directory, &[""]).unwrap();
    assert_eq!(shard_names(&*source), ["s-1.HDF5", "s-2.h5", "s-10.h5"]);
}

#[test]
fn files_of_a_pattern_come_in_natural_order() {
    let names = ["s-10.h5", "s-2.h5", "t-1.h5", ".s-3.h5", "s-4/b.h5", "s-4/a.h5", "s-9.bin"];
    let directory = directory_of(&names);
    let source = open_in(&directory, &["s-*"]).unwrap();
    assert_eq!(shard_names(&*source), ["s-2.h5", "a.h5", "b.h5", "s-9.bin", "s-10.h5"]);
    let source = open_in(&directory, &["?-[0-9]*.h5"]).unwrap();
    assert_eq!(shard_names(&*source), ["s-2.h5", "s-10.h5", "t-1.h5"]);
}

#[test]
fn values_keep_their_order() {
    let directory = directory_of(&["a/1.h5", "a/2.h5", "b/3.h5", "[4].h5"]);
    let source = open_in(&directory, &["[4].h5", "b", "a/*"]).unwrap();
    assert_eq!(shard_names(&*source), ["[4].h5", "3.h5", "1.h5", "2.h5"]);
}

#[test]
fn values_that_stand_for_nothing_are_listed_with_all_other_problems() {
    let directory = directory_of(&["a.h5"]);
    fs::create_dir(directory.path().join("none")).unwrap();
    fs::copy(testdata("gap.h5"), directory.path().join("gap.h5")).unwrap();
    let result = open_in(&directory, &["*.h6", "none", "missing.h5", "a[.h5", "a.h5", "gap.h5"]);
    assert_eq!(
        problems(result, directory.path()),
        [
            "*.h6: no file matches this pattern",
            "none: the directory has no shards (files named .h5, .hdf5, .he5)",
            "a[.h5: is not a valid pattern: invalid range pattern",
            "missing.h5: does not exist",
            "gap.h5: the numbering of records has a gap: there is no record 2, \
             but 3 records up to record 3",
        ]
    );
}

#[test]
fn a_file_that_comes_up_twice_is_a_problem() {
    let directory = directory_of(&["a.h5", "b.h5"]);
    let result = open_in(&directory, &["a.h5", "*.h5"]);
    assert_eq!(problems(result, directory.path()), ["a.h5: is given twice"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.h5", directory.path().join("c.h5")).unwrap();
        let result = open_in(&directory, &["c.h5", "a.h5"]);
        assert_eq!(problems(result, directory.path()), ["a.h5: is the same file as c.h5"]);
    }
}

#[test]
fn problems_of_many_files_are_capped() {
    let directory = tempfile::tempdir().unwrap();
    for i in 0..40 {
        fs::write(directory.path().join(format!("{i}.h5")), "").unwrap();
    }
    let lines = problems(open_in(&directory, &[""]), directory.path());
    assert_eq!(lines.len(), 26);
    assert_eq!(lines[10], "10.h5: is not an HDF5 file: it is empty (0 bytes)");
    assert_eq!(lines[25], "... and 15 more files with problems");
}

#[test]
fn files_that_are_not_hdf5_are_recognised() {
    let files: [(&str, &[u8], &str); 8] = [
        ("cut.h5", b"\x89HDF", ""),
        (
            "lfs.h5",
            b"version https://git-lfs.github.com/spec/v1\n",
            "; it looks like a Git LFS pointer: fetch the data with `git lfs pull`",
        ),
        (
            "list.h5",
            b"a.bin\nb.bin\n",
            "; it looks like plain text (a list of raw files needs --input-data-format list)",
        ),
        ("m.h5", b"\x1c\0\0\0TFL3\x14\0", "; it looks like a TFLite model"),
        ("n.h5", b"\x93NUMPY\x01\0", "; it looks like a NumPy array (.npy)"),
        ("noise.h5", b"\xf0\x9f\xa6\x80\x00", ""),
        ("x.h5.gz", b"\x1f\x8b\x08", "; it looks like gzip-compressed data: decompress it first"),
        ("z.h5", b"PK\x03\x04", "; it looks like a zip archive, perhaps NumPy's .npz"),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (name, content, _) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    let lines = problems(open_in(&directory, &["*"]), directory.path());
    let expected = files.map(|(name, _, guess)| format!("{name}: is not an HDF5 file{guess}"));
    assert_eq!(lines, expected);
}

#[test]
fn files_that_cannot_be_opened_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let good = fs::read(testdata("f32.h5")).unwrap();
    fs::write(directory.path().join("truncated.h5"), &good[..good.len() / 2]).unwrap();
    fs::create_dir(directory.path().join("directory.h5")).unwrap();
    let lines = problems(open_in(&directory, &["truncated.h5"]), directory.path());
    assert_eq!(
        lines,
        ["truncated.h5: cannot be opened: truncated file: eof = 6956, sblock->base_addr = 0, \
          stored_eof = 13912: the file was cut, or is still being written"]
    );
    let lines = problems(open_in(&directory, &[""]), directory.path());
    assert_eq!(lines[0], "directory.h5: is a directory");
    let data = ["/dev/null".to_owned()];
    let device = problems(open(&data, DataFormat::H5, &float_input()), directory.path());
    assert_eq!(device, ["/dev/null: is not a regular file"]);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_a_problem() {
    use std::os::unix::ffi::OsStrExt;
    let directory = directory_of(&["a.h5"]);
    let name = std::ffi::OsStr::from_bytes(b"\xff.h5");
    fs::copy(testdata("f32.h5"), directory.path().join(name)).unwrap();
    let lines = problems(open_in(&directory, &[""]), directory.path());
    assert_eq!(lines, ["\u{fffd}.h5: cannot be opened: its name is not valid UTF-8"]);
}

#[cfg(unix)]
#[test]
fn files_without_permission_are_a_problem() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory_of(&["a.h5"]);
    let path = directory.path().join("a.h5");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::File::open(&path).is_ok() {
        return; // Root may read anything.
    }
    let lines = problems(open_in(&directory, &["a.h5"]), directory.path());
    assert_eq!(lines, ["a.h5: cannot be opened: permission denied"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_being_written_is_a_problem() {
    let directory = directory_of(&["a.h5"]);
    let writer = fs::File::open(directory.path().join("a.h5")).unwrap();
    writer.lock().unwrap();
    let lines = problems(open_in(&directory, &["a.h5"]), directory.path());
    assert_eq!(
        lines,
        ["a.h5: cannot be opened: unable to lock file, errno = 11, error message = 'Resource \
          temporarily unavailable': another program is writing it, or the file system has no locks \
          (then set HDF5_USE_FILE_LOCKING=FALSE)"]
    );
}

#[test]
fn inputs_that_no_dataset_provides_are_refused() {
    let inputs = [
        input("text", DType::String, &[1]),
        input("none", DType::F32, &[2, 0]),
        input("x", DType::F32, &[2, 3]),
        input("huge", DType::F32, &[usize::MAX, 2]),
    ];
    let error = open_files(&["f32.h5"], &inputs).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert_eq!(
        error.to_string(),
        "the model cannot be fed from a dataset: input 0 (\"text\") of type STRING [1]: its \
         elements have no fixed size in bytes; input 1 (\"none\") of type FLOAT32 [2, 0]: it has \
         no elements; input 3 (\"huge\") of type FLOAT32 [18446744073709551615, 2]: it is too large"
    );
    assert_eq!(Record::for_inputs(&inputs).unwrap_err().kind(), ErrorKind::Model);
    assert_eq!(open_files(&["f32.h5"], &[]).err().unwrap().kind(), ErrorKind::Model);
    assert_eq!(open_files(&[], &float_input()).err().unwrap().kind(), ErrorKind::Usage);
}
