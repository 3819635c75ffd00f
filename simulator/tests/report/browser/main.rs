//! The pages as a browser shows them.
//!
//! Needs Chromium and its driver; where they are missing the checks are
//! ignored, and say so, unless `CI=true`: then they fail. The pictures that
//! are taken lie in the folder `report` of Cargo's folder for tests' files.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a look that panics is a test that fails"
)]

mod checks;
#[path = "../comparisons.rs"]
mod comparisons;
mod driver;
mod looks;
#[path = "../sample.rs"]
mod sample;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    // One browser at a time is enough for a small machine.
    arguments.test_threads.get_or_insert(1);
    let missing = driver::missing();
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    let trials = looks::ALL
        .iter()
        .map(|(name, look)| match missing {
            Some(reason) if required => Trial::test(*name, move || Err(Failed::from(reason))),
            Some(reason) => Trial::test(format!("{name} ({reason})"), || Ok(())).with_ignored_flag(true),
            None => Trial::test(*name, move || {
                look(&driver::Browser::start());
                Ok(())
            }),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
