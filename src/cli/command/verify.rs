use super::super::ExitStatus;
use super::super::args::VerifyArgs;
use super::super::printer::Printer;
pub(in crate::cli) fn run(
    args: &VerifyArgs,
    printer: &Printer,
) -> crate::error::Result<ExitStatus> {
    let _ = (args, printer);
    Ok(ExitStatus::Success)
}
