//! The command line client.

use std::process::ExitCode;

fn main() -> ExitCode {
    ochre_cli::main()
}
