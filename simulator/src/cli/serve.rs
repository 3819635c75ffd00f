//! `serve`: both fakes on loopback, for trying clients by hand.

use std::path::PathBuf;

use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_simulator::kubernetes::ADMIN_TOKEN;
use buildscaler_simulator::loopback::stage::Stage;
use buildscaler_simulator::scenario::{Moment, Scenario};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::input::{read_scenario, write_text};
use super::say::say;
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// What its users do happens: templates, builds. Failures and accidents
    /// do not, and there is no kubelet: pods stay pending.
    #[arg(value_name = "SCENARIO")]
    scenario: Option<PathBuf>,
    /// How many times faster than in the scenario.
    #[arg(long, value_name = "TIMES", default_value = "1", requires = "scenario",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// Write a kubeconfig of the administrator.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// Serves until SIGINT or SIGTERM.
pub(super) fn serve(arguments: &ServeArguments) -> Result<Verdict, BadInput> {
    let scenario = arguments.scenario.as_deref().map(read_scenario).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(failed)?
        .block_on(until_told(arguments, scenario))
        .map(|()| Verdict::Well)
}

async fn until_told(arguments: &ServeArguments, scenario: Option<Scenario>) -> Result<(), BadInput> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut stage = Stage::start().await.map_err(failed)?;
    if let Some(path) = &arguments.kubeconfig {
        write_text(path, &stage.kubernetes().kubeconfig())?;
    }
    introduce(&stage, arguments);
    let play = async {
        if let Some(scenario) = scenario {
            play(&mut stage, scenario, arguments.speed).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = play => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stage.stop().await;
    say("stopped");
    Ok(())
}

fn introduce(stage: &Stage, arguments: &ServeArguments) {
    say(&format!("Kubernetes           {}", stage.kubernetes().url()));
    say(&format!("  token              {ADMIN_TOKEN}"));
    say(&format!("  namespace          {}", Stage::NAMESPACE));
    if let Some(path) = &arguments.kubeconfig {
        say(&format!("  kubeconfig         {}", path.display()));
    }
    say(&format!("Buildkite            {}", stage.buildkite().url()));
    say(&format!("  organization       {}", FakeBuildkite::ORGANIZATION));
    say(&format!("  access token       {}", FakeBuildkite::ACCESS_TOKEN));
    say(&format!("  agents' endpoint   {}", stage.buildkite().agent_endpoint()));
    say(&format!("  agents' token      {}", FakeBuildkite::AGENT_TOKEN));
    say("Ctrl-C ends it.");
}

async fn play(stage: &mut Stage, scenario: Scenario, speed: u32) {
    for spec in &scenario.templates {
        say(&format!("{:>10} {}", "0s", stage.apply(spec)));
    }
    let begun = Instant::now();
    let mut timeline: Vec<Moment> = scenario.timeline;
    // Equal times stay in the order given.
    timeline.sort_by_key(|moment| moment.at);
    for moment in &timeline {
        tokio::time::sleep_until(begun + moment.at.0 / speed).await;
        let at = moment.at;
        match stage.happen(&moment.event) {
            Some(what) => say(&format!("{:>10} {what}", at.to_string())),
            None => say(&format!("{:>10} left out: {}", at.to_string(), kind(moment))),
        }
    }
    say("the scenario is over; still serving");
}

/// An event's name, as scenarios have it.
fn kind(moment: &Moment) -> String {
    let value = serde_json::to_value(&moment.event).unwrap_or_default();
    let named = value.as_object().and_then(|object| object.keys().next());
    named.cloned().or(value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn failed(error: std::io::Error) -> BadInput {
    BadInput(vec![error.to_string()])
}
