//! Connections, bounded in number, size and time.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Connections at a time.
const MOST: usize = 32;
/// How long a client may take for the head of its request, or say nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last. What takes longer, as a stream of news
/// would, has to be asked for again.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// Header fields of a request.
const FIELDS: usize = 64;
/// How long to wait when the operating system gives no connection: it has run
/// out of something.
const BREATH: Duration = Duration::from_millis(200);

/// Takes connections for as long as it is polled.
pub(super) async fn accept(listener: TcpListener, router: Router) {
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener));
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "nothing can be served");
            return;
        }
    };
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connections.admit(stream, router.clone()),
            // Nobody can be told but the log, and it would be told too often.
            Err(_) => sleep(BREATH).await,
        }
    }
}

/// The connections there are, oldest first.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    order: VecDeque<AbortHandle>,
}

impl Connections {
    /// Serves one more. Where there are too many the oldest has to go: a probe
    /// is always let in, however many clients dawdle.
    fn admit(&mut self, stream: TcpStream, router: Router) {
        while self.tasks.try_join_next().is_some() {}
        self.order.retain(|task| !task.is_finished());
        while self.order.len() >= MOST {
            if let Some(oldest) = self.order.pop_front() {
                oldest.abort();
            }
        }
        self.order.push_back(self.tasks.spawn(converse(stream, router)));
    }
}

/// Answers the requests of one connection.
async fn converse(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .max_headers(FIELDS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        // What a client did wrong is no concern of the controller.
        _ = connection.as_mut() => return,
        () = sleep(LIFETIME) => connection.as_mut().graceful_shutdown(),
    }
    drop(timeout(PATIENCE, connection).await);
}
