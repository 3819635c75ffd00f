//! A whole recording: all its files, in the order in which they were written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Problem, ReadError};
use crate::folder;
use crate::format::Header;
use crate::part::{Ending, Moment, Part};

/// The files of a recording, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    files: Vec<PathBuf>,
}

impl Recording {
    /// Finds the files of the recording in a folder; a file is a recording of
    /// its own.
    ///
    /// # Errors
    /// If the folder cannot be read or has no recording in it.
    pub fn find(path: &Path) -> Result<Self, ReadError> {
        if !path.is_dir() {
            return Ok(Self {
                files: vec![path.to_owned()],
            });
        }
        let listed = folder::list(path).map_err(ReadError::unreadable(path))?;
        if listed.is_empty() {
            return Err(ReadError::Empty(path.to_owned()));
        }
        Ok(Self {
            files: listed.into_iter().map(|part| part.path).collect(),
        })
    }

    /// The files, oldest first.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Everything that was recorded, from the oldest file to the newest.
    pub fn moments(&self) -> Moments {
        Moments {
            files: self.files.clone().into_iter(),
            part: None,
            header: None,
            endings: Vec::new(),
        }
    }
}

/// Every moment of a recording with the header of the file it is from.
#[derive(Debug)]
pub struct Moments {
    files: std::vec::IntoIter<PathBuf>,
    part: Option<Part>,
    header: Option<Arc<Header>>,
    endings: Vec<(PathBuf, Ending)>,
}

impl Moments {
    /// How the files ended that have been read to their end.
    pub fn endings(&self) -> &[(PathBuf, Ending)] {
        &self.endings
    }

    /// The file that is being read.
    pub fn file(&self) -> Option<&Path> {
        self.part.as_ref().map(Part::path)
    }

    fn open(&mut self) -> Option<Result<(), ReadError>> {
        let path = self.files.next()?;
        Some(match Part::open(&path) {
            Ok(part) => {
                self.header = Some(Arc::new(part.header().clone()));
                self.part = Some(part);
                Ok(())
            }
            Err(ReadError::Line {
                path,
                problem: Problem::Unbegun,
                ..
            }) => {
                self.endings.push((path, Ending::WithinLine { line: 1 }));
                Ok(())
            }
            Err(error) => Err(error),
        })
    }
}

impl Iterator for Moments {
    type Item = Result<(Arc<Header>, Moment), ReadError>;

    /// The next moment. An error ends the reading of its file only: the next
    /// call goes on with the next file.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let (Some(part), Some(header)) = (&mut self.part, &self.header) {
                match part.next() {
                    Some(moment) => return Some(moment.map(|moment| (Arc::clone(header), moment))),
                    None => {
                        let ending = part.ending().unwrap_or(Ending::Whole);
                        self.endings.push((part.path().to_owned(), ending));
                        self.part = None;
                    }
                }
            }
            if let Err(error) = self.open()? {
                return Some(Err(error));
            }
        }
    }
}
