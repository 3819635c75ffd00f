//! Requests and answers as they are on the wire, with a client's credentials.

use std::time::Duration;

use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;

/// How long anything may take that is bound to happen.
const DEADLINE: Duration = Duration::from_secs(100);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Somebody who talks to the API.
#[derive(Clone)]
pub(crate) struct Client(pub(crate) kube::Client);

/// An answer of the API.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The object, if the request was a success.
    #[track_caller]
    pub(crate) fn object(self) -> Value {
        assert!((200..300).contains(&self.code), "refused: {}", self.body);
        self.body
    }

    /// The status, if the request was refused with that code and reason.
    #[track_caller]
    pub(crate) fn refused(self, code: u16, reason: &str) -> Value {
        assert_eq!(
            (self.code, &self.body["reason"]),
            (code, &Value::from(reason)),
            "{}",
            self.body
        );
        assert_eq!(self.body["kind"], "Status");
        assert_eq!(self.body["status"], "Failure");
        assert_eq!(self.body["code"], code);
        self.body
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body), "application/json").await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body), "application/json").await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), "application/merge-patch+json")
            .await
    }

    pub(crate) async fn patch_as(&self, path: &str, content_type: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), content_type).await
    }

    pub(crate) async fn delete(&self, path: &str, options: &Value) -> Answer {
        self.send(Method::DELETE, path, Some(options), "application/json").await
    }

    /// Follows a watch until it ends, and returns its events.
    pub(crate) async fn watch(&self, path: &str) -> Vec<Value> {
        let request = Request::get(path).body(kube::client::Body::empty()).expect("a request");
        let response = self.0.send(request).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a whole stream").to_bytes();
        let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).expect("an event"))
            .collect()
    }

    /// Sends once; fails where there is no answer.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, kube::Error> {
        self.try_send(Method::POST, path, Some(body), "application/json").await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>, content_type: &str) -> Answer {
        self.try_send(method, path, body, content_type)
            .await
            .expect("an answer")
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        content_type: &str,
    ) -> Result<Answer, kube::Error> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("Content-Type", content_type);
        }
        let request = request.body(kube::client::Body::from(bytes)).expect("a request");
        let (head, body) = self.0.send(request).await?.into_parts();
        let bytes = body.collect_bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer {
            code: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}

/// Asks until the answer is there.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}
