//! Events: what `kubectl describe` shows of a template or a pod.

use buildscaler_core::{Announcement, ObjectKind};
use k8s_openapi::api::events::v1::Event;
use kube::Resource;
use kube::core::params::PostParams;
use serde_json::json;

use super::request::request;
use crate::transport::Request;

/// Who says it.
const REPORTER: &str = "buildscaler.elotl.co/controller";
/// The most letters the API server takes for an instance.
const LONGEST_INSTANCE: usize = 128;

/// Asks for an Event of `events.k8s.io/v1`, a warning by `instance`.
pub(super) fn create(announcement: &Announcement, instance: &str) -> Result<Request, String> {
    let regarding = &announcement.regarding;
    let (api_version, kind) = match regarding.kind {
        ObjectKind::Job => ("batch/v1", "Job"),
        ObjectKind::Pod => ("v1", "Pod"),
    };
    let at = jiff::Timestamp::from_millisecond(announcement.at.as_millis()).map_err(|error| error.to_string())?;
    let instance: String = instance.chars().take(LONGEST_INSTANCE).collect();
    let event = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": regarding.namespace, "name": announcement.name},
        "type": "Warning",
        "reason": announcement.kind.as_camel_case(),
        "action": "Inspect",
        "note": announcement.note,
        "regarding": {
            "apiVersion": api_version,
            "kind": kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid.as_str(),
        },
        "reportingController": REPORTER,
        "reportingInstance": instance,
        "eventTime": format!("{at:.6}"),
    });
    let path = Event::url_path(&(), Some(&regarding.namespace));
    request(kube::core::Request::new(path).create(&PostParams::default(), event.to_string().into_bytes()))
}
