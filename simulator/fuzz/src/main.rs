//! One target under libFuzzer: `BUILDSCALER_FUZZ` names it.
#![no_main]

use std::sync::LazyLock;

use buildscaler_fuzz::{ALL, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("BUILDSCALER_FUZZ").unwrap_or_default();
    ALL.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
        eprintln!("BUILDSCALER_FUZZ must be one of {names:?}");
        std::process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.read)(bytes));
