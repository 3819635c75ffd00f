//! The three requests that there are.

use std::fmt::Write;

use buildscaler_core::{AgentId, Cursor};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Uri};

use crate::transport::{Api, BODY_LIMIT, BUILDS_BODY_LIMIT, Request};

const JSON: &str = "application/json";
/// Rows per page: the most there can be, since requests are what is scarce.
const PER_PAGE: u32 = 100;

/// What asks for a graceful stop. Without it the server cancels the agent's
/// job (Invariant 2).
const GRACEFUL: &[u8] = br#"{"force": false}"#;

/// Asks for a page.
pub(super) fn page(organization: &str, cursor: Cursor) -> Result<Request, String> {
    let organization = segment(organization);
    match cursor {
        // Failing builds still have jobs to run; paused queues run none.
        Cursor::Builds { page } => request(
            Method::GET,
            &format!(
                "/v2/organizations/{organization}/builds?state%5B%5D=scheduled&state%5B%5D=running\
                 &state%5B%5D=failing&include_paused=false&exclude_pipeline=true&per_page={PER_PAGE}&page={page}"
            ),
            Vec::new(),
            BUILDS_BODY_LIMIT,
        ),
        Cursor::Agents { page } => request(
            Method::GET,
            &format!("/v2/organizations/{organization}/agents?per_page={PER_PAGE}&page={page}"),
            Vec::new(),
            BODY_LIMIT,
        ),
    }
}

/// Asks an agent to finish its job and leave.
pub(super) fn stop(organization: &str, agent: &AgentId) -> Result<Request, String> {
    let path = format!(
        "/v2/organizations/{}/agents/{}/stop",
        segment(organization),
        segment(agent.as_str())
    );
    request(Method::PUT, &path, GRACEFUL.to_vec(), BODY_LIMIT)
}

fn request(method: Method, uri: &str, body: Vec<u8>, body_limit: usize) -> Result<Request, String> {
    let uri: Uri = uri
        .parse()
        .map_err(|error| format!("the URI cannot be written: {error}"))?;
    let mut builder = http::Request::builder().method(method).uri(uri).header(ACCEPT, JSON);
    if !body.is_empty() {
        builder = builder.header(CONTENT_TYPE, JSON);
    }
    let http = builder.body(body).map_err(|error| error.to_string())?;
    Ok(Request {
        api: Api::Buildkite,
        http,
        body_limit,
        within: None,
    })
}

/// `text` as one segment of a path, whatever is in it.
fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
