//! Tells the tests whether the real parts can be had.
//!
//! Sets `have_go` where Go is installed. With `CI=true` it is set regardless, so
//! that a missing Go fails the tests there instead of hiding them. `have_pip`
//! is the same for Python, with which an independent fake of AWS' STS comes.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(have_go)");
    println!("cargo::rustc-check-cfg=cfg(have_pip)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CI");
    println!("cargo::rerun-if-env-changed=PATH");
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    if ci || succeeds("go", &["version"]) {
        println!("cargo::rustc-cfg=have_go");
    }
    if ci || succeeds("python3", &["-c", "import ensurepip, venv"]) {
        println!("cargo::rustc-cfg=have_pip");
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(program).args(arguments).output();
    ran.is_ok_and(|output| output.status.success())
}
