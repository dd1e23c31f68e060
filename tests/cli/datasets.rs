//! Making datasets.

use std::fs;

use crate::support::Folder;

const PACK: &str = "dataset pack --input-model model.tflite";

/// A folder of raw files, `bad` of which are cut.
fn raw_files(folder: &Folder, count: usize, bad: &[usize]) {
    folder.make_data("some.h5", 1, 0);
    let file = hdf5::File::open(folder.path("some.h5")).unwrap();
    let len = file.dataset("value/0/0").unwrap().size() * 4;
    fs::create_dir(folder.path("raw")).unwrap();
    for i in 0..count {
        let len = if bad.contains(&i) { len - 1 } else { len };
        fs::write(folder.path(&format!("raw/{i}")), vec![0; len]).unwrap();
    }
}

/// The names in the folder, hidden ones too.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("")).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_packed_whole_or_not_at_all() {
    let folder = Folder::new();
    raw_files(&folder, 5, &[3]);
    let before = names(&folder);
    let line = format!("{PACK} --input-data raw --input-data-format directory -o out.h5");
    folder.run(&line).exits_with(1).says("raw/3 has ").says("`--on-bad-record skip`");
    assert_eq!(names(&folder), before);
    for layout in ["records", "packed"] {
        folder
            .run(&format!("{line} --on-bad-record skip --layout {layout} --overwrite"))
            .succeeds()
            .says("left out: 1 unusable record: raw, record 3")
            .says("out.h5: 4 records");
        folder.run("record --input-model model.tflite --input-data out.h5 --checkpoint a.rmm --overwrite").succeeds().says("recorded 4 records");
    }
    let out = folder.read("out.h5");
    folder.run(&line).exits_with(1).says("out.h5 exists already").says("--overwrite");
    folder
        .run(&format!("{PACK} --input-data out.h5 -o ./out.h5 --overwrite"))
        .exits_with(2)
        .says("would overwrite out.h5");
    assert_eq!(folder.read("out.h5"), out);
}

#[test]
fn nothing_to_pack_is_an_error() {
    let folder = Folder::new();
    raw_files(&folder, 2, &[0, 1]);
    let before = names(&folder);
    folder.run(&format!("{PACK} --input-data none.h5 -o out.h5")).exits_with(1).says("none.h5");
    let raw = format!("{PACK} --input-data raw --input-data-format directory -o out.h5");
    folder.run(&format!("{raw} --on-bad-record skip")).exits_with(1).says("raw/0 has ");
    folder.run(&format!("{PACK} -o out.h5")).exits_with(2).says("--input-data");
    assert_eq!(names(&folder), before);
}

#[test]
fn progress_of_packing_is_told() {
    let folder = Folder::new();
    folder.make_data("a.h5", 3, 0);
    let line = format!("{PACK} --input-data a.h5 -o b.h5 --progress json");
    let stdout = folder.run(&line).succeeds().stdout;
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["records"]), (&"ended".into(), &3.into()));
    assert!(last["committed"].is_null(), "{last}");
}
