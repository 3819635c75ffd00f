//! `why`: what a recording tells of one Buildkite job, agent or pod.

use std::io::{self, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use buildscaler_core::Timestamp;
use buildscaler_recording::{Event, ReadError, Recording, Story, why};
use clap::Args;
use thiserror::Error;

use crate::show::{Format, Paper};

/// What is to be explained.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The id of a Buildkite job or an agent, or the name or uid of a pod
    #[arg(value_name = "JOB|AGENT|POD")]
    id: String,
    /// The folder that was given to --record, or one of its files
    #[arg(long, value_name = "DIR")]
    recording: PathBuf,
    /// How the story is written
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

/// Why there is no story.
#[derive(Debug, Error)]
pub(crate) enum Untold {
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error(
        "the recording in {} knows no Buildkite job, agent or pod {id:?}; it covers {from} to {to}",
        .recording.display()
    )]
    Unknown {
        id: String,
        recording: PathBuf,
        from: String,
        to: String,
    },
    #[error("the story cannot be written: {0}")]
    Unwritable(#[from] io::Error),
}

/// Tells the story.
pub(crate) fn explain(args: &WhyArgs) -> Result<ExitCode, Untold> {
    let recording = Recording::find(&args.recording)?;
    let Some(story) = why(&recording, args.id.trim())? else {
        return Err(unknown(args, &recording));
    };
    for problem in &story.unread {
        // Where stderr is closed, there is still the story.
        drop(writeln!(stderr(), "buildscalerctl: left out: {problem}"));
    }
    let mut paper = Paper::stdout();
    match args.output {
        Format::Table => tell(&story, &mut paper)?,
        Format::Json => paper.json(&story)?,
        Format::Yaml => paper.yaml(&story)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(args: &WhyArgs, recording: &Recording) -> Untold {
    let mut times = recording.moments().flatten().map(|(_, moment)| moment.at);
    let from = times.next().unwrap_or_default();
    Untold::Unknown {
        id: args.id.clone(),
        recording: args.recording.clone(),
        from: date(from),
        to: date(times.last().unwrap_or(from)),
    }
}

fn tell(story: &Story, paper: &mut Paper) -> io::Result<()> {
    let kind = story.kind.as_str();
    let queue = story.queue.as_ref().map(|queue| format!(" of queue {queue}"));
    paper.words(&format!("{kind} {}{}", story.id, queue.unwrap_or_default()))?;
    paper.words(&story.summary)?;
    paper.line("")?;
    for Event {
        at,
        about,
        what,
        reason,
    } in &story.events
    {
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let after = after(*at, story.begun_at);
        paper.words(&format!("{}  {after:>10}  {about} {what}{reason}", date(*at)))?;
    }
    Ok(())
}

/// How long after the beginning, or before it.
fn after(at: Timestamp, begun_at: Timestamp) -> String {
    let (sign, length) = if at >= begun_at {
        ('+', at.since(begun_at))
    } else {
        ('-', begun_at.since(at))
    };
    format!("{sign}{:.1} s", length.as_secs_f64())
}

fn date(at: Timestamp) -> String {
    // What no calendar has is shown as the number it is.
    jiff::Timestamp::from_millisecond(at.as_millis()).map_or_else(|_| at.to_string(), |at| format!("{at:.3}"))
}
