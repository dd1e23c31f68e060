//! The `record-minmax` program: see the library's `cli` module.

fn main() -> std::process::ExitCode {
    record_minmax::cli::main()
}
