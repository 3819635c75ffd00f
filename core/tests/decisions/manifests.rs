//! The pod is what its template says, and nothing in it leaks.

use std::collections::BTreeMap;

use buildscaler_core::selector::{LabelSelector, Operator, Requirement};
use buildscaler_core::{Action, Config, FindingKind, PodTemplate, Template};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::build::{jobs, template};
use crate::support::cases;
use crate::support::driver::Driver;
use crate::support::world::World;

pub(crate) fn with_pod_template(pod_template: Value) -> Template {
    let pod_template = PodTemplate(pod_template);
    Template {
        hash: pod_template.fingerprint(),
        pod_template,
        ..template("apple", "apple")
    }
}

pub(crate) fn with_container(container: Value) -> Template {
    with_pod_template(json!({"spec": {"containers": [container]}}))
}

pub(crate) fn driver(template: Template) -> Driver {
    let world = World {
        jobs: jobs(1, "apple"),
        templates: vec![template],
        ..World::default()
    };
    let mut driver = Driver::new(&Config::default(), world);
    driver.round();
    driver
}

/// The manifest of the pod made from a template, if one is made.
pub(crate) fn manifest(template: Template) -> Option<Value> {
    driver(template)
        .pending
        .into_iter()
        .find_map(|command| match command.action {
            Action::CreatePod(create) => Some(create.manifest),
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
        })
}

/// Any JSON, as a field of the future might hold.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9/ü$()]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            fields(inner),
        ]
    })
}

fn fields(of: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("x[a-zA-Z]{1,6}", of, 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn variables() -> impl Strategy<Value = Vec<Value>> {
    let name = prop_oneof![
        4 => "[A-Z]{1,4}",
        1 => Just("BUILDKITE_AGENT_TAGS".to_owned()),
        1 => Just("BUILDSCALER_POD_UID".to_owned()),
    ];
    let one = (name, "[a-z=,]{0,8}").prop_map(|(name, value)| json!({"name": name, "value": value}));
    proptest::collection::vec(one, 0..4)
}

fn merged(base: Value, more: Value) -> Value {
    let (Value::Object(mut base), Value::Object(more)) = (base, more) else {
        panic!("two objects")
    };
    base.extend(more);
    Value::Object(base)
}

proptest! {
    #![proptest_config(cases(200))]

    /// Invariant 9: the manifest is the template but for labels,
    /// `restartPolicy` and added environment, whatever fields there are.
    ///
    /// Seen to fail when annotations were left out, when `hostNetwork` was
    /// dropped, and when the env of the agent was replaced.
    #[test]
    fn the_pod_is_what_its_template_says(
        spec in fields(anything()),
        container in fields(anything()),
        sidecar in fields(anything()),
        annotations in proptest::option::of(fields(Just(json!("note")))),
        env in variables(),
        agent_first in any::<bool>(),
    ) {
        let agent = merged(container, json!({"name": "agent", "env": env.clone()}));
        let sidecar = merged(sidecar, json!({"name": "sidecar", "env": [{"name": "A", "value": "b"}]}));
        let containers = if agent_first { json!([agent, sidecar]) } else { json!([sidecar, agent]) };
        let spec = merged(spec, json!({"containers": containers, "hostNetwork": true, "restartPolicy": "OnFailure"}));
        let mut metadata = json!({"labels": {"team": "a", "job-name": "apple"}});
        if let Some(annotations) = &annotations {
            metadata["annotations"] = annotations.clone();
        }
        let made = manifest(with_pod_template(json!({"metadata": metadata, "spec": spec.clone()}))).unwrap();

        prop_assert_eq!(&made["spec"]["restartPolicy"], "Never");
        prop_assert_eq!(made["metadata"].get("annotations"), annotations.as_ref());
        prop_assert_eq!(&made["metadata"]["labels"]["team"], "a");
        prop_assert!(made["metadata"].get("ownerReferences").is_none(), "the garbage collector would end busy pods");
        let (mut left, mut right) = (made["spec"].clone(), spec);
        left["restartPolicy"] = Value::Null;
        right["restartPolicy"] = Value::Null;
        let place = usize::from(!agent_first);
        let grown = left["containers"][place]["env"].take();
        right["containers"][place]["env"].take();
        prop_assert_eq!(left, right);
        let tags = |one: &&Value| one["name"] != "BUILDKITE_AGENT_TAGS";
        let kept: Vec<&Value> = env.iter().filter(tags).collect();
        let grown: Vec<&Value> = grown.as_array().unwrap().iter().collect();
        let mut rest = grown.iter();
        prop_assert!(kept.iter().all(|one| rest.any(|other| other == one)), "in order: {kept:?} in {grown:?}");
    }

    /// Invariant 8 and 10: two controllers that see the same make the same
    /// names, and names are good hostnames.
    ///
    /// Seen to fail when the stem of a name had no length, and when dashes
    /// were not trimmed.
    #[test]
    fn pod_names_are_dns_labels_and_equal_for_equal_worlds(name in "[a-zA-Z0-9._ -]{0,80}", count in 1..6usize) {
        let world = World {
            templates: vec![Template { name, ..template("apple", "apple") }],
            jobs: jobs(count, "apple"),
            ..World::default()
        };
        let names = || {
            let mut driver = Driver::new(&Config::default(), world.clone());
            driver.turn();
            driver.world.pods.into_iter().map(|pod| pod.name).collect::<Vec<_>>()
        };
        let made = names();
        prop_assert_eq!(&made, &names());
        prop_assert_eq!(made.len(), count);
        for name in &made {
            prop_assert!(name.len() <= 63 && !name.is_empty(), "{name}");
            prop_assert!(name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-'), "{name}");
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
        }
        let distinct: std::collections::BTreeSet<_> = made.iter().collect();
        prop_assert_eq!(distinct.len(), count);
    }
}

/// Seen to fail when the labels of the Job controller were kept.
#[test]
fn the_labels_by_which_a_job_adopts_pods_are_not_on_the_pod() {
    let template = template("apple", "apple");
    let selector = template.selector.clone();
    let made = manifest(template).unwrap();
    let labels: BTreeMap<String, String> = serde_json::from_value(made["metadata"]["labels"].clone()).unwrap();
    assert!(!selector.matches(&labels));
    let expected = [
        "app.elotl.co",
        "buildscaler.elotl.co/job-uid",
        "buildscaler.elotl.co/queue",
        "buildscaler.elotl.co/template-hash",
    ];
    assert_eq!(labels.keys().collect::<Vec<_>>(), expected);
}

/// Seen to fail when selectors of the author's making were not tested.
#[test]
fn a_job_that_would_adopt_the_pods_makes_none() {
    let on_ours = LabelSelector {
        match_labels: BTreeMap::from([("app.elotl.co".into(), "buildscaler".into())]),
        ..LabelSelector::default()
    };
    let exists = LabelSelector {
        match_expressions: vec![Requirement {
            key: "buildscaler.elotl.co/queue".into(),
            operator: Operator::Exists,
            values: Vec::new(),
        }],
        ..LabelSelector::default()
    };
    for selector in [on_ours, exists, LabelSelector::default()] {
        let driver = driver(Template {
            selector: selector.clone(),
            ..template("apple", "apple")
        });
        assert!(driver.stands(FindingKind::Adoption), "{selector:?}");
        assert_eq!(driver.pending, Vec::new(), "{selector:?}");
    }
}

/// Seen to fail when only the template's own selector was tested.
#[test]
fn a_job_that_would_adopt_the_pods_of_another_keeps_that_from_serving() {
    let hunter = Template {
        selector: LabelSelector {
            match_labels: BTreeMap::from([("app.elotl.co".into(), "buildscaler".into())]),
            ..LabelSelector::default()
        },
        ..template("hunter", "berry")
    };
    let world = World {
        templates: vec![template("apple", "apple"), hunter.clone()],
        jobs: jobs(1, "apple"),
        ..World::default()
    };
    let mut near = Driver::new(&Config::default(), world.clone());
    near.round();
    assert_eq!(near.pending, Vec::new());
    assert!(near.stands(FindingKind::Adoption));
    let mut far = World::default();
    far.clone_from(&world);
    far.templates[1] = Template {
        namespace: "elsewhere".into(),
        ..hunter
    };
    let mut far = Driver::new(&Config::default(), far);
    far.round();
    assert_eq!(far.pending.len(), 1, "a Job adopts pods of its own namespace only");
}

/// With `manualSelector` the author's labels are dropped until the Job looks
/// past the pods.
///
/// Seen to fail when such templates were refused outright.
#[test]
fn a_label_that_a_job_looks_for_is_dropped() {
    let mut template = with_pod_template(json!({
        "metadata": {"labels": {"team": "a", "tier": "b"}},
        "spec": {"containers": [{"name": "agent"}]}
    }));
    template.selector.match_labels = BTreeMap::from([("team".into(), "a".into())]);
    let made = manifest(template).unwrap();
    assert!(made["metadata"]["labels"].get("team").is_none());
    assert_eq!(made["metadata"]["labels"]["tier"], "b");
}

/// Invariant 22: what a template holds shows in no `Debug` and no finding.
///
/// Seen to fail when `Debug` of a create was derived.
#[test]
fn a_secret_in_a_template_is_not_shown() {
    let secret = "hunter2-marker";
    let mut containers = Map::new();
    containers.insert("name".into(), json!("agent"));
    containers.insert(
        "env".into(),
        json!([{"name": "BUILDKITE_AGENT_TOKEN", "value": secret}]),
    );
    let mut driver = driver(with_container(Value::Object(containers)));
    let shown = format!("{:?} {:?}", driver.controller, driver.pending);
    assert!(!shown.contains(secret));
    driver.carry_out();
    driver.turn();
    assert!(
        !format!(
            "{:?} {:?} {:?}",
            driver.controller, driver.findings, driver.world.templates
        )
        .contains(secret)
    );
}
