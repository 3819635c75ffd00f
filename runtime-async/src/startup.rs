//! From the command line to the running controller.

use std::process::ExitCode;

use buildscaler_args::{ControllerArgs, DryRunArgs, LeadershipArgs};
use buildscaler_core::{Config, LeadershipConfig};
use buildscaler_recording::{self as recording, Program};
use buildscaler_wire::Surroundings;
use clap::Parser;
use thiserror::Error;

use crate::log;
use crate::metering::{MeteringArgs, MeteringError};
use crate::run::{RunError, run};
use crate::serve::{self, About, ServeArgs, ServeError};
use crate::settings::{Settings, SettingsError};
use crate::shutdown::Signals;
use crate::whereabouts::{self, WhereaboutsError};

/// The exit code of a command line or configuration that cannot work; clap's.
const UNUSABLE: u8 = 2;

/// Keeps the right number of Buildkite agent pods on a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "buildscaler", version)]
struct Args {
    #[command(flatten)]
    controller: ControllerArgs,
    #[command(flatten)]
    leadership: LeadershipArgs,
    #[command(flatten)]
    dry: DryRunArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    metering: MeteringArgs,
}

/// Why the process cannot go on.
#[derive(Debug, Error)]
enum StartupError {
    #[error(transparent)]
    Whereabouts(#[from] WhereaboutsError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Leadership(String),
    #[error(transparent)]
    Metering(#[from] MeteringError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("the operating system refuses what the controller needs: {0}")]
    System(#[from] std::io::Error),
}

/// The whole program: reads the command line and runs until it is told to end.
///
/// One thread does: the controller waits for the network nearly always, and
/// memory is paid for all the time.
pub fn main() -> ExitCode {
    crate::install_tls();
    let args = Args::parse();
    log::start(args.controller.log_format, args.controller.verbose);
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartupError::from)
        .and_then(|runtime| {
            let ended = runtime.block_on(control(&args));
            // A name that is still being resolved must not hold up the end.
            runtime.shutdown_background();
            ended
        });
    match ended {
        Ok(()) => {
            tracing::info!("ended");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{error}");
            match error {
                StartupError::Whereabouts(_)
                | StartupError::Settings(_)
                | StartupError::Leadership(_)
                | StartupError::Metering(_) => ExitCode::from(UNUSABLE),
                StartupError::Serve(_) | StartupError::Run(_) | StartupError::System(_) => ExitCode::FAILURE,
            }
        }
    }
}

async fn control(
    Args {
        controller: args,
        leadership,
        dry,
        serve,
        metering,
    }: &Args,
) -> Result<(), StartupError> {
    let signals = Signals::catch()?;
    let cluster = whereabouts::cluster(args.kubeconfig())?;
    let leadership = leadership
        .config(args.namespace(), &cluster.default_namespace)
        .map_err(StartupError::Leadership)?;
    announce(args, leadership.as_ref(), &cluster);
    let metering = metering.metering()?;
    if dry.dry_run {
        tracing::info!(
            "this is a dry run: everything is decided and said, and nothing is created, stopped, deleted or written"
        );
    }
    let surroundings = Surroundings {
        organization: args.buildkite_org.clone(),
        namespace: args.namespace().map(str::to_owned),
    };
    let config = Config {
        leadership,
        dry_run: dry.dry_run,
        ..Config::from(args)
    };
    let about = About {
        organization: &args.buildkite_org,
        namespace: args.namespace(),
        config: &config,
    };
    let (_server, observer) = serve::start(serve, &about)?;
    let settings = Settings::new(config, surroundings, &cluster, &args.buildkite_api_url, &args.token)?
        .record(recording(args))
        .meter(metering);
    Ok(run(settings, signals.requested(), observer).await?)
}

fn recording(args: &ControllerArgs) -> Option<recording::Settings> {
    Some(recording::Settings {
        folder: args.record.clone()?,
        most_bytes: args.record_max_bytes,
        program: Program {
            name: "buildscaler".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
    })
}

/// Says what was understood, without secrets.
fn announce(args: &ControllerArgs, leadership: Option<&LeadershipConfig>, cluster: &kube::Config) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        organization = args.buildkite_org,
        namespace = args.namespace().unwrap_or("(all)"),
        cluster = cluster.cluster_url.host().unwrap_or_default(),
        buildkite = args.buildkite_api_url,
        sync_interval = args.sync_interval.as_secs(),
        idle_timeout = args.disconnect_after_idle_timeout.as_secs(),
        agent_startup_timeout = args.agent_startup_timeout.as_secs(),
        max_active_builds = args.max_active_builds,
        max_pods = args.max_pods,
        max_agent_lifetime = args.max_agent_lifetime.map(|lifetime| lifetime.as_secs()),
        identity = leadership.map(|leadership| leadership.identity.as_str()),
        record = args.record.as_ref().map(|folder| folder.display().to_string()),
        "buildscaler begins"
    );
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
