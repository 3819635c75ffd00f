//! STS by moto, which others wrote from AWS' own descriptions: an independent
//! check of what is said to it and of what is read from it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use buildscaler_testbed::mortal;

use crate::scene::Scene;

const MOTO: &str = "moto[server]==5.2.5";
const PATIENCE: Duration = Duration::from_secs(60);
/// moto reads the role's issuer from it, and asks nobody: header, payload and
/// a signature of a service account's token.
const WEB_IDENTITY: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3VlciIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDpidWlsZHNjYWxlciJ9.c2ln";

/// moto as a process, which ends with this.
struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program, which `.ci/run` installs, or this.
fn installed() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let folder = target.join("moto");
    let server = folder.join("bin/moto_server");
    if !server.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", MOTO]));
    }
    server
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Moto {
    fn start() -> Self {
        let mut child = mortal(&installed())
            .args(["--host", "127.0.0.1", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (told, heard) = mpsc::channel();
        // Reads to the end, so that it never waits for a reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("Running on ") {
                    drop(told.send(url.trim().to_owned()));
                }
            }
        });
        let url = heard.recv_timeout(PATIENCE).expect("it says where it listens");
        Self { child, url }
    }
}

/// moto gives credentials, and with them the metering service is asked: the
/// fake of that knows no such session, and says just that.
#[tokio::test]
#[cfg_attr(not(have_pip), ignore = "needs python3 with venv and pip, to install moto")]
async fn moto_takes_the_token_and_its_credentials_are_used() {
    let moto = Moto::start();
    let mut scene = Scene::start().await;
    scene.set("AWS_ENDPOINT_URL_STS", &moto.url);
    scene.renew_token(WEB_IDENTITY);
    let failure = scene.register().await.expect_err("a session that only moto knows");
    assert!(failure.to_string().contains("UnrecognizedClientException"), "{failure}");
}
