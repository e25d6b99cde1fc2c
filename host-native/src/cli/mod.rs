//! The command line.

mod exit;
mod output;
mod progress;

pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
