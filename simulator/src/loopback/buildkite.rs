//! Serves the fake Buildkite over HTTP on 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::buildkite::FakeBuildkite;
use crate::fault::Faulty;
use crate::loopback::http::{self, Shared};

/// A fake Buildkite that real clients can reach.
///
/// Dropping it closes the port and cuts every connection.
#[derive(Debug)]
pub struct BuildkiteServer {
    address: SocketAddr,
    fake: Shared<FakeBuildkite>,
    task: tokio::task::JoinHandle<()>,
}

impl BuildkiteServer {
    /// Serves `fake` on a free port, by the clock on the wall.
    pub async fn start(fake: FakeBuildkite) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let fake = Arc::new(Mutex::new(Faulty::new(fake)));
        let task = tokio::spawn(http::serve(listener, Arc::clone(&fake)));
        Ok(Self { address, fake, task })
    }

    /// The base URL of the REST API; clients add `/v2`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The endpoint for agents, `/v3` included.
    pub fn agent_endpoint(&self) -> String {
        format!("{}/v3", self.url())
    }

    /// The fake and its faults, to look at and to change while it serves.
    pub fn fake(&self) -> MutexGuard<'_, Faulty<FakeBuildkite>> {
        self.fake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same as [`Self::fake`], to keep.
    pub fn shared(&self) -> Shared<FakeBuildkite> {
        Arc::clone(&self.fake)
    }

    /// Closes the port and waits until it is closed.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // Aborted is what it should be.
        let _ = (&mut self.task).await;
    }
}

impl Drop for BuildkiteServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
