//! `compare`: scenarios, each kept by several policies in turn.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use buildscaler_simulator::compare::{self, Comparison, Contestant, Role, Variant};
use buildscaler_simulator::report::comparison_page;
use buildscaler_simulator::scenario::Scenario;
use clap::{Args, ValueEnum};

use super::input::{read_scenario, write_text};
use super::say::{complain, progress_bar, say};
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    /// The scenario files; `-` is standard input.
    #[arg(required_unless_present = "list", value_name = "FILE")]
    scenarios: Vec<PathBuf>,
    /// Only these policies take part: all if left out.
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    policies: Vec<String>,
    /// Our controller with other settings takes part too, such as
    /// `idle-timeout=60s,sync-interval=10s`. May be given several times.
    #[arg(long = "ours", value_name = "SETTING=VALUE,..")]
    variants: Vec<String>,
    /// Show each queue by itself too.
    #[arg(long)]
    per_queue: bool,
    /// How the figures are written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the comparison as a page: its table, and waits against pod-hours.
    #[arg(long, value_name = "PAGE.html")]
    report: Option<PathBuf>,
    /// How many runs go on at once: one per processor if left out.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZero<usize>>,
    /// List the policies there are.
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Aligned, for people.
    Table,
    /// A line per scenario, policy and queue.
    Csv,
    /// Everything there is.
    Json,
}

pub(super) fn run(arguments: &CompareArguments) -> Result<Verdict, BadInput> {
    if arguments.list {
        list();
        return Ok(Verdict::Well);
    }
    let contestants = contestants(arguments)?;
    let mut scenarios = Vec::new();
    for path in &arguments.scenarios {
        scenarios.push(read_scenario(path)?);
    }
    let comparison = compete(&scenarios, &contestants, arguments)?;
    say(written(&comparison, arguments)?.trim_end());
    if let Some(path) = &arguments.report {
        write_text(path, &comparison_page(&comparison))?;
    }
    Ok(verdict(&comparison))
}

fn list() {
    for contestant in Contestant::all() {
        say(&format!("{:<26}{}", contestant.name(), contestant.about()));
    }
}

fn contestants(arguments: &CompareArguments) -> Result<Vec<Contestant>, BadInput> {
    let bad = |error: compare::UnknownContestant| BadInput(vec![error.to_string()]);
    let mut contestants = if arguments.policies.is_empty() {
        Contestant::all()
    } else {
        let named = arguments.policies.iter().map(|name| Contestant::named(name));
        named.collect::<Result<_, _>>().map_err(bad)?
    };
    let variants = arguments.variants.iter().map(|text| Variant::parse(text));
    let variants: Vec<Variant> = variants.collect::<Result<_, _>>().map_err(bad)?;
    let ours = contestants
        .iter()
        .rposition(|contestant| contestant.role() == Role::Ours);
    let after_ours = ours.map_or(0, |at| at + 1);
    contestants.splice(after_ours..after_ours, variants.into_iter().map(Contestant::Variant));
    Ok(contestants)
}

fn compete(
    scenarios: &[Scenario],
    contestants: &[Contestant],
    arguments: &CompareArguments,
) -> Result<Comparison, BadInput> {
    let runs = u32::try_from(contestants.len()).unwrap_or(u32::MAX);
    let length: Duration = scenarios.iter().map(|scenario| scenario.lasts.0 * runs).sum();
    let bar = progress_bar("comparing", length);
    let passed = AtomicU64::new(0);
    let progress = |more: Duration| {
        let more = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
        bar.set_position((passed.fetch_add(more, Ordering::Relaxed) + more) / 1000);
    };
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok());
    let comparison = compare::compare(
        scenarios,
        contestants,
        threads.unwrap_or(NonZero::<usize>::MIN),
        &progress,
    );
    bar.finish_and_clear();
    comparison.map_err(|error| BadInput(vec![error.to_string()]))
}

fn written(comparison: &Comparison, arguments: &CompareArguments) -> Result<String, BadInput> {
    match arguments.format {
        Format::Table => Ok(compare::table(comparison, arguments.per_queue)),
        Format::Csv => compare::csv(comparison).map_err(|error| BadInput(vec![error.to_string()])),
        Format::Json => serde_json::to_string_pretty(comparison).map_err(|error| BadInput(vec![error.to_string()])),
    }
}

/// Ours must not cut builds off, whoever else does.
fn verdict(comparison: &Comparison) -> Verdict {
    let mut verdict = Verdict::Well;
    for compared in &comparison.scenarios {
        for line in &compared.lines {
            if line.role == Role::Ours && line.total.interrupted > 0 {
                let (name, cut) = (&line.contestant, line.total.interrupted);
                complain(&format!("{}: {name} cut off {cut} builds", compared.scenario));
                verdict = Verdict::Unmet;
            }
        }
    }
    verdict
}
