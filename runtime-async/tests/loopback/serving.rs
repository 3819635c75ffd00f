//! What is served over HTTP, asked as a kubelet, a browser and a rude client
//! would.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{CLUSTER_TOKEN, World};

#[tokio::test]
async fn a_controller_that_sees_both_apis_is_ready() {
    let mut world = World::start().await;
    world.until_answers("/readyz", 200, &["ok"]).await;
    assert_eq!(world.read("/livez").await, (200, "ok".into()));
    assert_eq!(world.read("/healthz").await, (200, "ok".into()));
    let (status, text) = world.read("/readyz?verbose").await;
    assert_eq!(status, 200);
    for check in ["control-loop", "kubernetes-jobs", "kubernetes-pods", "buildkite"] {
        assert!(text.contains(&format!("[+]{check} ok")), "{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn readiness_follows_buildkite_and_liveness_does_not() {
    let mut world = World::start().await;
    world.until_answers("/readyz", 200, &["ok"]).await;
    let down = Effect::Refuse(http::StatusCode::BAD_GATEWAY);
    world.buildkite.fake().add(Fault::on("*", down));
    world
        .until_answers(
            "/readyz",
            503,
            &["[-]buildkite failed: unknown since 20", "[+]kubernetes-pods ok"],
        )
        .await;
    assert_eq!(world.read("/livez").await.0, 200);
    world.buildkite.fake().mend();
    world.until_answers("/readyz", 200, &["ok"]).await;
    world.end().await;
}

#[tokio::test]
async fn nothing_but_questions_is_heard() {
    let mut world = World::start().await;
    for (request, answer) in [
        (
            "POST /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc",
            "HTTP/1.1 405",
        ),
        (
            "DELETE /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 405",
        ),
        (
            "GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 404",
        ),
        (
            "HEAD /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("nonsense\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let answered = ask(&world, request.as_bytes()).await;
        assert!(answered.starts_with(answer), "{request}: {answered}");
    }
    let long = format!(
        "GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let answered = ask(&world, long.as_bytes()).await;
    assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 4"), "{answered}");
    world.end().await;
}

#[tokio::test]
async fn those_who_dawdle_keep_no_probe_away() {
    let mut world = World::start().await;
    let address = world.served_at().await;
    let mut idlers = Vec::new();
    for _ in 0..200 {
        let mut idler = TcpStream::connect(address).await.expect("connected");
        idler.write_all(b"GET /livez HT").await.expect("written");
        idlers.push(idler);
    }
    assert_eq!(world.read("/livez").await, (200, "ok".into()));
    // The first was put out long before its time.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), idlers[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it is still connected");
    world.end().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_ends_it() {
    let mut world = World::start().await;
    let taken = world.served_at().await;
    let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
    let text = world.kubernetes.kubeconfig_for(CLUSTER_TOKEN);
    std::fs::write(kubeconfig.path(), text).expect("written");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_buildscaler"))
        .args([
            "--buildkite-org=acme",
            "--healthz-address=127.0.0.1",
            "--healthz-port=0",
        ])
        .args([
            "--metrics-address=127.0.0.1",
            &format!("--metrics-port={}", taken.port()),
        ])
        .arg("--kubeconfig")
        .arg(kubeconfig.path())
        .env_clear()
        .env("BUILDKITE_ACCESS_TOKEN", "bkua_marker")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&taken.to_string()) && said.contains("--metrics-port"),
        "{said}"
    );
    world.end().await;
}

/// Sends these bytes and returns all that comes back.
async fn ask(world: &World, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.served_at().await).await.expect("connected");
    // The server may hang up in the middle of nonsense.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let waited = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(waited.is_ok(), "no end: {}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}
