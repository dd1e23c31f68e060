//! What was typed, as plain values. Nothing is opened or checked against the world here.

mod dataset;
mod estimator;
mod examples;
mod images;
mod record;
mod report;
mod value;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::error::Error;
use crate::nearest::{did_you_mean, nearest};

pub(super) use self::dataset::{
    DatasetCheckArgs, DatasetCommand, DatasetInfoArgs, DatasetPackArgs, DatasetRandomArgs, H5Args,
};
pub(super) use self::estimator::EstimatorArgs;
pub(super) use self::record::{
    ArithmeticArg, DataFormatArg, MemoryArg, OnBadRecord, Progress, RecordArgs,
};
pub(super) use self::report::{CompareArgs, ReportArgs};
pub(super) use self::value::{InputNumbers, InputShape, RecordRange, by_name};

/// Calibration recorder for post-training quantization
///
/// Runs a float circle or TFLite model over a representative dataset, observes the minimum and
/// maximum of every float activation in every record, and writes one range per tensor into the
/// model. Without a command it records.
#[derive(Debug, Parser)]
#[command(
    name = "record-minmax",
    version,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100,
    after_help = examples::MAIN
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub record: RecordArgs,

    #[command(flatten)]
    pub talk: TalkArgs,

    /// Print version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// How much is said.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct TalkArgs {
    /// Say what is done at which time: model, plan, shards, commits
    #[arg(short = 'V', long, visible_short_alias = 'v', global = true, help_heading = "Output")]
    pub verbose: bool,

    /// Say nothing but errors, and what is asked for
    #[arg(short, long, conflicts_with = "verbose", global = true, help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Record, and write the output model if one is given
    #[command(after_help = examples::RECORD)]
    Record(Box<RecordArgs>),
    /// Write the ranges of a recording into its model, without running it
    #[command(after_help = examples::EMBED)]
    Embed(EmbedArgs),
    /// Join recordings of the same model, in the given order
    #[command(after_help = examples::MERGE)]
    Merge(MergeArgs),
    /// List the content of a circle or TFLite model, or of a recording
    #[command(after_help = examples::INSPECT)]
    Inspect(InspectArgs),
    /// Write what a recording says about each tensor: ranges, convergence, outliers
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// Compare the ranges of two recordings or models
    #[command(after_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Convert a TFLite model to circle
    #[command(after_help = examples::IMPORT)]
    Import(ImportArgs),
    /// Make a recording of what onert observed on a device
    #[command(after_help = examples::IMPORT_MINMAX)]
    ImportMinmax(ImportMinmaxArgs),
    /// Check that a model has the ranges of a recording and is otherwise unchanged
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Make and look at datasets
    #[command(subcommand, after_help = examples::DATASET)]
    Dataset(DatasetCommand),
    /// Print completions for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_help = examples::MAN)]
    Man,
}

/// What to say about a first word that is like a command, but is none. It is the original's MODEL if there is
/// such a file, and clap takes it for that in any case.
pub(super) fn misspelt_command(word: &OsStr) -> Option<Error> {
    let name = word.to_str().filter(|it| !it.starts_with('-') && !Path::new(it).exists())?;
    let command = Cli::command();
    let names = || command.get_subcommands().map(clap::Command::get_name).chain(["help"]);
    if names().any(|it| it == name) {
        return None;
    }
    let meant = did_you_mean(nearest(name, names())?);
    Some(Error::usage(format!("`{name}` is neither a command nor a file")).with_hint(meant))
}

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// For instance `source <(record-minmax completions bash)`
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(super) struct EmbedArgs {
    /// The model that was recorded, circle or TFLite
    #[arg(long, alias = "input_model", value_name = "FILE")]
    pub input_model: PathBuf,
    /// Its recording
    #[arg(long, value_name = "FILE")]
    pub recording: PathBuf,
    /// The model to write
    #[arg(short, long, alias = "output_model", value_name = "FILE")]
    pub output_model: PathBuf,
    /// Write ONE's profiling metadata too: the tables of sources and of operators
    #[arg(long, alias = "generate_profile_data")]
    pub generate_profile_data: bool,
    #[command(flatten)]
    pub estimator: EstimatorArgs,
}

#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    /// Recordings to join; a moving average depends on their order
    #[arg(required = true, num_args = 2.., value_name = "RECORDING")]
    pub inputs: Vec<PathBuf>,
    /// The recording to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    pub overwrite: bool,
    /// What to do about records that several of the recordings have
    #[arg(long, value_enum, value_name = "POLICY", default_value_t)]
    pub on_overlap: OnOverlapArg,
}

/// What to do about records that several recordings have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OnOverlapArg {
    /// Name them and fail
    #[default]
    Stop,
    /// Take them from the first recording that has them
    Skip,
}

#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    /// A circle or TFLite model, or a recording (.rmm)
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print every observation of a recording, a line each, separated by tabs
    #[arg(long, conflicts_with = "json")]
    pub observations: bool,
    /// Only tensors of a recording with this name, in which `*` stands for anything; may be given several times
    #[arg(long, value_name = "NAME")]
    pub tensor: Vec<String>,
    /// How the ranges of a recording are estimated
    #[command(flatten)]
    pub estimator: EstimatorArgs,
}

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// TFLite model
    pub model: PathBuf,
    /// Circle model to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct ImportMinmaxArgs {
    /// What onert wrote: HDF5 with a group per run, or its plain file; in this order
    #[arg(required = true, value_name = "MINMAX")]
    pub minmax: Vec<String>,
    /// The model that was run, circle or TFLite
    #[arg(long, alias = "input_model", value_name = "FILE")]
    pub input_model: PathBuf,
    /// The recording to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Go on with the recording if there is one: what it has already is skipped
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,
    /// Replace the recording if there is one
    #[arg(long)]
    pub overwrite: bool,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t, help_heading = "Output")]
    pub progress: Progress,
}

#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// The model with ranges
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// The recording that they are from
    #[arg(long, value_name = "FILE")]
    pub recording: PathBuf,
    #[command(flatten)]
    pub estimator: EstimatorArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_do_not_need_the_arguments_of_recording() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        let cli = parse("rm merge a.rmm b.rmm -o c.rmm -v").unwrap();
        assert!(cli.talk.verbose);
        let Some(Command::Merge(merge)) = cli.command else { panic!("not merge") };
        assert_eq!((merge.inputs.len(), merge.overwrite), (2, false));
        assert_eq!(merge.on_overlap, OnOverlapArg::Stop);
        assert!(parse("rm merge a.rmm b.rmm -o c.rmm --on-overlap skip").is_ok());
        assert!(parse("rm merge a.rmm -o c.rmm").is_err());
        assert!(parse("rm inspect a.circle --json").is_ok());
        assert!(parse("rm verify --model a.circle --recording a.rmm --mode minmax").is_ok());
        assert!(parse("rm import a.tflite -o a.circle").is_ok());
        assert!(parse("rm dataset random --input-model a.circle -o a.h5 -n 5").is_ok());
        assert!(parse("rm embed --input_model a --recording b --output_model c").is_ok());
    }

    #[test]
    fn commands_are_told_from_files() {
        let hint =
            |word: &str| misspelt_command(OsStr::new(word)).map(|it| it.hint().unwrap().to_owned());
        for (word, meant) in [
            ("inspct", "inspect"),
            ("mrege", "merge"),
            ("Record", "record"),
            ("import_minmax", "import-minmax"),
            ("datasets", "dataset"),
        ] {
            assert_eq!(hint(word).unwrap(), format!("did you mean `{meant}`?"));
        }
        // `src` is a folder of this crate.
        for word in ["inspect", "help", "model.circle", "--mode", "src", ""] {
            assert_eq!(hint(word), None, "{word}");
        }
    }

    #[test]
    fn quiet_is_not_verbose() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("rm inspect a.circle -q").unwrap().talk.quiet);
        assert!(parse("rm --quiet a b c").unwrap().talk.quiet);
        assert!(parse("rm inspect a.circle -q -v").is_err());
    }

    #[test]
    fn verbose_has_the_original_short_form() {
        let cli = Cli::try_parse_from(["rm", "-V"]).unwrap();
        assert!(cli.talk.verbose);
        let version = Cli::try_parse_from(["rm", "--version"]).unwrap_err();
        assert_eq!(version.kind(), clap::error::ErrorKind::DisplayVersion);
    }
}
