//! Carries requests to the two APIs and brings back whole answers.
//!
//! Whatever happens to a request becomes a [`Reply`]: nothing here is retried,
//! and nothing is decided. Every request has a deadline, and every body a
//! limit beyond which it is not read.

use std::time::Duration;

use buildscaler_args::Token;
use buildscaler_wire::{Api, Reply, Request, SendError, SendErrorKind};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::access::{Access, AccessError};
use crate::mishap::{answer_error, send_error, unsendable};

/// How long the API server may take to begin an answer to a question.
const READ_DEADLINE: Duration = Duration::from_secs(10);
/// How long Buildkite may take to begin an answer: pages of large builds are slow.
const BUILDKITE_DEADLINE: Duration = Duration::from_secs(20);
/// How long it may take to begin an answer to a write. Admission webhooks may
/// take 30 seconds, and a create that is given up too early is of unknown fate.
const WRITE_DEADLINE: Duration = Duration::from_secs(32);
/// How long a whole answer may take.
pub(crate) const WHOLE_DEADLINE: Duration = Duration::from_secs(60);
/// The largest answer of [`get`].
const SMALL_ANSWER: usize = 1 << 20;
/// How long a connection may take to be made.
const CONNECT_DEADLINE: Duration = Duration::from_secs(8);
/// Idle connections kept for the next request; as many as may be in use.
const IDLE_CONNECTIONS: usize = crate::crew::WORKERS;

/// Both APIs.
#[derive(Debug)]
pub(crate) struct Transport {
    kubernetes: Access,
    buildkite: Buildkite,
}

/// Buildkite's REST API.
pub(crate) struct Buildkite {
    base: String,
    agent: Agent,
    headers: HeaderMap,
}

impl std::fmt::Debug for Buildkite {
    /// Shows nothing of the token inside (Invariant 22).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buildkite").finish_non_exhaustive()
    }
}

impl Buildkite {
    /// Prepares the connection. Nothing is sent yet.
    pub(crate) fn new(base: &str, token: &Token) -> Result<Self, AccessError> {
        let bearer = bearer(token.expose())
            .ok_or_else(|| AccessError("the Buildkite token holds characters that no token has".into()))?;
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            agent: settings(tls).build().new_agent(),
            headers: HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]),
        })
    }

    /// Sends one request and reads its answer.
    pub(crate) fn send(&self, request: Request) -> Reply {
        let Self { base, agent, headers } = self;
        send(agent, base, headers, request, BUILDKITE_DEADLINE)
    }
}

impl Transport {
    /// Prepares both connections. Nothing is sent yet, so a server that is
    /// down is no error.
    pub(crate) fn new(kubernetes: kube::Config, buildkite: &str, token: &Token) -> Result<Self, AccessError> {
        Ok(Self {
            buildkite: Buildkite::new(buildkite, token)?,
            kubernetes: Access::new(kubernetes)?,
        })
    }

    /// Sends one request and reads its answer.
    pub(crate) fn send(&self, request: Request) -> Reply {
        match request.api {
            Api::Kubernetes => self.send_to_kubernetes(request),
            Api::Buildkite => self.buildkite.send(request),
        }
    }

    fn send_to_kubernetes(&self, request: Request) -> Reply {
        let pass = self.kubernetes.pass().map_err(|error| SendError {
            kind: SendErrorKind::Unreachable,
            sent: false,
            message: error.to_string(),
        })?;
        let usual = if request.http.method().is_safe() {
            READ_DEADLINE
        } else {
            WRITE_DEADLINE
        };
        let deadline = request.within.map_or(usual, |within| within.min(usual));
        let reply = send(&pass.agent, self.kubernetes.base(), &pass.headers, request, deadline);
        let refused = |answer: &Response<_>| answer.status() == StatusCode::UNAUTHORIZED;
        // After a failure neither credentials nor idle connections are trusted.
        if reply.as_ref().map_or(true, refused) {
            self.kubernetes.forget(&pass);
        }
        reply
    }
}

/// What the connections to both servers have in common.
///
/// Redirects are not followed: credentials are meant for one host.
pub(crate) fn settings(tls: TlsConfig) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("buildscaler/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(WHOLE_DEADLINE))
        .timeout_connect(Some(CONNECT_DEADLINE))
        .timeout_resolve(Some(CONNECT_DEADLINE))
        .max_idle_connections(IDLE_CONNECTIONS)
        .max_idle_connections_per_host(IDLE_CONNECTIONS)
}

/// Asks for what is at this path below `base`; an answer is small.
pub(crate) fn get(agent: &Agent, base: &str, headers: &HeaderMap, path: &str) -> Reply {
    let request = Request {
        api: Api::Buildkite,
        http: http::Request::get(path)
            .body(Vec::new())
            .map_err(|_| unsendable("the request cannot be written"))?,
        body_limit: SMALL_ANSWER,
        within: None,
    };
    send(agent, base, headers, request, READ_DEADLINE)
}

/// The header that shows a token; none for a token that no header can hold.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn send(agent: &Agent, base: &str, headers: &HeaderMap, request: Request, deadline: Duration) -> Reply {
    let (mut head, body) = request.http.into_parts();
    head.uri = format!("{base}{}", head.uri)
        .parse()
        .map_err(|_| unsendable("the server's URL and the request's path do not fit together"))?;
    head.headers
        .extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    let response = if body.is_empty() {
        start(agent, http::Request::from_parts(head, ()), deadline)
    } else {
        start(agent, http::Request::from_parts(head, body), deadline)
    };
    let (head, body) = response.map_err(|error| send_error(&error))?.into_parts();
    let limit = u64::try_from(request.body_limit).unwrap_or(u64::MAX);
    let body = body.into_with_config().limit(limit).read_to_vec();
    body.map(|body| Response::from_parts(head, body))
        .map_err(|error| answer_error(&error, request.body_limit))
}

fn start(
    agent: &Agent,
    request: http::Request<impl ureq::AsSendBody>,
    deadline: Duration,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let request = agent.configure_request(request);
    agent.run(request.timeout_recv_response(Some(deadline)).build())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use buildscaler_wire::SendErrorKind;

    use super::*;

    /// Sends a request with a short deadline to a server that answers so, and
    /// then holds the connection until the client lets go.
    fn sent_to(answer: &'static str, body_limit: usize) -> Reply {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).expect("a request");
            stream.write_all(answer.as_bytes()).expect("written");
            while matches!(stream.read(&mut buffer[length..]), Ok(1..)) {}
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        });
        let request = Request {
            api: Api::Kubernetes,
            http: http::Request::delete("/pods/p?a=b")
                .body(b"{}".to_vec())
                .expect("a request"),
            body_limit,
            within: None,
        };
        let agent = settings(TlsConfig::default()).build().new_agent();
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer("t").expect("a token"))]);
        let reply = send(&agent, &base, &headers, request, Duration::from_millis(300));
        drop(agent);
        let request = serving.join().expect("served").to_lowercase();
        assert!(request.starts_with("delete /pods/p?a=b http/1.1"), "{request}");
        assert!(
            request.contains("authorization: bearer t") && request.contains("content-length: 2"),
            "{request}"
        );
        reply
    }

    #[test]
    fn an_answer_arrives_whole_with_its_status() {
        let answer = sent_to(
            "HTTP/1.1 307 x\r\nlocation: /elsewhere\r\ncontent-length: 4\r\n\r\nbody",
            4,
        );
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (307, &b"body"[..]));
    }

    #[test]
    fn a_silent_server_is_left_at_the_deadline() {
        let error = sent_to("", 4).expect_err("no answer");
        assert_eq!((error.kind, error.sent), (SendErrorKind::TimedOut, true), "{error}");
    }

    #[test]
    fn a_body_beyond_its_limit_is_not_read() {
        let error = sent_to("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbodyx", 4).expect_err("too long");
        assert_eq!((error.kind, error.sent), (SendErrorKind::TooLarge, true), "{error}");
    }
}
