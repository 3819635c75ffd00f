//! The real workloads in `../shared/traces`, beside the checkout, which are no
//! part of the project. Where they are missing these tests are ignored, and
//! say so; where `CI=true` they fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may die of what it did not expect"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use buildscaler_simulator::import::{Imported, Options, import};
use buildscaler_simulator::scenario::{Event, Scenario};
use libtest_mimic::{Arguments, Failed, Trial};

const BITCOIN_CORE: &str = "bitcoin-core-ci_2025-09-04_2025-10-16.csv.gz";
const VLLM: &str = "vllm-nightly_2026-04-05_2026-05-03.csv.gz";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("bitcoin_core_is_imported_whole", BITCOIN_CORE, bitcoin_core),
        trial("the_committed_week_is_an_import", BITCOIN_CORE, committed_week),
        trial("vllm_is_imported_whole", VLLM, vllm),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, file: &'static str, test: fn(&[u8])) -> Trial {
    let path = folder().join(file);
    let missing = !path.exists();
    let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let name = if missing {
        format!("{name} (ignored: {} is missing)", path.display())
    } else {
        name.to_owned()
    };
    let run = move || {
        let bytes = std::fs::read(&path).map_err(|error| Failed::from(format!("{}: {error}", path.display())))?;
        test(&bytes);
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(missing && !must)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces")
}

fn read(bytes: &[u8]) -> Imported {
    let options = Options {
        name: "trace".to_owned(),
        ..Options::default()
    };
    let imported = import("trace", bytes, &options).unwrap();
    let text = imported.scenario.write();
    let begun = Instant::now();
    let back = Scenario::read("trace.yaml", &text);
    let took = begun.elapsed();
    assert_eq!(back.as_ref(), Ok(&imported.scenario));
    let most = if cfg!(debug_assertions) { 30 } else { 1 };
    assert!(
        took < Duration::from_secs(most),
        "{} bytes read in {took:?}",
        text.len()
    );
    imported
}

fn skipped(imported: &Imported) -> Vec<(&str, u64)> {
    imported
        .skipped
        .iter()
        .map(|(why, skipped)| (*why, skipped.rows))
        .collect()
}

fn by_queue(imported: &Imported) -> BTreeMap<&str, u64> {
    let mut queues = BTreeMap::new();
    for moment in &imported.scenario.timeline {
        let Event::Build(build) = &moment.event else { continue };
        for step in &build.steps {
            *queues.entry(step.queue.as_deref().unwrap_or_default()).or_default() += 1;
        }
    }
    queues
}

fn bitcoin_core(bytes: &[u8]) {
    let imported = read(bytes);
    assert_eq!(skipped(&imported), [("with a negative duration", 83)]);
    assert_eq!((imported.builds, imported.jobs), (923, 17_002 - 83));
    let queues = [
        ("arm", 884),
        ("lint", 1784),
        ("linux", 9777),
        ("macos", 1808),
        ("windows", 2666),
    ];
    assert_eq!(by_queue(&imported), queues.into());
}

fn vllm(bytes: &[u8]) {
    let imported = read(bytes);
    assert_eq!(skipped(&imported), [("without a duration: the job never ran", 361)]);
    assert_eq!((imported.builds, imported.jobs), (50, 10_686 - 361));
    assert_eq!(by_queue(&imported).len(), 33);
}

/// Run with `UPDATE_DOCS=1` to write the file anew.
fn committed_week(bytes: &[u8]) {
    let options = Options {
        name: "bitcoin-core-week".to_owned(),
        from: "2025-09-15T00:00:00Z".parse().ok(),
        to: "2025-09-22T00:00:00Z".parse().ok(),
        ..Options::default()
    };
    let mut week = import("trace", bytes, &options).unwrap().scenario;
    week.description = "Bitcoin Core's CI from 15 to 21 September 2025, its busiest week.".to_owned();
    let now = format!(
        "# From willcl-ark/bitcoin-core-ci-stats, MIT licence: see bitcoin-core-ci.LICENSE.txt.\n{}",
        week.write()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/recorded/bitcoin-core-week.yaml");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == now,
        "run with UPDATE_DOCS=1 to write {}",
        path.display()
    );
}
