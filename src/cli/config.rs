//! From what was typed to what will be done: everything that can be checked before work begins.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use crate::arithmetic::Arithmetic;
use crate::dataset::DataFormat;
use crate::error::{Error, Result};
use crate::histogram::BinLimit;
use crate::interpreter::Groups;
use crate::kernel::Isa;
use crate::pipeline::{BadRecord, Options, Part};
use crate::recorder::Existing;
use crate::stats::{Estimator, MovingAverageSettings};

use super::args::{
    ArithmeticArg, DataFormatArg, InputShape, MemoryArg, OnBadRecord, Progress, RecordArgs,
    RecordRange,
};
use super::outputs;

/// More threads than any machine has cores; a guard against typing errors.
const MAX_THREADS: usize = 4096;

/// What recording will do.
#[derive(Debug)]
pub(super) struct RecordConfig {
    /// The model to run.
    pub model: PathBuf,
    /// Where the records are.
    pub data: Vec<String>,
    /// How they are stored.
    pub format: DataFormat,
    /// Whether values of other types are cast.
    pub cast: bool,
    /// The model to write, if any.
    pub output: Option<PathBuf>,
    /// Whether ONE's profiling data is written into it.
    pub profiling: bool,
    /// The recording.
    pub recording: PathBuf,
    /// What to do about a recording that exists.
    pub existing: Existing,
    /// How the ranges are estimated at the end.
    pub estimator: Estimator,
    /// Whether elements are counted, and in how many bins at most.
    pub histograms: Option<BinLimit>,
    /// What the recording keeps a moving average for.
    pub moving_average: MovingAverageSettings,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Shapes of inputs that the model leaves open.
    pub input_shapes: Vec<InputShape>,
    /// Instruction set.
    pub isa: Isa,
    /// How products are summed.
    pub arithmetic: Arithmetic,
    /// How many records a worker takes at once.
    pub groups: Groups,
    /// Most bytes of a tensor or a worker.
    pub max_memory: usize,
    /// Most rounds of loops in a record.
    pub max_rounds: u64,
    /// Seed of random records.
    pub seed: u64,
    /// How the run goes.
    pub options: Options,
    /// How progress is shown.
    pub progress: Progress,
    /// Where it goes how long operators take, if they are timed.
    pub profile: Option<ProfileOutput>,
}

/// How it is shown how long operators take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProfileOutput {
    /// As a table, with what else is said.
    Table,
    /// As JSON.
    File(PathBuf),
}

impl RecordConfig {
    /// Checks `args`; `needs_output` if there must be an output model.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for options that are missing, contradict each other
    /// or are out of range; [`Io`](crate::error::ErrorKind::Io) for folders that cannot be written.
    pub fn new(args: RecordArgs, needs_output: bool) -> Result<Self> {
        let files = Files::of(&args, needs_output)?;
        if files.data.is_empty() && (args.cast || args.input_data_format != DataFormatArg::Auto) {
            return Err(Error::usage(
                "--input-data-format and --cast say how data is read, but there \
                                     is no --input-data",
            ));
        }
        let estimator = args.estimator.estimator()?;
        check_histograms(&estimator, args.histogram)?;
        let threads = threads(args.num_threads)?;
        let arithmetic = match (args.arithmetic, args.memory) {
            (None | Some(ArithmeticArg::Fast), MemoryArg::Normal) => Arithmetic::Fast,
            (None, MemoryArg::Small) => Arithmetic::Direct,
            (Some(ArithmeticArg::Fast), MemoryArg::Small) => {
                return Err(Error::usage(
                    "--arithmetic fast transforms weights, which takes memory",
                )
                .with_hint("leave out --memory small, or use --arithmetic direct"));
            }
            (Some(arithmetic), _) => arithmetic.into(),
        };
        let part = part(&args)?;
        let max_bad_records = match (args.max_bad_records, args.on_bad_record) {
            (Some(_), OnBadRecord::Stop) => {
                return Err(Error::usage("--max-bad-records counts records that are left out")
                    .with_hint("leave them out with --on-bad-record skip"));
            }
            (most, _) => most.unwrap_or(u64::MAX),
        };
        files.check()?;
        if let Some(Some(profile)) = &args.profile {
            if outputs::is_stdout(profile) && args.progress == Progress::Json {
                return Err(Error::usage("profile and progress would both be on standard output")
                    .with_hint("--profile=FILE writes the profile to a file"));
            }
            let data = files.data.iter().map(Path::new);
            let others = [&*files.model, &*files.recording].into_iter().chain(data);
            outputs::check(&[profile], &others.chain(files.output.as_deref()).collect::<Vec<_>>())?;
        }
        Ok(Self {
            model: files.model,
            data: files.data,
            output: files.output,
            recording: files.recording,
            profiling: args.generate_profile_data,
            cast: args.cast,
            format: args.input_data_format.dataset()?,
            existing: existing(args.resume, args.overwrite),
            estimator,
            histograms: args.histogram,
            moving_average: args.estimator.moving_average(),
            threads,
            input_shapes: args.input_shape,
            isa: args.isa.parse()?,
            arithmetic,
            groups: match args.memory {
                MemoryArg::Normal => Groups::default(),
                MemoryArg::Small => Groups::AtMost(1),
            },
            max_memory: args.max_memory,
            max_rounds: args.max_rounds,
            seed: args.seed,
            options: Options {
                checkpoint_interval: args.checkpoint_interval,
                on_bad_record: match args.on_bad_record {
                    OnBadRecord::Stop => BadRecord::Stop,
                    OnBadRecord::Skip => BadRecord::Skip,
                },
                max_bad_records,
                part,
            },
            progress: args.progress,
            profile: args
                .profile
                .map(|file| file.map_or(ProfileOutput::Table, ProfileOutput::File)),
        })
    }
}

/// What --resume and --overwrite, of which one at most is given, say about a recording that exists.
pub(super) fn existing(resume: bool, overwrite: bool) -> Existing {
    match (resume, overwrite) {
        (true, _) => Existing::Resume,
        (_, true) => Existing::Overwrite,
        _ => Existing::Refuse,
    }
}

/// Checks that an estimator will have what it needs.
fn check_histograms(estimator: &Estimator, histograms: Option<BinLimit>) -> Result<()> {
    match (estimator, histograms) {
        (Estimator::OfElements(estimator), Some(limit)) => estimator.check_bins(limit),
        (Estimator::OfElements(estimator), None) => {
            let mode = estimator.name();
            Err(Error::usage(format!("mode {mode} needs the elements, which are not counted"))
                .with_hint("count them with --histogram"))
        }
        _ => Ok(()),
    }
}

/// The number of threads, by default all cores.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) for a number that makes no sense.
pub(super) fn threads(chosen: Option<usize>) -> Result<usize> {
    match chosen {
        Some(threads @ 1..=MAX_THREADS) => Ok(threads),
        Some(threads) => Err(Error::usage(format!(
            "--num-threads must be between 1 and {MAX_THREADS}, not {threads}"
        ))),
        None => Ok(thread::available_parallelism().map_or(1, NonZero::get)),
    }
}

/// The part of the dataset that is asked for.
fn part(args: &RecordArgs) -> Result<Part> {
    match (args.shard_index, args.num_shards, args.records) {
        (Some(index), Some(of), _) if index < of => Ok(Part::Share { index, of }),
        (Some(index), Some(of), _) => Err(Error::usage(format!(
            "--shard-index must be less than --num-shards {of}, not {index}"
        ))
        .with_hint("parts are counted from 0")),
        (.., Some(RecordRange { start, end })) => Ok(Part::Records { start, end }),
        _ => Ok(Part::All),
    }
}

/// The files of a run.
#[derive(Debug)]
struct Files {
    model: PathBuf,
    data: Vec<String>,
    output: Option<PathBuf>,
    recording: PathBuf,
}

impl Files {
    /// From options or from the positional form.
    fn of(args: &RecordArgs, needs_output: bool) -> Result<Self> {
        let (model, data, output) = match args.positional.as_slice() {
            [] => {
                let Some(model) = args.input_model.clone() else {
                    return Err(Error::usage("no model is given")
                        .with_hint("--input-model FILE; see --help"));
                };
                (model, args.input_data.clone(), args.output_model.clone())
            }
            [model, data, output] => {
                if args.input_model.is_some()
                    || !args.input_data.is_empty()
                    || args.output_model.is_some()
                {
                    return Err(Error::usage(
                        "give files either as MODEL DATA OUTPUT or by options, not both",
                    ));
                }
                let Some(data) = data.to_str() else {
                    return Err(Error::usage(format!("{} is not valid UTF-8", data.display())));
                };
                (model.clone(), vec![data.to_owned()], Some(output.clone()))
            }
            some => {
                let words = some.iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
                let hint = match some {
                    [_, _] if args.output_model.is_some() => {
                        "for what minmax-embedder does, `import-minmax` and then `embed`"
                    }
                    _ => "--help lists commands and options",
                };
                return Err(Error::usage(format!(
                    "`{}` is neither a command nor MODEL DATA OUTPUT",
                    words.join(" ")
                ))
                .with_hint(hint));
            }
        };
        if needs_output && output.is_none() {
            return Err(Error::usage("no output model is given").with_hint(
                "--output-model FILE, or `record-minmax record` to make the recording only",
            ));
        }
        let recording = match (&args.checkpoint, &output) {
            (Some(checkpoint), _) => checkpoint.clone(),
            (None, Some(output)) => output.with_extension("rmm"),
            (None, None) => {
                return Err(Error::usage("it is not said where to record").with_hint(
                    "--output-model FILE or, for the recording only, --checkpoint FILE",
                ));
            }
        };
        Ok(Self { model, data, output, recording })
    }

    /// Refuses files that would overwrite each other and folders that cannot be written.
    fn check(&self) -> Result<()> {
        let (recording, output) = (&self.recording, self.output.as_deref());
        if is_same_file(recording, &self.model) {
            return Err(Error::usage("the recording would overwrite the input model")
                .with_hint("choose another --checkpoint"));
        }
        if let Some(output) = output {
            if is_same_file(output, &self.model) {
                return Err(Error::usage("the output model would overwrite the input model")
                    .with_hint("choose another --output-model: the input is needed to resume"));
            }
            if is_same_file(output, recording) {
                return Err(Error::usage("the recording and the output model are the same file")
                    .with_hint("choose another --checkpoint"));
            }
        }
        for data in &self.data {
            let data = Path::new(data);
            if is_same_file(data, recording) || output.is_some_and(|it| is_same_file(data, it)) {
                return Err(Error::usage(format!("{} would be overwritten", data.display()))
                    .with_hint("choose another --output-model or --checkpoint"));
            }
        }
        check_writable(recording)?;
        output.map_or(Ok(()), check_writable)
    }
}

/// Checks that a file can be made where `path` is to be, as writing it would do.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io) if its folder does not exist or cannot be written.
pub(super) fn check_writable(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if path.is_dir() {
        return Err(Error::usage(format!("{} is a folder, not a file", path.display())));
    }
    tempfile::tempfile_in(folder).map(drop).map_err(|error| {
        Error::io("write to the folder", folder, error)
            .with_hint("make the folder first, or choose another")
    })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether two paths lead to one place, whether or not there is a file yet.
pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    a == b || resolved(a).is_some_and(|it| Some(it) == resolved(b))
}

fn resolved(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Cli;
    use super::*;
    use crate::error::ErrorKind;

    fn configure(folder: &Path, line: &str) -> Result<RecordConfig> {
        let line = line.replace("DIR", folder.to_str().unwrap());
        let words = ["record-minmax"].into_iter().chain(line.split_whitespace());
        RecordConfig::new(Cli::try_parse_from(words).expect("it parses").record, true)
    }

    fn refusal(line: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let error = configure(folder.path(), line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{line}: {error}");
        format!("{error} ({})", error.hint().unwrap_or_default())
    }

    #[test]
    fn a_plain_line_gives_the_documented_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let line = "--input-model DIR/m.circle --input-data DIR/d.h5 --output-model DIR/o.circle";
        let config = configure(folder.path(), line).unwrap();
        assert_eq!(config.recording, folder.path().join("o.rmm"));
        assert_eq!(config.existing, Existing::Refuse);
        assert_eq!(config.options.on_bad_record, BadRecord::Stop);
        assert_eq!(config.moving_average, MovingAverageSettings { batch: 16, constant: 0.1 });
        assert!(config.threads >= 1);
    }

    #[test]
    fn the_positional_form_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let config = configure(folder.path(), "DIR/m.circle DIR/d.h5 DIR/o.circle").unwrap();
        assert_eq!(config.model, folder.path().join("m.circle"));
        assert_eq!(config.data, [folder.path().join("d.h5").to_str().unwrap()]);
        assert_eq!(config.output, Some(folder.path().join("o.circle")));
    }

    #[test]
    fn missing_and_contradicting_files_are_refused() {
        for (line, expected) in [
            ("", "no model is given"),
            ("--input-model m", "no output model is given"),
            ("a b", "`a b` is neither"),
            ("a b c --input-model d", "not both"),
            ("--input-model m inspect m", "`inspect m` is neither"),
            ("--input-model m --output-model m", "overwrite the input model"),
            ("--input-model DIR/m --output-model DIR/./m", "overwrite the input model"),
            ("--input-model m --output-model o --checkpoint m", "overwrite the input model"),
            ("--input-model m --checkpoint c.rmm", "no output model is given"),
            ("--input-model m --output-model o --checkpoint ./o", "are the same file"),
            ("--input-model m --input-data d --output-model d", "d would be overwritten"),
            ("--input-model m --input-data DIR/o.rmm -o DIR/o.circle", "would be overwritten"),
            ("--input-model m --output-model o.rmm", "are the same file"),
        ] {
            let text = refusal(line);
            assert!(text.contains(expected), "{line}: {text}");
        }
    }

    #[test]
    fn settings_are_checked_before_any_work() {
        for (options, expected) in [
            ("--num-threads 0", "between 1 and 4096"),
            ("--num-threads 100000", "between 1 and 4096"),
            ("--isa mmx", "mmx"),
            ("--mode percentile --min-percentile 101", "100"),
            ("--moving-avg-batch 0", "batch"),
            ("--shard-index 3 --num-shards 3", "less than --num-shards 3, not 3"),
            ("--max-bad-records 3", "--on-bad-record skip"),
            ("--mode kl", "count them with --histogram"),
            ("--mode kl --histogram=512", "--histogram=1024"),
        ] {
            let text = refusal(&format!("--input-model m -o DIR/o.circle {options}"));
            assert!(text.contains(expected), "{options}: {text}");
        }
    }

    #[test]
    fn folders_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let error = configure(folder.path(), "--input-model m -o DIR/none/o.circle").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("none"), "{error}");
    }

    #[test]
    fn one_file_under_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("./x/../a"));
        std::fs::create_dir(folder.path().join("x")).unwrap();
        assert!(is_same_file(&a, &b));
        assert!(!is_same_file(&a, &folder.path().join("b")));
    }
}
