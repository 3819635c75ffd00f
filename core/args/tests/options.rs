//! What the command line accepts, refuses and shows.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::path::Path;
use std::time::Duration;

use buildscaler_args::{ControllerArgs, LogFormat, Token};
use buildscaler_core::Config;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

const MARKER: &str = "bkua_marker-that-nobody-may-see";
/// Set in processes started by `alone`: which options they parse.
const ALONE: &str = "BUILDSCALER_TEST_OPTIONS";

/// As a runtime has it.
#[derive(Debug, Parser)]
#[command(name = "buildscaler")]
struct Cli {
    #[command(flatten)]
    args: ControllerArgs,
}

fn parse(options: &[&str]) -> Result<ControllerArgs, clap::Error> {
    let required = ["buildscaler", "--token", MARKER, "--buildkite-org", "acme"];
    Cli::try_parse_from(required.iter().chain(options)).map(|cli| cli.args)
}

fn refusal(options: &[&str]) -> String {
    let error = parse(options).expect_err("it is refused");
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn defaults_are_those_of_the_specification() {
    let args = parse(&[]).expect("the required options are enough");
    assert_eq!(Config::from(&args), Config::default());
    assert_eq!(args.namespace(), None);
    assert_eq!(args.buildkite_api_url, "https://api.buildkite.com");
    assert_eq!(args.log_format, LogFormat::Text);
    assert_eq!((args.record, args.record_max_bytes), (None, 256 * 1024 * 1024));
    assert!(!args.verbose);
}

#[test]
fn every_option_reaches_the_configuration() {
    let options = [
        "--sync-interval=5",
        "--disconnect-after-idle-timeout=60",
        "--agent-startup-timeout=120",
        "--max-active-builds=7",
        "--max-agent-lifetime=3600",
        "--max-pods=9",
    ];
    let expected = Config {
        sync_interval: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(60),
        agent_startup_timeout: Duration::from_secs(120),
        max_active_builds: Some(7),
        max_agent_lifetime: Some(Duration::from_secs(3600)),
        max_pods: Some(9),
        ..Config::default()
    };
    assert_eq!(Config::from(&parse(&options).expect("valid options")), expected);
}

#[test]
fn the_other_options_are_kept() {
    let options = [
        "-n",
        "builds",
        "--kubeconfig",
        "/tmp/config",
        "-v",
        "--log-format",
        "json",
        "--record=/tmp/recording",
        "--record-max-bytes=2000000",
    ];
    let args = parse(&options).expect("valid options");
    assert_eq!(args.namespace(), Some("builds"));
    assert_eq!(args.kubeconfig(), Some(Path::new("/tmp/config")));
    assert_eq!(args.log_format, LogFormat::Json);
    assert_eq!(args.record.as_deref(), Some(Path::new("/tmp/recording")));
    assert_eq!(args.record_max_bytes, 2_000_000);
    assert!(args.verbose);
    assert_eq!((args.token.expose(), args.buildkite_org.as_str()), (MARKER, "acme"));
}

#[test]
fn a_blank_namespace_means_all_and_a_blank_kubeconfig_none() {
    let args = parse(&["--namespace=", "--kubeconfig", " "]).expect("blanks are allowed here");
    assert_eq!((args.namespace(), args.kubeconfig()), (None, None));
}

#[test]
fn a_line_break_after_the_token_is_dropped() {
    let args = Cli::try_parse_from(["b", "--token", "abc\n", "--buildkite-org", "acme"]).expect("a usable token");
    assert_eq!(args.args.token.expose(), "abc");
}

#[test]
fn what_leads_nowhere_is_refused_by_name() {
    let refused: &[(&[&str], &str, &str)] = &[
        (&["--sync-interval=0"], "--sync-interval", "at least 1 second"),
        (&["--sync-interval=-5"], "--sync-interval", "whole number"),
        (&["--sync-interval=soon"], "--sync-interval", "whole number"),
        (&["--agent-startup-timeout=0"], "--agent-startup-timeout", "at least 1"),
        (&["--max-agent-lifetime=0"], "--max-agent-lifetime", "at least 1"),
        (
            &["--disconnect-after-idle-timeout=0"],
            "--disconnect-after-idle-timeout",
            "an idle agent would never leave",
        ),
        (&["--max-pods=0"], "--max-pods", "leave the option out"),
        (&["--max-active-builds=-1"], "--max-active-builds", "whole number"),
        (&["--namespace=Not/A/Name"], "--namespace", "no name of a namespace"),
        (&["--log-format=xml"], "--log-format", "json"),
        (&["--record= "], "--record", "blank"),
        (
            &["--record=r", "--record-max-bytes=1000"],
            "--record-max-bytes",
            "one MiB",
        ),
        (
            &["--record=r", "--record-max-bytes=1G"],
            "--record-max-bytes",
            "whole number",
        ),
        (&["--record-max-bytes=2000000"], "--record", "required"),
        (&["--unheard-of"], "--unheard-of", "unexpected"),
    ];
    for (options, name, hint) in refused {
        let said = refusal(options);
        assert!(said.contains(name) && said.contains(hint), "{options:?}: {said}");
    }
}

#[test]
fn blank_required_options_are_refused_by_name() {
    for (token, org, name) in [
        ("", "acme", "--token"),
        (" \n", "acme", "--token"),
        ("t", " ", "--buildkite-org"),
    ] {
        let error = Cli::try_parse_from(["b", "--token", token, "--buildkite-org", org]).expect_err("it is refused");
        let said = error.to_string();
        assert!(said.contains(name) && said.contains("blank"), "{said}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn an_organisation_given_as_its_url_is_refused_with_a_hint() {
    let error = Cli::try_parse_from(["b", "--token=t", "--buildkite-org=https://buildkite.com/acme"]);
    let said = error.expect_err("it is refused").to_string();
    assert!(said.contains("the slug is what follows"), "{said}");
}

#[test]
fn the_api_url_may_have_a_port_a_path_and_a_slash() {
    for (given, kept) in [
        ("https://api.buildkite.com/", "https://api.buildkite.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://proxy.example/buildkite//", "https://proxy.example/buildkite"),
        ("", "https://api.buildkite.com"),
    ] {
        let args = parse(&["--buildkite-api-url", given]).expect(given);
        assert_eq!(args.buildkite_api_url, kept);
    }
}

#[test]
fn an_api_url_that_cannot_be_meant_is_refused_with_a_hint() {
    for (given, hint) in [
        ("https://api.buildkite.com/v2", "give https://api.buildkite.com"),
        ("https://api.buildkite.com/v2/", "give https://api.buildkite.com"),
        ("api.buildkite.com", "no URL"),
        ("ftp://api.buildkite.com", "must begin with https://"),
        ("https://somebody:secret@api.buildkite.com", "credentials"),
        ("https://api.buildkite.com?x=1", "? or #"),
    ] {
        let said = refusal(&["--buildkite-api-url", given]);
        assert!(said.contains("--buildkite-api-url") && said.contains(hint), "{said}");
    }
}

/// Invariant 22. Seen to fail with `derive(Debug)` on the token.
#[test]
fn the_token_appears_in_no_debug_or_display_output() {
    let args = parse(&[]).expect("the required options are enough");
    let shown = format!("{args:?} {args:#?} {:?} {}", args.token, args.token);
    assert!(!shown.contains(MARKER), "{shown}");
    assert_eq!(args.token, Token::from(MARKER));
}

/// Seen to fail without `allow_negative_numbers`: clap then took `-5` for an
/// option and did not name the right one.
#[test]
fn a_negative_number_after_a_space_names_its_option() {
    let said = refusal(&["--sync-interval", "-5"]);
    assert!(said.contains("--sync-interval"), "{said}");
}

#[test]
fn the_help_says_everything_but_secrets() {
    let help = Cli::command().term_width(100).render_long_help().to_string();
    insta::assert_snapshot!(help);
}

#[test]
fn options_left_out_come_from_the_environment() {
    let variables = [
        ("BUILDKITE_ACCESS_TOKEN", MARKER),
        ("BUILDKITE_ORG_SLUG", "acme"),
        ("KUBECONFIG", "/tmp/config"),
        ("BUILDKITE_API_URL", "http://127.0.0.1:1/prefix/"),
    ];
    let shown = alone("", &variables);
    for expected in [
        format!("token {MARKER}"),
        "org acme".into(),
        "kubeconfig /tmp/config".into(),
        "url http://127.0.0.1:1/prefix".into(),
    ] {
        assert!(shown.contains(&expected), "{expected} in {shown}");
    }
}

#[test]
fn blank_variables_count_as_unset() {
    let required = [("BUILDKITE_ACCESS_TOKEN", MARKER), ("BUILDKITE_ORG_SLUG", "acme")];
    let blank = [("KUBECONFIG", ""), ("BUILDKITE_API_URL", "")];
    let shown = alone("", &[required, blank].concat());
    assert!(shown.contains("kubeconfig none"), "{shown}");
    assert!(shown.contains("url https://api.buildkite.com"), "{shown}");
}

#[test]
fn a_missing_or_blank_token_is_named() {
    for variables in [&[][..], &[("BUILDKITE_ACCESS_TOKEN", "")]] {
        let shown = alone("--buildkite-org=acme", variables);
        assert!(shown.contains("exit 2") && shown.contains("--token"), "{shown}");
    }
}

#[test]
fn an_option_outranks_its_variable() {
    let variables = [("BUILDKITE_ACCESS_TOKEN", "other"), ("BUILDKITE_ORG_SLUG", "other")];
    let shown = alone(&format!("--token={MARKER} --buildkite-org=acme"), &variables);
    assert!(
        shown.contains(&format!("token {MARKER}")) && shown.contains("org acme"),
        "{shown}"
    );
}

/// Seen to fail without `hide_env_values`.
#[test]
fn the_help_does_not_show_the_token_of_the_environment() {
    let shown = alone("--help", &[("BUILDKITE_ACCESS_TOKEN", MARKER)]);
    assert!(
        shown.contains("BUILDKITE_ACCESS_TOKEN") && !shown.contains(MARKER),
        "{shown}"
    );
}

/// Parses options in a process with no environment but `variables`, which
/// cannot be set in this one while other tests run.
fn alone(options: &str, variables: &[(&str, &str)]) -> String {
    let output = std::process::Command::new(std::env::current_exe().expect("this test's file"))
        .args(["--exact", "in_an_environment_of_its_own", "--nocapture"])
        .env_clear()
        .env(ALONE, options)
        .envs(variables.iter().copied())
        .output()
        .expect("the process runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The other end of `alone`; without it, the environment must not matter.
#[test]
fn in_an_environment_of_its_own() {
    let options = std::env::var(ALONE).unwrap_or_else(|_| "--help".into());
    match Cli::try_parse_from(["buildscaler"].into_iter().chain(options.split_whitespace())) {
        Ok(Cli { args }) => println!(
            "token {}, org {}, kubeconfig {}, url {}",
            args.token.expose(),
            args.buildkite_org,
            args.kubeconfig()
                .map_or("none".into(), |path| path.display().to_string()),
            args.buildkite_api_url
        ),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => println!("{error}"),
        Err(error) => println!("exit {}: {error}", error.exit_code()),
    }
}
