//! What machines read of the log.

use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn every_line_is_one_json_object_with_its_fields_once() {
    let mut world = World::start_with(&["--log-format=json"]).await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    world.grant(&[]);
    world.kubernetes.cut_watches();
    world.until_said(&["cluster_unknown"]).await;
    assert!(world.end().await.0.success());
    for line in world.output().lines() {
        let object: Value = serde_json::from_str(line).expect(line);
        let fields = object.as_object().expect("an object");
        assert!(
            fields.contains_key("level") && fields.contains_key("timestamp"),
            "{line}"
        );
        // A parser would keep one of two silently.
        assert_eq!(line.matches("\"message\":").count(), 1, "{line}");
    }
    let says = |words: &[&str]| world.count(words) > 0;
    assert!(says(&[
        "\"message\":\"creating a pod\"",
        "\"queue\":\"linux\"",
        "\"reason\":\"demand\""
    ]));
    assert!(says(&[
        "\"message\":\"finding\"",
        "\"kind\":\"cluster_unknown\"",
        "\"subject\":"
    ]));
}
