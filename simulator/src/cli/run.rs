//! `run`: scenarios, one after the other.

use std::path::PathBuf;
use std::time::Duration;

use buildscaler_simulator::measure::{QueueSummary, Run};
use buildscaler_simulator::report::run_page;
use buildscaler_simulator::rivals;
use buildscaler_simulator::scenario::{Scenario, Span};
use buildscaler_simulator::{Fidelity, Keeper, Options, Witness, run as run_scenario};
use clap::{Args, ValueEnum};

use super::input::{read_scenario, write_text};
use super::record::Tape;
use super::say::{progress_bar, say};
use super::{BadInput, Verdict};

/// Samples of a run that is shown as a page.
const SAMPLES: u64 = 4_000;

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The scenario files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    scenarios: Vec<PathBuf>,
    /// Tell what happens, one line per event.
    #[arg(long)]
    story: bool,
    /// Who keeps the fleet: `ours`, or a rival's name as `compare` lists them.
    #[arg(long, value_name = "NAME", default_value = "ours")]
    policy: String,
    /// How close to the real APIs it is.
    #[arg(long, value_enum, default_value_t = FidelityArgument::Domain)]
    fidelity: FidelityArgument,
    /// Another seed than the scenario's.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write the run as a page: charts, figures and story in one HTML file.
    #[arg(long, value_name = "PAGE.html")]
    report: Option<PathBuf>,
    /// Record the run in this folder, as the controller's --record does: for
    /// `replay`, `lift` and `buildscalerctl why`.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FidelityArgument {
    /// Actions are applied directly.
    Domain,
    /// Requests and answers as on the wire, to the fakes.
    Wire,
}

pub(super) fn run(arguments: &RunArguments) -> Result<Verdict, BadInput> {
    let keeper = keeper(&arguments.policy)?;
    if arguments.report.is_some() && arguments.scenarios.len() > 1 {
        return Err(BadInput(vec!["--report shows one run: name one scenario".to_owned()]));
    }
    let ours = matches!(keeper, Keeper::Ours);
    if arguments.record.is_some() && (arguments.scenarios.len() > 1 || !ours) {
        return Err(BadInput(vec![
            "--record records one run of our controller: name one scenario, and no policy".to_owned(),
        ]));
    }
    let mut scenarios = Vec::new();
    for path in &arguments.scenarios {
        scenarios.push(read_scenario(path)?);
    }
    let mut verdict = Verdict::Well;
    for mut scenario in scenarios {
        scenario.seed = arguments.seed.unwrap_or(scenario.seed);
        let mut outcome = run_one(&scenario, keeper, arguments);
        if let Some(path) = &arguments.report {
            write_text(path, &run_page(&scenario, &arguments.policy, &outcome))?;
        }
        if !arguments.story {
            outcome.story.clear();
        }
        show(&scenario, &outcome, arguments);
        if !outcome.unmet.is_empty() {
            verdict = Verdict::Unmet;
        }
    }
    Ok(verdict)
}

fn keeper(name: &str) -> Result<Keeper, BadInput> {
    if name == "ours" {
        return Ok(Keeper::Ours);
    }
    rivals::ALL
        .iter()
        .find(|entry| entry.name == name)
        .map(Keeper::Rival)
        .ok_or_else(|| {
            let known: Vec<&str> = rivals::ALL.iter().map(|entry| entry.name).collect();
            BadInput(vec![format!(
                "--policy {name}: not known; there are: ours, {}",
                known.join(", ")
            )])
        })
}

fn run_one(scenario: &Scenario, keeper: Keeper, arguments: &RunArguments) -> Run {
    let bar = progress_bar(&scenario.name, scenario.lasts.0);
    let mut tape = arguments.record.as_ref().map(|folder| Tape::new(folder));
    let options = Options {
        keeper,
        witness: tape.as_mut().map(|tape| tape as &mut dyn Witness),
        fidelity: match arguments.fidelity {
            FidelityArgument::Domain => Fidelity::Domain,
            FidelityArgument::Wire => Fidelity::Wire,
        },
        story: arguments.story || arguments.report.is_some(),
        sample_every: arguments.report.as_ref().map_or(Duration::ZERO, |_| distance(scenario)),
    };
    let outcome = run_scenario(scenario, options, &mut |passed| bar.set_position(passed.as_secs()));
    bar.finish_and_clear();
    outcome
}

/// Samples for a page: some thousands, and not more than one a second.
fn distance(scenario: &Scenario) -> Duration {
    Duration::from_secs((scenario.lasts.0.as_secs() / SAMPLES).max(1))
}

fn show(scenario: &Scenario, outcome: &Run, arguments: &RunArguments) {
    say(&format!(
        "# {} (seed {}, {})",
        scenario.name, scenario.seed, arguments.policy
    ));
    for line in &outcome.story {
        say(line);
    }
    let summary = &outcome.summary;
    say(&format!(
        "{:<16} {:>6} {:>6} {:>9} {:>9} {:>9} {:>6} {:>8} {:>6} {:>5}",
        "queue", "jobs", "ended", "wait p50", "p95", "max", "pods", "pod-h", "idle", "cut"
    ));
    for (queue, of_queue) in &summary.queues {
        say(&row(queue.as_str(), of_queue));
    }
    say(&row("all", &summary.total));
    let minutes = (summary.length.as_secs_f64() / 60.0).max(1.0);
    say(&format!(
        "{} of virtual time, {} events, {} steps, {:.1} Buildkite requests a minute",
        Span(summary.length),
        summary.events,
        summary.steps,
        summary.buildkite_requests as f64 / minutes,
    ));
    for sentence in &outcome.unmet {
        say(&format!("UNMET: {sentence}"));
    }
}

fn row(name: &str, summary: &QueueSummary) -> String {
    format!(
        "{name:<16} {:>6} {:>6} {:>9} {:>9} {:>9} {:>6} {:>8.2} {:>4.0} % {:>5}",
        summary.jobs,
        summary.finished,
        seconds(summary.wait(50)),
        seconds(summary.wait(95)),
        seconds(summary.wait(100)),
        summary.pods_created,
        summary.pod_time.as_secs_f64() / 3600.0,
        summary.idle_share() * 100.0,
        summary.interrupted + summary.interrupted_by_the_world,
    )
}

fn seconds(length: Duration) -> String {
    format!("{:.1} s", length.as_secs_f64())
}
