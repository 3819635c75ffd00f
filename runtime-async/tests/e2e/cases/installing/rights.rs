//! The controller under the installed service account: its rights suffice, and no one of them can go.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{burst, command, kubectl, until_no_agent_left};
use crate::harness::manifests::{deploy, objects, only, overlay, run};
use crate::harness::{Launch, PATIENCE, Suite, Template, World, throughout, within};

/// Longer than the burst takes with all rights.
const LONGER_THAN_A_BURST: Duration = Duration::from_secs(12);

/// A group, a resource and a verb.
type Right = (String, String, String);

/// One trial for each verb of each rule: without it, a burst is not served as it is with all.
/// Seen to fail for the verb `get` in the Role, which nobody misses.
pub(super) fn trials_without_one(suite: &Suite) -> Vec<Trial> {
    let role = fs::read_to_string(deploy().join("kustomize/base/role.yaml")).expect("the role");
    let rights = rights_of(only(&objects(&role), "Role"));
    let trial = |right: Right| {
        let name = format!("the_right_to_{}_{}_is_missed_when_it_is_gone", right.2, right.1);
        suite.case(name.leak(), async move |world: &World| without(world, &right).await)
    };
    let lease = |right: Right| {
        let name = format!("the_right_to_{}_{}_is_missed_when_it_is_gone", right.2, right.1);
        suite.case(name.leak(), async move |world: &World| {
            without_lease_right(world, &right).await;
        })
    };
    let of_leases = fs::read_to_string(deploy().join("kustomize/components/high-availability/leader-election.yaml"));
    let of_leases = rights_of(only(&objects(&of_leases.expect("the role")), "Role"));
    let trials = rights.into_iter().map(trial);
    trials.chain(of_leases.into_iter().map(lease)).collect()
}

/// A burst of the size that other cases have, and requests for everything else there is.
pub(crate) async fn exact(world: &World) {
    let launch = launch(world);
    exact_with(world, "one-namespace", launch).await;
}

/// The same for a controller that may have others beside it.
pub(crate) async fn exact_of_replicas(world: &World) {
    let launch = async {
        Launch {
            leader_elect: true,
            ..launch(world).await
        }
    };
    exact_with(world, "high-availability", launch).await;
}

async fn exact_with(world: &World, name: &str, launch: impl Future<Output = Launch>) {
    let installed = objects(&overlay(name, &world.home.namespace));
    install_account(world, &installed);
    world.apply(&Template::new("bash-job", "bash")).await;
    let controller = world.start(launch.await).await;
    burst(world, "bash", 12).await;
    assert!(!controller.says(&["forbidden"]), "a right is missing");

    let roles = installed.iter().filter(|object| object["kind"] == "Role");
    let granted: BTreeSet<Right> = roles.flat_map(rights_of).collect();
    let account = client(world).await;
    let in_home = rules_of(&account, &world.home.namespace).await;
    assert_eq!(in_home, granted, "somebody else grants more");
    assert_eq!(rules_of(&account, &world.away.namespace).await, BTreeSet::new());
    let mut refused = 0;
    for (path, resource) in resources(&account).await {
        for verb in &resource.verbs {
            let right = (group_of(&path), resource.name.clone(), verb.clone());
            if granted.contains(&right) || is_everybodys(&right) {
                continue;
            }
            let answer = ask(&account, &world.home.namespace, &path, &resource, verb).await;
            assert_eq!(answer, StatusCode::FORBIDDEN, "{right:?}");
            refused += 1;
        }
    }
    assert!(refused > 300, "only {refused} requests were made");
    for (path, resource) in resources(&account).await {
        for verb in &resource.verbs {
            let right = (group_of(&path), resource.name.clone(), verb.clone());
            if granted.contains(&right) {
                let answer = ask(&account, &world.away.namespace, &path, &resource, verb).await;
                assert_eq!(answer, StatusCode::FORBIDDEN, "{right:?} in another namespace");
            }
        }
    }
}

/// With the overlay for all namespaces, builds in two of them run.
pub(crate) async fn cluster_wide(world: &World) {
    install_account(world, &objects(&overlay("all-namespaces", &world.home.namespace)));
    world.apply_in(&world.home, &Template::new("bash-job", "home")).await;
    world.apply_in(&world.away, &Template::new("bash-job", "away")).await;
    let launch = Launch {
        namespace: None,
        ..launch(world).await
    };
    let controller = world.start(launch).await;
    let mut builds = world.build("home", 2, Duration::from_secs(1));
    builds.extend(world.build("away", 2, Duration::from_secs(1)));
    world.until_all_passed(&builds).await;
    until_no_agent_left(world).await;
    within(PATIENCE, "no pod is left", async || world.away.pods.none_left()).await;
    assert!(!controller.says(&["forbidden"]), "a right is missing");
}

async fn without(world: &World, missing: &Right) {
    let mut installed = objects(&overlay("one-namespace", &world.home.namespace));
    for object in installed.iter_mut().filter(|object| object["kind"] == "Role") {
        let rights = rights_of(object).into_iter().filter(|right| right != missing);
        let rule =
            |(group, resource, verb): Right| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
        object["rules"] = rights.map(rule).collect();
    }
    install_account(world, &installed);
    world.apply(&Template::new("bash-job", "bash")).await;
    let controller = world.start(launch(world).await).await;
    let builds = world.build("bash", 1, Duration::from_secs(1));
    if missing.1 == "events" {
        // Nothing suffers but what `kubectl describe` shows.
        world.apply(&Template::new("twin", "bash")).await;
        world.until_all_passed(&builds).await;
        let said = async || controller.says(&["Kubernetes Events cannot be written", "forbidden"]);
        within(PATIENCE, "it is told", said).await;
        return;
    }
    if missing.2 == "watch" {
        // It makes do with lists, which are slower and cost the API server more.
        world.until_all_passed(&builds).await;
        assert!(controller.says(&["watching is not permitted", &missing.1]));
        return;
    }
    let not_ended = async || !world.all_passed(&builds) || !world.home.pods.none_left();
    throughout(LONGER_THAN_A_BURST, "the burst has not ended", not_ended).await;
    assert!(
        controller.says(&["forbidden"]),
        "it does not say that a right is missing"
    );
}

/// Whoever cannot read or write the Lease does not command, or not for long, and says why.
async fn without_lease_right(world: &World, missing: &Right) {
    let mut installed = objects(&overlay("high-availability", &world.home.namespace));
    let is_of_leases = |object: &&mut Value| object["metadata"]["name"] == "buildscaler-leader-election";
    for object in installed.iter_mut().filter(is_of_leases) {
        if object["kind"] == "Role" {
            let rights = rights_of(object).into_iter().filter(|right| right != missing);
            let rule = |(group, resource, verb): Right| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
            object["rules"] = rights.map(rule).collect();
        }
    }
    install_account(world, &installed);
    let launch = Launch {
        leader_elect: true,
        ..launch(world).await
    };
    let controller = world.start(launch).await;
    let verb = &missing.2;
    let advice = format!("right to {verb} leases");
    let said = async || controller.says(&["lease_trouble", &advice]);
    within(PATIENCE, "it says what is missing", said).await;
    let leads = || controller.count(&["leading: this controller commands"]);
    if verb == "update" {
        let lost = async || controller.says(&["not leading any more", "expired"]);
        within(PATIENCE, "it stops commanding", lost).await;
    } else {
        let follows = async || leads() == 0;
        throughout(LONGER_THAN_A_BURST, "it does not command", follows).await;
    }
}

/// Applies what the manifests say about rights; the controller is the case's own.
fn install_account(world: &World, installed: &[Value]) {
    let list: Vec<&Value> = installed
        .iter()
        .filter(|object| object["kind"] != "Deployment")
        .collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": list});
    fs::write(file.path(), list.to_string()).expect("written");
    run(command(world, "kubectl").args(["apply", "--filename"]).arg(file.path()));
    kubectl(world, &["get", "serviceaccount", "buildscaler"]);
}

async fn launch(world: &World) -> Launch {
    Launch {
        kubeconfig: account_kubeconfig(world).await,
        ..world.launch()
    }
}

async fn account_kubeconfig(world: &World) -> std::path::PathBuf {
    let cluster = &world.cluster;
    cluster
        .kubeconfig_of_account(&world.home.namespace, "buildscaler")
        .await
}

async fn client(world: &World) -> Client {
    let kubeconfig = Kubeconfig::read_from(account_kubeconfig(world).await).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

fn rights_of(role: &Value) -> BTreeSet<Right> {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        serde_json::from_value(rule[field].clone()).expect("a list of words")
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                let all = words(rule, "verbs").into_iter();
                rights.extend(all.map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    rights
}

/// What the API server itself says that the account may do, short of what everybody may.
async fn rules_of(account: &Client, namespace: &str) -> BTreeSet<Right> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(namespace.to_owned()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let reviews: Api<SelfSubjectRulesReview> = Api::all(account.clone());
    let answer = reviews
        .create(&PostParams::default(), &review)
        .await
        .expect("an answer");
    let status = answer.status.expect("a status");
    assert!(!status.incomplete, "{status:?}");
    let rules = serde_json::to_value(&status.resource_rules).expect("JSON");
    let mut rights = rights_of(&json!({"rules": rules}));
    rights.retain(|right| !is_everybodys(right));
    rights
}

/// Every user may ask about itself.
fn is_everybodys((_, resource, verb): &Right) -> bool {
    resource.starts_with("selfsubject") && verb == "create"
}

/// Every resource that the server has, each with the path of its group and version.
async fn resources(account: &Client) -> Vec<(String, APIResource)> {
    let mut found = Vec::new();
    let core = account.list_core_api_resources("v1").await.expect("resources");
    found.extend(core.resources.into_iter().map(|it| ("/api/v1".to_owned(), it)));
    for group in account.list_api_groups().await.expect("groups").groups {
        let version = group.preferred_version.expect("a version").group_version;
        let list = account.list_api_group_resources(&version).await.expect("resources");
        found.extend(list.resources.into_iter().map(|it| (format!("/apis/{version}"), it)));
    }
    found
}

/// The group in `/apis/group/version`; the core group has no name.
fn group_of(path: &str) -> String {
    let group = path.strip_prefix("/apis/").and_then(|rest| rest.split('/').next());
    group.unwrap_or_default().to_owned()
}

/// Really makes the request, and tells how it was answered.
async fn ask(account: &Client, namespace: &str, path: &str, resource: &APIResource, verb: &str) -> StatusCode {
    let (plural, subresource) = match resource.name.split_once('/') {
        Some((plural, subresource)) => (plural, format!("/{subresource}")),
        None => (resource.name.as_str(), String::new()),
    };
    let realm = if resource.namespaced {
        format!("/namespaces/{namespace}")
    } else {
        String::new()
    };
    let all = format!("{path}{realm}/{plural}");
    let one = format!("{all}/some-name{subresource}");
    let collection = if subresource.is_empty() {
        all.clone()
    } else {
        one.clone()
    };
    let (method, uri) = match verb {
        "get" => (Method::GET, one),
        "list" => (Method::GET, all),
        "watch" => (Method::GET, format!("{all}?watch=true")),
        "create" => (Method::POST, collection),
        "update" => (Method::PUT, one),
        "patch" => (Method::PATCH, one),
        "delete" => (Method::DELETE, one),
        "deletecollection" => (Method::DELETE, all),
        // Not what is wanted of any request, so that a new verb is noticed.
        _ => return StatusCode::NOT_IMPLEMENTED,
    };
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(b"{}".to_vec().into())
        .expect("a request");
    account.send(request).await.expect("an answer").status()
}
