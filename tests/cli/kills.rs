//! The program killed at random times and resumed, over and over. `make kill` does it 200 times.

use std::env;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::Folder;

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

#[test]
fn killed_at_random_times_and_resumed_is_the_same() {
    let kills: u32 = env::var("KILLS").map_or(8, |it| it.parse().expect("a number of kills"));
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
        let mut child = folder
            .command(LINE)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Often soon, sometimes at the very end, where the model is written.
        let most = if random.below(2) == 0 { run / 6 } else { run + run / 8 };
        std::thread::sleep(Duration::from_micros(random.below(most)));
        child.kill().expect("it can be killed");
        match child.wait().expect("it ends").code() {
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
