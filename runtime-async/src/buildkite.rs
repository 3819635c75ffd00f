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
        let deadline = transport::BUILDKITE_DEADLINE;
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread::{self, JoinHandle};

    use super::*;

    const SECRET: &str = "bkua_marker";
    const LIMIT: usize = 1024;

    /// A server that gives each of these answers once, and returns the requests.
    fn server(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = thread::spawn(move || {
            let serve = |answer: String| {
                let (mut stream, _) = listener.accept().expect("a client");
                let mut request = Vec::new();
                let mut buffer = [0; 1024];
                while !request.ends_with(b"\r\n\r\n") {
                    let count = stream.read(&mut buffer).expect("a request");
                    request.extend_from_slice(&buffer[..count]);
                }
                stream.write_all(answer.as_bytes()).expect("sent");
                String::from_utf8(request).expect("text")
            };
            answers.into_iter().map(serve).collect()
        });
        (url, serving)
    }

    async fn ask(url: &str) -> Reply {
        crate::install_tls();
        let base = Url::parse(url).expect("a URL");
        let buildkite = Buildkite::new(base, &Token::from(SECRET)).expect("a client");
        assert!(!format!("{buildkite:?}").contains(SECRET));
        let request = Request::get("/v2/organizations/acme/agents?page=1").body(Vec::new());
        buildkite.send(request.expect("a request"), LIMIT).await
    }

    #[tokio::test]
    async fn requests_go_below_the_base_url_with_the_token() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
        let (url, serving) = server(vec![answer.into()]);
        let reply = ask(&format!("{url}/below/")).await.expect("an answer");
        assert_eq!(reply.body(), b"[]");
        let requests = serving.join().expect("served");
        let request = requests[0].to_lowercase();
        assert!(request.starts_with("get /below/v2/organizations/acme/agents?page=1 http/1.1"));
        assert!(request.contains(&format!("authorization: bearer {SECRET}")));
        assert!(request.contains("user-agent: buildscaler/"));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        elsewhere.set_nonblocking(true).expect("set");
        let address = elsewhere.local_addr().expect("an address");
        let (url, serving) = server(vec![format!(
            "HTTP/1.1 302 Found\r\nlocation: http://{address}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )]);
        assert_eq!(ask(&url).await.expect("an answer").status(), 302);
        assert_eq!(serving.join().expect("served").len(), 1);
        assert!(elsewhere.accept().is_err(), "the redirect was followed");
    }

    #[tokio::test]
    async fn a_body_beyond_its_limit_is_not_read() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n".to_owned() + &"x".repeat(2 * LIMIT);
        let (url, serving) = server(vec![answer]);
        assert_eq!(
            ask(&url).await.map_err(|error| error.kind).err(),
            Some(SendErrorKind::TooLarge)
        );
        serving.join().expect("served");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_was_not_asked() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let url = format!("http://{}", closed.local_addr().expect("an address"));
        drop(closed);
        let error = ask(&url).await.expect_err("nobody is there");
        assert_eq!((error.kind, error.sent), (SendErrorKind::Unreachable, false));
        assert!(!error.message.contains("organizations"), "{}", error.message);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_cut() {
        let (url, serving) = server(vec!["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[".into()]);
        let error = ask(&url).await.expect_err("it is not whole");
        assert_eq!((error.kind, error.sent), (SendErrorKind::Cut, true));
        serving.join().expect("served");
    }
}
