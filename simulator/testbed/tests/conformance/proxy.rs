//! A proxy that can lose answers and cut connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Carries bytes both ways, until it is told to lose what the server says.
pub(crate) struct Proxy {
    address: SocketAddr,
    losing: Arc<AtomicBool>,
    cuts: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let losing = Arc::new(AtomicBool::new(false));
        let cuts = watch::Sender::new(0);
        let (server, lose, cut) = (server.to_owned(), Arc::clone(&losing), cuts.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (carried, mut cut) = (carry(client, server.clone(), Arc::clone(&lose)), cut.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = carried => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self {
            address,
            losing,
            cuts,
            task,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on a connection breaks when the server answers.
    pub(crate) fn lose_answers(&self) {
        self.losing.store(true, Ordering::SeqCst);
    }

    /// Cuts the connections that there are.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection until either side is done.
async fn carry(client: TcpStream, server: String, losing: Arc<AtomicBool>) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from_server.read(&mut buffer).await?;
            // The answer has arrived here, so the request was carried out.
            if count == 0 || losing.load(Ordering::SeqCst) {
                return io::Result::Ok(());
            }
            to_client.write_all(&buffer[..count]).await?;
        }
    };
    tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = answers => ended,
    }
}
