//! Whose token the agents get: it must be of the organization that is looked
//! at. It is read where the template says, as far as the kubeconfig's user may.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildscaler_args::Token;
use buildscaler_core::labels;
use buildscaler_wire::Api;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};

use super::asker::{Asker, Said, said};
use super::check::Check;
use super::templates::{Property, Sample};
use crate::transport;

const NAME: &str = "agent token";

/// Where a token is to be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// In the template itself, or given on the command line.
    Known(String),
    /// In this Secret, under this key.
    Secret {
        namespace: String,
        name: String,
        key: String,
    },
    /// Somewhere that cannot be seen from outside the pod.
    Elsewhere,
}

/// Asks the Agent API about the tokens of all templates, each once.
pub(super) fn examine(
    asker: &mut Asker<'_>,
    samples: &[Sample],
    given: Option<&Token>,
    endpoint: &str,
    organization: &str,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut seen = BTreeSet::new();
    for sample in samples {
        let about = sample.about(Property::AgentToken);
        let source = match given {
            Some(token) => Source::Known(token.expose().to_owned()),
            None => source(sample),
        };
        if !seen.insert(source.clone()) {
            continue;
        }
        let token = match source {
            Source::Known(token) => Ok(token),
            Source::Secret { namespace, name, key } => secret(asker, &about, &namespace, &name, &key),
            Source::Elsewhere => Err(Check::note(
                &about,
                NAME,
                "which one it is cannot be seen from here; give it by BUILDKITE_AGENT_TOKEN to have it checked",
            )),
        };
        checks.push(match token {
            Ok(token) => belongs(&about, &token, endpoint, organization),
            Err(check) => check,
        });
    }
    checks
}

/// Where the agent's container gets its token from, as far as the template
/// tells.
fn source(sample: &Sample) -> Source {
    let Some(container) = sample.template.pod_template.agent_container() else {
        return Source::Elsewhere;
    };
    let secret = |name: &Value, key: &str| {
        name.as_str().map(|name| Source::Secret {
            namespace: sample.template.namespace.clone(),
            name: name.to_owned(),
            key: key.to_owned(),
        })
    };
    let list = |field: &str| container[field].as_array().into_iter().flatten();
    let variable = list("env").find(|variable| variable["name"] == labels::TOKEN_VARIABLE);
    if let Some(variable) = variable {
        if let Some(value) = variable["value"].as_str() {
            return Source::Known(value.to_owned());
        }
        let key = &variable["valueFrom"]["secretKeyRef"];
        let found = secret(&key["name"], key["key"].as_str().unwrap_or_default());
        return found.unwrap_or(Source::Elsewhere);
    }
    let mut sources = list("envFrom").filter(|source| source["prefix"].as_str().is_none_or(str::is_empty));
    let found = sources.find_map(|source| secret(&source["secretRef"]["name"], labels::TOKEN_VARIABLE));
    found.unwrap_or(Source::Elsewhere)
}

/// The value of this key of a Secret, or what is wrong with it.
fn secret(asker: &mut Asker<'_>, about: &str, namespace: &str, name: &str, key: &str) -> Result<String, Check> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    let object = match asker.get(Api::Kubernetes, &path) {
        Said::Yes(object) => object,
        Said::No(404, _) => {
            let detail = format!("there is no Secret {namespace}/{name}, so its pods would not start; create it");
            return Err(Check::failed(about, NAME, detail));
        }
        Said::No(403, _) => {
            let detail = format!(
                "the kubeconfig's user may not read the Secret {namespace}/{name}, and the controller need not; give the \
                 token by BUILDKITE_AGENT_TOKEN to have it checked"
            );
            return Err(Check::note(about, NAME, detail));
        }
        Said::No(status, message) => {
            let detail = format!("the Secret {namespace}/{name} cannot be read: status {status} ({message})");
            return Err(Check::note(about, NAME, detail));
        }
        Said::Nothing(why) => {
            let detail = format!("the Secret {namespace}/{name} cannot be read: {why}");
            return Err(Check::note(about, NAME, detail));
        }
    };
    let value = object["data"][key]
        .as_str()
        .and_then(|value| STANDARD.decode(value).ok());
    value.and_then(|value| String::from_utf8(value).ok()).ok_or_else(|| {
        let detail =
            format!("the Secret {namespace}/{name} has no key {key}; add it, with the agent token as its value");
        Check::failed(about, NAME, detail)
    })
}

/// Whether the token is good, and of this organization.
fn belongs(about: &str, token: &str, endpoint: &str, organization: &str) -> Check {
    let Some(authorization) = authorization(token.trim()) else {
        return Check::failed(
            about,
            NAME,
            "it holds characters that no token has; write the Secret anew",
        );
    };
    let detail =
        |words: String| format!("{words}; make one for this organization's cluster and put it into the Secret");
    match ask(endpoint, authorization) {
        Said::Yes(answer) => match answer["organization_slug"].as_str() {
            // As a Secret made with `echo` has it.
            Some(slug) if slug == organization && token != token.trim() => Check::note(
                about,
                NAME,
                "Buildkite knows it, but there are blanks or line breaks around it, which no agent is sure to take; write \
                 the Secret with printf instead of echo",
            ),
            Some(slug) if slug == organization => Check::ok(
                about,
                NAME,
                format!("Buildkite knows it, and it is of organization {organization}"),
            ),
            Some(slug) => Check::failed(
                about,
                NAME,
                format!(
                    "it is of organization {slug}, the API access token looks at {organization}: agents would never get \
                     the jobs that are seen; use tokens of one organization"
                ),
            ),
            None => Check::note(about, NAME, "Buildkite knows it but does not tell its organization"),
        },
        Said::No(401, _) => Check::failed(
            about,
            NAME,
            detail("Buildkite does not know it: agents would not start".into()),
        ),
        Said::No(status, message) => {
            let words = format!("the Agent API answers with status {status} ({message})");
            Check::note(about, NAME, format!("it cannot be checked: {words}"))
        }
        Said::Nothing(why) => Check::note(
            about,
            NAME,
            format!("it cannot be checked: the Agent API cannot be reached ({why}); see --agent-endpoint"),
        ),
    }
}

fn authorization(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Token {token}")).ok()?;
    value.set_sensitive(true);
    (!token.is_empty()).then_some(value)
}

fn ask(endpoint: &str, authorization: HeaderValue) -> Said {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent = transport::settings(tls).build().new_agent();
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, authorization)]);
    let endpoint = endpoint.trim_end_matches('/');
    said(transport::get(&agent, endpoint, &headers, "/token"))
}
