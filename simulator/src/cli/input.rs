//! Files that users name, to be read and written.

use std::io::Read;
use std::path::Path;

use buildscaler_simulator::scenario::Scenario;

use super::BadInput;
use super::say::say;

/// The largest file that is read.
const LARGEST: u64 = 256 << 20;

/// Reads a text file, `-` for standard input.
pub(super) fn read_text(path: &Path) -> Result<String, BadInput> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|error| BadInput(vec![format!("{}: is no text: {error}", path.display())]))
}

/// Reads a file, `-` for standard input.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, BadInput> {
    let bad = |error: std::io::Error| BadInput(vec![format!("{}: cannot be read: {error}", path.display())]);
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(bad)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)
    };
    let length = read.map_err(bad)?;
    if length as u64 > LARGEST {
        let message = format!("{}: is larger than {} MiB", path.display(), LARGEST >> 20);
        return Err(BadInput(vec![message]));
    }
    Ok(bytes)
}

/// Writes a file that the user asked for.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), BadInput> {
    std::fs::write(path, text)
        .map_err(|error| BadInput(vec![format!("{}: cannot be written: {error}", path.display())]))
}

/// Reads a scenario, with every problem of it named.
pub(super) fn read_scenario(path: &Path) -> Result<Scenario, BadInput> {
    let text = read_text(path)?;
    Scenario::read(&path.display().to_string(), &text)
        .map_err(|problems| BadInput(problems.iter().map(ToString::to_string).collect()))
}

/// Writes a scenario to a file, or to standard output if none is named.
pub(super) fn write_scenario(scenario: &Scenario, output: Option<&Path>) -> Result<(), BadInput> {
    let text = scenario.write();
    match output {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| BadInput(vec![format!("{}: cannot be written: {error}", path.display())])),
        None => {
            say(text.trim_end());
            Ok(())
        }
    }
}
