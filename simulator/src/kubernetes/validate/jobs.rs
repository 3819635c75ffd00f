//! What makes a Job invalid, and which changes of it are forbidden.

use serde_json::Value;

use super::{labels, pod_spec};
use crate::kubernetes::defaults::template_is_open;
use crate::kubernetes::objects::text;
use crate::kubernetes::refusal::Cause;
use crate::kubernetes::selector::label_selector_matches;

pub(super) fn job(object: &Value) -> Vec<Cause> {
    let spec = &object["spec"];
    let mut causes = Vec::new();
    for field in [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        if spec[field].as_i64().is_some_and(|number| number < 0) {
            causes.push(Cause::invalid(
                format!("spec.{field}"),
                &spec[field],
                "must be greater than or equal to 0",
            ));
        }
    }
    if spec["selector"].is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if !label_selector_matches(&spec["selector"], &spec["template"]["metadata"]["labels"]) {
        let labels = &spec["template"]["metadata"]["labels"];
        causes.push(Cause::invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        ));
    }
    if spec["manualSelector"] != true {
        causes.extend(generated_selector(object));
    }
    if let Some(manager) = spec["managedBy"].as_str()
        && !manager
            .split_once('/')
            .is_some_and(|(domain, path)| !domain.is_empty() && !path.is_empty() && manager.len() <= 63)
    {
        causes.push(Cause::invalid(
            "spec.managedBy",
            &spec["managedBy"],
            "must be a domain-prefixed path (such as \"acme.io/foo\")",
        ));
    }
    causes.extend(labels("spec.template.labels", &spec["template"]["metadata"]["labels"]));
    causes.extend(pod_spec(
        "spec.template.spec",
        &spec["template"]["spec"],
        &["Always", "OnFailure", "Never"],
    ));
    if text(spec, &["template", "spec", "restartPolicy"]) == "Always" {
        causes.push(Cause::required(
            "spec.template.spec.restartPolicy",
            "valid values: \"OnFailure\", \"Never\"",
        ));
    }
    causes
}

/// A Job may not name another Job's labels as its own.
fn generated_selector(object: &Value) -> Vec<Cause> {
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    let wanted = [
        ("batch.kubernetes.io/controller-uid", &object["metadata"]["uid"]),
        ("batch.kubernetes.io/job-name", &object["metadata"]["name"]),
        ("controller-uid", &object["metadata"]["uid"]),
        ("job-name", &object["metadata"]["name"]),
    ];
    wanted
        .into_iter()
        .filter(|(key, value)| labels.get(key) != Some(value))
        .map(|(_, value)| {
            Cause::invalid(
                "spec.template.metadata.labels",
                labels,
                &format!("must be '{}'", value.as_str().unwrap_or_default()),
            )
        })
        .collect()
}

pub(super) fn job_change(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (before, after) = (&old["spec"], &new["spec"]);
    for field in [
        "completions",
        "selector",
        "completionMode",
        "managedBy",
        "podFailurePolicy",
        "successPolicy",
        "manualSelector",
    ] {
        if before[field] != after[field] {
            causes.push(Cause::invalid(
                format!("spec.{field}"),
                &after[field],
                "field is immutable",
            ));
        }
    }
    let open = template_is_open(old);
    if frozen_template(&before["template"], open) != frozen_template(&after["template"], open) {
        causes.push(Cause::invalid(
            "spec.template",
            &after["template"],
            "field is immutable",
        ));
    }
    causes
}

/// The part of a template that may not change: all of it, or, while the Job has not started, what is not about placement.
fn frozen_template(template: &Value, open: bool) -> Value {
    let mut template = template.clone();
    if open {
        template["metadata"]["labels"] = Value::Null;
        template["metadata"]["annotations"] = Value::Null;
        for field in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
            template["spec"][field] = Value::Null;
        }
    }
    template
}
