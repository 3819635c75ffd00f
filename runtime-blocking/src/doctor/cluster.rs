//! What can be told of the cluster: what may be done, and which templates
//! there are.

use std::sync::Arc;

use buildscaler_core::labels;
use buildscaler_wire::Api;
use serde_json::{Value, json};

use super::asker::{Asker, Said};
use super::check::Check;
use super::templates::{Place, Sample};

const ABOUT: &str = "kubernetes";
/// What the controllers do: verb, group, resource, and who needs it.
const RIGHTS: [(&str, &str, &str, &str); 7] = [
    ("list", "batch", "jobs", "to find templates"),
    ("watch", "batch", "jobs", "to see templates change (buildscaler only)"),
    ("list", "", "pods", "to see which pods there are"),
    ("watch", "", "pods", "to see pods change (buildscaler only)"),
    ("create", "", "pods", "to start agents"),
    (
        "delete",
        "",
        "pods",
        "to clear away pods that finished or never started",
    ),
    (
        "create",
        "events.k8s.io",
        "events",
        "to tell findings to `kubectl describe`; scaling goes on without",
    ),
];

/// Each right, by asking the API server. Nothing is asked after a question
/// that could not be asked.
pub(super) fn rights(asker: &mut Asker<'_>, namespace: Option<&str>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (verb, group, resource, what) in RIGHTS {
        let attributes = json!({
            "verb": verb, "group": group, "resource": resource, "namespace": namespace.unwrap_or_default(),
        });
        match asker.review(&attributes) {
            Said::Yes(review) => checks.push(right(verb, resource, what, namespace, &review)),
            Said::No(401, message) => {
                let detail =
                    format!("the API server does not know who asks ({message}); renew the kubeconfig's credentials");
                checks.push(Check::failed(ABOUT, "access", detail));
                break;
            }
            Said::No(status, message) => {
                let detail = format!("whether {resource} may be used cannot be asked: status {status} ({message})");
                checks.push(Check::note(ABOUT, "right", detail));
            }
            Said::Nothing(why) => {
                let detail = format!("the API server cannot be reached ({why}); check the kubeconfig and the network");
                checks.push(Check::failed(ABOUT, "access", detail));
                break;
            }
        }
    }
    checks
}

fn right(verb: &str, resource: &str, what: &str, namespace: Option<&str>, review: &Value) -> Check {
    let place = match namespace {
        Some(namespace) => format!("in namespace {namespace}"),
        None => "in all namespaces".to_owned(),
    };
    if review["status"]["allowed"] == true {
        return Check::ok(ABOUT, "right", format!("{verb} {resource} {place}, {what}"));
    }
    let remedy = match namespace {
        Some(_) => "grant it by a Role",
        None => "grant it by a ClusterRole, or name a --namespace",
    };
    let detail = format!("the kubeconfig's user may not {verb} {resource} {place}, {what}; {remedy}");
    // The blocking runtime lists and never watches, and Events are a courtesy.
    if verb == "watch" || resource == "events" {
        Check::note(ABOUT, "right", detail)
    } else {
        Check::failed(ABOUT, "right", detail)
    }
}

/// The templates there are.
pub(super) fn templates(asker: &mut Asker<'_>, namespace: Option<&str>) -> (Vec<Check>, Vec<Sample>) {
    let scope = namespace
        .map(|namespace| format!("namespaces/{namespace}/"))
        .unwrap_or_default();
    let path = format!(
        "/apis/batch/v1/{scope}jobs?labelSelector={}",
        labels::APP_SELECTOR.replace('=', "%3D")
    );
    let jobs = match asker.get(Api::Kubernetes, &path) {
        Said::Yes(mut list) => list["items"].take(),
        Said::No(status, message) => {
            let detail = format!("they cannot be listed: status {status} ({message})");
            return (vec![Check::failed(ABOUT, "templates", detail)], Vec::new());
        }
        Said::Nothing(why) => {
            let detail = format!("they cannot be listed: {why}");
            return (vec![Check::failed(ABOUT, "templates", detail)], Vec::new());
        }
    };
    let mut checks = Vec::new();
    let mut samples = Vec::new();
    for object in jobs.as_array().into_iter().flatten() {
        match buildscaler_wire::template(object) {
            Ok(template) if template.deleting => {
                let about = format!("{}/{}", template.namespace, template.name);
                checks.push(Check::note(
                    &about,
                    "template",
                    "it is being deleted and serves no more",
                ));
            }
            Ok(template) => samples.push(Sample {
                template: Arc::new(template),
                object: object.clone(),
                place: Place::Cluster,
            }),
            Err(error) => checks.push(Check::failed(
                ABOUT,
                "templates",
                format!("one cannot be read: {error}"),
            )),
        }
    }
    if samples.is_empty() {
        let detail = format!(
            "there is none, so nothing will be done; create a Job with the label {}",
            labels::APP_SELECTOR
        );
        checks.push(Check::note(ABOUT, "templates", detail));
    }
    (checks, samples)
}
