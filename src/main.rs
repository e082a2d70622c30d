//! The `kenpin` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    kenpin::cli::main()
}
