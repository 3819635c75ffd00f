//! What a template's annotations say holds at once, and what they cannot say
//! is told and changes nothing.

use buildscaler_core::{Action, Config, FindingKind, Reason, Template};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::manifests::{manifest, with_container, with_pod_template};
use crate::support::build::{START, agent, jobs, pod, secs, template};
use crate::support::cases;
use crate::support::driver::{Driver, creates, deletes, stops, until};
use crate::support::world::{World, idle_worker, one_queue};

/// A template with these annotations besides.
pub(crate) fn noted(template: Template, notes: &[(&str, &str)]) -> Template {
    let notes = notes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Template {
        annotations: notes.collect(),
        ..template
    }
}

/// A queue whose template has these annotations, with nine jobs.
fn nine_jobs(notes: &[(&str, &str)]) -> Driver {
    let world = World {
        templates: vec![noted(template("apple", "apple"), notes)],
        jobs: jobs(9, "apple"),
        ..World::default()
    };
    Driver::new(&Config::default(), world)
}

/// The findings about annotations: subject and detail.
fn told(driver: &Driver) -> Vec<(String, String)> {
    let findings = driver.controller.findings();
    findings
        .filter(|finding| finding.kind == FindingKind::BadAnnotation)
        .map(|finding| (finding.subject, finding.detail))
        .collect()
}

/// What is told about the only annotation that cannot be used.
fn told_of(notes: &[(&str, &str)]) -> (String, String) {
    let mut driver = nine_jobs(notes);
    assert_eq!(creates(&driver.turn()), 9, "{notes:?} change nothing");
    let told = told(&driver);
    assert_eq!(told.len(), 1, "{told:?}");
    told.into_iter().next().unwrap()
}

#[test]
fn an_idle_timeout_of_the_annotation_holds() {
    let mut world = idle_worker();
    world.templates[0] = noted(world.templates[0].clone(), &[("disconnect-after-idle-timeout", "60")]);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(until(&mut driver, 60), Vec::new());
    assert_eq!(stops(&until(&mut driver, 120)), [("agent".into(), Reason::IdleTimeout)]);
}

#[test]
fn a_startup_timeout_of_the_annotation_holds() {
    let mut world = idle_worker();
    world.agents.clear();
    world.templates[0] = noted(world.templates[0].clone(), &[("agent-startup-timeout", "2000")]);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(until(&mut driver, 1_900), Vec::new());
    let gone = deletes(&until(&mut driver, 2_200));
    assert!(
        gone.iter().any(|(_, _, reason)| *reason == Reason::AgentMissing),
        "{gone:?}"
    );
}

#[test]
fn a_lifetime_of_the_annotation_holds() {
    let mut world = idle_worker();
    world.templates[0] = noted(world.templates[0].clone(), &[("max-agent-lifetime", "90")]);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(stops(&until(&mut driver, 100)), [("agent".into(), Reason::Lifetime)]);
}

/// The Job lives on, so what is decided follows the annotations as they are,
/// and pods that were made before are nobody's to replace.
#[test]
fn annotations_that_change_hold_at_once_and_replace_no_pod() {
    let mut world = idle_worker();
    world.jobs = jobs(4, "apple");
    world.templates[0] = noted(world.templates[0].clone(), &[("max-active-builds", "1")]);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(creates(&driver.turn()), 0);
    let notes = [("max-active-builds", "2"), ("disconnect-after-idle-timeout", "77")];
    driver.world.templates[0] = noted(driver.world.templates[0].clone(), &notes);
    driver.push_cluster();
    let made = driver.turn();
    assert!(
        driver.now < START.after(secs(40)),
        "the next look comes soon: {}",
        driver.now
    );
    let manifests: Vec<&Value> = made
        .iter()
        .map(|command| {
            let Action::CreatePod(create) = &command.action else {
                panic!("{command:?}");
            };
            &create.manifest
        })
        .collect();
    assert_eq!(manifests.len(), 1);
    let env = manifests[0]["spec"]["containers"][0]["env"].to_string();
    assert!(env.contains("\"77\""), "{env}");
}

#[test]
fn a_value_that_cannot_be_used_is_told_with_what_holds_meanwhile() {
    let (subject, detail) = told_of(&[("max-active-builds", "a few")]);
    assert_eq!(subject, "builds/apple: max-active-builds");
    for part in [
        "\"a few\"",
        "a number of pods",
        "--max-active-builds holds",
        "buildscaler.elotl.co/",
    ] {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
    let mut driver = nine_jobs(&[
        ("max-active-builds", "a few"),
        ("agent-startup-timeout", "0"),
        ("min-idle", "-3"),
    ]);
    driver.turn();
    assert_eq!(told(&driver).len(), 3);
    driver.world.templates[0].annotations.remove("min-idle");
    driver.turn();
    assert_eq!(told(&driver).len(), 2);
}

/// Seen to fail when `min-idle` had no limit of its own.
#[test]
fn a_slip_in_the_number_of_warm_agents_does_not_fill_the_cluster() {
    let (subject, detail) = told_of(&[("min-idle", "10001")]);
    assert_eq!(subject, "builds/apple: min-idle");
    assert!(detail.contains("from 0 to 10000"), "{detail}");
    assert!(detail.contains("no agent is kept without a job"), "{detail}");
}

#[test]
fn an_annotation_that_nobody_reads_is_told() {
    let (subject, detail) = told_of(&[("max-active-build", "2")]);
    assert_eq!(subject, "builds/apple: max-active-build");
    assert!(detail.contains("max-active-builds"), "{detail}");
    let (_, detail) = told_of(&[("queue", "apple")]);
    assert!(detail.contains("make it a label"), "{detail}");
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn no_value_of_an_annotation_does_harm(
        name in select(buildscaler_core::annotations::ALL.to_vec()),
        value in prop_oneof!["[0-9a-zA-Z/. :$+-]{0,9}", "\\PC{0,90}", Just("99999999999999999999".to_owned())],
    ) {
        let mut driver = nine_jobs(&[(name, &value)]);
        let made = creates(&driver.turn());
        if told(&driver).is_empty() {
            prop_assert!(made <= 9 || name == "min-idle", "{made} pods with {name} {value:?}");
        } else {
            prop_assert_eq!(made, 9, "as if there were no {} {:?}", name, value);
        }
        driver.world.connect_all();
        driver.turn();
    }
}

const VOLUME: [(&str, &str); 3] = [
    ("pvc-size", "20Gi"),
    ("pvc-mount-path", "/cache"),
    ("pvc-storage-class-name", "fast.ssd"),
];

#[test]
fn a_volume_that_annotations_ask_for_is_made_with_the_pod_and_mounted_for_the_agent() {
    let containers =
        json!([{"name": "docker"}, {"name": "agent", "volumeMounts": [{"name": "home", "mountPath": "/home"}]}]);
    let own = json!({"spec": {"containers": containers, "volumes": [{"name": "home", "emptyDir": {}}]}});
    let made = manifest(noted(with_pod_template(own), &VOLUME)).unwrap();
    assert_eq!(
        made["spec"]["volumes"],
        json!([
            {"name": "home", "emptyDir": {}},
            {"name": "buildscaler-pvc", "ephemeral": {"volumeClaimTemplate": {
                "metadata": {"labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": "apple"}},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "20Gi"}},
                    "storageClassName": "fast.ssd",
                },
            }}},
        ])
    );
    assert_eq!(
        made["spec"]["containers"][1]["volumeMounts"],
        json!([{"name": "home", "mountPath": "/home"}, {"name": "buildscaler-pvc", "mountPath": "/cache"}])
    );
    assert_eq!(made["spec"]["containers"][0].get("volumeMounts"), None);

    let plain = manifest(noted(template("apple", "apple"), &VOLUME[..2])).unwrap();
    let claim = &plain["spec"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["spec"];
    assert_eq!(claim.get("storageClassName"), None, "the cluster's default");
}

/// A queue must not stand still over a typo: builds run as if nobody had asked
/// for a volume.
#[test]
fn a_volume_that_cannot_be_made_is_told_and_pods_have_none() {
    let mounted = json!({"name": "agent", "volumeMounts": [{"name": "c", "mountPath": "/cache/"}]});
    let named = json!({"spec": {"containers": [{"name": "agent"}], "volumes": [{"name": "buildscaler-pvc"}]}});
    let odd = json!({"spec": {"containers": [{"name": "agent"}], "volumes": "none"}});
    for (template, subject) in [
        (noted(template("apple", "apple"), &VOLUME[..1]), "pvc-size"),
        (noted(template("apple", "apple"), &VOLUME[1..2]), "pvc-mount-path"),
        (
            noted(template("apple", "apple"), &VOLUME[2..]),
            "pvc-storage-class-name",
        ),
        (
            noted(template("apple", "apple"), &[VOLUME[0], ("pvc-mount-path", "cache")]),
            "pvc-mount-path",
        ),
        (
            noted(template("apple", "apple"), &[VOLUME[1], ("pvc-size", "20 GB")]),
            "pvc-size",
        ),
        (
            noted(
                template("apple", "apple"),
                &[VOLUME[0], VOLUME[1], ("pvc-storage-class-name", "")],
            ),
            "pvc-storage-class-name",
        ),
        (noted(with_container(mounted), &VOLUME), "pvc-mount-path"),
        (noted(with_pod_template(named), &VOLUME), "pvc-mount-path"),
        (noted(with_pod_template(odd), &VOLUME), "pvc-mount-path"),
    ] {
        let bare = manifest(noted(template.clone(), &[])).unwrap();
        assert_eq!(manifest(template.clone()).unwrap(), bare, "{subject}");
        let driver = crate::manifests::driver(template);
        let subjects: Vec<String> = told(&driver).into_iter().map(|(subject, _)| subject).collect();
        assert_eq!(subjects, [format!("builds/apple: {subject}")]);
    }
}

/// Sizes that the API server takes, and others.
#[test]
fn sizes_are_quantities_of_kubernetes() {
    let is_taken = |size: &str| {
        let notes = [("pvc-size", size), ("pvc-mount-path", "/cache")];
        manifest(noted(template("apple", "apple"), &notes)).unwrap()["spec"]
            .get("volumes")
            .is_some()
    };
    for size in [
        "1", "10Gi", " 10Gi ", "1.5Ti", ".5Gi", "5.", "+3M", "1e9", "2E", "1E3", "100k",
    ] {
        assert!(is_taken(size), "{size}");
    }
    for size in [
        "", "0", "0Gi", "0.0", "-1Gi", "10GB", "10 Gi", "10gi", "Gi", ".", "1.2.3", "1e", "1e-3", "100m", "1e100",
    ] {
        assert!(!is_taken(size), "{size}");
    }
}

/// Agents that are kept must not leave on their own.
#[test]
fn agents_of_a_queue_that_keeps_some_have_no_idle_timeout_of_their_own() {
    let env = |notes: &[(&str, &str)]| {
        let made = manifest(noted(template("apple", "apple"), notes)).unwrap();
        let env = made["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        let own = env
            .into_iter()
            .find(|one| one["name"] == "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT");
        own.unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(env(&[("min-idle", "1")]), "0");
    assert_eq!(env(&[("min-idle", "0")]), "300");
    assert_eq!(env(&[("disconnect-after-idle-timeout", "20")]), "20");
    let stubborn =
        json!({"name": "agent", "env": [{"name": "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT", "value": "9"}]});
    let driver = crate::manifests::driver(noted(with_container(stubborn), &[("min-idle", "1")]));
    assert!(told(&driver)[0].1.contains("remove the variable"));
}

/// Nothing that an annotation says is about agents that nobody's template
/// claims.
#[test]
fn a_queue_without_a_template_has_the_options() {
    let mut world = World {
        agents: Vec::new(),
        ..one_queue()
    };
    let made = pod("pod", &world.templates[0]);
    world.agents.push(agent("agent", &made));
    world.pods.push(made);
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(stops(&driver.turn()), [("agent".into(), Reason::Orphaned)]);
}
