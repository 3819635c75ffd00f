//! A log of the requests that a server gets, kept in front of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes connections on to a server, and notes what clients say.
///
/// Its threads end with the connections and with the process.
pub(crate) struct Tap {
    address: String,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Listens in front of the server at `url`.
    pub(crate) fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let log = Arc::clone(&said);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server is up");
                let (to_client, from_server) = (copy_of(&client), copy_of(&server));
                let log = Arc::clone(&log);
                thread::spawn(move || pass_on(client, server, Some(&log)));
                thread::spawn(move || pass_on(from_server, to_client, None));
            }
        });
        Self { address, said }
    }

    /// Where clients shall go.
    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// The first line of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let lines = text.lines().filter(|line| line.ends_with(" HTTP/1.1"));
        // The body of the request before, which is JSON, ends without a line break.
        let starts = lines.filter_map(|line| line.rsplit('}').next());
        starts.map(str::to_owned).collect()
    }
}

fn copy_of(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a second handle")
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, log: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let piece = &buffer[..length];
        if let Some(log) = log {
            log.lock().unwrap_or_else(PoisonError::into_inner).extend(piece);
        }
        if to.write_all(piece).is_err() {
            break;
        }
    }
    // A side that is gone already is no news.
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
