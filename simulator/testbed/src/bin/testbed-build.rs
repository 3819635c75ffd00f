//! Builds every real part ahead of the tests and says where it lies.

use std::error::Error;
use std::time::Instant;

use buildscaler_testbed::binaries::{Binary, Progress};

#[expect(clippy::print_stderr, reason = "a build of minutes must show that it is alive")]
fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    for binary in Binary::ALL.into_iter().chain([Binary::Helm]) {
        let path = binary.ensure(&mut |progress| match progress {
            Progress::Present(_) => {}
            Progress::Building(it) => eprintln!("{}: building", it.file_name()),
            Progress::Built(it) => {
                eprintln!("{}: built after {} s", it.file_name(), start.elapsed().as_secs());
            }
        })?;
        eprintln!("{}: {}", binary.file_name(), path.display());
    }
    Ok(())
}
