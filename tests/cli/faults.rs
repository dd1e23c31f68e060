//! Disks that are full, fail or cannot be written, files that disappear, and ends of terminals. After each
//! of them the recording is whole, and the run can be gone on with when the cause is gone.
//!
//! Where the system does not let a test make the fault (no namespaces, no `strace`), it passes without.

use std::fs;

use crate::support::{Folder, Run};

const LINE: &str = "--input-model model.tflite --input-data data.h5 -o out.circle --resume \
                    --checkpoint-interval 0s --num-threads 1 --progress none";

fn folder_with_data(records: u64) -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    folder.make_data("data.h5", records, 0);
    folder.run(&LINE.replace("out.circle", "whole.circle")).succeeds();
    let whole = folder.read("whole.circle");
    (folder, whole)
}

/// The run failed for a reason that names a file, and left nothing half done.
fn assert_failed_well(folder: &Folder, run: &Run, place: &str) {
    assert_eq!(run.code, Some(1), "{place}: {}", run.stderr);
    let error = run.stderr.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("{place}: {}", run.stderr));
    assert!(error.contains("out.rmm") || error.contains("out.circle"), "{place}: {error}");
    assert!(!run.stderr.contains("panicked"), "{place}: {}", run.stderr);
    assert!(!folder.exists("out.circle"), "{place}");
    if folder.exists("out.rmm") {
        folder.run("inspect out.rmm").succeeds();
    }
}

fn assert_resumes(folder: &Folder, whole: &[u8], place: &str) {
    folder.run(LINE).succeeds();
    assert_eq!(folder.read("out.circle"), whole, "{place}");
    let leftovers = fs::read_dir(folder.path(".")).unwrap().filter(|it| {
        let name = it.as_ref().unwrap().file_name().into_string().unwrap();
        name.starts_with('.') && name != "."
    });
    assert_eq!(leftovers.count(), 0, "{place}");
}

#[test]
fn no_file_may_become_longer() {
    let (folder, whole) = folder_with_data(12);
    let blocks =
        fs::metadata(folder.path("whole.rmm")).unwrap().len().max(whole.len() as u64) / 512;
    let (mut in_recording, mut in_model) = (0, 0);
    for limit in 0..=blocks {
        // With the signal ignored, writing beyond the limit is an error, as on a full disk.
        let run = folder.shell(&format!("trap '' XFSZ; ulimit -f {limit}; exec $RM {LINE}"));
        if run.code == Some(0) {
            break;
        }
        let place = format!("limit of {limit} blocks");
        assert_failed_well(&folder, &run, &place);
        let error = run.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        // What is said to be kept is what is there.
        if let Some((_, kept)) = run.stderr.split_once("hint: out.rmm keeps ") {
            let kept = kept.split(' ').next().unwrap();
            let listing = folder.run("inspect out.rmm").succeeds().stdout;
            assert!(listing.contains(&format!("\nrecords        {kept}\n")), "{place}: {listing}");
        }
        if error.contains("out.circle") {
            in_model += 1;
        } else {
            in_recording += 1;
        }
        // Each limit meets a recording of its own, and every fourth one that of the limit before.
        if limit % 4 != 3 {
            assert_resumes(&folder, &whole, &place);
            fs::remove_file(folder.path("out.rmm")).unwrap();
            fs::remove_file(folder.path("out.circle")).unwrap();
        }
    }
    folder.run(LINE).succeeds();
    assert_eq!(folder.read("out.circle"), whole);
    assert!(in_recording > 3 && in_model > 0, "{in_recording} {in_model}");
}

#[test]
fn merging_on_a_full_disk_leaves_what_was_there() {
    let (folder, _) = folder_with_data(30);
    for part in 0..2 {
        let line = LINE.replace("out.circle", &format!("{part}.circle"));
        folder.run(&format!("{line} --shard-index {part} --num-shards 2")).succeeds();
    }
    fs::write(folder.path("all.rmm"), folder.read("0.rmm")).unwrap();
    let files = || fs::read_dir(folder.path(".")).unwrap().count();
    let before = files();
    let merge = "merge 0.rmm 1.rmm -o all.rmm --overwrite";
    for limit in 0..4 {
        folder
            .shell(&format!("trap '' XFSZ; ulimit -f {limit}; exec $RM {merge}"))
            .exits_with(1)
            .says("error: cannot write all.rmm");
        assert_eq!(folder.read("all.rmm"), folder.read("0.rmm"));
        assert_eq!(files(), before);
    }
    folder.run(merge).succeeds();
    assert_ne!(folder.read("all.rmm"), folder.read("0.rmm"));
}

/// Runs a script as root of a mount namespace of its own with an empty file system at `disk`, which is
/// `$RM`'s working folder; `None` where that is not allowed.
fn on_a_small_disk(folder: &Folder, kilobytes: u32, script: &str) -> Option<Run> {
    let mount = format!("mount -t tmpfs -o size={kilobytes}k none disk");
    fs::create_dir_all(folder.path("disk")).unwrap();
    if folder.shell(&format!("unshare -rm sh -c '{mount}'")).code != Some(0) {
        return None;
    }
    let line = LINE.replace("data.h5", "../data.h5").replace("model.tflite", "../model.tflite");
    let script = script.replace("RUN", &format!("$RM {line}"));
    fs::write(folder.path("script"), format!("set -u; {mount} || exit 99; cd disk; {script}"))
        .unwrap();
    Some(folder.shell("unshare -rm sh ./script"))
}

#[test]
fn a_disk_that_is_full() {
    let (folder, whole) = folder_with_data(40);
    for kilobytes in [4, 8, 12, 20, 28, 36, 40] {
        let script = "RUN; test $? = 1 || exit 98; test ! -e out.circle || exit 97; \
                      mount -o remount,size=1m . && RUN && cp out.circle ..";
        let Some(run) = on_a_small_disk(&folder, kilobytes, script) else { return };
        let run = run.exits_with(0);
        assert!(run.stderr.contains("No space left on device"), "{kilobytes}: {}", run.stderr);
        assert_eq!(folder.read("out.circle"), whole, "{kilobytes}");
        fs::remove_file(folder.path("out.circle")).unwrap();
    }
}

#[test]
fn a_disk_that_cannot_be_written() {
    let (folder, whole) = folder_with_data(20);
    let script = "RUN --records ..7 || exit 98; rm out.circle; mount -o remount,ro . ; \
                  RUN; test $? = 1 || exit 97; \
                  mount -o remount,rw . ; RUN && cp out.circle ..";
    let Some(run) = on_a_small_disk(&folder, 1000, script) else { return };
    let run = run.exits_with(0);
    assert!(run.stderr.contains("Read-only file system"), "{}", run.stderr);
    assert_eq!(folder.read("out.circle"), whole);
}

#[test]
fn files_without_permission() {
    let (folder, whole) = folder_with_data(20);
    folder.run(&format!("{LINE} --records ..7")).succeeds();
    fs::remove_file(folder.path("out.circle")).unwrap();
    // Root may do everything, unless it gives that away.
    let run = format!(
        "if [ $(id -u) = 0 ]; then D='setpriv --bounding-set=-all --inh-caps=-all'; fi; \
                       exec ${{D:-}} $RM {LINE}"
    );
    for (deny, allow) in [
        ("chmod 555 .", "chmod 755 ."),
        ("chmod 444 out.rmm", "chmod 644 out.rmm"),
        ("chmod 000 out.rmm", "chmod 644 out.rmm"),
    ] {
        folder.shell(deny).succeeds();
        let run = folder.shell(&run);
        folder.shell(allow).succeeds();
        if run.code == Some(127) || run.stderr.contains("setpriv:") {
            return;
        }
        run.exits_with(1).says("Permission denied");
        assert!(!folder.exists("out.circle"));
    }
    assert_resumes(&folder, &whole, "permissions");
}

/// Calls of the system that fail with EIO, each at its first, second, ... time until the run succeeds.
#[test]
fn errors_of_every_call() {
    let (folder, whole) = folder_with_data(3);
    let works = folder
        .shell("strace -f -o /dev/null -e trace=fdatasync -e inject=fdatasync:error=EIO true");
    if works.code != Some(0) {
        return;
    }
    let mut failures = 0;
    for call in ["pwrite64", "fdatasync", "fsync", "renameat2,linkat,rename", "ftruncate", "flock"]
    {
        for when in 1..40 {
            for name in ["out.rmm", "out.circle"] {
                let _ = fs::remove_file(folder.path(name));
            }
            let inject = format!("-e trace={call} -e inject={call}:error=EIO:when={when}");
            let run = folder.shell(&format!("exec strace -f -qq -o trace {inject} $RM {LINE}"));
            // Only those on this program's files count: `strace` cannot tell.
            if run.code == Some(0) {
                let trace = folder.read("trace");
                if String::from_utf8_lossy(&trace).contains("INJECTED") {
                    assert_eq!(folder.read("out.circle"), whole, "{call} {when}");
                    continue;
                }
                break;
            }
            let place = format!("{call}, time {when}");
            assert_eq!(run.code, Some(1), "{place}: {}", run.stderr);
            assert!(run.stderr.contains("error: "), "{place}: {}", run.stderr);
            assert!(!run.stderr.contains("panicked"), "{place}: {}", run.stderr);
            failures += 1;
            if folder.exists("out.rmm") {
                folder.run("inspect out.rmm").succeeds();
            }
            folder.run(LINE).succeeds();
            assert_eq!(folder.read("out.circle"), whole, "{place}");
        }
    }
    assert!(failures > 10, "{failures}");
}

#[test]
fn a_recording_that_is_deleted_while_it_is_written() {
    let (folder, _) = folder_with_data(500);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle";
    for replaced in [false, true] {
        let started = folder.start(&format!("{line} --overwrite"), 3);
        if replaced {
            fs::rename(folder.path("whole.rmm"), folder.path("out.rmm")).unwrap();
        } else {
            fs::remove_file(folder.path("out.rmm")).unwrap();
        }
        started
            .finish()
            .exits_with(1)
            .says("error: out.rmm: was deleted or replaced while it was written")
            .says("record again, and leave the file alone");
        assert!(!folder.exists("out.circle"));
    }
}

#[test]
fn a_folder_that_is_deleted_before_the_model_is_written() {
    let (folder, whole) = folder_with_data(500);
    fs::create_dir(folder.path("models")).unwrap();
    let line = LINE.replace("-o out", "--checkpoint out.rmm -o models/out");
    let started = folder
        .start(&line.replace("--progress none", "").replace("--checkpoint-interval 0s", ""), 3);
    fs::remove_dir(folder.path("models")).unwrap();
    started.finish().exits_with(1).says("models");
    fs::create_dir(folder.path("models")).unwrap();
    folder.run(&line).succeeds().says("everything is recorded already");
    assert_eq!(folder.read("models/out.circle"), whole);
}

#[test]
fn a_shard_that_disappears() {
    let folder = Folder::new();
    folder.make_data("a.h5", 400, 1);
    folder.make_data("b.h5", 10, 2);
    let line =
        "--input-model model.tflite --input-data a.h5 --input-data b.h5 -o out.circle --resume";
    folder.run(&line.replace("out", "whole")).succeeds();
    let started = folder.start(line, 2);
    fs::rename(folder.path("b.h5"), folder.path("away")).unwrap();
    let run = started.finish().exits_with(1);
    assert!(run.stderr.contains("error: b.h5"), "{}", run.stderr);
    assert!(run.stderr.contains("out.rmm keeps 400 records"), "{}", run.stderr);
    fs::rename(folder.path("away"), folder.path("b.h5")).unwrap();
    folder.run(line).succeeds().says("recorded 10 records");
    assert_eq!(folder.read("out.circle"), folder.read("whole.circle"));
}

#[test]
fn a_terminal_that_is_closed() {
    let (folder, whole) = folder_with_data(500);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle --resume --verbose";
    // The terminal takes the session with it, and whatever is said finds nobody.
    let mut started = folder.start(line, 3);
    started.close_output();
    started.signal("HUP");
    started.finish().exits_with(129);
    assert!(!folder.exists("out.circle"));
    // Nobody listens, but nobody asked to stop either.
    let mut started = folder.start(line, 2);
    started.close_output();
    started.finish().exits_with(0);
    assert_eq!(folder.read("out.circle"), whole);
}
