//! Serves the fake AWS Marketplace over HTTP on 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fault::Faulty;
use crate::loopback::http::{self, Shared};
use crate::marketplace::FakeMarketplace;

/// A fake AWS Marketplace, and its STS, that AWS' SDK can reach.
///
/// Dropping it closes the port and cuts every connection.
#[derive(Debug)]
pub struct MarketplaceServer {
    address: SocketAddr,
    fake: Shared<FakeMarketplace>,
    task: tokio::task::JoinHandle<()>,
}

impl MarketplaceServer {
    /// Serves `fake` on a free port, by the clock on the wall.
    pub async fn start(fake: FakeMarketplace) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let fake = Arc::new(Mutex::new(Faulty::new(fake)));
        let task = tokio::spawn(http::serve(listener, Arc::clone(&fake)));
        Ok(Self { address, fake, task })
    }

    /// The endpoint of the metering service; its requests go to `/metering`.
    pub fn metering_endpoint(&self) -> String {
        format!("http://{}/metering", self.address)
    }

    /// The endpoint of STS; its requests go to `/sts`.
    pub fn sts_endpoint(&self) -> String {
        format!("http://{}/sts", self.address)
    }

    /// The fake and its faults, to look at and to change while it serves.
    pub fn fake(&self) -> MutexGuard<'_, Faulty<FakeMarketplace>> {
        self.fake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MarketplaceServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
