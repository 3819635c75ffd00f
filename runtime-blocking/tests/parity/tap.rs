//! Notes whole requests on their way to a server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

/// A request without what only concerns its connection and its sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    method: String,
    target: String,
    /// None where anything is accepted, in words or not.
    accept: Option<String>,
    content_type: Option<String>,
    body: String,
}

impl Asked {
    pub(crate) fn of(request: &Request<Vec<u8>>) -> Self {
        Self::new(
            request.method(),
            &request.uri().to_string(),
            request.headers(),
            request.body(),
        )
    }

    fn new(method: &Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: HeaderName| Some(headers.get(name)?.to_str().expect("text").to_owned());
        Self {
            method: method.to_string(),
            target: target.to_owned(),
            accept: header(ACCEPT).filter(|types| types != "*/*"),
            content_type: header(CONTENT_TYPE),
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }
}

/// Passes connections on to a server, and notes what clients ask.
///
/// Its threads end with the connections and with the process.
pub(crate) struct Tap {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Tap {
    /// Listens in front of the server at `url`.
    pub(crate) fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server is up");
                let (to_client, from_server) = (copy_of(&client), copy_of(&server));
                let mut listening = Listening {
                    unread: Vec::new(),
                    log: Arc::clone(&log),
                };
                thread::spawn(move || pass_on(client, server, |piece| listening.hear(piece)));
                thread::spawn(move || pass_on(from_server, to_client, |_| ()));
            }
        });
        Self { address, asked }
    }

    /// Where clients shall go.
    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// What was asked since the last call. Whoever has an answer has been noted.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a client has said on one connection and is no whole request yet.
struct Listening {
    unread: Vec<u8>,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Listening {
    fn hear(&mut self, piece: &[u8]) {
        self.unread.extend(piece);
        while let Some((asked, length)) = first_of(&self.unread) {
            self.unread.drain(..length);
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        }
    }
}

/// The first request, if it is whole, and its length.
fn first_of(bytes: &[u8]) -> Option<(Asked, usize)> {
    const BLANK: &[u8] = b"\r\n\r\n";
    let end = bytes.windows(BLANK.len()).position(|window| window == BLANK)?;
    let head = std::str::from_utf8(&bytes[..end]).expect("text");
    let mut lines = head.split("\r\n");
    let mut words = lines.next().expect("a line").split(' ');
    let method = words
        .next()
        .and_then(|word| word.parse::<Method>().ok())
        .expect("a method");
    let target = words.next().expect("a target");
    let headers: HeaderMap = lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a header");
            let name = name.parse::<HeaderName>().expect("a name");
            (name, HeaderValue::from_str(value.trim()).expect("a value"))
        })
        .collect();
    assert!(
        !headers.contains_key("transfer-encoding"),
        "a body without its length: {head}"
    );
    let length = headers.get("content-length").map_or(0, |length| {
        let length = length.to_str().expect("text");
        length.parse::<usize>().expect("a number")
    });
    let begin = end + BLANK.len();
    let body = bytes.get(begin..begin + length)?;
    Some((Asked::new(&method, target, &headers, body), begin + length))
}

fn copy_of(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a second handle")
}

/// Bytes are noted before they are passed on, and so before their answer.
fn pass_on(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = [0; 65_536];
    // Pieces of a request would otherwise wait for each other's ACK.
    drop(to.set_nodelay(true));
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        note(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // A side that is gone already is no news.
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
