//! Servers that answer anything at all (Invariant 24).

#![expect(clippy::expect_used, reason = "a test may fail")]

mod support;

use buildscaler_core::{Action, AgentId, CreatePod, Cursor, Input, LookEnd, Outcome, Queue, Uid};
use buildscaler_wire::{Reply, SendErrorKind};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{answer, begin, send_error, talk};

/// Words that mean something to the decoders.
const WORDS: &[&str] = &[
    "id",
    "state",
    "jobs",
    "job",
    "type",
    "script",
    "scheduled",
    "canceling",
    "agent_query_rules",
    "queue=x",
    "queue",
    "meta_data",
    "pod-uid=u",
    "connection_state",
    "connected",
    "paused",
    "connected_at",
    "2026-11-01T08:00:00Z",
    "2025-07-16 06:07:42 UTC",
    "kind",
    "PodList",
    "JobList",
    "metadata",
    "continue",
    "items",
    "uid",
    "name",
    "namespace",
    "creationTimestamp",
    "spec",
    "containers",
    "template",
    "status",
    "phase",
    "Running",
    "Pending",
    "containerStatuses",
    "terminated",
    "waiting",
    "reason",
    "message",
    "details",
    "causes",
    "reset",
    "selector",
    "matchLabels",
    "labels",
    "annotations",
    "restartPolicy",
    "hostname",
    "",
    "é",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// What passes for a page of one of the four lists, with values of any type in
/// its fields.
fn page() -> impl Strategy<Value = Vec<u8>> {
    let rows = prop::collection::vec(json_value(), 0..4);
    (rows, json_value(), json_value(), 0..4).prop_map(|(rows, spec, status, list)| {
        let row = |inner: &Value| match list {
            0 => json!({"state": "running", "jobs": [inner, {"id": "a", "type": "script", "state": spec}]}),
            1 => json!({"id": "a", "job": inner, "meta_data": spec, "paused": status, "queue": inner}),
            _ => json!({
                "metadata": {"uid": "u", "name": "n", "namespace": "s", "creationTimestamp": "2026-11-01T08:00:00Z"},
                "spec": {"containers": [], "template": inner, "selector": spec}, "status": status,
            }),
        };
        let rows: Vec<Value> = rows.iter().map(row).collect();
        let page = match list {
            0 | 1 => json!(rows),
            2 => json!({"kind": "PodList", "metadata": {}, "items": rows}),
            _ => json!({"kind": "JobList", "metadata": {"continue": spec}, "items": rows}),
        };
        page.to_string().into_bytes()
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        json_value().prop_map(|value| value.to_string().into_bytes()),
        page(),
        // A connection cut without anybody noticing.
        (page(), any::<prop::sample::Index>()).prop_map(|(mut body, at)| {
            body.truncate(at.index(body.len() + 1));
            body
        }),
    ]
}

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "link",
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "ratelimit-user-limit",
        "ratelimit-user-remaining",
        "ratelimit-user-reset",
    ]);
    let value = prop_oneof![
        any::<u32>().prop_map(|number| number.to_string().into_bytes()),
        "[ -~]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(0x80_u8..=0xff, 0..8),
    ];
    let page = prop_oneof![0_u32..4, any::<u32>(), Just(u32::MAX)];
    let next = page.prop_map(|page| ("link", format!("<https://h/?page={page}>; rel=\"next\"").into_bytes()));
    prop_oneof![next, (name, value)]
}

fn reply() -> impl Strategy<Value = Reply> {
    let status = prop_oneof![4 => Just(200_u16), 1 => 100_u16..=999];
    let answered = (status, prop::collection::vec(header(), 0..5), body()).prop_map(|(status, headers, body)| {
        let mut answer = answer(status, body);
        for (name, value) in headers {
            let value = http::HeaderValue::from_bytes(&value).expect("visible bytes");
            answer.headers_mut().append(name, value);
        }
        Ok(answer)
    });
    let failed = any::<bool>().prop_map(|sent| Err(send_error(SendErrorKind::Other, sent)));
    prop_oneof![9 => answered, 1 => failed]
}

fn action() -> impl Strategy<Value = Action> {
    let page = prop_oneof![any::<u32>(), 0_u32..4, Just(u32::MAX)];
    let cursor = prop_oneof![
        page.clone().prop_map(|page| Cursor::Builds { page }),
        page.prop_map(|page| Cursor::Agents { page }),
        Just(Cursor::START),
    ];
    prop_oneof![
        Just(Action::ObserveCluster),
        any::<String>().prop_map(|product_code| Action::RegisterUsage {
            product_code,
            public_key_version: 1,
            nonce: String::new(),
        }),
        (0_u32..500, cursor).prop_map(|(grant, from)| Action::ObserveBuildkite { grant, from }),
        any::<String>().prop_map(|agent| Action::StopAgent {
            agent: AgentId::from(agent)
        }),
        (any::<String>(), any::<String>(), json_value()).prop_map(|(namespace, name, manifest)| {
            Action::CreatePod(CreatePod {
                namespace,
                name,
                queue: Queue::from("q"),
                template: Uid::from("u"),
                manifest,
            })
        }),
        (any::<String>(), any::<String>()).prop_map(|(namespace, name)| Action::DeletePod {
            namespace,
            name,
            uid: Uid::from("u"),
            grace_seconds: None,
        }),
    ]
}

proptest! {
    /// Whatever is asked and answered, an exchange ends, in the input that
    /// belongs to its action, without a panic. `talk` bounds the requests. Seen
    /// to fail when the page after `u32::MAX` was computed by addition alone.
    #[test]
    fn an_exchange_ends_whatever_is_answered(action in action(), replies in prop::collection::vec(reply(), 1..6)) {
        let mut replies = replies.iter().cycle();
        let is_look = matches!(action, Action::ObserveBuildkite { .. });
        let is_view = matches!(action, Action::ObserveCluster);
        let (input, requests) = talk(begin(action.clone()), |_| replies.next().expect("a cycle").clone());
        match input {
            Input::Buildkite { look, .. } => {
                prop_assert!(is_look);
                prop_assert_eq!(look.spending.requests as usize, requests.len());
            }
            Input::Cluster { .. } => prop_assert!(is_view),
            Input::Outcome { .. } => prop_assert!(!is_look && !is_view && requests.len() <= 1),
            Input::Tick | Input::Lease { .. } | Input::Shutdown => prop_assert!(false, "no action ends like this"),
        }
    }

    /// A look whose last page is not a success is never complete, and neither
    /// is a write done.
    #[test]
    fn nothing_but_a_success_is_complete(action in action(), status in 300_u16..=999, body in body()) {
        let (input, requests) = talk(begin(action), |_| Ok(answer(status, body.clone())));
        match input {
            Input::Buildkite { look, .. } => {
                prop_assert!(requests.is_empty() || matches!(look.end, LookEnd::Failed(..)));
                prop_assert!(look.jobs.is_empty() && look.agents.is_empty());
            }
            Input::Cluster { view, .. } => {
                prop_assert!(view.templates.complete().is_none() && view.pods.complete().is_none());
            }
            Input::Outcome { outcome, .. } => prop_assert!(matches!(outcome, Outcome::Failed(_))),
            Input::Tick | Input::Lease { .. } | Input::Shutdown => prop_assert!(false, "no action ends like this"),
        }
    }

    /// A page that was cut is never a page.
    #[test]
    fn a_cut_page_fails_the_look(ids in prop::collection::vec("[a-z]{1,8}", 1..6), at in any::<prop::sample::Index>()) {
        let rows: Vec<Value> = ids.iter().map(|id| json!({"id": id, "connection_state": "connected"})).collect();
        let whole = json!(rows).to_string();
        let cut = &whole[..at.index(whole.len())];
        let look = Action::ObserveBuildkite { grant: 1, from: Cursor::Agents { page: 1 } };
        let (input, _) = talk(begin(look), |_| Ok(answer(200, cut)));
        let failed = matches!(input, Input::Buildkite { look, .. } if matches!(look.end, LookEnd::Failed(..)));
        prop_assert!(failed, "{}", cut);
    }

    /// Objects from a watch are read or refused.
    #[test]
    fn watched_objects_are_read_or_refused(object in json_value(), status in json_value()) {
        let _ = buildscaler_wire::pod(&object).map_err(|error| error.to_string());
        let _ = buildscaler_wire::template(&object).map_err(|error| error.to_string());
        let mut whole = json!({
            "metadata": {"uid": "u", "name": "n", "namespace": "s", "creationTimestamp": "2026-11-01T08:00:00Z"},
            "spec": {"containers": [], "template": object},
        });
        prop_assert!(buildscaler_wire::pod(&whole).is_ok());
        prop_assert_eq!(buildscaler_wire::template(&whole).map(|read| read.pod_template.0), Ok(object));
        whole["status"] = status;
        let _ = (buildscaler_wire::pod(&whole), buildscaler_wire::template(&whole));
    }
}
