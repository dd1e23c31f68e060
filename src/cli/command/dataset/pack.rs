use std::path::Path;

use indicatif::HumanBytes;

use crate::dataset::{
    self, BadRecords, H5Writer, ImageFolder, InputSpec, OpenOptions, Record, RecordSource,
};
use crate::error::{Error, ErrorKind, Result};

use super::super::super::ExitStatus;
use super::super::super::args::{DataFormatArg, DatasetPackArgs, OnBadRecord};
use super::super::super::config::{is_same_file, threads};
use super::super::super::printer::Printer;
use super::super::super::progress::Progress;
use super::super::super::signals::SignalWatch;
use super::super::super::text;
use super::{check_output, h5_options, inputs_of};

/// Writes a dataset, or images, to an HDF5 file.
pub(in crate::cli) fn run(args: &DatasetPackArgs, printer: &Printer) -> Result<ExitStatus> {
    let output = &args.output.output;
    check_output(&args.output)?;
    if let Some(data) = args.input_data.iter().find(|data| is_same_file(Path::new(data), output)) {
        return Err(Error::usage(format!("the output would overwrite {data}"))
            .with_hint("choose another --output"));
    }
    let signals = SignalWatch::start(printer)?;
    let inputs = inputs_of(&args.input_model, &args.output.input_shape)?;
    let data = Data::open(args, &inputs)?;
    let total = data.len();
    let exact = (args.on_bad_record == OnBadRecord::Stop).then_some(total);
    let mut packing = Packing {
        writer: H5Writer::create(output, &inputs, h5_options(&args.output, exact))?,
        progress: Progress::of_dataset(args.progress, total, printer),
        skips: args.on_bad_record == OnBadRecord::Skip,
    };
    let packed = packing.pack(data, &inputs, &|| signals.cancel().is_requested());
    let (elapsed, left_out) = packing.progress.finish();
    packed?;
    if let Some(stopped) = signals.stopped(&text::not_written(output), printer) {
        return Ok(stopped);
    }
    let written = packing.writer.written();
    if written == 0 {
        return Err(Error::dataset("no record can be used, so there is nothing to write"));
    }
    packing.writer.finish()?;
    text::left_out(total - written, &left_out, printer);
    let bytes = output.metadata().map_or(0, |it| it.len());
    printer.say(format_args!(
        "{}: {}, {} in {}",
        output.display(),
        text::count(written, "record"),
        HumanBytes(bytes),
        text::duration(elapsed)
    ));
    Ok(ExitStatus::Success)
}

/// Where records come from.
enum Data {
    Dataset(Box<dyn RecordSource>),
    /// With the number of threads.
    Images(ImageFolder, usize),
}

impl Data {
    fn open(args: &DatasetPackArgs, inputs: &[InputSpec]) -> Result<Self> {
        let threads = threads(args.num_threads)?;
        let is_images = match args.input_data_format {
            DataFormatArg::Images => true,
            DataFormatArg::Auto => ImageFolder::is_meant(&args.input_data),
            _ => false,
        };
        if is_images {
            if args.cast {
                return Err(Error::usage("--cast is for datasets, not for images"));
            }
            let preparation = args.images.preparation();
            let images = ImageFolder::open(&args.input_data, inputs, &preparation)?;
            return Ok(Self::Images(images, threads));
        }
        if args.images.is_given() {
            return Err(Error::usage("options about images are given, but the data is a dataset")
                .with_hint("for images, give --input-data-format images"));
        }
        let bad_records = match args.on_bad_record {
            OnBadRecord::Stop => BadRecords::Refuse,
            OnBadRecord::Skip => BadRecords::Leave,
        };
        let format = args.input_data_format.dataset()?;
        let options = OpenOptions { format, bad_records, cast: args.cast };
        Ok(Self::Dataset(dataset::open_with(&args.input_data, inputs, options)?))
    }

    /// Number of records.
    fn len(&self) -> u64 {
        match self {
            Self::Dataset(source) => source.records(),
            Self::Images(images, _) => images.len(),
        }
    }
}

/// A file that is being filled.
struct Packing {
    writer: H5Writer,
    progress: Progress,
    /// Whether unusable records are left out.
    skips: bool,
}

impl Packing {
    /// Writes records until all are done, or it is to stop.
    fn pack(&mut self, data: Data, inputs: &[InputSpec], stop: &dyn Fn() -> bool) -> Result<()> {
        match data {
            Data::Dataset(source) => self.pack_dataset(source, inputs, stop),
            Data::Images(images, threads) => images.for_each(threads, &mut |number, record| {
                self.take(record, "images", number)?;
                Ok(!stop())
            }),
        }
    }

    fn pack_dataset(
        &mut self,
        mut source: Box<dyn RecordSource>,
        inputs: &[InputSpec],
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let shards = source.shards().to_vec();
        let mut record = Record::for_inputs(inputs)?;
        for (shard, info) in shards.iter().enumerate() {
            self.progress.shard(&info.name, shard, shards.len());
            for number in 0..info.identity.records {
                if stop() {
                    return Ok(());
                }
                let read = source.read(shard, number, &mut record);
                self.take(read.map(|()| &record), &info.name, number)?;
            }
        }
        Ok(())
    }

    /// Writes a record, or leaves it out.
    fn take(&mut self, record: Result<&Record>, shard: &str, number: u64) -> Result<()> {
        match record {
            Ok(record) => {
                self.writer.write(record)?;
                self.progress.recorded();
                Ok(())
            }
            Err(error) if self.skips && error.kind() == ErrorKind::Record => {
                self.progress.skipped(shard, number, &error);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Record => {
                Err(error.with_hint("`--on-bad-record skip` leaves such records out"))
            }
            Err(error) => Err(error),
        }
    }
}
