//! How long the operators took, as a table or as JSON.

use std::cmp::Reverse;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::config::ProfileOutput;
use super::outputs;
use super::printer::Printer;
use super::text;
use crate::error::Result;
use crate::interpreter::{OperatorTime, Plan, Profile};

/// Rows of the table; the others are counted.
const ROWS: usize = 25;

/// Writes JSON, or says the table.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io) if the file cannot be written.
pub(super) fn show(
    profile: &Profile,
    plan: &Plan,
    output: &ProfileOutput,
    printer: &Printer,
) -> Result<()> {
    let operators = profile.operators(plan);
    match output {
        ProfileOutput::File(file) => {
            outputs::write(file, &json(profile, plan, &operators)?, printer)
        }
        ProfileOutput::Table => {
            printer.answer(table(profile, operators).trim_end());
            Ok(())
        }
    }
}

/// The slowest operators.
fn table(profile: &Profile, mut operators: Vec<OperatorTime>) -> String {
    let (records, total) = (profile.records(), profile.total().as_secs_f64());
    if records == 0 {
        return "profile: no record was run".to_owned();
    }
    let mut text = format!(
        "profile: {} in {} of computing, all workers together\n",
        text::count(records, "record"),
        text::duration(profile.total())
    );
    text += "   ms/record  share  GFLOP/s  operators\n";
    let mut row = |time: Duration, flops: Option<f64>, name: &str| {
        let seconds = time.as_secs_f64();
        let flops = flops.map_or("-".to_owned(), |it| format!("{it:.1}"));
        let (each, share) = (1e3 * seconds / records as f64, 100.0 * seconds / total.max(1e-9));
        // Cannot fail.
        let _ = writeln!(text, "{each:12.4} {share:5.1}% {flops:>8}  {name}");
    };
    let within: Duration = operators.iter().map(|it| it.time).sum();
    operators.sort_by_key(|it| Reverse(it.time));
    let (shown, rest) = operators.split_at(operators.len().min(ROWS));
    for it in shown {
        row(it.time, gflops(it), &it.name);
    }
    if !rest.is_empty() {
        row(rest.iter().map(|it| it.time).sum(), None, &format!("{} others", rest.len()));
    }
    row(profile.total().saturating_sub(within), None, "between operators");
    text
}

/// Billions of floating-point operations per second, two for each multiply-add.
fn gflops(operator: &OperatorTime) -> Option<f64> {
    let seconds = operator.time.as_secs_f64();
    let has_products = operator.work.multiply_adds > 0 && seconds > 0.0;
    has_products.then(|| 2e-9 * operator.work.multiply_adds as f64 / seconds)
}

/// What is written as JSON; times are sums over all records and workers, in seconds.
#[derive(Serialize)]
struct Listing<'a> {
    records: u64,
    isa: String,
    seconds: f64,
    operators: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    runs: u64,
    seconds: f64,
    multiply_adds: u64,
    activation_bytes: usize,
}

fn json(profile: &Profile, plan: &Plan, operators: &[OperatorTime]) -> Result<String> {
    let rows = operators.iter().map(|it| Row {
        name: &it.name,
        runs: it.runs,
        seconds: it.time.as_secs_f64(),
        multiply_adds: it.work.multiply_adds,
        activation_bytes: it.work.activations,
    });
    let listing = Listing {
        records: profile.records(),
        isa: plan.isa().to_string(),
        seconds: profile.total().as_secs_f64(),
        operators: rows.collect(),
    };
    text::json(&listing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::Work;

    #[test]
    fn the_table_has_the_slowest_operators_and_counts_the_others() {
        let mut profile = Profile::new(0);
        assert_eq!(table(&profile, Vec::new()), "profile: no record was run");
        let operators = (0..30_u64).map(|i| OperatorTime {
            name: format!("operator {i} ADD"),
            time: Duration::from_millis(i),
            runs: 2,
            work: Work { multiply_adds: i * 1_000_000, ..Work::default() },
        });
        profile.add_run(2, Duration::from_millis(500));
        let text = table(&profile, operators.collect());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 + ROWS + 2);
        assert_eq!(lines[2], "     14.5000   5.8%      2.0  operator 29 ADD");
        assert_eq!(lines[2 + ROWS], "      5.0000   2.0%        -  5 others");
        assert_eq!(lines[3 + ROWS], "     32.5000  13.0%        -  between operators");
    }
}
