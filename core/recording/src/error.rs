//! What can be wrong with a recording, in words that say where and what to do.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::delta::Unfit;
use crate::format::VERSION;
use crate::part::LONGEST_LINE;

/// Why a recording cannot be read any further.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file or folder cannot be read.
    #[error("{}: {error}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// There is nothing in the folder.
    #[error("{}: there is no recording here; name the folder that was given to --record, or one of its files", .0.display())]
    Empty(PathBuf),
    /// A line is not what it should be.
    #[error("{}, line {line}: {problem}", .path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// On which line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The file is none of ours.
    #[error("this is no recording: its first line does not say so; name a file that --record has written")]
    NoRecording,
    /// The file ends before its first line does.
    #[error(
        "the file ends within its first line: its program ended as it began to write; there is nothing to read in it"
    )]
    Unbegun,
    /// The file is of another version of the format.
    #[error(
        "this recording has version {0} of the format, and this program reads version {VERSION}; use the version of Buildscaler that wrote it"
    )]
    OtherVersion(u32),
    /// The JSON is not what was expected.
    #[error(
        "this line cannot be understood: {0}; the file was changed or damaged: read another file, or delete this line and all after it"
    )]
    Malformed(String),
    /// A list refers to what is not there.
    #[error("this line does not fit those before it: {0}; a line above it was removed or changed: read another file")]
    Unfit(String),
    /// A step was expected.
    #[error(
        "a step was expected here, the answer to the input above; a line was removed: read another file, or delete this line and all after it"
    )]
    NoStep,
    /// A line is longer than any that is written.
    #[error("this line is longer than {LONGEST_LINE} bytes, which no recording has; the file was changed or damaged")]
    TooLong,
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit.to_string())
    }
}

impl ReadError {
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Unreadable {
            path: path.to_owned(),
            error,
        }
    }
}
