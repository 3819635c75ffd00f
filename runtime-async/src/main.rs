//! The in-cluster controller.

fn main() -> std::process::ExitCode {
    buildscaler_runtime_async::main()
}
