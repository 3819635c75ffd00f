//! The Agent API as an agent calls it, with the real one's patience.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

/// A line of log, as gzip.
const LOG: [u8; 40] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x0b, 0x28, 0x4a, 0x2d, 0x49, 0xcd, 0x4b, 0xc9, 0xcc,
    0x4b, 0x57, 0x28, 0xc9, 0x57, 0x28, 0xcf, 0x2f, 0xca, 0xe6, 0xe5, 0x02, 0x00, 0xbe, 0x8a, 0x3c, 0x73, 0x14, 0x00,
    0x00, 0x00,
];

/// How long [`LOG`] is once it is unpacked.
const LOG_SIZE: usize = 20;

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// It was refused and would be again.
    Refused(StatusCode),
    /// It may succeed another time.
    Unavailable,
}

/// How often a call is tried, and how long the agent waits in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) tries: u32,
    pub(super) pause: Duration,
}

impl Patience {
    pub(super) const ONCE: Self = Self::new(1, 0);
    pub(super) const REGISTER: Self = Self::new(30, 10);
    pub(super) const CONNECT: Self = Self::new(10, 5);
    pub(super) const ACCEPT: Self = Self::new(30, 5);
    pub(super) const START: Self = Self::new(7, 2);
    pub(super) const FINISH: Self = Self::new(60, 10);
    pub(super) const HEARTBEAT: Self = Self::new(10, 5);
    pub(super) const DISCONNECT: Self = Self::new(4, 1);

    const fn new(tries: u32, seconds: u64) -> Self {
        Self {
            tries,
            pause: Duration::from_secs(seconds),
        }
    }
}

/// The API, by whatever token is in hand.
#[derive(Clone, Debug)]
pub(super) struct Api {
    client: Client,
    endpoint: String,
}

/// A client for any number of agents.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent("buildkite-agent/3.137.2 (linux; amd64)")
        .timeout(Duration::from_secs(60))
        .build()
}

impl Api {
    pub(super) const fn new(client: Client, endpoint: String) -> Self {
        Self { client, endpoint }
    }

    /// Makes a call until it succeeds, is refused, or patience runs out.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
        patience: Patience,
    ) -> Result<Value, CallError> {
        let mut tries = 1;
        loop {
            match self.try_call(method.clone(), path, token, body).await {
                Err(CallError::Unavailable) if tries < patience.tries => {
                    tries += 1;
                    sleep(patience.pause).await;
                }
                result => return result,
            }
        }
    }

    async fn try_call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let mut request = self.request(method, path, token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.map_err(|_| CallError::Unavailable)?;
        let status = response.status();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(CallError::Refused(status));
        }
        if !status.is_success() {
            return Err(CallError::Unavailable);
        }
        let body = response.bytes().await.map_err(|_| CallError::Unavailable)?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| CallError::Unavailable)
    }

    /// Sends the log of a job, which is always the same; what is lost is lost.
    pub(super) async fn log(&self, id: &str, token: &str) -> bool {
        let path = format!("/jobs/{id}/chunks?sequence=1&offset=0&size={LOG_SIZE}");
        let request = self
            .request(Method::POST, &path, token)
            .header("content-type", "text/plain")
            .header("content-encoding", "gzip")
            .body(LOG.to_vec());
        request
            .send()
            .await
            .is_ok_and(|response| response.status().is_success())
    }

    fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.endpoint))
            .header("authorization", format!("Token {token}"))
    }
}
