//! Tells the tests whether the real parts can be had.
//!
//! Sets `have_go` where Go is installed. With `CI=true` it is set regardless, so
//! that a missing Go fails the tests there instead of hiding them.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(have_go)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CI");
    println!("cargo::rerun-if-env-changed=PATH");
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    if ci
        || Command::new("go")
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success())
    {
        println!("cargo::rustc-cfg=have_go");
    }
}
