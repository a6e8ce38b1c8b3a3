//! The load generator.

use std::process::ExitCode;

fn main() -> ExitCode {
    ochre_benchmark::main()
}
