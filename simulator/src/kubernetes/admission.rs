//! The walls that a pod can run into after it was found valid.

use serde_json::{Value, json};

use super::objects::{default, is_finished_pod, is_terminating, items, text};
use super::refusal::Refusal;
use super::resource::Resource;
use super::{FakeKubernetes, Webhook, pod_security};

/// The name of the webhook that the settings may switch on.
const WEBHOOK: &str = "pods.example.com";

/// Refuses what is to live in a namespace that is missing or going away.
pub(crate) fn check_namespace(fake: &FakeKubernetes, resource: Resource, object: &Value) -> Result<(), Refusal> {
    if !resource.facts().namespaced {
        return Ok(());
    }
    let name = text(object, &["metadata", "namespace"]);
    let namespace = fake.existing(Resource::Namespaces, "", name)?;
    if !is_terminating(&namespace) {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {name} because it is being terminated");
    let cause = format!("namespace {name} is being terminated");
    let refusal = Refusal::forbidden(resource, text(object, &["metadata", "name"]), &why);
    Err(refusal.with_cause("NamespaceTerminating", &cause, "metadata.namespace"))
}

/// Gives containers the limits that a LimitRange provides.
pub(crate) fn default_limits(fake: &FakeKubernetes, resource: Resource, object: &mut Value) {
    if resource != Resource::Pods {
        return;
    }
    let namespace = text(object, &["metadata", "namespace"]).to_owned();
    let limits = container_limits(fake, &namespace);
    for list in ["containers", "initContainers"] {
        for container in object["spec"]
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            for limit in &limits {
                for (from, to) in [("default", "limits"), ("defaultRequest", "requests")] {
                    for (key, value) in limit[from].as_object().into_iter().flatten() {
                        if let Some(resources) =
                            container.get_mut("resources").filter(|resources| resources.is_object())
                        {
                            default(resources, to, json!({}));
                            default(&mut resources[to], key, value.clone());
                        }
                    }
                }
            }
        }
    }
}

/// Runs the checks of admission, and returns what only deserves a warning.
pub(crate) fn check(fake: &FakeKubernetes, resource: Resource, object: &Value) -> Result<Vec<String>, Refusal> {
    if resource != Resource::Pods {
        return Ok(Vec::new());
    }
    check_account(fake, object)?;
    check_limits(fake, object)?;
    check_webhook(fake)?;
    let warnings = check_security(fake, object)?;
    check_quota(fake, object)?;
    Ok(warnings)
}

fn check_account(fake: &FakeKubernetes, pod: &Value) -> Result<(), Refusal> {
    if !fake.settings.service_accounts {
        return Ok(());
    }
    let (namespace, name) = (text(pod, &["metadata", "namespace"]), text(pod, &["metadata", "name"]));
    let account = match text(pod, &["spec", "serviceAccountName"]) {
        "" => "default",
        account => account,
    };
    if fake.object(Resource::ServiceAccounts, namespace, account).is_some() {
        return Ok(());
    }
    let why = format!("error looking up service account {namespace}/{account}: serviceaccount {account:?} not found");
    Err(Refusal::forbidden(Resource::Pods, name, &why))
}

fn check_webhook(fake: &FakeKubernetes) -> Result<(), Refusal> {
    match &fake.settings.webhook {
        None => Ok(()),
        Some(Webhook::Denies(message)) => Err(Refusal::denied_by_webhook(WEBHOOK, message)),
        Some(Webhook::Broken) => Err(Refusal::broken_webhook(WEBHOOK)),
    }
}

fn container_limits(fake: &FakeKubernetes, namespace: &str) -> Vec<Value> {
    fake.objects(Resource::LimitRanges, namespace)
        .flat_map(|range| items(range, &["spec", "limits"]))
        .filter(|limit| limit["type"] == "Container")
        .cloned()
        .collect()
}

fn check_limits(fake: &FakeKubernetes, pod: &Value) -> Result<(), Refusal> {
    let (namespace, name) = (text(pod, &["metadata", "namespace"]), text(pod, &["metadata", "name"]));
    let limits = container_limits(fake, namespace);
    let mut complaints = Vec::new();
    for container in items(pod, &["spec", "containers"]) {
        for (key, most) in limits
            .iter()
            .flat_map(|limit| limit["max"].as_object().into_iter().flatten())
        {
            let asked = &container["resources"]["limits"][key];
            let most = most.as_str().unwrap_or_default();
            match asked.as_str() {
                None => complaints.push(format!(
                    "maximum {key} usage per Container is {most}.  No limit is specified"
                )),
                Some(asked) if quantity(asked) > quantity(most) => {
                    complaints.push(format!(
                        "maximum {key} usage per Container is {most}, but limit is {asked}"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    match complaints.as_slice() {
        [] => Ok(()),
        [only] => Err(Refusal::forbidden(Resource::Pods, name, only)),
        several => Err(Refusal::forbidden(
            Resource::Pods,
            name,
            &format!("[{}]", several.join(", ")),
        )),
    }
}

/// A quantity in thousandths of its unit.
pub(crate) fn quantity(text: &str) -> f64 {
    const UNITS: [(&str, f64); 13] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("", 1.0),
    ];
    UNITS
        .iter()
        .find_map(|(unit, factor)| {
            text.strip_suffix(unit)?
                .parse::<f64>()
                .ok()
                .map(|number| number * factor * 1000.0)
        })
        .unwrap_or(0.0)
}

fn check_security(fake: &FakeKubernetes, pod: &Value) -> Result<Vec<String>, Refusal> {
    let (namespace, name) = (text(pod, &["metadata", "namespace"]), text(pod, &["metadata", "name"]));
    let namespace = fake.existing(Resource::Namespaces, "", namespace)?;
    let level = |mode: &str| {
        text(
            &namespace,
            &["metadata", "labels", &format!("pod-security.kubernetes.io/{mode}")],
        )
        .to_owned()
    };
    let violations = |level: &str| pod_security::violations(level, &pod["spec"]);
    let enforced = level("enforce");
    if let Some(list) = violations(&enforced) {
        return Err(Refusal::forbidden(
            Resource::Pods,
            name,
            &format!("violates PodSecurity \"{enforced}:latest\": {list}"),
        ));
    }
    let warned = level("warn");
    let warning = violations(&warned).map(|list| format!("would violate PodSecurity \"{warned}:latest\": {list}"));
    Ok(warning.into_iter().collect())
}

fn check_quota(fake: &FakeKubernetes, pod: &Value) -> Result<(), Refusal> {
    let (namespace, name) = (text(pod, &["metadata", "namespace"]), text(pod, &["metadata", "name"]));
    for quota in fake.objects(Resource::ResourceQuotas, namespace) {
        let hard = &quota["spec"]["hard"];
        let Some((key, most)) = ["pods", "count/pods"]
            .into_iter()
            .find_map(|key| Some((key, number(&hard[key])?)))
        else {
            continue;
        };
        // Terminal pods free what they held, except from a quota on objects.
        let used = fake
            .objects(Resource::Pods, namespace)
            .filter(|pod| key == "count/pods" || !is_finished_pod(pod))
            .count();
        if used >= most {
            let why = format!(
                "exceeded quota: {}, requested: {key}=1, used: {key}={used}, limited: {key}={most}",
                text(quota, &["metadata", "name"])
            );
            return Err(Refusal::forbidden(Resource::Pods, name, &why));
        }
    }
    Ok(())
}

fn number(value: &Value) -> Option<usize> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .and_then(|number| usize::try_from(number).ok())
}
