//! The options by which several controllers agree.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::time::Duration;

use buildscaler_args::LeadershipArgs;
use buildscaler_core::LeadershipConfig;
use clap::Parser;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    leadership: LeadershipArgs,
}

fn parse(options: &[&str]) -> Result<LeadershipArgs, clap::Error> {
    Cli::try_parse_from(["buildscaler"].iter().chain(options)).map(|cli| cli.leadership)
}

fn config(options: &[&str], namespace: Option<&str>) -> Result<Option<LeadershipConfig>, String> {
    parse(options).expect("well formed").config(namespace, "own")
}

#[test]
fn leadership_is_off_unless_asked_for() {
    assert_eq!(config(&[], Some("ci")), Ok(None));
    assert_eq!(config(&["--leader-elect=false"], None), Ok(None));
    let on = config(&["--leader-elect"], None).expect("usable").expect("on");
    let times = (on.lease_duration, on.renew_deadline, on.retry_period);
    assert_eq!(
        times,
        (Duration::from_secs(15), Duration::from_secs(10), Duration::from_secs(1))
    );
    assert_eq!((on.namespace.as_str(), on.name.as_str()), ("own", "buildscaler"));
    let other = config(&["--leader-elect=true"], Some("ci"))
        .expect("usable")
        .expect("on");
    assert_eq!(other.namespace, "ci");
    assert_ne!(other.identity, on.identity, "every process has a name of its own");
}

#[test]
fn times_that_cannot_work_together_are_refused() {
    for (options, word) in [
        (
            ["--leader-elect-renew-deadline=15", "--leader-elect"],
            "lease-duration 15",
        ),
        (
            ["--leader-elect-retry-period=10", "--leader-elect"],
            "renew-deadline 10",
        ),
    ] {
        let refused = config(&options, None).expect_err("refused");
        assert!(refused.contains(word), "{refused}");
    }
    assert!(parse(&["--leader-elect-retry-period=2"]).is_err(), "nobody reads it");
    assert!(parse(&["--leader-elect", "--leader-elect-resource-name=No_Name"]).is_err());
}
