use std::path::PathBuf;

use clap::Args;

use super::EstimatorArgs;

#[derive(Args, Debug)]
pub(in crate::cli) struct ReportArgs {
    /// Recording (.rmm)
    pub recording: PathBuf,
    /// The model that was recorded: tensors come in the order of its operators, with types and shapes
    #[arg(long, alias = "input_model", value_name = "FILE")]
    pub input_model: Option<PathBuf>,
    /// Write a page for a browser, complete in itself [default, if no output is given: the recording with
    /// the ending .html]
    #[arg(short, long, value_name = "FILE", help_heading = "Outputs")]
    pub output: Option<PathBuf>,
    /// Write everything as JSON, with the downsampled observations; `-` for standard output
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub json: Option<PathBuf>,
    /// Write a table of the tensors, separated by commas; `-` for standard output
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub csv: Option<PathBuf>,
    /// Write a chart of all ranges; `-` for standard output
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub svg: Option<PathBuf>,
    /// By which mode convergence is judged, and settings of all modes
    #[command(flatten)]
    pub estimator: EstimatorArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct CompareArgs {
    /// A recording (.rmm), or a circle or TFLite model with ranges
    pub a: PathBuf,
    /// Another one
    pub b: PathBuf,
    /// Difference up to which ranges count as equal, as a part of the wider one's width
    #[arg(long, value_name = "PART", default_value_t = 0.0, allow_negative_numbers = true)]
    pub threshold: f64,
    /// List all tensors, not only those that differ
    #[arg(long)]
    pub all: bool,
    /// Write all tensors as JSON; `-` for standard output
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub json: Option<PathBuf>,
    /// Write a table of all tensors, separated by commas; `-` for standard output
    #[arg(long, value_name = "FILE", help_heading = "Outputs")]
    pub csv: Option<PathBuf>,
    /// How the ranges of recordings are estimated
    #[command(flatten)]
    pub estimator: EstimatorArgs,
}
