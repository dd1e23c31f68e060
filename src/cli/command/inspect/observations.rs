use std::fmt::Write;
use std::path::Path;

use crate::error::Result;
use crate::observation::Observation;
use crate::recording::{Reader, TensorEntry};

use super::super::super::printer::Printer;
use super::selection::selected;

/// Prints every observation of tensors of these names, or of all, record by record, for scripts: a block of the
/// recording at a time.
pub(super) fn print(path: &Path, names: &[String], printer: &Printer) -> Result<()> {
    let reader = Reader::open(path)?;
    let selected = selected(names, &reader.header().tensors)?;
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
            for ((position, (tensor, &single)), &is_selected) in
                (0_u32..).zip(tensors).zip(&selected)
            {
                let repeated = repeated.next_if(|(at, _)| *at == position);
                match repeated {
                    _ if !is_selected => {}
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
