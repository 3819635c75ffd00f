//! The file that carries a controller's memory from one run to the next.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use buildscaler_args::ControllerArgs;
use buildscaler_core::{Controller, Saved, Timestamp, Unusable};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

/// More than the memory of a hundred thousand pods.
const LARGEST: u64 = 64 << 20;

/// The file, and whose memory it holds.
#[derive(Debug)]
pub(crate) struct StateFile<'a> {
    path: &'a Path,
    world: World,
}

/// What a memory is of: that of another world would only be in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct World {
    organization: String,
    buildkite: String,
    namespace: Option<String>,
}

/// What is written.
#[derive(Debug, Serialize, Deserialize)]
struct Contents<M> {
    world: World,
    memory: M,
}

/// Why memory is not recalled. Each says what it means.
#[derive(Debug, Error)]
pub(crate) enum Forgotten {
    #[error("there is no state in {} yet; what takes more than one look begins to count now", path.display())]
    Missing { path: PathBuf },
    #[error("the state in {} is not used: {problem}; what takes more than one look begins to count anew", path.display())]
    Unreadable { path: PathBuf, problem: String },
    #[error("the state in {} is not used: {why}; what takes more than one look begins to count anew", path.display())]
    Unusable { path: PathBuf, why: Unusable },
}

/// The memory was not written.
#[derive(Debug, Error)]
#[error("all is done, but the state cannot be written to {}: {problem}", path.display())]
pub(crate) struct StateError {
    path: PathBuf,
    problem: io::Error,
}

impl<'a> StateFile<'a> {
    /// The file at this path, for the world that these options name.
    pub(crate) fn new(path: &'a Path, args: &ControllerArgs) -> Self {
        Self {
            path,
            world: World {
                organization: args.buildkite_org.clone(),
                buildkite: args.buildkite_api_url.clone(),
                namespace: args.namespace().map(str::to_owned),
            },
        }
    }

    /// Has the controller recall what the file holds. Where it cannot, the
    /// controller is as before, which is always safe (Invariant 20).
    pub(crate) fn recall(&self, controller: &mut Controller, now: Timestamp) -> Result<(), Forgotten> {
        let unreadable = |problem: String| Forgotten::Unreadable {
            path: self.path.to_owned(),
            problem,
        };
        let text = match read(self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Forgotten::Missing {
                    path: self.path.to_owned(),
                });
            }
            Err(error) => return Err(unreadable(error.to_string())),
        };
        // What another version holds may be no memory to this one.
        let contents: Contents<Versioned> = serde_json::from_slice(&text)
            .map_err(|error| unreadable(format!("it is no state of buildscalerctl ({})", place(&error))))?;
        if contents.world != self.world {
            return Err(unreadable(
                "it is of another organization, Buildkite or namespace".into(),
            ));
        }
        let unusable = |why| Forgotten::Unusable {
            path: self.path.to_owned(),
            why,
        };
        Saved::check_version(contents.memory.version).map_err(unusable)?;
        let contents: Contents<Saved> =
            serde_json::from_slice(&text).map_err(|error| unreadable(format!("it is damaged ({})", place(&error))))?;
        controller.recall(contents.memory, now).map_err(unusable)
    }

    /// Writes what the controller remembers, whole or not at all, readable by
    /// nobody else.
    pub(crate) fn write(&self, controller: &Controller) -> Result<(), StateError> {
        let contents = Contents {
            world: self.world.clone(),
            memory: controller.save(),
        };
        replace(self.path, &contents).map_err(|problem| StateError {
            path: self.path.to_owned(),
            problem,
        })
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    fs::read(path)
}

/// The new file takes the old one's place in one step: whoever dies meanwhile
/// leaves the old one.
fn replace(path: &Path, contents: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // These are made with mode 0600.
    let mut file = NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    serde_json::to_writer(io::BufWriter::new(&mut file), contents)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
