//! Writes a recording to a folder, within its bound, and never gets in the way.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use buildscaler_core::{Config, Controller, Input, Step, Timestamp};

use crate::encode::{self, Encoder};
use crate::folder::{self, Listed};
use crate::format::{FORMAT, Header, Program, Start, VERSION};
use crate::shadow::Shadow;

/// A file takes no more than this part of the whole, so that little is lost
/// when the oldest one goes.
const SHARE: u64 = 8;
/// The size at which a file is followed by the next, whatever the bound.
const LARGEST_PART: u64 = 32 * 1024 * 1024;
/// A file has at least so many times the bytes of its header: that of a large
/// fleet is long.
const HEADERS: u64 = 4;
/// How long to wait after a write that failed.
const PAUSE: Duration = Duration::from_secs(60);

/// Where and how to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder; it is made if it is not there.
    pub folder: PathBuf,
    /// The most bytes that all files in it may have together.
    pub most_bytes: u64,
    /// What records.
    pub program: Program,
}

/// What an operator should know of the recording.
#[derive(Debug)]
pub enum Notice {
    /// Nothing is recorded for now.
    Interrupted {
        /// Where it was to be recorded.
        folder: PathBuf,
        /// Why it cannot be.
        error: io::Error,
    },
    /// What was interrupted goes on.
    Resumed {
        /// In which file.
        file: PathBuf,
        /// How many steps are missing.
        missing: u64,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted { folder, error } => write!(
                f,
                "nothing is recorded in {} for now: {error}; scaling goes on, and recording is tried again every {} s",
                folder.display(),
                PAUSE.as_secs()
            ),
            Self::Resumed { file, missing } => {
                write!(
                    f,
                    "recording goes on in {}; {missing} steps are missing",
                    file.display()
                )
            }
        }
    }
}

/// Writes what a controller is told and what it decides.
///
/// Call [`input`](Self::input) before each step and [`step`](Self::step) after
/// it, before its commands are carried out. Each line is handed to the
/// operating system at once: a process that is killed loses none.
///
/// A folder that cannot be written to is no error but a [`Notice`], which is
/// given once: the controller has more important things to do.
#[derive(Debug)]
pub struct Recorder {
    settings: Settings,
    config: Config,
    encoder: Encoder,
    shadow: Shadow,
    /// Whether the controller begins with a memory.
    recalls: bool,
    run: Option<String>,
    parts: u32,
    state: State,
    /// Whether an operator has been told that nothing is recorded.
    complained: bool,
    missing: u64,
}

#[derive(Debug)]
enum State {
    /// No file is open. The next one begins with the next input, not before
    /// this time.
    Closed(Option<Timestamp>, Start),
    Open(Open),
}

/// The file that is written to.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
    /// The bytes of its header.
    header: u64,
}

impl Recorder {
    /// A recorder for a controller that is new and has these settings. Nothing
    /// is written before its first input.
    pub fn new(settings: Settings, config: Config) -> Self {
        Self {
            settings,
            shadow: Shadow::new(config.clone()),
            recalls: false,
            config,
            encoder: Encoder::new(),
            run: None,
            parts: 0,
            state: State::Closed(None, Start::Fresh),
            complained: false,
            missing: 0,
        }
    }

    /// The same for a controller that recalls what an earlier one saw, and has
    /// taken no step yet: it begins with that memory, which is recorded too.
    #[must_use]
    pub fn recalling(self, controller: &Controller) -> Self {
        Self {
            shadow: Shadow::of(controller),
            recalls: true,
            ..self
        }
    }

    /// Records what the controller is about to be told.
    #[must_use = "an operator wants to know"]
    pub fn input(&mut self, now: Timestamp, input: &Input) -> Option<Notice> {
        let rests = matches!(self.state, State::Closed(Some(not_before), _) if now < not_before);
        let prepared = if rests { Ok(()) } else { self.prepare(now) };
        // The shadow has to hear it even where it cannot be written.
        let line = self.encoder.input(now, input).map(|(line, shown)| {
            self.shadow.hear(now, shown);
            line
        });
        if rests {
            self.missing += 1;
            return None;
        }
        let written = prepared.and_then(|()| self.write(&line.map_err(io::Error::other)?));
        match written {
            Ok(()) => self.resumed(),
            Err(error) => self.interrupted(error, now),
        }
    }

    /// Records what it decided.
    #[must_use = "an operator wants to know"]
    pub fn step(&mut self, now: Timestamp, step: &Step) -> Option<Notice> {
        self.shadow.follow();
        if let State::Closed(..) = self.state {
            return None;
        }
        let line = self.encoder.step(step).map_err(io::Error::other);
        let error = line.and_then(|line| self.write(&line)).err()?;
        self.interrupted(error, now)
    }

    /// Sees to it that a file is open that has room.
    fn prepare(&mut self, now: Timestamp) -> io::Result<()> {
        let start = match &self.state {
            State::Open(open) if open.bytes < self.part_size().max(open.header.saturating_mul(HEADERS)) => {
                return Ok(());
            }
            State::Open(_) => Start::Continued,
            State::Closed(_, start) => *start,
        };
        let folder = &self.settings.folder;
        create_folder(folder)?;
        let run = self
            .run
            .get_or_insert_with(|| folder::run_name(now.as_millis(), std::process::id()));
        let header = Header {
            format: FORMAT.into(),
            version: VERSION,
            program: self.settings.program.clone(),
            run: run.clone(),
            part: self.parts + 1,
            start,
            config: self.config.clone(),
            state: if start == Start::Fresh && !self.recalls {
                None
            } else {
                self.shadow.state()
            },
        };
        let path = folder.join(folder::part_name(run, header.part));
        self.encoder.begin_file();
        let line = encode::line(&header).map_err(io::Error::other)?;
        self.state = State::Open(Open {
            file: create_file(&path)?,
            path: path.clone(),
            bytes: 0,
            header: u64::try_from(line.len()).unwrap_or(u64::MAX),
        });
        self.write(&line).inspect_err(|_| {
            // A file without a header would be in the way of whoever reads.
            drop(fs::remove_file(path));
        })?;
        self.parts += 1;
        Ok(())
    }

    fn part_size(&self) -> u64 {
        (self.settings.most_bytes / SHARE).min(LARGEST_PART)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let State::Open(open) = &mut self.state else {
            return Ok(());
        };
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        make_room(&self.settings, open, length)?;
        open.file.write_all(line)?;
        open.bytes += length;
        Ok(())
    }

    fn interrupted(&mut self, error: io::Error, now: Timestamp) -> Option<Notice> {
        self.missing += 1;
        self.state = State::Closed(Some(now.after(PAUSE)), Start::Gap);
        if std::mem::replace(&mut self.complained, true) {
            return None;
        }
        Some(Notice::Interrupted {
            folder: self.settings.folder.clone(),
            error,
        })
    }

    fn resumed(&mut self) -> Option<Notice> {
        let State::Open(open) = &self.state else { return None };
        if !std::mem::take(&mut self.complained) {
            return None;
        }
        Some(Notice::Resumed {
            file: open.path.clone(),
            missing: std::mem::take(&mut self.missing),
        })
    }
}

/// Removes the oldest files until `length` more bytes fit into the bound. What
/// earlier runs have left in the folder counts too.
fn make_room(settings: &Settings, open: &Open, length: u64) -> io::Result<()> {
    let listed = folder::list(&settings.folder)?;
    let mut total: u64 = listed.iter().map(|part| part.bytes).sum();
    for Listed { path, bytes } in listed {
        if total + length <= settings.most_bytes {
            break;
        }
        if path != open.path {
            fs::remove_file(&path)?;
            total -= bytes;
        }
    }
    if total + length <= settings.most_bytes {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "one file needs more than the {} bytes of --record-max-bytes; allow more",
        settings.most_bytes
    )))
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new file, for its owner only: names of queues and pods are not for all.
fn create_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
