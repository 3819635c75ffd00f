//! Nothing that comes in makes the core panic, however odd.

mod objects;

use std::time::Duration;

use buildscaler_core::{
    BudgetConfig, ClusterView, CommandId, Config, Controller, Cursor, Failure, Input, LimitReading, LimitScope, Look,
    LookEnd, MeteringConfig, Outcome, Refusal, Spending, Step, Timestamp, View,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use self::objects::{agents, jobs, pods, templates};
use crate::support::build::START;
use crate::support::cases;
use crate::support::leases::{odd_leaderships, odd_leases};

/// Few names, so that things collide.
pub(crate) fn name() -> impl Strategy<Value = String> {
    select(vec![
        "",
        "a",
        "b",
        "pod",
        "$(BUILDSCALER_POD_UID)",
        "ü".repeat(90).leak(),
    ])
    .prop_map(str::to_owned)
}

/// Any time, the ends of it included.
pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        6 => (0..2_000_000i64).prop_map(|later| Timestamp::from_millis(START.as_millis() + later)),
        1 => select(vec![i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX]).prop_map(Timestamp::from_millis),
    ]
}

pub(crate) fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (0..2_000u64).prop_map(Duration::from_secs),
        1 => select(vec![Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(u64::MAX), Duration::MAX]),
    ]
}

pub(crate) fn number() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..60u32, 1 => select(vec![0, 1, u32::MAX - 1, u32::MAX])]
}

fn configs() -> impl Strategy<Value = Config> {
    let most = || proptest::option::of(number());
    let times = (span(), span(), span(), proptest::option::of(span()));
    let metering = proptest::option::of((name(), name(), number(), name()));
    let leadership = proptest::option::of(odd_leaderships());
    (
        times,
        most(),
        most(),
        (number(), number(), number()),
        metering,
        (leadership, any::<bool>()),
    )
        .prop_map(
            |(
                (sync_interval, idle_timeout, agent_startup_timeout, max_agent_lifetime),
                max_active_builds,
                max_pods,
                budget,
                metering,
                (leadership, dry_run),
            )| Config {
                sync_interval,
                idle_timeout,
                agent_startup_timeout,
                max_active_builds,
                max_agent_lifetime,
                max_pods,
                budget: BudgetConfig {
                    user: budget.0,
                    organization: budget.1,
                    stop_percent: budget.2,
                },
                metering: metering.map(
                    |(product_code, dimension, public_key_version, instance)| MeteringConfig {
                        product_code,
                        public_key_version,
                        dimension,
                        instance,
                    },
                ),
                leadership,
                dry_run,
            },
        )
}

fn failures() -> impl Strategy<Value = Failure> {
    let kinds = vec![
        Refusal::Credentials,
        Refusal::Permission,
        Refusal::QuotaExceeded,
        Refusal::Admission,
        Refusal::NamespaceTerminating,
        Refusal::Webhook,
        Refusal::NotEntitled,
        Refusal::Other,
    ];
    let message = || "m".to_owned();
    prop_oneof![
        Just(Failure::AlreadyExists { message: message() }),
        Just(Failure::NotFound { message: message() }),
        select(kinds).prop_map(move |kind| Failure::Forbidden {
            kind,
            message: message()
        }),
        time().prop_map(move |until| Failure::RateLimited {
            until,
            message: message()
        }),
        Just(Failure::Unavailable { message: message() }),
        any::<u16>().prop_map(move |status| Failure::Rejected {
            status,
            message: message()
        }),
        Just(Failure::Malformed { message: message() }),
        Just(Failure::FateUnknown { message: message() }),
        Just(Failure::TimeRefused { message: message() }),
        Just(Failure::OverBudget),
    ]
}

fn views<T: std::fmt::Debug + Clone>(one: impl Strategy<Value = T>) -> impl Strategy<Value = View<Vec<T>>> {
    prop_oneof![
        4 => vec(one, 0..5).prop_map(View::Complete),
        1 => failures().prop_map(View::Unknown),
    ]
}

fn spendings() -> impl Strategy<Value = Spending> {
    let limit =
        (any::<bool>(), number(), number(), time()).prop_map(|(is_user, limit, remaining, reset_at)| LimitReading {
            scope: if is_user {
                LimitScope::User
            } else {
                LimitScope::Organization
            },
            limit,
            remaining,
            reset_at,
        });
    (number(), vec(limit, 0..3)).prop_map(|(requests, limits)| Spending { requests, limits })
}

fn ends() -> impl Strategy<Value = LookEnd> {
    let cursor = || {
        (any::<bool>(), number()).prop_map(|(builds, page)| {
            if builds {
                Cursor::Builds { page }
            } else {
                Cursor::Agents { page }
            }
        })
    };
    prop_oneof![
        3 => Just(LookEnd::Complete),
        1 => cursor().prop_map(LookEnd::More),
        1 => (cursor(), failures()).prop_map(|(cursor, failure)| LookEnd::Failed(cursor, failure)),
    ]
}

/// Inputs with ids that may or may not be waited for.
fn inputs() -> impl Strategy<Value = Input> {
    let id = || (1..12u64).prop_map(CommandId);
    let cluster = (proptest::option::of(id()), time(), views(templates()), views(pods())).prop_map(
        |(id, begun_at, templates, pods)| Input::Cluster {
            id,
            view: ClusterView {
                begun_at,
                templates,
                pods,
            },
        },
    );
    let look = (
        id(),
        time(),
        vec(jobs(), 0..5),
        vec(agents(), 0..5),
        ends(),
        spendings(),
    )
        .prop_map(|(id, begun_at, jobs, agents, end, spending)| Input::Buildkite {
            id,
            look: Look {
                begun_at,
                jobs,
                agents,
                end,
                spending,
            },
        });
    let outcome = prop_oneof![Just(Outcome::Done), failures().prop_map(Outcome::Failed)];
    let outcome =
        (id(), outcome, spendings()).prop_map(|(id, outcome, spending)| Input::Outcome { id, outcome, spending });
    let lease = prop_oneof![
        proptest::option::of(odd_leases()).prop_map(View::Complete),
        failures().prop_map(View::Unknown)
    ];
    let lease = (id(), lease).prop_map(|(id, view)| Input::Lease { id, view });
    prop_oneof![2 => Just(Input::Tick), 4 => cluster, 4 => look, 3 => outcome, 3 => lease, 1 => Just(Input::Shutdown)]
}

/// The number of a command that waits for this kind of input, or else the
/// input's own.
fn addressed(input: Input, waiting: &[(CommandId, &'static str)]) -> Input {
    let of = |kind: &str| {
        waiting
            .iter()
            .rev()
            .find(|(_, known)| *known == kind)
            .map(|(id, _)| *id)
    };
    match input {
        Input::Cluster { id, view } => Input::Cluster {
            id: of("cluster").or(id),
            view,
        },
        Input::Buildkite { id, look } => Input::Buildkite {
            id: of("buildkite").unwrap_or(id),
            look,
        },
        Input::Outcome { id, outcome, spending } => Input::Outcome {
            id: of("write").unwrap_or(id),
            outcome,
            spending,
        },
        Input::Lease { id, view } => Input::Lease {
            id: of("lease").unwrap_or(id),
            view,
        },
        Input::Tick | Input::Shutdown => input,
    }
}

fn note(step: &Step, waiting: &mut Vec<(CommandId, &'static str)>) {
    waiting.extend(step.commands.iter().map(|command| {
        let kind = match &command.action {
            buildscaler_core::Action::ObserveCluster => "cluster",
            buildscaler_core::Action::ObserveBuildkite { .. } => "buildkite",
            buildscaler_core::Action::CreatePod(_)
            | buildscaler_core::Action::StopAgent { .. }
            | buildscaler_core::Action::DeletePod { .. }
            | buildscaler_core::Action::RegisterUsage { .. }
            | buildscaler_core::Action::MeterUsage { .. } => "write",
            buildscaler_core::Action::ReadLease { .. } | buildscaler_core::Action::WriteLease(_) => "lease",
        };
        (command.id, kind)
    }));
}

proptest! {
    #![proptest_config(cases(300))]

    /// Invariant 12: `step` never panics, whatever the settings, the times and
    /// the inputs, and whether anybody waits for them.
    ///
    /// Seen to fail when times were subtracted without care, and when two
    /// durations were simply added.
    #[test]
    fn no_input_makes_a_step_panic(config in configs(), history in vec((time(), inputs(), any::<bool>()), 1..25)) {
        let mut controller = Controller::new(config);
        let mut waiting = Vec::new();
        note(&controller.step(START, Input::Tick), &mut waiting);
        for (now, input, is_addressed) in history {
            let input = if is_addressed { addressed(input, &waiting) } else { input };
            note(&controller.step(now, input), &mut waiting);
        }
    }

    /// Invariant 24: what was recorded can be read again, and is the same.
    ///
    /// Seen to fail when the limits of a spending were not written.
    #[test]
    fn inputs_survive_being_recorded(input in inputs()) {
        let recorded = serde_json::to_string(&input).unwrap();
        prop_assert_eq!(serde_json::from_str::<Input>(&recorded).unwrap(), input);
    }

    /// Invariant 24: decoding a recording that was tampered with never panics.
    ///
    /// Seen to fail when names that hold a brace were refused by a panic.
    #[test]
    fn no_recording_makes_the_reader_panic(input in inputs(), cut in 0..400usize, junk in "[\\[\\]{}\",:0-9a-zü]{0,3}") {
        let mut recorded = serde_json::to_string(&input).unwrap();
        let mut place = cut.min(recorded.len());
        while !recorded.is_char_boundary(place) {
            place -= 1;
        }
        recorded.insert_str(place, &junk);
        let _ = serde_json::from_str::<Input>(&recorded);
        let _ = serde_json::from_str::<Input>(&recorded[..place]);
        let _ = serde_json::from_str::<Step>(&recorded);
    }
}
