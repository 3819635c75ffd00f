//! `history`: past builds as a scenario for the simulator.
//!
//! What is kept of them are times, queues and tags. The download stays within
//! Buildkite's request limits, and goes on where it was if it is interrupted.

mod download;
mod options;
mod part;
mod rows;
mod scenario;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use buildscaler_core::Failure;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::access::AccessError;
use crate::clock::Clock;
use crate::show::Paper;
use crate::transport::Buildkite;
use download::Download;
use options::Whereabouts;
use part::{Chunk, Header, Part};
use rows::Build;

/// Which builds, and where to.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    buildkite: Whereabouts,
    /// Builds created from this time on: 2026-11-01, or 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = options::time)]
    from: i64,
    /// And before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = options::time)]
    to: Option<i64>,
    /// Where the scenario is written. While it is downloaded, FILE.part beside it
    /// holds what has come: the same command goes on from there
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Why there is no scenario.
#[derive(Debug, Error)]
pub(crate) enum NoHistory {
    #[error("--from is not before --to")]
    Backwards,
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: io::Error },
    #[error("{} is the download of other builds; give the same --buildkite-org, --from and --to, or remove it", .0.display())]
    Other(PathBuf),
    #[error("the builds cannot be downloaded: {failure}; {} holds what has come, and the same command goes on from there", part.display())]
    Cut { failure: Failure, part: PathBuf },
    #[error("the scenario cannot be written: {0}")]
    Unwritable(String),
}

impl NoHistory {
    /// Whether it lies in the options, so that the same command will not help.
    pub(crate) fn is_of_options(&self) -> bool {
        match self {
            Self::Backwards | Self::Access(_) | Self::Other(_) => true,
            Self::File { .. } | Self::Cut { .. } | Self::Unwritable(_) => false,
        }
    }
}

/// Downloads and writes.
pub(crate) fn download(args: &HistoryArgs) -> Result<ExitCode, NoHistory> {
    let controller = &args.buildkite.0;
    let clock = Clock::new();
    let buildkite = Buildkite::new(&controller.buildkite_api_url, &controller.token)?;
    let file = |problem| NoHistory::File {
        path: args.output.clone(),
        problem,
    };
    let (mut part, chunks) = open(args, &controller.buildkite_org, &clock)?;
    let Header { from, to, .. } = part.header;
    let mut builds: Vec<Build> = Vec::new();
    let mut download = Download::new(&buildkite, &clock, &controller.buildkite_org, from, to);
    let mut done = false;
    for chunk in chunks {
        download.known.extend(chunk.builds.iter().map(|build| build.id.clone()));
        builds.extend(chunk.builds);
        match chunk.before {
            Some(before) => download.before = before,
            None => done = true,
        }
    }
    let bar = bar(from, to);
    while !done {
        bar.set_position(u64::try_from(to - download.before).unwrap_or(0));
        bar.set_message(format!("{} builds", builds.len()));
        let page = download
            .next(&mut |words| bar.set_message(words))
            .map_err(|failure| NoHistory::Cut {
                failure,
                part: part.path().to_owned(),
            })?;
        done = page.is_last;
        let chunk = Chunk {
            before: (!done).then_some(download.before),
            builds: page.builds,
        };
        part.add(&chunk).map_err(file)?;
        builds.extend(chunk.builds);
    }
    bar.finish_and_clear();
    let text = scenario::write(&name(&args.output), &part.header, &builds).map_err(NoHistory::Unwritable)?;
    replace(&args.output, &text).map_err(file)?;
    part.remove().map_err(file)?;
    tell(&builds, &args.output).map_err(file)?;
    Ok(ExitCode::SUCCESS)
}

/// The file of what has come, and what is in it.
fn open(args: &HistoryArgs, organization: &str, clock: &Clock) -> Result<(Part, Vec<Chunk>), NoHistory> {
    let file = |problem| NoHistory::File {
        path: args.output.clone(),
        problem,
    };
    if let Some((part, chunks)) = Part::resume(&args.output).map_err(file)? {
        let header = &part.header;
        let same =
            header.organization == organization && header.from == args.from && args.to.is_none_or(|to| header.to == to);
        return if same {
            Ok((part, chunks))
        } else {
            Err(NoHistory::Other(part.path().to_owned()))
        };
    }
    let to = args.to.unwrap_or_else(|| download::now(clock));
    if args.from >= to {
        return Err(NoHistory::Backwards);
    }
    let header = Header::new(organization, args.from, to);
    let part = Part::begin(&args.output, header).map_err(file)?;
    Ok((part, Vec::new()))
}

/// A progress bar on a terminal, and nothing elsewhere.
fn bar(from: i64, to: i64) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(to - from).unwrap_or(0));
    let style = ProgressStyle::with_template("{percent:>3} % {bar:30} {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell(builds: &[Build], path: &Path) -> io::Result<()> {
    let jobs: usize = builds.iter().map(|build| build.runs.len()).sum();
    let skipped: u64 = builds.iter().map(|build| build.skipped).sum();
    let mut words = format!("{} builds with {jobs} jobs in {}", builds.len(), path.display());
    if skipped > 0 {
        words.push_str(&format!(
            "; {skipped} jobs that never ran, or have not ended, are left out"
        ));
    }
    Paper::stdout().line(&words)
}

/// What the scenario is called: as its file.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let good = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = stem.chars().map(good).collect();
    match name.trim_matches('-') {
        "" => "history".to_owned(),
        name => name.to_owned(),
    }
}

/// The file is there whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
