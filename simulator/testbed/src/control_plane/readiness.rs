//! When a part counts as started.

use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use crate::child::Child;
use crate::error::TestbedError;

/// Seconds on an idle machine, but test machines are rarely idle.
const DEADLINE: Duration = Duration::from_secs(120);

const ASK_EVERY: Duration = Duration::from_millis(50);

/// Waits until the API server serves and its built-in roles exist.
pub(crate) async fn wait_for_api_server(client: &Client, watched: &mut [&mut Child]) -> Result<(), TestbedError> {
    wait_until(watched, || text(client, "/readyz")).await
}

/// Waits until the controller manager or the scheduler says that it is well.
pub(crate) async fn wait_for_health(client: &Client, part: &mut Child) -> Result<(), TestbedError> {
    wait_until(&mut [part], || text(client, "/healthz")).await
}

/// Waits until pods can be admitted to the namespace `default`.
pub(crate) async fn wait_for_default_account(client: &Client, etcd: &mut Child) -> Result<(), TestbedError> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let exists = async || {
        accounts
            .get("default")
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    };
    wait_until(&mut [etcd], exists).await
}

/// Asks again and again; gives up when one of the processes ends or time is up.
async fn wait_until<A>(watched: &mut [&mut Child], ask: impl Fn() -> A) -> Result<(), TestbedError>
where
    A: Future<Output = Result<(), String>>,
{
    let deadline = Instant::now() + DEADLINE;
    let mut last = String::from("no answer");
    while Instant::now() < deadline {
        if let Some(dead) = watched.iter_mut().find_map(|part| part.has_ended().then_some(part)) {
            return Err(TestbedError::Died {
                name: dead.name(),
                log: dead.log_tail(),
            });
        }
        match timeout(Duration::from_secs(5), ask()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => last = why,
            Err(_) => last = "no answer within 5 s".into(),
        }
        sleep(ASK_EVERY).await;
    }
    let (name, log) = watched
        .first()
        .map(|part| (part.name(), part.log_tail()))
        .unwrap_or_default();
    Err(TestbedError::NotReady {
        name,
        within: DEADLINE,
        last,
        log,
    })
}

async fn text(client: &Client, path: &str) -> Result<(), String> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    let answer = client.request_text(request).await;
    answer.map(drop).map_err(|error| error.to_string())
}
