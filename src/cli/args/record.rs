use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::arithmetic::Arithmetic;
use crate::dataset::DataFormat;
use crate::error::{Error, Result};
use crate::histogram::BinLimit;
use crate::interpreter::DEFAULT_ROUNDS;

use super::estimator::EstimatorArgs;
use super::value::{self, InputShape, RecordRange, duration};

/// What recording needs to know.
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
#[derive(Args, Debug)]
pub(in crate::cli) struct RecordArgs {
    /// The original's short form: model, dataset, output model
    #[arg(value_names = ["MODEL", "DATA", "OUTPUT"], num_args = 0..=3, hide = true)]
    pub positional: Vec<PathBuf>,

    /// Float model to run, circle or TFLite
    #[arg(long, alias = "input_model", value_name = "FILE", help_heading = "Files")]
    pub input_model: Option<PathBuf>,

    /// Dataset: a file, a folder of shards, or a pattern; repeatable. Without it, 3 random records
    #[arg(long, alias = "input_data", value_name = "PATH", help_heading = "Files")]
    pub input_data: Vec<String>,

    /// Take part I of the --num-shards parts of the dataset, counted from 0: for job arrays, whose
    /// recordings are merged
    #[arg(long, value_name = "I", requires = "num_shards", help_heading = "Files")]
    pub shard_index: Option<u64>,

    /// Number of parts of the dataset
    #[arg(long, value_name = "N", requires = "shard_index", help_heading = "Files")]
    pub num_shards: Option<u64>,

    /// Take records A to B-1 of the dataset, counted from 0 through all shards (0..500, 500..)
    #[arg(
        long,
        value_name = "A..B",
        value_parser = RecordRange::parse,
        conflicts_with = "shard_index",
        help_heading = "Files"
    )]
    pub records: Option<RecordRange>,

    /// How the dataset is stored
    #[arg(
        long,
        alias = "input_data_format",
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Files"
    )]
    pub input_data_format: DataFormatArg,

    /// Cast numbers of other types to the model's: any to FLOAT32, integers that fit to INT32 and INT64
    #[arg(long, help_heading = "Files")]
    pub cast: bool,

    /// Circle model to write: the input model with ranges
    #[arg(short, long, alias = "output_model", value_name = "FILE", help_heading = "Files")]
    pub output_model: Option<PathBuf>,

    /// Write ONE's profiling metadata into the output model: the tables of sources and of operators
    #[arg(long, alias = "generate_profile_data", help_heading = "Files")]
    pub generate_profile_data: bool,

    /// The recording [default: the output model's name with .rmm]
    #[arg(long, value_name = "FILE", help_heading = "Recording")]
    pub checkpoint: Option<PathBuf>,

    /// Continue the recording if there is one
    #[arg(long, conflicts_with = "overwrite", help_heading = "Recording")]
    pub resume: bool,

    /// Replace the recording if there is one
    #[arg(long, help_heading = "Recording")]
    pub overwrite: bool,

    /// Time between commits: what a crash can cost (500ms, 10s, 5m)
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration,
        help_heading = "Recording"
    )]
    pub checkpoint_interval: Duration,

    /// Count all elements too, in histograms of at most N bins, a power of two, for the modes that need
    /// them (256 to 16384) [default: 2048]
    #[arg(
        long,
        value_name = "N",
        value_parser = value::bins,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2048",
        help_heading = "Recording"
    )]
    pub histogram: Option<BinLimit>,

    /// What to do about a record that cannot be used
    #[arg(long, value_enum, value_name = "POLICY", default_value_t, help_heading = "Recording")]
    pub on_bad_record: OnBadRecord,

    /// Most records to leave out, counting those of earlier runs; one more is an error [default: any
    /// number]
    #[arg(long, value_name = "N", help_heading = "Recording")]
    pub max_bad_records: Option<u64>,

    #[command(flatten)]
    pub estimator: EstimatorArgs,

    /// Worker threads [default: all cores]
    #[arg(long, alias = "num_threads", value_name = "N", help_heading = "Execution")]
    pub num_threads: Option<usize>,

    /// Shape of an input whose shape the model leaves open; `?` differs from record to record; repeatable
    #[arg(
        long,
        value_name = "NAME=D,D,..",
        value_parser = InputShape::parse,
        help_heading = "Execution"
    )]
    pub input_shape: Vec<InputShape>,

    /// Seed of the random records that are used without --input-data
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Execution")]
    pub seed: u64,

    /// Instruction set: auto, avx512, avx2, neon or portable; results do not depend on it
    #[arg(long, value_name = "ISA", default_value = "auto", help_heading = "Execution")]
    pub isa: String,

    /// How sums of products are computed; resuming needs the same [default: fast, or direct with
    /// little memory]
    #[arg(
        long,
        alias = "convolution",
        value_enum,
        value_name = "KIND",
        help_heading = "Execution"
    )]
    pub arithmetic: Option<ArithmeticArg>,

    /// How much memory may be used
    #[arg(long, value_enum, value_name = "AMOUNT", default_value_t, help_heading = "Execution")]
    pub memory: MemoryArg,

    /// Most bytes that one tensor, or all of a worker's, may take: models that want more are refused
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = value::size,
        default_value = "16G",
        help_heading = "Execution"
    )]
    pub max_memory: usize,

    /// Most rounds of all loops in one record: a loop that does not end is an error
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROUNDS, help_heading = "Execution")]
    pub max_rounds: u64,

    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t, help_heading = "Output")]
    pub progress: Progress,

    /// Measure how long each operator takes: a table at the end, or everything as JSON in a file (`-` is
    /// standard output)
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        help_heading = "Output"
    )]
    #[expect(clippy::option_option, reason = "absent, without a value, with one")]
    pub profile: Option<Option<PathBuf>>,
}

/// How a dataset is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DataFormatArg {
    /// Recognised by content: HDF5, .npy, .npz or safetensors
    #[default]
    Auto,
    /// HDF5, in a group per record or packed
    #[value(alias = "hdf5")]
    H5,
    /// NumPy array [N, ...]
    Npy,
    /// NumPy arrays [N, ...], one per input
    Npz,
    /// Tensors [N, ...], one per input
    Safetensors,
    /// Text: a line per record, with the path of a raw file per input
    #[value(alias = "filelist")]
    List,
    /// Text: a line per input with its values, separated by commas
    Text,
    /// Folder of raw files: a record each, or <record>.<input>
    #[value(alias = "dir")]
    Directory,
    /// Images, for `dataset pack`
    #[value(hide = true)]
    Images,
}

impl DataFormatArg {
    /// The format of a dataset.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for images, of which a dataset has to be made.
    pub fn dataset(self) -> Result<DataFormat> {
        Ok(match self {
            Self::Auto => DataFormat::Auto,
            Self::H5 => DataFormat::H5,
            Self::Npy => DataFormat::Npy,
            Self::Npz => DataFormat::Npz,
            Self::Safetensors => DataFormat::Safetensors,
            Self::List => DataFormat::List,
            Self::Text => DataFormat::Text,
            Self::Directory => DataFormat::Directory,
            Self::Images => {
                return Err(Error::usage("images are no dataset yet").with_hint(
                    "make one with `record-minmax dataset pack --input-data-format images`",
                ));
            }
        })
    }
}

/// How much memory may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MemoryArg {
    /// What makes it fast: transformed weights, and several records at once
    #[default]
    Normal,
    /// Little: weights once, and one record a worker
    Small,
}

/// How sums of products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ArithmeticArg {
    /// The fastest way, the same on every CPU
    #[default]
    #[value(alias = "auto")]
    Fast,
    /// Without transforms: every product of a convolution is computed
    Direct,
    /// As the original's kernels: no transforms, products rounded before they are added; slow
    Reference,
}

impl From<ArithmeticArg> for Arithmetic {
    fn from(arg: ArithmeticArg) -> Self {
        match arg {
            ArithmeticArg::Fast => Self::Fast,
            ArithmeticArg::Direct => Self::Direct,
            ArithmeticArg::Reference => Self::Reference,
        }
    }
}

/// What to do about a record that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnBadRecord {
    /// Keep what comes before it and fail
    #[default]
    Stop,
    /// Note it in the recording and go on
    Skip,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Progress {
    /// A bar on a terminal, lines otherwise
    #[default]
    Auto,
    /// A bar
    Bar,
    /// A line every few seconds
    Plain,
    /// JSON objects on standard output, one per line
    Json,
    /// Not at all
    None,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    fn parse(line: &str) -> Result<RecordArgs, String> {
        let words = ["record-minmax"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words) {
            Ok(Cli { command: Some(Command::Record(record)), .. }) => Ok(*record),
            Ok(Cli { command: None, record, .. }) => Ok(record),
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn files_under_both_spellings_with_and_without_the_command() {
        for command in ["", "record "] {
            for line in [
                "--input-model m --input-data a --input-data b --output-model o",
                "--input_model m --input_data a --input_data b --output_model o",
                "--input_model=m --input-data=a --input_data=b -o o",
            ] {
                let args = parse(&format!("{command}{line}")).unwrap();
                assert_eq!(args.input_model, Some("m".into()));
                assert_eq!(args.input_data, ["a", "b"]);
                assert_eq!(args.output_model, Some("o".into()));
                assert!(args.positional.is_empty());
            }
        }
    }

    #[test]
    fn the_positional_form() {
        let args = parse("m.circle d.h5 o.circle --mode percentile").unwrap();
        assert_eq!(args.positional, ["m.circle", "d.h5", "o.circle"].map(PathBuf::from));
        assert!(parse("a b c d").is_err());
    }

    #[test]
    fn recording_options() {
        let args = parse("").unwrap();
        assert_eq!((args.checkpoint, args.resume, args.overwrite), (None, false, false));
        assert_eq!(args.checkpoint_interval, Duration::from_secs(10));
        assert_eq!(args.on_bad_record, OnBadRecord::Stop);

        let args = parse("--checkpoint c.rmm --resume --checkpoint-interval 250ms").unwrap();
        assert_eq!((args.checkpoint, args.resume), (Some("c.rmm".into()), true));
        assert_eq!(args.checkpoint_interval, Duration::from_millis(250));
        assert_eq!(parse("--on-bad-record skip").unwrap().on_bad_record, OnBadRecord::Skip);
        assert!(parse("--overwrite").unwrap().overwrite);

        assert!(parse("--resume --overwrite").unwrap_err().contains("cannot be used with"));
        assert!(parse("--checkpoint-interval soon").is_err());
        assert!(parse("--on-bad-record ignore").is_err());
    }

    #[test]
    fn a_part_of_the_dataset() {
        let args = parse("--shard-index 2 --num-shards 8").unwrap();
        assert_eq!((args.shard_index, args.num_shards), (Some(2), Some(8)));
        let range = |line: &str| parse(line).map(|it| it.records.map(|it| (it.start, it.end)));
        assert_eq!(range("--records 5..9"), Ok(Some((5, Some(9)))));
        assert_eq!(range("--records ..9"), Ok(Some((0, Some(9)))));
        assert_eq!(range("--records 5.."), Ok(Some((5, None))));
        for bad in ["9..5", "5..5", "5", "a..b", "..", "1..2..3"] {
            assert!(range(&format!("--records {bad}")).is_err(), "{bad}");
        }
        for bad in
            ["--shard-index 1", "--num-shards 1", "--records 1.. --shard-index 0 --num-shards 2"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("--max-bad-records 0").unwrap().max_bad_records, Some(0));
    }

    #[test]
    fn execution_options() {
        let args = parse("").unwrap();
        assert_eq!((args.num_threads, args.seed, args.isa.as_str()), (None, 0, "auto"));
        let args = parse("--num_threads 3 --seed 7 --isa avx2 --input-shape x=1,2").unwrap();
        assert_eq!((args.num_threads, args.seed, args.isa.as_str()), (Some(3), 7, "avx2"));
        assert_eq!(
            args.input_shape,
            [InputShape { name: "x".to_owned(), shape: vec![Some(1), Some(2)] }]
        );
        assert_eq!(parse("--num-threads 2").unwrap().num_threads, Some(2));
        let args = parse("").unwrap();
        assert_eq!((args.arithmetic, args.memory), (None, MemoryArg::Normal));
        assert_eq!(parse("--memory small").unwrap().memory, MemoryArg::Small);
        for (line, expected) in [
            ("--convolution direct", ArithmeticArg::Direct),
            ("--convolution auto", ArithmeticArg::Fast),
            ("--arithmetic reference", ArithmeticArg::Reference),
        ] {
            assert_eq!(parse(line).unwrap().arithmetic, Some(expected));
        }
        for bad in ["--num-threads -1", "--seed x", "--input-shape x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn data_formats() {
        let format = |line| parse(line).map(|it| it.input_data_format);
        assert_eq!(format(""), Ok(DataFormatArg::Auto));
        for line in ["--input-data-format h5", "--input_data_format hdf5"] {
            assert_eq!(format(line), Ok(DataFormatArg::H5), "{line}");
        }
        for line in ["--input-data-format list", "--input_data_format filelist"] {
            assert_eq!(format(line), Ok(DataFormatArg::List), "{line}");
        }
        for line in ["--input-data-format directory", "--input_data_format dir"] {
            assert_eq!(format(line), Ok(DataFormatArg::Directory), "{line}");
        }
        assert!(format("--input_data_format xml").unwrap_err().contains("possible values"));
    }

    #[test]
    fn progress_styles() {
        let progress = |line| parse(line).map(|it| it.progress);
        assert_eq!(progress(""), Ok(Progress::Auto));
        for (line, expected) in [
            ("--progress bar", Progress::Bar),
            ("--progress plain", Progress::Plain),
            ("--progress json", Progress::Json),
            ("--progress none", Progress::None),
        ] {
            assert_eq!(progress(line), Ok(expected));
        }
        assert!(progress("--progress fancy").is_err());
    }

    #[test]
    fn a_profile_may_go_to_a_file() {
        let profile = |line| parse(line).map(|it| (it.profile, it.positional.len()));
        assert_eq!(profile("a b c"), Ok((None, 3)));
        assert_eq!(profile("--profile a b c"), Ok((Some(None), 3)));
        assert_eq!(profile("--profile=p.json a b c"), Ok((Some(Some("p.json".into())), 3)));
    }

    #[test]
    fn profile_data_is_recognised() {
        assert!(parse("--generate_profile_data").unwrap().generate_profile_data);
    }
}
