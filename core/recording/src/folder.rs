//! The folder of a recording: which files are parts of it, and in what order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "recording-";
const SUFFIX: &str = ".jsonl";

/// The name of a run: the time of its first step and the process, so that
/// names sort as times do.
pub(crate) fn run_name(begun_at: i64, process: u32) -> String {
    format!("{PREFIX}{:014}-{process}", begun_at.max(0))
}

/// The name of a part of a run.
pub(crate) fn part_name(run: &str, part: u32) -> String {
    format!("{run}-{part:06}{SUFFIX}")
}

/// A file of a recording.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// All parts in the folder, oldest first. Whatever else lies there is let be.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_ours {
            match entry.metadata() {
                Ok(data) if data.is_file() => parts.push(Listed {
                    path: entry.path(),
                    bytes: data.len(),
                }),
                // Gone between the two calls, or none of ours.
                Ok(_) | Err(_) => {}
            }
        }
    }
    parts.sort();
    Ok(parts)
}
