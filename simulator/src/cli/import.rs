//! `import`: recorded workloads as scenarios.

use std::path::PathBuf;

use buildscaler_simulator::import::{Imported, Options, QueueMap, import as import_trace};
use clap::Args;

use super::input::{read_bytes, write_scenario};
use super::say::complain;
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// The trace; `-` is standard input.
    ///
    /// A CSV file with the columns `runnable_at,queue,duration_s[,build]`, or
    /// of Bitcoin Core's CI or the vLLM nightlies; or a JSON array of builds
    /// as Buildkite's REST API returns them. May be packed by gzip.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// Where to write the scenario; standard output if left out.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The scenario's name.
    #[arg(long, value_name = "TEXT", default_value = "imported")]
    name: String,
    /// Leave out builds created before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Leave out builds created at or after (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Take so many of each hundred builds.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    sample: Option<u32>,
    /// Which builds a sample takes; the scenario's seed too.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Other names for queues: `old=new,old2=new`, `*=new` for all others.
    #[arg(long, value_name = "MAP", default_value = "")]
    queue_map: QueueMap,
}

pub(super) fn import(arguments: &ImportArguments) -> Result<Verdict, BadInput> {
    let bytes = read_bytes(&arguments.trace)?;
    let options = Options {
        name: arguments.name.clone(),
        from: arguments.from,
        to: arguments.to,
        sample_percent: arguments.sample,
        seed: arguments.seed,
        queues: arguments.queue_map.clone(),
    };
    let imported = import_trace(&arguments.trace.display().to_string(), &bytes, &options)
        .map_err(|problems| BadInput(problems.iter().map(ToString::to_string).collect()))?;
    report(&imported);
    write_scenario(&imported.scenario, arguments.output.as_deref())?;
    Ok(Verdict::Well)
}

/// On standard error: the scenario may go to standard output.
fn report(imported: &Imported) {
    complain(&format!("{} builds with {} jobs", imported.builds, imported.jobs));
    for (why, skipped) in &imported.skipped {
        complain(&format!(
            "left out: {} {why} (the first: {})",
            skipped.rows, skipped.first
        ));
    }
}
