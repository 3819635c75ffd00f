//! The status page of the real binary, as a browser shows it.
//!
//! Needs Chromium and its driver; where they are missing the checks are
//! ignored, and say so, unless `CI=true`: then they fail. The pictures that
//! are taken lie in the folder `status` of Cargo's folder for tests' files.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a look that panics is a test that fails"
)]

#[allow(dead_code, reason = "pages of runs are looked at by all of it")]
#[path = "../../../simulator/tests/report/browser/checks.rs"]
mod checks;
#[path = "../../../simulator/tests/report/browser/driver.rs"]
mod driver;
mod looks;
#[allow(dead_code, reason = "the loopback cases use all of it")]
#[path = "../loopback/world.rs"]
mod world;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

fn main() {
    let mut arguments = Arguments::from_args();
    // One browser at a time is enough for a small machine.
    arguments.test_threads.get_or_insert(1);
    let missing = driver::missing();
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    let trials = looks::ALL
        .iter()
        .map(|(name, controller, look)| match missing {
            Some(reason) if required => Trial::test(*name, move || Err(Failed::from(reason))),
            Some(reason) => Trial::test(format!("{name} ({reason})"), || Ok(())).with_ignored_flag(true),
            None => Trial::test(*name, move || {
                // The fakes go on while the browser is waited for.
                let runtime = Runtime::new().unwrap();
                let world = runtime.block_on(controller.prepare());
                look(&driver::Browser::start(), &world, &runtime);
                Ok(())
            }),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
