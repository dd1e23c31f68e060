use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::examples;
use super::images::ImageArgs;
use super::record::{DataFormatArg, OnBadRecord, Progress};
use super::value::{self, InputNumbers, InputShape, duration};
use crate::histogram::BinLimit;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DatasetCommand {
    /// Write a dataset in any format, or a folder of images, to one HDF5 file
    #[command(after_help = examples::PACK)]
    Pack(Box<DatasetPackArgs>),
    /// List what a dataset contains
    #[command(after_help = examples::INFO)]
    Info(DatasetInfoArgs),
    /// List all problems of a dataset, and estimate time, recording size and memory
    #[command(after_help = examples::CHECK)]
    Check(Box<DatasetCheckArgs>),
    /// Write random records that fit a model to an HDF5 file
    #[command(after_help = examples::RANDOM)]
    Random(Box<DatasetRandomArgs>),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DatasetPackArgs {
    /// The model that the dataset is for, circle or TFLite
    #[arg(long, alias = "input_model", value_name = "FILE")]
    pub input_model: PathBuf,
    /// Dataset: a file, a folder of shards or of images, or a pattern; repeatable
    #[arg(long, alias = "input_data", required = true, value_name = "PATH")]
    pub input_data: Vec<String>,
    /// How the dataset is stored; images (.jpg, .jpeg, .png), also in folders of folders, are recognised too, or
    /// named `images`
    #[arg(long, alias = "input_data_format", value_enum, value_name = "FORMAT", default_value_t)]
    pub input_data_format: DataFormatArg,
    /// Cast numbers of other types to the model's: any to FLOAT32, integers that fit to INT32 and INT64
    #[arg(long)]
    pub cast: bool,
    #[command(flatten)]
    pub output: H5Args,
    /// What to do about a record that cannot be used
    #[arg(long, value_enum, value_name = "POLICY", default_value_t)]
    pub on_bad_record: OnBadRecord,
    /// Threads that decode images [default: all cores]
    #[arg(long, alias = "num_threads", value_name = "N")]
    pub num_threads: Option<usize>,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t, help_heading = "Output")]
    pub progress: Progress,
    #[command(flatten)]
    pub images: ImageArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DatasetInfoArgs {
    /// Files, folders of shards, or patterns
    #[arg(required = true, value_name = "PATH")]
    pub input_data: Vec<String>,
    /// How the dataset is stored
    #[arg(long, alias = "input_data_format", value_enum, value_name = "FORMAT", default_value_t)]
    pub input_data_format: DataFormatArg,
    /// Read all values too: smallest, largest, mean, standard deviation, NaN
    #[arg(long)]
    pub values: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t, help_heading = "Output")]
    pub progress: Progress,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DatasetCheckArgs {
    /// The model that the dataset is for, circle or TFLite
    #[arg(long, alias = "input_model", value_name = "FILE")]
    pub input_model: PathBuf,
    /// Dataset: a file, a folder of shards, or a pattern; repeatable
    #[arg(long, alias = "input_data", required = true, value_name = "PATH")]
    pub input_data: Vec<String>,
    /// How the dataset is stored
    #[arg(long, alias = "input_data_format", value_enum, value_name = "FORMAT", default_value_t)]
    pub input_data_format: DataFormatArg,
    /// Cast numbers of other types to the model's: any to FLOAT32, integers that fit to INT32 and INT64
    #[arg(long)]
    pub cast: bool,
    /// Shape of an input whose shape the model leaves open; repeatable
    #[arg(long, value_name = "NAME=D,D,..", value_parser = InputShape::parse)]
    pub input_shape: Vec<InputShape>,
    /// Estimate a recording that counts all elements in histograms of at most N bins [default: 2048]
    #[arg(
        long,
        value_name = "N",
        value_parser = value::bins,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2048"
    )]
    pub histogram: Option<BinLimit>,
    /// Look at headers only: types and shapes of all records, but not their values
    #[arg(long)]
    pub headers_only: bool,
    /// Run the model for so long to estimate how long a recording takes; 0 for no estimate
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub estimate_for: Duration,
    /// Threads of the estimated recording [default: all cores]
    #[arg(long, alias = "num_threads", value_name = "N")]
    pub num_threads: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t, help_heading = "Output")]
    pub progress: Progress,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DatasetRandomArgs {
    /// The model whose inputs are filled, circle or TFLite
    #[arg(long, alias = "input_model", value_name = "FILE")]
    pub input_model: PathBuf,
    /// Number of records
    #[arg(short = 'n', long, default_value_t = 3, value_name = "N")]
    pub records: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Uniform values of an input, or of all numeric ones without a name; repeatable [default: -5,5 for
    /// floats, 0,100 for integers]
    #[arg(
        long,
        value_name = "[NAME=]LOW,HIGH",
        value_parser = InputNumbers::parse,
        allow_hyphen_values = true
    )]
    pub uniform: Vec<InputNumbers>,
    /// Normal values of an input, or of all numeric ones without a name; repeatable
    #[arg(
        long,
        value_name = "[NAME=]MEAN,STD",
        value_parser = InputNumbers::parse,
        allow_hyphen_values = true
    )]
    pub normal: Vec<InputNumbers>,
    /// Instead of random values those of a text file, or of the .txt files in a folder: a line per input, values
    /// separated by commas
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with_all = ["records", "seed", "uniform", "normal"]
    )]
    pub values: Option<String>,
    #[command(flatten)]
    pub output: H5Args,
}

/// An HDF5 file to write.
#[derive(Args, Debug)]
pub(in crate::cli) struct H5Args {
    /// HDF5 file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub overwrite: bool,
    /// How records are arranged in the file
    #[arg(long, value_enum, default_value_t, value_name = "LAYOUT")]
    pub layout: LayoutArg,
    /// Shape of an input whose shape the model leaves open; repeatable
    #[arg(long, value_name = "NAME=D,D,..", value_parser = InputShape::parse)]
    pub input_shape: Vec<InputShape>,
}

/// How records are arranged in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LayoutArg {
    /// A group per record, as for ONE's tools
    #[default]
    Records,
    /// One dataset per input for all records: smaller, and faster to read
    Packed,
}

impl From<LayoutArg> for crate::dataset::H5Layout {
    fn from(arg: LayoutArg) -> Self {
        match arg {
            LayoutArg::Records => Self::Records,
            LayoutArg::Packed => Self::Packed,
        }
    }
}
