//! Both APIs as a server that has its answers ready, and the binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use buildscaler_testbed::mortal;
use http::Request;
use tempfile::TempDir;

use crate::fleet::{Fleet, Pages};

/// More requests than anybody sends.
const LIMITS: &str = "RateLimit-Limit: 1000000\r\nRateLimit-Remaining: 999999\r\nRateLimit-Reset: 60\r\n\
                      RateLimit-User-Limit: 1000000\r\nRateLimit-User-Remaining: 999999\r\nRateLimit-User-Reset: 60\r\n";

/// A server on loopback; its threads end with the process.
pub(crate) struct Server {
    pub(crate) url: String,
    looks: Arc<AtomicUsize>,
    files: TempDir,
}

impl Server {
    /// Shows this fleet to whoever asks.
    pub(crate) fn start(fleet: &Fleet) -> Self {
        let pages = Arc::new(fleet.pages());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let looks = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&looks);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (pages, looks) = (Arc::clone(&pages), Arc::clone(&count));
                thread::spawn(move || serve(&client, &pages, &looks));
            }
        });
        let files = tempfile::tempdir().expect("a folder");
        let server = Self { url, looks, files };
        std::fs::write(server.kubeconfig(), server.access()).expect("written");
        server
    }

    /// How many looks at Buildkite have begun.
    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    /// The binary that was built with this benchmark, to look at this server.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let (task, options) = arguments.split_first().expect("a task");
        let binary = std::env::var_os("BUILDSCALERCTL").unwrap_or_else(|| env!("CARGO_BIN_EXE_buildscalerctl").into());
        let mut command = mortal(binary.as_ref());
        command
            .arg(task)
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(["--buildkite-org", "acme"])
            .args(options)
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", "bkua_bench")
            .env("BUILDKITE_API_URL", &self.url);
        command
    }

    fn kubeconfig(&self) -> PathBuf {
        self.files.path().join("kubeconfig")
    }

    fn access(&self) -> String {
        let url = &self.url;
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: '{url}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
        )
    }
}

/// Answers one client until it leaves.
fn serve(client: &TcpStream, pages: &Pages, looks: &AtomicUsize) {
    client.set_nodelay(true).expect("an option that every TCP has");
    let mut reader = BufReader::new(client);
    while let Some(request) = read(&mut reader) {
        let target = request.uri().to_string();
        if target.contains("/builds?") && target.ends_with("page=1") {
            looks.fetch_add(1, Ordering::Relaxed);
        }
        let answer = pages.answer(&request);
        let link = answer.headers().get("link").and_then(|link| link.to_str().ok());
        let link = link.map(|link| format!("Link: {link}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{LIMITS}{link}\r\n",
            answer.body().len()
        );
        let mut stream = client;
        let written = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(answer.body()));
        if written.is_err() {
            return;
        }
    }
}

/// The next request; none when the client has left.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request<Vec<u8>>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Request::builder().uri(target).body(body).ok()
}
