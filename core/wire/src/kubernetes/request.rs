//! Requests as kube-core makes them, with what the API server does not need
//! taken off.

use buildscaler_core::{CreatePod, Uid, labels};
use http::Uri;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::params::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::request::Error;

use crate::transport::{Api, BODY_LIMIT, Request};

/// Objects per page: what kubectl asks for, and a fraction of a second's work
/// for the API server.
const PAGE: u32 = 500;

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Templates,
    Pods,
}

/// Asks for a page of the objects with our label.
pub(super) fn list(kind: Kind, namespace: Option<&str>, token: Option<&str>) -> Result<Request, String> {
    let path = match kind {
        Kind::Templates => Job::url_path(&(), namespace),
        Kind::Pods => Pod::url_path(&(), namespace),
    };
    let mut params = ListParams::default().labels(labels::APP_SELECTOR).limit(PAGE);
    if let Some(token) = token {
        params = params.continue_token(token);
    }
    request(kube::core::Request::new(path).list(&params))
}

/// Asks for a pod, with the manifest just as the core made it.
pub(super) fn create(pod: &CreatePod) -> Result<Request, String> {
    let manifest = serde_json::to_vec(&pod.manifest).map_err(|error| error.to_string())?;
    let path = Pod::url_path(&(), Some(&pod.namespace));
    request(kube::core::Request::new(path).create(&PostParams::default(), manifest))
}

/// Asks for the end of the pod with this name, if it still has this uid.
pub(super) fn delete(namespace: &str, name: &str, uid: &Uid, grace_seconds: Option<u32>) -> Result<Request, String> {
    let params = DeleteParams {
        grace_period_seconds: grace_seconds,
        preconditions: Some(Preconditions {
            uid: Some(uid.to_string()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let path = Pod::url_path(&(), Some(namespace));
    request(kube::core::Request::new(path).delete(name, &params))
}

pub(super) fn request(made: Result<http::Request<Vec<u8>>, Error>) -> Result<Request, String> {
    let mut http = made.map_err(|error| error.to_string())?;
    let plain = http.uri().to_string().trim_end_matches('?').replace("?&", "?");
    *http.uri_mut() = plain
        .parse::<Uri>()
        .map_err(|error| format!("the URI cannot be written: {error}"))?;
    Ok(Request {
        api: Api::Kubernetes,
        http,
        body_limit: BODY_LIMIT,
        within: None,
    })
}
