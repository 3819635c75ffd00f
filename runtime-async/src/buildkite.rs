//! The connection to Buildkite's REST API.

use std::time::Duration;

use buildscaler_args::Token;
use buildscaler_wire::{Reply, SendError, SendErrorKind};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use reqwest::Url;
use reqwest::redirect::Policy;
use thiserror::Error;

use crate::transport::{self, BoundedBody, CONNECT_DEADLINE, USER_AGENT, WHOLE_DEADLINE};

/// Sends requests to Buildkite.
#[derive(Debug)]
pub(crate) struct Buildkite {
    base: Url,
    client: reqwest::Client,
}

/// Why no connection to Buildkite can be prepared.
#[derive(Debug, Error)]
pub(crate) enum BuildkiteError {
    /// The token holds a line break or the like.
    #[error("the Buildkite token cannot be sent in a header: it holds characters that no token has")]
    Token,
    /// No TLS, or the like.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

impl Buildkite {
    /// Prepares to talk to the API at `base`; connects to nothing yet.
    ///
    /// Redirects are not followed: the token is meant for one host.
    pub(crate) fn new(base: Url, token: &Token) -> Result<Self, BuildkiteError> {
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| BuildkiteError::Token)?;
        bearer.set_sensitive(true);
        let client = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]))
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(WHOLE_DEADLINE)
            .pool_max_idle_per_host(4)
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_keepalive(Duration::from_secs(15))
            // A dead HTTP/2 connection would otherwise be used for a quarter of an hour.
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| BuildkiteError::Client(transport::chain(&error)))?;
        Ok(Self { base, client })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>, body_limit: usize) -> Reply {
        let deadline = transport::READ_DEADLINE;
        let request = self.absolute(request)?;
        let answer = match tokio::time::timeout(deadline, self.client.execute(request)).await {
            Ok(answer) => answer.map_err(send_error)?,
            Err(_) => return Err(transport::timed_out("no answer", deadline)),
        };
        read(answer, body_limit).await
    }

    /// The request with the base URL before its path.
    fn absolute(&self, request: Request<Vec<u8>>) -> Result<reqwest::Request, SendError> {
        let (head, body) = request.into_parts();
        let base = self.base.as_str().trim_end_matches('/');
        let unsendable = |error: &dyn std::fmt::Display| SendError {
            kind: SendErrorKind::Unreachable,
            sent: false,
            message: format!("the request cannot be sent: {error}"),
        };
        let url = Url::parse(&format!("{base}{}", head.uri)).map_err(|error| unsendable(&error))?;
        let mut request = reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        Ok(request)
    }
}

async fn read(mut answer: reqwest::Response, body_limit: usize) -> Reply {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    let mut body = BoundedBody::new(body_limit);
    while let Some(chunk) = answer.chunk().await.map_err(send_error)? {
        body.push(&chunk)?;
    }
    *response.body_mut() = body.into_bytes();
    Ok(response)
}

/// What went wrong, without the URL: messages reach logs and findings.
fn send_error(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let kind = if error.is_connect() {
        SendErrorKind::Unreachable
    } else if error.is_timeout() {
        SendErrorKind::TimedOut
    } else {
        SendErrorKind::Cut
    };
    SendError {
        kind,
        sent: !error.is_connect() && !error.is_builder(),
        message: transport::chain(&error),
    }
}
