//! What has been downloaded so far, in a file beside the one that is wanted:
//! an interrupted download goes on where it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::rows::Build;

/// The version of these files.
const VERSION: u32 = 1;

/// The first line: what is downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    version: u32,
    pub(super) organization: String,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Header {
    pub(super) fn new(organization: &str, from: i64, to: i64) -> Self {
        Self {
            version: VERSION,
            organization: organization.to_owned(),
            from,
            to,
        }
    }
}

/// A further line: one answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// Builds created before this time are still missing; none if all are there.
    pub(super) before: Option<i64>,
    pub(super) builds: Vec<Build>,
}

/// The file.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    pub(super) header: Header,
}

impl Part {
    /// The file of a download that was interrupted, with what is in it.
    pub(super) fn resume(beside: &Path) -> io::Result<Option<(Self, Vec<Chunk>)>> {
        let path = path(beside);
        let file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut lines = BufReader::new(&file);
        let mut whole = 0;
        let mut next = || -> io::Result<Option<String>> {
            let mut line = String::new();
            lines.read_line(&mut line)?;
            // A line without its end was being written when the program ended.
            if !line.ends_with('\n') {
                return Ok(None);
            }
            whole += line.len() as u64;
            Ok(Some(line))
        };
        let header = next()?.and_then(|line| serde_json::from_str::<Header>(&line).ok());
        let Some(header) = header.filter(|header| header.version == VERSION) else {
            return Err(io::Error::other(format!(
                "{} is no download of this program; remove it",
                path.display()
            )));
        };
        let mut chunks = Vec::new();
        while let Some(line) = next()? {
            chunks.push(serde_json::from_str(&line)?);
        }
        file.set_len(whole)?;
        Ok(Some((Self { path, file, header }, chunks)))
    }

    /// A new file, readable by nobody else.
    pub(super) fn begin(beside: &Path, header: Header) -> io::Result<Self> {
        let path = path(beside);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        write(&mut file, &header)?;
        Ok(Self { path, file, header })
    }

    /// Takes down an answer, before the next one is asked for.
    pub(super) fn add(&mut self, chunk: &Chunk) -> io::Result<()> {
        write(&mut self.file, chunk)
    }

    /// The download is done with.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn write(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn path(beside: &Path) -> PathBuf {
    let mut name = beside.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
