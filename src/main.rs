//! The `reef` binary: starts what the command line names, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    reef::cli::main()
}
