//! The thread that serves.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread;

use axum::Router;
use tokio::sync::oneshot;

use super::connections::accept;
use super::{ServeArgs, ServeError, guard};

/// What the thread may use for its stack: it does little.
const STACK: usize = 512 * 1024;

/// A running server. It ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    _end: oneshot::Sender<()>,
}

impl Server {
    /// Listens at once, so that what is in the way is known before anything
    /// begins, and serves from a thread of its own.
    pub(super) fn start(args: &ServeArgs, probes: Router, metrics: Router) -> Result<Self, ServeError> {
        let doors = if args.healthz() == args.metrics() {
            let listener = listen("metrics", args.metrics(), "health and metrics")?;
            vec![(listener, probes.merge(metrics))]
        } else {
            vec![
                (listen("healthz", args.healthz(), "health")?, probes),
                (listen("metrics", args.metrics(), "metrics")?, metrics),
            ]
        };
        Self::serve(doors)
    }

    /// Serves each of these from one thread.
    pub(super) fn serve(doors: Vec<(TcpListener, Router)>) -> Result<Self, ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Thread)?;
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("http".into())
            .stack_size(STACK)
            .spawn(move || {
                runtime.block_on(async {
                    for (listener, router) in doors {
                        tokio::spawn(accept(listener, guard::around(router)));
                    }
                    // Nothing is ever sent: it ends when the other half is dropped.
                    drop(ended.await);
                });
            })
            .map_err(ServeError::Thread)?;
        Ok(Self { _end: end })
    }
}

fn listen(option: &'static str, address: SocketAddr, what: &str) -> Result<TcpListener, ServeError> {
    let bind_failed = |error| ServeError::Bind { option, address, error };
    let listener = bind(address).map_err(bind_failed)?;
    let address = listener.local_addr().map_err(bind_failed)?;
    tracing::info!(%address, "serving {what}");
    Ok(listener)
}

/// Binds to the address; to all of IPv4 where all of both is meant and this
/// machine knows no IPv6.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(address);
    match bound {
        // A port that is taken or forbidden would be so there as well.
        Err(error)
            if address.ip() == Ipv6Addr::UNSPECIFIED
                && !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) =>
        {
            TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))
        }
        bound => bound,
    }
}
