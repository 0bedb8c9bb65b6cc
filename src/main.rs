//! The binary; see `midstate --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
