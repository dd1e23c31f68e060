use super::statistics::{Extreme, Flag, TensorReport};
use super::{PERCENTILES, Report};
use crate::error::{Error, Result};

/// A table with a line for each tensor. Numbers are written so that reading them gives the same bits.
pub(super) fn write(report: &Report) -> Result<String> {
    let rows = report.tensors.iter().map(|tensor| cells(report, tensor));
    table(titles(report).into_iter(), rows)
}

/// A table with titles.
pub(super) fn table(
    titles: impl Iterator<Item = String>,
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::internal("a table is not CSV").with_source(error);
    table.write_record(titles).map_err(failed)?;
    for row in rows {
        table.write_record(row).map_err(failed)?;
    }
    let bytes = table.into_inner().map_err(|error| Error::internal(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Error::internal(error.to_string()))
}

fn titles(report: &Report) -> Vec<String> {
    let mut titles: Vec<String> = [
        "subgraph",
        "tensor",
        "name",
        "operator",
        "dtype",
        "shape",
        "observations",
        "records",
        "infinite",
    ]
    .map(str::to_owned)
    .to_vec();
    for mode in &report.modes {
        titles.extend(["min", "max", "moved"].map(|it| format!("{}_{it}", mode.name)));
    }
    for side in ["min", "max"] {
        titles.extend(PERCENTILES.map(|p| format!("{side}_p{p}")));
    }
    for side in ["lowest", "highest"] {
        titles.extend(["shard", "record"].map(|it| format!("{side}_{it}")));
    }
    titles.extend(["outlier_score", "outlier_limit", "stretch", "flags"].map(str::to_owned));
    titles
}

fn cells(report: &Report, tensor: &TensorReport) -> Vec<String> {
    let mut cells = vec![
        tensor.subgraph.to_string(),
        tensor.index.to_string(),
        tensor.name.clone(),
        tensor.operator.clone().unwrap_or_default(),
        tensor.dtype.clone().unwrap_or_default(),
        tensor.shape_text().unwrap_or_default(),
        tensor.observations.to_string(),
        tensor.records.to_string(),
        tensor.infinite.to_string(),
    ];
    for range in &tensor.ranges {
        let range = range.as_ref();
        cells.push(range.map(|it| it.min.to_string()).unwrap_or_default());
        cells.push(range.map(|it| it.max.to_string()).unwrap_or_default());
        cells.push(estimate(range.and_then(|it| it.moved)));
    }
    for side in [&tensor.minima, &tensor.maxima] {
        let cell = |i: usize| side.get(i).map(f32::to_string).unwrap_or_default();
        cells.extend((0..PERCENTILES.len()).map(cell));
    }
    for side in [&tensor.lowest, &tensor.highest] {
        cells.extend(place(report, side.first()));
    }
    let numbers = [tensor.outlier_score, tensor.outlier_limit, tensor.stretch];
    cells.extend(numbers.map(estimate));
    cells.push(tensor.flags.iter().map(|it: &Flag| it.name()).collect::<Vec<_>>().join(" "));
    cells
}

/// Single precision is enough.
fn estimate(value: Option<f64>) -> String {
    value.map(|it| (it as f32).to_string()).unwrap_or_default()
}

fn place(report: &Report, extreme: Option<&Extreme>) -> [String; 2] {
    let Some(extreme) = extreme else { return [String::new(), String::new()] };
    let shard = report.shards.get(extreme.shard).map_or("?", |it| it.name.as_str());
    [shard.to_owned(), extreme.record.to_string()]
}
