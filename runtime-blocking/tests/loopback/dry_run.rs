//! `run --dry-run`: everything is said and nothing is done.

use std::time::Duration;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_but_looks() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(3, "linux", Duration::from_secs(1));
    world.add_builds(1, "nobody-serves-this", Duration::from_secs(1));
    let running = world.run(&["--dry-run"]);
    running
        .until("it says what it would do", || {
            running.count("dry run: would create pods") == 1
        })
        .await;
    running
        .until("five looks", || running.count("look at Buildkite: done") >= 5)
        .await;
    assert_eq!(running.count("this is a dry run"), 1);
    assert_eq!(running.count("would create pods"), 1, "it is said once");
    let (code, _) = running.end().await;
    assert_eq!(code, Some(0));
    let requests = world.tap.requests();
    assert!(requests.len() >= 10, "{requests:?}");
    let writes: Vec<&String> = requests.iter().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(writes, Vec::<&String>::new());
    assert!(world.pods().is_empty());
    assert_eq!(world.buildkite.fake().inner().observed().stops().count(), 0);
}

/// What looks once has `plan` for this; a flag that nothing reads is refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_once_takes_no_such_option() {
    let world = World::start().await;
    for task in ["plan", "apply"] {
        let ended = world.finish(&[task, "--dry-run"]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("--dry-run"), "{}", ended.stderr);
    }
}
