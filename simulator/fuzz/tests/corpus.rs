//! Every file of the corpus is read again. Each was written to be hostile, or
//! found by the fuzzer to go a way that no other goes.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use buildscaler_fuzz::{ALL, Target};
use libtest_mimic::{Arguments, Failed, Trial};

/// How long the reading of one file may take, without optimisation and on a
/// busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn main() {
    let trials = ALL
        .iter()
        .map(|target| Trial::test(target.name, || replay(target)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Seen to fail in the target `saved`, for the number that overflowed
/// (`docs/fuzzing.md`).
fn replay(target: &Target) -> Result<(), Failed> {
    let files = files(target.name);
    if files.is_empty() {
        return Err(format!("{} has no corpus", target.name).into());
    }
    // Deep input must not need more stack than a thread has.
    for path in files {
        let bytes = fs::read(&path).expect("a file of the corpus can be read");
        let begun = Instant::now();
        if std::panic::catch_unwind(|| (target.read)(&bytes)).is_err() {
            return Err(format!("{} breaks {}", path.display(), target.name).into());
        }
        let took = begun.elapsed();
        if took > LONGEST {
            return Err(format!("{} takes {took:?}", path.display()).into());
        }
    }
    Ok(())
}

fn files(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let Ok(listed) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
