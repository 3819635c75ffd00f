//! Buildscaler from a command line, a CI job or a CronJob.

fn main() -> std::process::ExitCode {
    buildscaler_runtime_blocking::main()
}
