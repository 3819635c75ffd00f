//! Scenarios of any shape, for property tests: valid as values of the types,
//! though not always in what they mean.

use buildscaler_simulator::scenario::*;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts that YAML could take for something else, or that need quotes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}",
        Just("yes".to_owned()),
        Just("null".to_owned()),
        Just("~".to_owned()),
        Just("1.10".to_owned()),
        Just("0x10".to_owned()),
        Just("- a: b # c".to_owned()),
        Just("a\nb\n".to_owned()),
        Just(" leading and trailing ".to_owned()),
        Just("ü \u{1F980} \"'".to_owned()),
        Just(String::new()),
        any::<String>(),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        (0..100_000_u64).prop_map(Span::secs),
        (0..10_000_000_000_u64).prop_map(Span::millis),
    ]
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        span().prop_map(Range::Fixed),
        (span(), span()).prop_map(|(from, to)| Range::Between { from, to }),
    ]
}

fn template() -> impl Strategy<Value = TemplateSpec> {
    (
        (text(), of(text()), text(), any::<i64>()),
        (
            btree_map(text(), text(), 0..3),
            vec(text(), 0..3),
            of(any::<u32>()),
            of(range()),
            of(select(vec![PodFailure::NoImage, PodFailure::Crash])),
        ),
    )
        .prop_map(
            |((name, queue, image, parallelism), (annotations, tags, grace_seconds, image_pull, fails))| TemplateSpec {
                name,
                queue,
                image,
                parallelism,
                annotations,
                tags,
                grace_seconds,
                image_pull,
                fails,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(StepKind::Command), Just(StepKind::Wait), Just(StepKind::Block)];
    let concurrency = (text(), any::<u32>()).prop_map(|(group, limit)| ConcurrencyLimit {
        group,
        limit: limit as usize,
    });
    (
        (kind, of(text()), span(), any::<u32>(), vec(text(), 0..3)),
        (any::<i64>(), of(concurrency), vec(0..9_usize, 0..3), any::<i64>()),
    )
        .prop_map(
            |((kind, queue, runs, parallelism, rules), (priority, concurrency, after, exits))| Step {
                kind,
                queue,
                runs,
                parallelism,
                rules,
                priority,
                concurrency,
                after,
                exits,
            },
        )
}

fn fault() -> impl Strategy<Value = FaultSpec> {
    let on = prop_oneof![
        Just(RequestKind::Builds),
        Just(RequestKind::Stops),
        Just(RequestKind::Kubernetes)
    ];
    let with = prop_oneof![
        Just(FaultKind::Drop),
        span().prop_map(FaultKind::Delay),
        Just(FaultKind::Stale),
        Just(FaultKind::TooManyRequests),
        Just(FaultKind::QuotaExceeded),
    ];
    (on, with, of(span()), any::<u64>(), of(any::<u64>())).prop_map(|(on, with, lasts, skip, times)| FaultSpec {
        on,
        with,
        lasts,
        skip,
        times,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let build = (of(text()), text(), vec(step(), 0..4))
        .prop_map(|(id, pipeline, steps)| Event::Build(BuildEvent { id, pipeline, steps }));
    prop_oneof![
        build,
        template().prop_map(Event::ApplyTemplate),
        fault().prop_map(Event::Fault),
        text().prop_map(Event::CancelBuild),
        text().prop_map(Event::DeleteTemplate),
        any::<u32>().prop_map(Event::LoseNode),
        any::<u32>().prop_map(Event::SpendRequests),
        span().prop_map(Event::ClockBack),
        Just(Event::CrashController),
        Just(Event::FaultsEnd),
    ]
}

fn world() -> impl Strategy<Value = WorldSettings> {
    (any::<[u32; 4]>(), range(), span()).prop_map(|(numbers, range, span)| {
        let [count, max, pods_each, percent] = numbers;
        WorldSettings {
            nodes: NodeSettings {
                count,
                max,
                pods_each,
                startup: range,
            },
            pods: PodSettings {
                exit: range,
                failing_percent: percent,
                ..PodSettings::default()
            },
            buildkite: BuildkiteSettings {
                agent_list_lag: span,
                ..BuildkiteSettings::default()
            },
            replies: Replies {
                kubernetes: range,
                ..Replies::default()
            },
        }
    })
}

fn expectations() -> impl Strategy<Value = Expectations> {
    (of(any::<u64>()), vec((of(text()), span()), 0..3), vec(text(), 0..3)).prop_map(|(number, waits, texts)| {
        let wait = |(queue, at_most)| WaitExpectation { queue, at_most };
        Expectations {
            finished: number,
            pods_at_end: number,
            waits: waits.into_iter().map(wait).collect(),
            findings: texts.clone(),
            reasons: texts,
            ..Expectations::default()
        }
    })
}

/// A scenario of any values.
pub(crate) fn any_scenario() -> impl Strategy<Value = Scenario> {
    (
        (text(), text(), vec(text(), 0..3), any::<u64>(), of(text()), span()),
        (of(span()), of(any::<u32>()), world(), vec(template(), 0..3)),
        (vec((span(), event()), 0..6), expectations()),
    )
        .prop_map(
            |(head, (sync_interval, max_pods, world, templates), (timeline, expect))| {
                let (name, description, covers, seed, starts, lasts) = head;
                Scenario {
                    version: VERSION,
                    name,
                    description,
                    covers,
                    seed,
                    starts,
                    lasts,
                    controller: ControllerSettings {
                        sync_interval,
                        max_pods,
                        ..ControllerSettings::default()
                    },
                    world,
                    templates,
                    timeline: timeline.into_iter().map(|(at, event)| Moment { at, event }).collect(),
                    expect,
                }
            },
        )
}
