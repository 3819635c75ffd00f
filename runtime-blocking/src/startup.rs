//! From the command line to the exit code.

use std::io::{self, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use buildscaler_args::{ControllerArgs, DryRunArgs, LeadershipArgs};
use buildscaler_core::{Config, Controller};
use buildscaler_wire::Surroundings;
use clap::{Args, Parser, Subcommand};
use thiserror::Error;
use tracing::Level;

use crate::access::AccessError;
use crate::clock::Clock;
use crate::crew::{Broken, Crew, Errand};
use crate::doctor::{DoctorArgs, Health};
use crate::history::{HistoryArgs, NoHistory, download};
use crate::log;
use crate::once::{Blind, look};
use crate::plan::{FindingLine, Plan};
use crate::run::{RunError, run};
use crate::show::{Format, Paper};
use crate::state::{StateError, StateFile};
use crate::tape::Tape;
use crate::whereabouts::{self, WhereaboutsError};
use crate::why::{Untold, WhyArgs, explain};

/// The exit code of a command line or configuration that cannot work; clap's.
const UNUSABLE: u8 = 2;
/// The exit code of a plan that has something to do.
const TO_DO: u8 = 3;

const PLAN_CODES: &str = "Exit codes:\n  0  nothing to do\n  1  could not look at Kubernetes or Buildkite\n  \
    2  an option or the kubeconfig cannot be used\n  3  something to do";
const DOCTOR_CODES: &str = "Exit codes:\n  0  nothing failed; notes are no failures\n  1  a check failed\n  \
    2  an option or the kubeconfig cannot be used";
const WHY_CODES: &str = "Exit codes:\n  0  explained\n  \
    1  the recording does not know it, or cannot be read\n  2  an option cannot be used";
const HISTORY_CODES: &str = "Exit codes:\n  0  the scenario is written\n  1  it is not; what has come is kept, and the same \
    command goes on from there\n  2  an option cannot be used";
const APPLY_CODES: &str = "Exit codes:\n  0  all done, or nothing to do\n  \
    1  could not look at Kubernetes or Buildkite, or something failed\n  \
    2  an option or the kubeconfig cannot be used";

/// Keeps the right number of Buildkite agent pods on a Kubernetes cluster: in
/// words, once, or all the time.
#[derive(Debug, Parser)]
#[command(name = "buildscalerctl", version)]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Looks once, and says what would be done and why. Changes nothing
    #[command(after_help = PLAN_CODES)]
    Plan {
        #[command(flatten)]
        controller: ControllerArgs,
        #[command(flatten)]
        state: StateArgs,
        /// How the plan is written
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
        output: Format,
    },
    /// Looks once, and does what is to be done. Agents that idle and pods whose
    /// agent is missing are left alone, since one look cannot know for how long,
    /// unless --state carries over what earlier looks saw
    #[command(after_help = APPLY_CODES)]
    Apply {
        #[command(flatten)]
        controller: ControllerArgs,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Checks an installation: tokens, rights, templates, clocks. Changes nothing
    #[command(after_help = DOCTOR_CODES)]
    Doctor(Box<DoctorArgs>),
    /// Keeps looking and doing until SIGTERM or SIGINT, as buildscaler does
    Run {
        #[command(flatten)]
        controller: ControllerArgs,
        #[command(flatten)]
        leadership: LeadershipArgs,
        #[command(flatten)]
        dry: DryRunArgs,
    },
    /// Downloads past builds as a scenario for buildscaler-sim: times, queues and
    /// tags, without commands and environments
    #[command(after_help = HISTORY_CODES)]
    History(Box<HistoryArgs>),
    /// Explains what happened to a Buildkite job, an agent or a pod, or did
    /// not, from a recording made with --record
    #[command(after_help = WHY_CODES)]
    Why(WhyArgs),
}

/// Where the memory of earlier runs is.
#[derive(Debug, Args)]
struct StateArgs {
    /// File that carries the controller's memory from one run of `apply` to the
    /// next; `plan` reads it and leaves it as it is. Give --sync-interval the
    /// seconds between two runs: what is older than three times that is
    /// forgotten
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Why the process cannot go on.
#[derive(Debug, Error)]
enum Failed {
    #[error(transparent)]
    Whereabouts(#[from] WhereaboutsError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("{0}")]
    Leadership(String),
    #[error(transparent)]
    Blind(#[from] Blind),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Untold(#[from] Untold),
    #[error(transparent)]
    History(#[from] NoHistory),
    #[error("the operating system refuses what is needed: {0}")]
    System(#[from] io::Error),
}

/// The whole program: reads the command line, does its task, and says how it went.
pub fn main() -> ExitCode {
    let task = CommandLine::parse().task;
    let done = match &task {
        Task::Plan {
            controller,
            state,
            output,
        } => plan(controller, state, *output),
        Task::Apply { controller, state } => apply(controller, state),
        Task::Doctor(doctor) => examine(doctor),
        Task::Run {
            controller,
            leadership,
            dry,
        } => keep_running(controller, leadership, *dry),
        Task::History(history) => download(history).map_err(Failed::from),
        Task::Why(question) => explain(question).map_err(Failed::from),
    };
    done.unwrap_or_else(|error| {
        // Where stderr is closed, the exit code has to do.
        drop(writeln!(stderr(), "buildscalerctl: {error}"));
        match error {
            Failed::Whereabouts(_) | Failed::Access(_) | Failed::Leadership(_) => ExitCode::from(UNUSABLE),
            Failed::History(error) if error.is_of_options() => ExitCode::from(UNUSABLE),
            Failed::Blind(_)
            | Failed::Broken(_)
            | Failed::State(_)
            | Failed::Run(_)
            | Failed::Untold(_)
            | Failed::History(_)
            | Failed::System(_) => ExitCode::FAILURE,
        }
    })
}

fn plan(args: &ControllerArgs, state: &StateArgs, format: Format) -> Result<ExitCode, Failed> {
    let (crew, clock) = prepare(args, Level::ERROR)?;
    let Beginning { controller, tape, .. } = begin(args, state, &clock);
    let mut sight = look(controller, &crew, &clock, tape)?;
    let mut plan = Plan::new(&sight.controller, &Config::from(args));
    plan.commands = sight.rehearse();
    Paper::stdout().plan(&plan, format)?;
    Ok(if plan.commands.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TO_DO)
    })
}

fn apply(args: &ControllerArgs, state: &StateArgs) -> Result<ExitCode, Failed> {
    let (crew, clock) = prepare(args, Level::ERROR)?;
    let Beginning { controller, tape, file } = begin(args, state, &clock);
    let mut sight = look(controller, &crew, &clock, tape)?;
    let mut paper = Paper::stdout();
    let (mut done, mut failed) = (0_usize, 0_usize);
    let mut written = Ok(());
    sight.apply(&crew, |ending| {
        *(if ending.failure.is_none() {
            &mut done
        } else {
            &mut failed
        }) += 1;
        if written.is_ok() {
            written = paper.ending(&ending);
        }
    })?;
    if let Some(file) = &file {
        file.write(&sight.controller)?;
    }
    written?;
    let findings: Vec<_> = sight.controller.findings().map(FindingLine::from).collect();
    paper.findings(&findings)?;
    paper.line(&match (done, failed) {
        (0, 0) => "nothing to do".into(),
        (done, 0) => format!("{done} done"),
        (done, failed) => format!("{done} done, {failed} failed"),
    })?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a run of `plan` or `apply` begins with.
struct Beginning<'a> {
    controller: Controller,
    tape: Tape,
    file: Option<StateFile<'a>>,
}

/// A controller with the memory of earlier runs, if there is a file of it and
/// it can be used.
fn begin<'a>(args: &ControllerArgs, state: &'a StateArgs, clock: &Clock) -> Beginning<'a> {
    let config = Config::from(args);
    let mut tape = Tape::new(args, &config);
    let mut controller = Controller::new(config);
    let file = state.state.as_deref().map(|path| StateFile::new(path, args));
    if let Some(file) = &file {
        match file.recall(&mut controller, clock.now()) {
            Ok(()) => tape = tape.recalling(&controller),
            // Where stderr is closed, the run goes on all the same.
            Err(why) => drop(writeln!(stderr(), "buildscalerctl: {why}")),
        }
    }
    Beginning { controller, tape, file }
}

fn examine(args: &DoctorArgs) -> Result<ExitCode, Failed> {
    let mut checks = args.check_files();
    if let Some(controller) = &args.online.0 {
        checks.extend(args.check_servers(controller, &errand(controller, Level::ERROR)?));
    }
    Paper::stdout().checks(&checks, args.output)?;
    let failed = checks.iter().any(|check| check.result == Health::Failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn keep_running(args: &ControllerArgs, leadership: &LeadershipArgs, dry: DryRunArgs) -> Result<ExitCode, Failed> {
    let own = whereabouts::cluster(args.kubeconfig())?.default_namespace;
    let leadership = leadership.config(args.namespace(), &own).map_err(Failed::Leadership)?;
    let (crew, clock) = prepare(args, Level::INFO)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        organization = args.buildkite_org,
        identity = leadership.as_ref().map(|leadership| leadership.identity.as_str()),
        "buildscalerctl begins"
    );
    if dry.dry_run {
        tracing::info!(
            "this is a dry run: everything is decided and said, and nothing is created, stopped, deleted or written"
        );
    }
    let config = Config {
        leadership,
        dry_run: dry.dry_run,
        ..Config::from(args)
    };
    let tape = Tape::new(args, &config);
    run(config, &crew, &clock, tape)?;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

/// What [`errand`] prepares, and the threads for it.
fn prepare(args: &ControllerArgs, level: Level) -> Result<(Crew, Arc<Clock>), Failed> {
    let errand = errand(args, level)?;
    let clock = Arc::clone(&errand.clock);
    Ok((Crew::hire(errand)?, clock))
}

/// The log, and the connections, which connect to nothing yet.
fn errand(args: &ControllerArgs, level: Level) -> Result<Errand, Failed> {
    log::start(args.log_format, if args.verbose { Level::DEBUG } else { level });
    let cluster = whereabouts::cluster(args.kubeconfig())?;
    let surroundings = Surroundings {
        organization: args.buildkite_org.clone(),
        namespace: args.namespace().map(str::to_owned),
    };
    Ok(Errand::new(
        surroundings,
        cluster,
        &args.buildkite_api_url,
        &args.token,
    )?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }
}
