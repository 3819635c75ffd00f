//! Colours are for terminals.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::world::{PATIENCE, World};

const ESCAPE: &str = "\u{1b}[";

/// What the program writes to a terminal.
async fn on_a_terminal(world: &World, arguments: &[&str], no_color: Option<&str>) -> String {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let ours = openpt(flags).expect("a terminal");
    grantpt(&ours).expect("ours");
    unlockpt(&ours).expect("unlocked");
    let theirs: OwnedFd = ioctl_tiocgptpeer(&ours, flags).expect("its other end");
    let mut command = world.command(arguments);
    command.stdout(theirs);
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let mut child = command.spawn().expect("it starts");
    // The command holds the other end open, and we would never see the end.
    drop(command);
    let reading = tokio::task::spawn_blocking(move || read(ours));
    let text = tokio::time::timeout(PATIENCE, reading).await;
    child.wait().await.expect("it ends");
    text.expect("it ends").expect("read")
}

/// Everything up to where nobody writes any more.
fn read(terminal: OwnedFd) -> String {
    let mut terminal = File::from(terminal);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match terminal.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend(&buffer[..length]),
            // How Linux says that the other end is closed.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}"),
        }
    }
    String::from_utf8(bytes).expect("text")
}

/// Seen to fail when colours depended on stderr.
#[tokio::test(flavor = "multi_thread")]
async fn plans_and_checks_are_coloured_on_a_terminal_only() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(1, "linux", Duration::from_secs(600));
    for task in ["plan", "doctor"] {
        let shown = on_a_terminal(&world, &[task], None).await;
        assert!(shown.contains(ESCAPE) && shown.contains("linux"), "{task}: {shown:?}");
        let plain = on_a_terminal(&world, &[task], Some("1")).await;
        assert!(!plain.contains(ESCAPE) && plain.contains("linux"), "{task}: {plain:?}");
        let json = on_a_terminal(&world, &[task, "-o", "json"], None).await;
        assert!(!json.contains(ESCAPE), "{task}: {json:?}");
        // What goes into a pipe is looked at by `finish`.
        world.finish(&[task]).await;
    }
}
