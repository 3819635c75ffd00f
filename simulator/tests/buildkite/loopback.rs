//! The fake behind a real socket.

use std::time::{Duration, Instant};

use buildscaler_simulator::buildkite::{AgentSpec, FakeBuildkite, Switches};
use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request and reads until the server closes.
async fn get(server: &BuildkiteServer, path: &str) -> String {
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let token = FakeBuildkite::ACCESS_TOKEN;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const AGENTS: &str = "/v2/organizations/acme/agents?per_page=100";

#[tokio::test]
async fn links_lead_back_to_the_server() {
    let mut fake = FakeBuildkite::default();
    connect_agents(&mut fake, 101);
    let server = BuildkiteServer::start(fake).await.unwrap();
    let answer = get(&server, AGENTS).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains(&format!(
        "<{}/v2/organizations/acme/agents?per_page=100&page=2>",
        server.url()
    )));
    server.shutdown().await;
}

#[tokio::test]
async fn a_dropped_request_ends_the_connection_without_a_byte() {
    let server = BuildkiteServer::start(FakeBuildkite::default()).await.unwrap();
    server.fake().add(Fault::on("*", Effect::Drop));
    assert_eq!(get(&server, AGENTS).await, "");
    server.shutdown().await;
}

#[tokio::test]
async fn a_cut_answer_promises_more_than_it_delivers() {
    let mut fake = FakeBuildkite::default();
    connect_agents(&mut fake, 10);
    let server = BuildkiteServer::start(fake).await.unwrap();
    server.fake().add(Fault::on("*", Effect::Cut(10)));
    let answer = get(&server, AGENTS).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 10);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    assert!(length.parse::<usize>().unwrap() > 1000);
    server.shutdown().await;
}

#[tokio::test]
async fn a_closed_server_refuses_connections() {
    let server = BuildkiteServer::start(FakeBuildkite::default()).await.unwrap();
    let address = server.url().trim_start_matches("http://").to_owned();
    server.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn ten_thousand_agents_are_listed_within_seconds() {
    let mut fake = FakeBuildkite::new(Switches::default());
    fake.limits.user = 1000;
    fake.limits.organization = 1000;
    connect_agents(&mut fake, 10_000);
    let server = BuildkiteServer::start(fake).await.unwrap();
    let started = Instant::now();
    for page in 1..=100 {
        let answer = get(&server, &format!("{AGENTS}&page={page}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"));
    }
    // Generous: a debug build on a busy machine needs about two seconds.
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    server.shutdown().await;
}

fn connect_agents(fake: &mut FakeBuildkite, agents: usize) {
    let now = wall_clock();
    for number in 0..agents {
        let tags = vec!["queue=linux".to_owned(), format!("pod-uid={number}")];
        let id = fake.register(
            now,
            AgentSpec {
                tags,
                hostname: format!("pod-{number}"),
                ..AgentSpec::default()
            },
        );
        fake.connect(now, &id).unwrap();
    }
}
