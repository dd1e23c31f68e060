//! Running the program in a folder of its own.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};

use tempfile::TempDir;

/// The model of `testdata/sample`.
pub fn sample_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sample/sample.tflite")
}

/// The dataset of `testdata/sample`.
pub fn sample_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sample/sample.h5")
}

/// The records of the sample, as raw bytes.
pub fn sample_records() -> Vec<Vec<u8>> {
    let file = hdf5::File::open(sample_data()).unwrap();
    let value = file.group("value").unwrap();
    let records = 0..value.len();
    let read = |record| value.dataset(&format!("{record}/0")).unwrap().read_raw::<f32>().unwrap();
    records.map(|record| read(record).iter().flat_map(|x| x.to_ne_bytes()).collect()).collect()
}

/// A folder in which a test runs the program; removed at its end.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::copy(sample_model(), folder.path("model.tflite")).expect("a copy of the model");
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Makes a dataset of random records.
    pub fn make_data(&self, name: &str, records: u64, seed: u64) {
        let line = format!(
            "dataset random --input-model model.tflite -o {name} -n {records} --seed {seed}"
        );
        self.run(&line).succeeds();
    }

    /// The program with arguments, not yet started; by the words of `TEST_RUNNER`, which may name an
    /// emulator, if that is set.
    pub fn command(&self, line: &str) -> Command {
        let program = env!("CARGO_BIN_EXE_record-minmax");
        let runner = env::var("TEST_RUNNER").unwrap_or_default();
        let mut words = runner.split_whitespace().chain([program]);
        let mut command = Command::new(words.next().expect("a program"));
        command
            .args(words)
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env_remove("TERM")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a script of `sh` in the folder; `$RM` is the program.
    pub fn shell(&self, script: &str) -> Run {
        self.script("sh", script)
    }

    /// The same with `bash`.
    pub fn bash(&self, script: &str) -> Run {
        self.script("bash", script)
    }

    fn script(&self, shell: &str, script: &str) -> Run {
        let program = env!("CARGO_BIN_EXE_record-minmax");
        let runner = env::var("TEST_RUNNER").unwrap_or_default();
        let mut command = Command::new(shell);
        command
            .args(["-c", script])
            .current_dir(self.0.path())
            .env("RM", format!("{runner} {program}"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        Run::new(script, &output(&mut command))
    }

    /// Runs the program to its end.
    pub fn run(&self, line: &str) -> Run {
        Run::new(line, &output(&mut self.command(line)))
    }

    /// Starts the program with progress as JSON, and returns when it has told of `objects` objects.
    ///
    /// With a commit and so an object for every record, the program soon waits for its reader: after
    /// about two hundred records it is certainly still running.
    pub fn start(&self, line: &str, objects: usize) -> Started {
        self.start_as_is(&format!("{line} --progress json --checkpoint-interval 0s"), objects)
    }

    /// Starts the program, and returns when it has told of `objects` JSON objects.
    pub fn start_as_is(&self, line: &str, objects: usize) -> Started {
        let mut child = self.spawn(line);
        let mut stdout = BufReader::with_capacity(1, child.stdout.take().expect("a pipe"));
        for _ in 0..objects {
            let mut object = String::new();
            stdout.read_line(&mut object).expect("an object");
            assert!(object.starts_with('{'), "{object:?}");
        }
        child.stdout = Some(stdout.into_inner());
        Started { child, line: line.to_owned() }
    }

    /// Starts the program, and returns when `is_begun` says so.
    pub fn start_until(&self, line: &str, is_begun: impl Fn(&Self) -> bool) -> Started {
        let child = self.spawn(line);
        while !is_begun(self) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Started { child, line: line.to_owned() }
    }

    /// Names of the files in the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder");
        let names = entries.map(|it| it.expect("an entry").file_name().into_string());
        let mut names: Vec<String> = names.map(|it| it.expect("UTF-8")).collect();
        names.sort();
        names
    }

    fn spawn(&self, line: &str) -> Child {
        start(self.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }
}

/// An HDF5 file that is open is locked, and a program that starts meanwhile has the lock too, as long as it
/// runs: whoever changes a file holds this for reading, and whoever starts a program for writing.
static FILES: RwLock<()> = RwLock::new(());

/// Changes HDF5 files.
pub fn change_files<T>(change: impl FnOnce() -> T) -> T {
    let _nothing_starts = FILES.read().unwrap_or_else(PoisonError::into_inner);
    change()
}

/// Starts a program.
pub fn start(command: &mut Command) -> Child {
    let _nothing_changes = FILES.write().unwrap_or_else(PoisonError::into_inner);
    command.spawn().expect("the program starts")
}

/// Runs a program to its end.
fn output(command: &mut Command) -> Output {
    let child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    child.wait_with_output().expect("the program runs")
}

/// A program that is running.
pub struct Started {
    child: Child,
    line: String,
}

impl Started {
    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(output(Command::new("sh").args(["-c", &kill])).status.success());
    }

    /// Closes what its output goes to, as a terminal does that is closed.
    pub fn close_output(&mut self) {
        self.child.stdout = None;
        self.child.stderr = None;
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Waits for its end, though nobody reads what it says.
    pub fn ends_unread(&mut self) {
        for _ in 0..2000 {
            if !self.is_running() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self.child.kill().expect("it can be ended");
        panic!("{}: it goes on", self.line);
    }

    /// Reads everything it still says, and waits for its end.
    pub fn finish(self) -> Run {
        Run::new(&self.line, &self.child.wait_with_output().expect("the program ends"))
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    pub line: String,
    /// `None` if it was killed.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    fn new(line: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            line: line.to_owned(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    pub fn succeeds(self) -> Self {
        self.exits_with(0)
    }

    pub fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{}: {text:?} is not in\n{}", self.line, self.stderr);
        self
    }

    /// What was said, with the parts replaced that differ from run to run.
    pub fn steady_stderr(&self) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_record-minmax"));
        let name = program.file_name().unwrap_or(OsStr::new("")).to_string_lossy();
        self.stderr.replace(&*program.to_string_lossy(), &name)
    }
}
