//! What lies between the controller and a server: it cuts, is slow, and springs traps.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// When a trap takes hold of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The server never gets it.
    Before,
    /// The server has answered, and the answer is lost.
    After,
}

/// Waits for a request whose head begins with one text and holds another.
struct Trap {
    method: &'static str,
    part: &'static str,
    moment: Moment,
    /// Told when it sprang; the request is held until the other end lets go.
    sprung: oneshot::Sender<oneshot::Sender<()>>,
}

#[derive(Default)]
struct State {
    trap: Mutex<Option<Trap>>,
    cuts: watch::Sender<u64>,
    delay: watch::Sender<Duration>,
}

/// A port that leads to another; what goes through TLS can be cut and be late, but not be read.
pub(super) struct Road {
    pub(super) port: u16,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

impl Drop for Road {
    fn drop(&mut self) {
        self.serving.abort();
        self.cut();
    }
}

impl Road {
    /// Leads to a port of this machine.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let here = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(travel(stream, port, Arc::clone(&shared)));
            }
        });
        Self {
            port: here,
            state,
            serving,
        }
    }

    /// Cuts every connection that there is.
    pub(super) fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on every answer is so late.
    pub(super) fn delay(&self, by: Duration) {
        self.state.delay.send_replace(by);
    }

    /// Waits until such a request comes, does `then` at that moment, and lets nobody hear the answer.
    ///
    /// Returns whether one came within `patience`.
    pub(super) async fn trap(
        &self,
        (method, part): (&'static str, &'static str),
        moment: Moment,
        patience: Duration,
        then: impl AsyncFnOnce(),
    ) -> bool {
        let (sprung, springs) = oneshot::channel();
        self.set(Some(Trap {
            method,
            part,
            moment,
            sprung,
        }));
        let held = timeout(patience, springs).await;
        self.set(None);
        let Ok(Ok(held)) = held else { return false };
        then().await;
        drop(held);
        true
    }

    fn set(&self, trap: Option<Trap>) {
        *self.state.trap.lock().unwrap_or_else(PoisonError::into_inner) = trap;
    }
}

impl State {
    fn caught(&self, head: &[u8]) -> Option<Trap> {
        let head = String::from_utf8_lossy(head);
        let line = head.lines().next().unwrap_or_default();
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        trap.take_if(|trap| line.starts_with(trap.method) && line.contains(trap.part))
    }
}

async fn travel(near: TcpStream, port: u16, state: Arc<State>) {
    let mut cuts = state.cuts.subscribe();
    tokio::select! {
        // Who hangs up is no news.
        _ = carry(near, port, &state) => {}
        _ = cuts.changed() => {}
    }
}

async fn carry(near: TcpStream, port: u16, state: &State) -> io::Result<()> {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_in, near_out) = near.into_split();
    let (mut far_in, far_out) = far.into_split();
    let (caught, mut catch) = oneshot::channel();
    let there = forward(near_in, far_out, state, caught);
    let back = async {
        tokio::select! {
            done = answers(&mut far_in, near_out, state) => return done,
            Ok(trap) = &mut catch => {
                let mut answer = [0; 4096];
                // However much of it has come: it was answered.
                let _some = far_in.read(&mut answer).await?;
                hold(trap).await;
            }
        }
        Err(lost())
    };
    tokio::try_join!(there, back).map(|_| ())
}

/// Carries requests; one that is caught after its arrival is handed to whoever waits for the answer.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: &State,
    caught: oneshot::Sender<Trap>,
) -> io::Result<()> {
    let mut caught = Some(caught);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Err(lost());
        }
        let chunk = &buffer[..count];
        match state.caught(chunk) {
            None => to.write_all(chunk).await?,
            Some(trap) if trap.moment == Moment::Before => {
                hold(trap).await;
                return Err(lost());
            }
            Some(trap) => {
                // From here on no answer passes.
                if let Some(caught) = caught.take() {
                    drop(caught.send(trap));
                }
                tokio::task::yield_now().await;
                to.write_all(chunk).await?;
            }
        }
    }
}

async fn answers(
    from: &mut (impl AsyncRead + Unpin),
    mut to: impl AsyncWrite + Unpin,
    state: &State,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Err(lost());
        }
        let delay = *state.delay.borrow();
        sleep(delay).await;
        to.write_all(&buffer[..count]).await?;
    }
}

async fn hold(trap: Trap) {
    let (held, until) = oneshot::channel();
    if trap.sprung.send(held).is_ok() {
        // It is dropped, not sent.
        drop(until.await);
    }
}

fn lost() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}
