//! The program killed at random times and resumed, over and over. `make kill` does it 200 times.

use std::env;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Folder, start};

const LINE: &str = "--input-model model.tflite --input-data a.h5 --input-data b.h5 -o out.circle \
                    --resume --checkpoint-interval 0s --progress none";

/// A small generator (xorshift), so that times are spread the same way in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }
}

fn kills() -> u32 {
    env::var("KILLS").map_or(8, |it| it.parse().expect("a number of kills"))
}

/// Starts the program, kills it after some microseconds, and gives its exit code if it was faster.
fn kill(folder: &Folder, line: &str, after: u64) -> Option<i32> {
    let mut command = folder.command(line);
    let mut child = start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    std::thread::sleep(Duration::from_micros(after));
    child.kill().expect("it can be killed");
    child.wait().expect("it ends").code()
}

#[test]
fn killed_at_random_times_and_resumed_is_the_same() {
    let kills = kills();
    let folder = Folder::new();
    folder.make_data("a.h5", 150, 1);
    folder.make_data("b.h5", 100, 2);
    let whole = LINE.replace("out.circle", "whole.circle");
    let start = Instant::now();
    folder.run(&whole).succeeds();
    let run = start.elapsed().as_micros() as u64;
    let whole = folder.read("whole.circle");

    let (mut killed, mut finished, mut with_tail) = (0, 0, 0);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    while killed < kills {
        // Often soon, sometimes at the very end, where the model is written.
        let most = if random.below(2) == 0 { run / 6 } else { run + run / 8 };
        match kill(&folder, LINE, random.below(most)) {
            None => killed += 1,
            Some(code) => {
                assert_eq!(code, 0);
                finished += 1;
                assert_eq!(folder.read("out.circle"), whole);
                fs::remove_file(folder.path("out.rmm")).unwrap();
                fs::remove_file(folder.path("out.circle")).unwrap();
            }
        }
        // Whatever is there can be read.
        if folder.exists("out.rmm") {
            let listing = folder.run("inspect out.rmm").succeeds().stdout;
            with_tail += u32::from(listing.contains("\nnot committed "));
        }
        assert!(!folder.exists("out.circle") || folder.read("out.circle") == whole);
    }
    folder.run(LINE).succeeds();
    assert_eq!(folder.read("out.circle"), whole);
    folder.run("verify --model out.circle --recording out.rmm").succeeds();
    #[expect(clippy::print_stdout, reason = "shown by `make kill`")]
    {
        println!(
            "killed {killed} times, {with_tail} of them inside a commit; ended {finished} times"
        );
    }
}

#[test]
fn a_merge_killed_at_random_times_leaves_the_old_output_or_the_new_one() {
    let kills = kills();
    let folder = Folder::new();
    folder.make_data("a.h5", 200, 1);
    for part in 0..2 {
        let line = "record --input-model model.tflite --input-data a.h5";
        let part = format!("--shard-index {part} --num-shards 2 --checkpoint {part}.rmm");
        folder.run(&format!("{line} {part}")).succeeds();
    }
    let line = "merge 0.rmm 1.rmm -o all.rmm --overwrite";
    let start = Instant::now();
    folder.run(line).succeeds();
    let run = start.elapsed().as_micros() as u64;
    let content = || folder.run("inspect all.rmm --observations").succeeds().stdout;
    let new = content();
    let old = folder.read("0.rmm");
    let (mut killed, mut random) = (0, Random(0x2545_f491_4f6c_dd1d));
    while killed < kills {
        fs::write(folder.path("all.rmm"), &old).unwrap();
        killed += u32::from(kill(&folder, line, random.below(run + run / 4)).is_none());
        assert!(folder.read("all.rmm") == old || content() == new);
    }
    // What a killed one leaves has a name that says what it was to become.
    for entry in fs::read_dir(folder.path(".")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let left =
            name.strip_prefix(".all.rmm.").is_some_and(|it| it.strip_suffix(".new").is_some());
        assert!(left || !name.starts_with('.'), "{name}");
    }
}
