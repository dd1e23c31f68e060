use std::fmt::Write;
use std::path::Path;

use crate::error::Result;
use crate::observation::Observation;
use crate::recording::{Reader, TensorEntry};

use super::super::super::printer::Printer;

/// Prints every observation, record by record, for scripts: a block of the recording at a time.
pub(super) fn print(path: &Path, printer: &Printer) -> Result<()> {
    let reader = Reader::open(path)?;
    printer.data("shard\trecord\tsubgraph\ttensor\tmin\tmax\n")?;
    for block in reader.blocks() {
        let block = block?;
        let mut text = String::new();
        block.for_each_observed(&mut |record, observations| {
            let mut line = |tensor: &TensorEntry, Observation { min, max }: Observation| {
                let (shard, TensorEntry { subgraph, index, .. }) = (block.shard(), tensor);
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{shard}\t{record}\t{subgraph}\t{index}\t{min:?}\t{max:?}");
            };
            let mut repeated = observations.repeated.iter().peekable();
            let tensors = reader.header().tensors.iter().zip(&observations.single);
            for (position, (tensor, &single)) in (0_u32..).zip(tensors) {
                match repeated.next_if(|(at, _)| *at == position) {
                    Some((_, all)) => all.iter().for_each(|&observation| line(tensor, observation)),
                    None => line(tensor, single),
                }
            }
            Ok(())
        })?;
        printer.data(&text)?;
    }
    Ok(())
}
