//! Whatever is wrong is named with its line, its rule and what to do.

use buildscaler_simulator::scenario::Scenario;

/// What is said of a text, as `line: rule: message`.
fn said(text: &str) -> Vec<String> {
    let problems = Scenario::read("file.yaml", text).expect_err("the text is bad");
    let line = |text: String| text.trim_start_matches("file.yaml:").to_owned();
    problems.iter().map(|problem| line(problem.to_string())).collect()
}

/// Expects one problem for each of `expected`, in order: the place and rule it
/// begins with, and words that are in it.
#[track_caller]
fn expect(text: &str, expected: &[(&str, &str)]) {
    let said = said(text);
    let as_expected =
        |(said, (begin, words)): (&String, &(&str, &str))| said.starts_with(begin) && said.contains(words);
    assert!(
        said.len() == expected.len() && said.iter().zip(expected).all(as_expected),
        "said:\n{}\nexpected:\n{expected:#?}",
        said.join("\n")
    );
}

fn with(rest: &str) -> String {
    format!("version: 1\nname: a\nlasts: 1h\n{rest}")
}

#[test]
fn the_least_scenario_is_read() {
    Scenario::read("file.yaml", &with("")).unwrap();
}

#[test]
fn no_yaml_has_a_line() {
    expect(
        "version: 1\nname: [\nlasts: 1h\n",
        &[("2:7: syntax", "unclosed bracket")],
    );
    expect("", &[("1:1: shape", "is empty")]);
}

#[test]
fn another_version_is_said_before_anything_else() {
    expect(
        "name: a\nversion: 2\nlasts: 1h\n",
        &[("2:10: version", "version 2 is newer than this program")],
    );
    expect(
        "version: 9\nnovel: {a: 1}\n",
        &[("1:10: version", "version 9 is newer than this program")],
    );
    expect(
        "version: 0\nname: a\nlasts: 1h\n",
        &[("1:10: version", "write `version: 1`")],
    );
}

#[test]
fn an_unknown_field_is_named_with_the_ones_there_are() {
    expect(&with("controler: {}\n"), &[("4:1: shape", "controller")]);
    expect(&with("world:\n  nodes: {cuont: 3}\n"), &[("5:11: shape", "count")]);
}

/// Seen failing when only the first misshapen element was told.
#[test]
fn misshapen_events_are_told_all_at_once() {
    let text = with(concat!(
        "timeline:\n",
        "  - at: 5s\n",
        "    biuld: {steps: []}\n",
        "  - {at: 6s, build: {steps: [{queue: linux, runs: 10}]}}\n",
        "  - at: 7s\n",
        "    crash-controller: null\n",
        "    lose-node: 1\n",
        "  - at: 8 seconds ago\n",
        "    crash-controller: null\n",
        "  - at: 9s\n",
        "templates:\n",
        "  - {name: linux, parallelism: none}\n",
    ));
    expect(
        &text,
        &[
            ("6:5: shape", "biuld"),
            ("7:51: shape", "\"10\" is not a length of time"),
            ("8:5: shape", "second event"),
            ("11:9: shape", "negative"),
            ("13:5: shape", "nothing happens"),
            ("15:32: shape", ""),
        ],
    );
}

#[test]
fn a_range_says_where_it_is_wrong() {
    expect(
        &with("world:\n  pods:\n    exit: {from: 1s, too: 2s}\n"),
        &[("6:22: shape", "too")],
    );
    expect(
        &with("world:\n  pods:\n    exit: {from: 9s, to: 2s}\n    agent-start: [1s]\n"),
        &[("7:5: shape", "a length of time")],
    );
    expect(
        &with("world:\n  pods:\n    exit: {from: 9s, to: 2s}\n    agent-start: 25h\n"),
        &[("6:11: time", "exchange them"), ("7:18: time", "at most 24h")],
    );
}

#[test]
fn names_are_ones_that_kubernetes_and_buildkite_take() {
    let text = with(concat!(
        "templates:\n",
        "  - {name: Linux}\n",
        "  - {name: a, queue: -b}\n",
        "  - {name: a, tags: [os, queue=b, arch=arm]}\n",
    ));
    expect(
        &text,
        &[
            ("5:12: name", "no name of a Job"),
            ("6:22: name", "no queue"),
            ("7:12: unique", "already"),
            ("7:22: name", "not key=value"),
            ("7:26: name", "write it as `queue`"),
        ],
    );
}

#[test]
fn numbers_have_bounds() {
    let text = with(concat!(
        "world:\n",
        "  nodes: {count: 1000000, pods-each: 0}\n",
        "  pods: {failing-percent: 60, hanging-percent: 60}\n",
        "timeline:\n",
        "  - {at: 1s, kill-pods: 0}\n",
        "  - {at: 1s, fault: {on: agents, with: drop, times: 0}}\n",
        "  - {at: 1s, build: {steps: [{parallelism: 0}, {exits: 400}]}}\n",
        "  - {at: 1s, build: {steps: []}}\n",
    ));
    expect(
        &text,
        &[
            ("5:18: number", "from 0 to 100000"),
            ("5:38: number", "from 1"),
            ("6:48: number", "120 of each 100"),
            ("8:25: number", "from 1"),
            ("9:53: number", "never strikes"),
            ("10:44: number", "from 1"),
            ("10:56: number", "no command exits"),
            ("11:29: number", "at least one step"),
        ],
    );
}

#[test]
fn what_is_referred_to_exists_by_then() {
    let text = with(concat!(
        "templates:\n",
        "  - name: linux\n",
        "timeline:\n",
        "  - {at: 20s, build: {id: a, steps: [{queue: linux}, {queue: linux, after: [1, 0]}]}}\n",
        "  - {at: 10s, cancel-build: a}\n",
        "  - {at: 30s, unblock: a}\n",
        "  - {at: 30s, delete-template: linux}\n",
        "  - {at: 31s, delete-template: linux}\n",
        "  - {at: 32s, pause-agents: macos}\n",
        "  - {at: 33s, lose-node: 2}\n",
        "  - {at: 34s, build: {id: a, steps: [{queue: linux}]}}\n",
        "expect:\n",
        "  waits: [{queue: mac, at-most: 1m}]\n",
        "  findings: [no_templates]\n",
        "  reasons: [idle]\n",
    ));
    expect(
        &text,
        &[
            ("7:77: reference", "not before it"),
            ("8:29: reference", "by then"),
            ("9:24: reference", "no block step"),
            ("11:32: reference", "no template"),
            ("12:29: reference", "has the queue"),
            ("13:26: reference", "at most 1 nodes"),
            ("14:22: unique", "its own"),
            ("16:19: reference", "has the queue mac"),
            ("17:14: reference", "there are adopted_pod"),
        ],
    );
}

#[test]
fn times_lie_within_the_scenario() {
    expect(
        &with("starts: yesterday\ntimeline:\n  - {at: 61m, crash-controller: null}\n"),
        &[("4:9: time", "RFC 3339"), ("6:10: time", "lasts 1h")],
    );
    expect("version: 1\nname: a\nlasts: 9000h\n", &[("3:8: time", "8784h")]);
}

#[test]
fn things_begin_before_they_end() {
    let text = with(concat!(
        "timeline:\n",
        "  - {at: 1s, start-controller: null}\n",
        "  - {at: 2s, stop-controller: null}\n",
        "  - {at: 3s, crash-controller: null}\n",
        "  - {at: 4s, stop-second-controller: null}\n",
        "  - {at: 5s, faults-end: null}\n",
        "  - {at: 6s, fault: {on: pods, with: stale}}\n",
        "  - {at: 7s, build: {steps: [{kind: wait, queue: a}]}}\n",
    ));
    expect(
        &text,
        &[
            ("5:32: order", "not stopped"),
            ("7:32: order", "away"),
            ("8:38: order", "does not run"),
            ("10:21: order", "before `faults-end`"),
            ("11:50: order", "no `queue`"),
        ],
    );
}

#[test]
fn expectations_are_possible_ones() {
    let text = with(concat!(
        "timeline:\n",
        "  - {at: 1s, build: {steps: [{parallelism: 2}]}}\n",
        "expect: {finished: 3, pods-created-at-least: 4, pods-created-at-most: 3}\n",
    ));
    expect(&text, &[("6:20: number", "only 2"), ("6:71: number", "cannot both")]);
}

#[test]
fn absurd_sizes_are_refused_without_being_simulated() {
    let text = with("timeline:\n  - {at: 1s, build: {steps: [{parallelism: 100000}, {parallelism: 4000000000}]}}\n");
    let said = said(&text).join("\n");
    assert!(said.contains("size: 4000100000 jobs are too many"), "{said}");
    let said = self::said(&format!("{}# {}", with(""), "x".repeat(65 << 20))).join("\n");
    assert!(said.contains("size: the file has"), "{said}");
}
