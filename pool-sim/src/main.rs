//! The binary; see `pool-sim --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
