//! The server on loopback: connections that break, and faults.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::kubernetes::{FakeKubernetes, Resource, Settings};
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{PODS, pod};

async fn server() -> KubernetesServer {
    KubernetesServer::start(FakeKubernetes::new(Settings::default()))
        .await
        .unwrap()
}

/// Sends a request on a connection of its own.
async fn send(server: &KubernetesServer, method: &str, path: &str, body: &str) -> TcpStream {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn everything(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that breaks has said what it has said.
    drop(stream.read_to_end(&mut text).await);
    String::from_utf8(text).unwrap()
}

/// Reads until `text` has come.
async fn until(stream: &mut TcpStream, text: &str) {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let count = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "ended after {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

#[tokio::test]
async fn a_watch_shows_a_change_at_once_and_breaks_when_it_is_cut() {
    let server = server().await;
    let mut watch = send(&server, "GET", &format!("{PODS}?watch=true"), "").await;
    until(&mut watch, "HTTP/1.1 200 OK").await;
    server
        .with(|fake, now| fake.create(now, Resource::Pods, "default", pod("p")))
        .unwrap();
    until(&mut watch, "\"ADDED\"").await;
    server.cut_watches();
    let rest = everything(watch).await;
    assert!(!rest.ends_with("0\r\n\r\n"), "a cut stream has no proper end: {rest}");
    server.stop().await;
}

#[tokio::test]
async fn a_watch_ends_properly_at_its_timeout() {
    let server = server().await;
    let mut watch = send(&server, "GET", &format!("{PODS}?watch=true&timeoutSeconds=60"), "").await;
    until(&mut watch, "HTTP/1.1 200 OK").await;
    server.advance(Duration::from_secs(61));
    let text = everything(watch).await;
    assert!(text.ends_with("0\r\n\r\n"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_lost_after_the_request_was_carried_out() {
    let server = server().await;
    server.add_fault(Fault::on(PODS, Effect::LoseReply).times(1));
    let body = pod("p").to_string();
    let nothing = everything(send(&server, "POST", PODS, &body).await).await;
    assert_eq!(nothing, "");
    let again = everything(send(&server, "POST", PODS, &body).await).await;
    assert!(again.contains("AlreadyExists"), "{again}");
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_server_closes_its_port() {
    let server = server().await;
    let address = server.url().replace("http://", "");
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
