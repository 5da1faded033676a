//! Arguments in, exit code out; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let handed = match overread::cli::environment::clean() {
        Ok(handed) => handed,
        Err(failure) => return overread::cli::fail(&failure),
    };
    overread::cli::run(std::env::args_os().collect(), handed)
}
