//! `--dry-run`: everything is said and nothing is done.

use buildscaler_simulator::kubernetes::Rule;
use serde_json::{Value, json};

use crate::world::World;

/// It has no right to change anything: a try would be refused, and said.
#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_needs_no_right_to_change_anything() {
    let reading = [
        Rule::new(&["list", "watch"], "batch", &["jobs"]),
        Rule::new(&["list", "watch"], "", &["pods"]),
    ];
    let mut world = World::start_as(&reading, &["--dry-run", "--leader-elect"]).await;
    world.add_template("linux");
    for _ in 0..3 {
        world.add_build("linux");
    }
    world.add_build("nobody-serves-this");
    world
        .until_said(&["dry run: would create pods", "linux", "demand", "count=3"])
        .await;
    world.until_said(&["no_template"]).await;
    let looks = || {
        world
            .buildkite
            .fake()
            .inner()
            .observed()
            .counts()
            .get("agents")
            .copied()
            .unwrap_or(0)
    };
    let before = looks();
    world.until("five more looks", || looks() >= before + 5).await;

    let (_, status) = world.read("/status.json").await;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    let withheld = &status["withheld"];
    assert_eq!(status["controller"]["dryRun"], true);
    assert_eq!(
        (&withheld[0]["action"], &withheld[0]["count"]),
        (&json!("create_pod"), &json!(3))
    );
    assert_eq!(withheld.as_array().map(Vec::len), Some(1), "{withheld}");
    let (_, page) = world.read("/").await;
    assert!(
        page.contains("Dry run: nothing is sent") && page.contains("create 3 pods"),
        "{page}"
    );
    let pod = withheld[0]["subjects"][0].as_str().expect("a name");
    let (code, why) = world.read(&format!("/why/{pod}.json")).await;
    assert_eq!(code, 200, "{why}");
    let (_, metrics) = world.read("/metrics").await;
    assert!(metrics.contains("\nbuildscaler_dry_run 1\n"), "{metrics}");

    assert_eq!(world.count(&["this is a dry run"]), 1);
    assert_eq!(world.count(&["would create pods"]), 1, "it is said once");
    assert_eq!(world.count(&["forbidden"]), 0, "nothing was tried:\n{}", world.output());
    assert_eq!(world.pods_of("linux").len(), 0);
    assert_eq!(world.buildkite.fake().inner().observed().stops().count(), 0);
    world.end().await;
}
