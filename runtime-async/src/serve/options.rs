//! Where to listen.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::Args;

/// All interfaces, of both address families.
const ANYWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Where health and metrics are to be read.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address on which /livez, /readyz and /healthz are served
    #[arg(long, value_name = "ADDRESS", default_value_t = ANYWHERE)]
    healthz_address: IpAddr,

    /// Port of /livez, /readyz and /healthz; 0 for any that is free, which the
    /// log names
    #[arg(long, value_name = "INTEGER", default_value_t = 8080)]
    healthz_port: u16,

    /// Address on which /metrics and the status page are served; if it is the
    /// one of /healthz, port included, all is served there
    #[arg(long, value_name = "ADDRESS", default_value_t = ANYWHERE)]
    metrics_address: IpAddr,

    /// Port of /metrics and the status page; 0 for any that is free, which the
    /// log names
    #[arg(long, value_name = "INTEGER", default_value_t = 9000)]
    metrics_port: u16,
}

impl ServeArgs {
    /// Where probes ask.
    pub(super) fn healthz(&self) -> SocketAddr {
        SocketAddr::new(self.healthz_address, self.healthz_port)
    }

    /// Where metrics are scraped.
    pub(super) fn metrics(&self) -> SocketAddr {
        SocketAddr::new(self.metrics_address, self.metrics_port)
    }
}
