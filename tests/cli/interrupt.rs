//! Runs that are stopped, and go on.

use crate::support::Folder;

const LINE: &str = "--input-model model.tflite --input-data data.h5 -o out.circle --resume";

fn folder_with_data() -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    folder.make_data("data.h5", 500, 0);
    let line = LINE.replace("out.circle", "whole.circle");
    folder.run(&line).succeeds();
    let whole = folder.read("whole.circle");
    (folder, whole)
}

#[test]
fn signals_commit_and_tell_how_to_go_on() {
    let (folder, whole) = folder_with_data();
    for (objects, signal, code) in [(3, "INT", 130), (1, "TERM", 143), (4, "HUP", 129)] {
        let started = folder.start(LINE, objects);
        started.signal(signal);
        let run = started.finish().exits_with(code);
        assert!(run.stderr.contains("hint: go on with: "), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("stopped by SIG{signal}")), "{}", run.stderr);
        assert!(!folder.exists("out.circle"));
    }
    folder.run(LINE).succeeds().says("data.h5: continuing after ");
    assert_eq!(folder.read("out.circle"), whole);
}

#[test]
fn the_second_signal_ends_at_once() {
    let (folder, whole) = folder_with_data();
    let mut started = folder.start(LINE, 2);
    // When it waits for its reader, the first signal cannot end it.
    let mut len = 0;
    loop {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let before = std::mem::replace(&mut len, folder.read("out.rmm").len());
        if before == len {
            break;
        }
    }
    started.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(started.is_running());
    started.signal("INT");
    started.ends_unread();
    started.finish().exits_with(130);
    folder.run(LINE).succeeds();
    assert_eq!(folder.read("out.circle"), whole);
}

#[test]
fn killed_three_times_and_resumed_is_the_same() {
    let (folder, whole) = folder_with_data();
    for objects in [2, 40, 17] {
        let started = folder.start(LINE, objects);
        started.signal("KILL");
        assert_eq!(started.finish().code, None);
    }
    folder.run(LINE).succeeds();
    assert_eq!(folder.read("out.circle"), whole);
    folder.run("verify --model out.circle --recording out.rmm").succeeds();
}

#[test]
fn files_that_are_not_finished_leave_nothing() {
    let folder = Folder::new();
    folder.make_data("data.h5", 3000, 0);
    let before = folder.files();
    let data = "--input-model model.tflite -o out.h5";
    let pack = format!("dataset pack {data} --input-data data.h5 --progress json");
    for (quiet, signal, code) in [("", "INT", 130), (" --quiet", "TERM", 143)] {
        let started = folder.start_as_is(&format!("{pack}{quiet}"), 2);
        started.signal(signal);
        let run = started.finish().exits_with(code);
        let run = run.says(&format!("warning: stopped by SIG{signal}: out.h5 is not written"));
        assert_eq!(run.stderr.contains("finishing what is begun"), quiet.is_empty());
        assert_eq!(folder.files(), before);
    }
    let random = format!("dataset random {data} -n 100000");
    let started = folder.start_until(&random, |folder| folder.files() != before);
    started.signal("INT");
    started.finish().exits_with(130).says("warning: stopped by SIGINT: out.h5 is not written");
    assert_eq!(folder.files(), before);
}

#[test]
fn looking_at_a_dataset_is_stopped() {
    let folder = Folder::new();
    folder.make_data("data.h5", 3000, 0);
    for line in [
        "dataset info data.h5 --values",
        "dataset check --input-model model.tflite --input-data data.h5",
    ] {
        let started = folder.start_as_is(&format!("{line} --progress json"), 2);
        started.signal("INT");
        let run = started.finish().exits_with(130).says("warning: stopped by SIGINT\n");
        assert!(!run.stdout.contains("FLOAT32") && !run.stdout.contains("problems"));
    }
}

#[test]
fn a_recording_in_use_is_not_touched() {
    let (folder, whole) = folder_with_data();
    let started = folder.start(LINE, 2);
    folder.run(LINE).exits_with(1).says("out.rmm");
    folder.run(&LINE.replace("--resume", "--overwrite")).exits_with(1).says("out.rmm");
    started.finish().succeeds();
    assert_eq!(folder.read("out.circle"), whole);
}
