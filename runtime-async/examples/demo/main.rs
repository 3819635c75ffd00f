//! Shows the real controller at work on this machine, for people who look.
//!
//! The controller is the library itself, in this process. Kubernetes and
//! Buildkite are fakes on loopback, or with `--real` a real control plane and
//! real agents. What is shown is read off that outside world, not off the
//! controller; only the decisions are the controller's own words.

mod decisions;
mod picture;
mod scenario;
mod screen;
mod summary;
mod survey;
mod world;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use buildscaler_core::Timestamp;
use buildscaler_simulator::loopback::wall_clock;
use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing_subscriber::EnvFilter;

use decisions::Said;
use picture::Scene;
use scenario::Scenario;
use screen::Screen;
use summary::Summary;
use survey::Survey;
use world::{IDLE_TIMEOUT, Kind, PING_INTERVAL, SYNC_INTERVAL, Trouble, World};

/// How often the picture is drawn.
const BEAT: Duration = Duration::from_millis(200);

/// How a shell reports a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Watch the real controller serve a burst of builds on this machine.
///
/// Within a minute some 60 jobs on three queues are run by pods that the
/// controller creates as they are needed and lets go when they are idle. A
/// template is replaced under way: its pods finish what they do and leave, no
/// build is cut. Nothing outside this machine is contacted.
///
/// On a terminal the picture is live. Elsewhere, and with CI, NO_COLOR or
/// TERM=dumb set, it is a line every few seconds. The exit code is 0 only if
/// every job ran and none was interrupted.
#[derive(Debug, Parser)]
#[command(name = "cargo demo --", bin_name = "cargo demo --")]
struct Options {
    /// Use a real control plane and real buildkite-agents instead of fakes:
    /// they are built from source first, which needs Go and some 5 minutes once
    #[arg(long)]
    real: bool,

    /// How many jobs there are; the fewer, the sooner it is over [default: 60, with --real 16]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
    jobs: Option<u16>,

    /// Where the controller's log goes [default: a new file in the folder for temporary files]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

impl Options {
    fn kind(&self) -> Kind {
        if self.real { Kind::Real } else { Kind::Fake }
    }

    fn jobs(&self) -> usize {
        self.jobs.unwrap_or(if self.real { 16 } else { 60 }).into()
    }

    /// When the demo ends although not all is done.
    fn limit(&self) -> Duration {
        Duration::from_secs(if self.real || self.jobs() > 60 { 180 } else { 56 })
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let code = runtime.block_on(demo(&options)).unwrap_or_else(|error| fail(&error));
    // A build that Ctrl-C has ended may still hold a thread.
    runtime.shutdown_background();
    code
}

#[expect(clippy::print_stderr, reason = "this is a program for a terminal")]
fn fail(error: &Trouble) -> ExitCode {
    eprintln!("cargo demo: {error}");
    ExitCode::FAILURE
}

async fn demo(options: &Options) -> Result<ExitCode, Trouble> {
    buildscaler_runtime_async::install_tls();
    let mut signals = Signals::catch()?;
    let log = open_log(options.log.clone())?;
    let mut screen = Screen::choose();
    screen.say(&introduction(options.kind(), options.jobs()))?;
    let started = tokio::select! {
        started = World::start(options.kind(), |step| drop(screen.say(&format!("  {step}")))) => started,
        () = signals.caught() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let mut world = started.map_err(|error| explain(options.kind(), error))?;
    let mut run = Run::new(options);
    let ended = tokio::select! {
        ended = run.until_done(&mut world, &mut screen) => ended?,
        () = signals.caught() => Ended::Interrupted,
    };
    let summary = run.summary(&world);
    screen.say("")?;
    for line in summary.say() {
        screen.say(&line)?;
    }
    let verdict = verdict(ended, &summary);
    screen.say(&format!("\n{}", verdict.1))?;
    screen.say(&format!("The controller's log is in {}", log.display()))?;
    world.end().await?;
    Ok(verdict.0)
}

fn introduction(kind: Kind, jobs: usize) -> String {
    let stage = match kind {
        Kind::Fake => "Kubernetes, Buildkite and the agents are fakes on loopback",
        Kind::Real => "The control plane and the agents are real, Buildkite is a fake on loopback",
    };
    format!(
        "The real Buildscaler serves {jobs} jobs on three queues.\n\
         {stage}.\n\
         So that you need not wait, the sync interval is {} s instead of 20, the idle\n\
         timeout {} s instead of 300, and agents ask for work every {} s instead of 10.\n\
         Ctrl-C ends it.\n",
        SYNC_INTERVAL.as_secs(),
        IDLE_TIMEOUT.as_secs(),
        PING_INTERVAL.as_secs()
    )
}

fn explain(kind: Kind, error: Trouble) -> Trouble {
    match kind {
        Kind::Fake => error,
        Kind::Real => format!("{error}\n`cargo demo` without --real needs neither Go nor a control plane").into(),
    }
}

fn verdict(ended: Ended, summary: &Summary) -> (ExitCode, &'static str) {
    match ended {
        Ended::Interrupted => (ExitCode::from(INTERRUPTED), "Ended early, as you asked."),
        Ended::ControllerGone => (
            ExitCode::FAILURE,
            "The controller ended by itself, which it never should.",
        ),
        Ended::Done | Ended::OutOfTime if summary.is_good() => {
            (ExitCode::SUCCESS, "Every job ran, and none was interrupted.")
        }
        Ended::Done | Ended::OutOfTime => (ExitCode::FAILURE, "Not every job ran to its end uninterrupted."),
    }
}

/// The library's log would tear the picture, so it goes to a file.
fn open_log(path: Option<PathBuf>) -> Result<PathBuf, Trouble> {
    let (file, path) = match path {
        Some(path) => (File::create(&path)?, path),
        None => tempfile::Builder::new()
            .prefix("buildscaler-demo-")
            .suffix(".log")
            .tempfile()?
            .keep()?,
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
    Ok(path)
}

/// What ends the demo early.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn caught(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// How a demo came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    OutOfTime,
    Interrupted,
    ControllerGone,
}

/// One showing, from the first build to the last pod.
struct Run {
    scenario: Scenario,
    survey: Survey,
    said: Vec<Said>,
    began: Timestamp,
    limit: Duration,
}

impl Run {
    fn new(options: &Options) -> Self {
        Self {
            scenario: Scenario::new(options.jobs()),
            survey: Survey::default(),
            said: Vec::new(),
            began: wall_clock(),
            limit: options.limit(),
        }
    }

    async fn until_done(&mut self, world: &mut World, screen: &mut Screen) -> Result<Ended, Trouble> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let news = self.said.len();
            while let Some(event) = self.scenario.due(self.lasted()) {
                let what = world.happen(event).await?;
                self.said.extend(what.map(|what| Said {
                    at: wall_clock(),
                    what,
                    why: String::new(),
                }));
            }
            let pods = world.pods().await?;
            let decided = world.decided();
            let fake = world.buildkite.fake();
            let now = wall_clock();
            self.survey.look(now, fake.inner(), &pods, &world.templates());
            self.said.extend(decisions::say(&decided, &self.survey, fake.inner()));
            self.said[news..].sort_by_key(|said| said.at);
            let scene = Scene {
                survey: &self.survey,
                scenario: &self.scenario,
                fake: fake.inner(),
                said: &self.said,
                began: self.began,
                now,
            };
            screen.show(&scene, &self.said[news..])?;
            if scene.all_done() && self.survey.live() == 0 {
                return Ok(Ended::Done);
            }
            if world.controller_has_ended() {
                return Ok(Ended::ControllerGone);
            }
            if self.lasted() > self.limit {
                return Ok(Ended::OutOfTime);
            }
        }
    }

    fn summary(&self, world: &World) -> Summary {
        let fake = world.buildkite.fake();
        Summary::of(&self.survey, &self.scenario, fake.inner(), wall_clock(), self.lasted())
    }

    fn lasted(&self) -> Duration {
        wall_clock().since(self.began)
    }
}
