//! One file of a recording, read moment by moment.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use buildscaler_core::{Input, Step, Timestamp};

use crate::decode::{self, Decoder};
use crate::error::{Problem, ReadError};
use crate::format::Header;

/// The longest line that is read: a first view of a hundred thousand pods has
/// half as much.
pub(crate) const LONGEST_LINE: u64 = 128 * 1024 * 1024;

/// What the controller was told at one time, and what it made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The line of the input.
    pub line: usize,
    /// The time that the controller was given.
    pub at: Timestamp,
    /// What it was told, put together again; secrets are left out.
    pub input: Input,
    /// What it decided. None at the very end of a file whose program ended, or
    /// panicked, in the midst of this step.
    pub step: Option<Step>,
    /// The JSON of the step, as it is written.
    pub(crate) written: String,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a whole step.
    Whole,
    /// With an input whose step was never written: the program ended in its midst.
    WithinStep,
    /// With a piece of a line, which is left out: the program ended, or the
    /// disk was full, while it was written.
    WithinLine {
        /// Which line, from 1.
        line: usize,
    },
}

/// One file of a recording: its header, and its moments in order.
///
/// It is read as it goes: a large file takes no more memory than its largest
/// view.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    header: Header,
    lines: Lines,
    decoder: Decoder,
    ending: Option<Ending>,
}

impl Part {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// If the file cannot be read, or is no recording of this version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(ReadError::unreadable(path))?;
        let mut lines = Lines {
            reader: BufReader::new(file),
            number: 0,
        };
        let first = lines.next(path)?;
        let header = match first {
            Found::Line(line) => decode::header(&line),
            Found::Piece | Found::End => Err(Problem::Unbegun),
        };
        let header = header.map_err(|problem| lines.problem(path, problem))?;
        Ok(Self {
            path: path.to_owned(),
            header,
            lines,
            decoder: Decoder::default(),
            ending: None,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How the file ends; none until it has been read to its end.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    fn moment(&mut self) -> Result<Option<Moment>, ReadError> {
        let line = match self.lines.next(&self.path)? {
            Found::Line(line) => line,
            Found::Piece => {
                return Ok(self.end(Ending::WithinLine {
                    line: self.lines.number,
                }));
            }
            Found::End => return Ok(self.end(Ending::Whole)),
        };
        let number = self.lines.number;
        let (at, input) = self
            .decoder
            .input(&line)
            .map_err(|problem| self.lines.problem(&self.path, problem))?;
        let (step, written) = match self.lines.next(&self.path)? {
            Found::Line(line) => {
                let (step, written) = decode::step(&line).map_err(|problem| self.lines.problem(&self.path, problem))?;
                (Some(step), written)
            }
            Found::Piece => {
                self.end(Ending::WithinLine {
                    line: self.lines.number,
                });
                (None, String::new())
            }
            Found::End => {
                self.end(Ending::WithinStep);
                (None, String::new())
            }
        };
        Ok(Some(Moment {
            line: number,
            at,
            input,
            step,
            written,
        }))
    }

    fn end(&mut self, ending: Ending) -> Option<Moment> {
        self.ending = Some(ending);
        None
    }
}

impl Iterator for Part {
    type Item = Result<Moment, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ending.is_some() {
            return None;
        }
        let moment = self.moment();
        if moment.is_err() {
            // What follows a line that is wrong cannot be relied on.
            self.ending = Some(Ending::WithinLine {
                line: self.lines.number,
            });
        }
        moment.transpose()
    }
}

/// What there is where a line should be.
enum Found {
    Line(Vec<u8>),
    /// The file ends before the line does.
    Piece,
    End,
}

#[derive(Debug)]
struct Lines {
    reader: BufReader<File>,
    number: usize,
}

impl Lines {
    fn next(&mut self, path: &Path) -> Result<Found, ReadError> {
        let mut line = Vec::new();
        let read = bounded_line(&mut self.reader, &mut line).map_err(ReadError::unreadable(path))?;
        if read == 0 {
            return Ok(Found::End);
        }
        self.number += 1;
        if line.ends_with(b"\n") {
            Ok(Found::Line(line))
        } else if read > LONGEST_LINE {
            Err(self.problem(path, Problem::TooLong))
        } else {
            Ok(Found::Piece)
        }
    }

    /// An error about the line that was read last.
    fn problem(&self, path: &Path, problem: Problem) -> ReadError {
        ReadError::Line {
            path: path.to_owned(),
            line: self.number.max(1),
            problem,
        }
    }
}

fn bounded_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    let read = reader.take(LONGEST_LINE + 1).read_until(b'\n', line)?;
    Ok(u64::try_from(read).unwrap_or(u64::MAX))
}
