//! A synthetic buildkite-agent: it makes the calls of the real one over HTTP,
//! but pretends to work.
//!
//! A real agent takes some 38 MiB and a process; of these a thousand live in
//! one process. It honours what a pod can tell an agent through its
//! environment, as far as an agent's life depends on it.

mod api;
mod settings;
mod worker;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use crate::error::TestbedError;
use crate::kubelet::{ExitStatus, PodContext, Signals, Workload};

use api::Api;
use settings::Settings;
use worker::{Pool, Worker};

/// Runs a synthetic agent for each pod.
///
/// SIGTERM drains, as it does with the real agent: an idle one leaves at once,
/// a busy one after its job. What SIGKILL leaves behind is an agent that
/// Buildkite finds lost some minutes later.
#[derive(Clone, Debug)]
pub struct Synthetic {
    client: reqwest::Client,
    endpoint: Option<String>,
}

impl Synthetic {
    /// Prepares to run agents that go where their pods say.
    pub fn new() -> Result<Self, TestbedError> {
        Self::with_endpoint(None)
    }

    /// Prepares to run agents against this Agent API, whatever the pods say.
    pub fn at(endpoint: impl Into<String>) -> Result<Self, TestbedError> {
        Self::with_endpoint(Some(endpoint.into()))
    }

    fn with_endpoint(endpoint: Option<String>) -> Result<Self, TestbedError> {
        crate::install_tls_provider();
        let client = api::client().map_err(|error| TestbedError::Missing(format!("an HTTP client: {error}")))?;
        Ok(Self { client, endpoint })
    }
}

impl Workload for Synthetic {
    fn run(&self, pod: PodContext, signals: Signals) -> BoxFuture<'static, ExitStatus> {
        let (client, endpoint) = (self.client.clone(), self.endpoint.clone());
        async move {
            match Settings::of(&pod, endpoint) {
                Ok(settings) => live(client, settings, signals).await,
                Err(_) => FAILED,
            }
        }
        .boxed()
    }
}

/// How the agent exits that cannot go on.
const FAILED: ExitStatus = ExitStatus { code: 1 };

/// The life of one agent process, which may be several agents.
async fn live(client: reqwest::Client, settings: Settings, signals: Signals) -> ExitStatus {
    let pool = Arc::new(Pool::new(settings.spawn));
    let settings = Arc::new(settings);
    let workers = (1..=settings.spawn).map(|number| {
        let api = Api::new(client.clone(), settings.endpoint.clone());
        Worker::new(number, Arc::clone(&settings), Arc::clone(&pool), api, signals.clone()).live()
    });
    let endings = join_all(workers).await;
    if endings.iter().all(Result::is_ok) {
        ExitStatus::SUCCESS
    } else {
        FAILED
    }
}
