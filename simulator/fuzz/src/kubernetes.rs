//! What an API server may answer to lists and writes.

use buildscaler_core::{Action, CommandId, CreatePod, Input, Outcome, Queue, Uid, View};
use buildscaler_wire::Api;
use serde_json::json;

use crate::life::Life;
use crate::replies::{Server, begin};

/// Answers to the lists of templates and pods. The view that comes of them is
/// told to a controller that then looks at a Buildkite with work for it.
pub(crate) fn lists(bytes: &[u8]) {
    let mut life = Life::new();
    let id = life.cluster_id();
    let mut server = Server::new(bytes);
    let input = server.talk(begin(Action::ObserveCluster, id), |request| {
        assert_eq!(request.api, Api::Kubernetes);
        assert!(
            request.http.uri().path().contains("/namespaces/builds/"),
            "{}",
            request.http.uri()
        );
    });
    let Input::Cluster { view, .. } = &input else {
        unreachable!("a look at the cluster ends as one")
    };
    let complete = matches!((&view.templates, &view.pods), (View::Complete(_), View::Complete(_)));
    assert!(
        !(server.refused && complete),
        "a list with a page that failed is unknown (Invariant 24)"
    );
    let rows = view.templates.complete().map_or(0, Vec::len) + view.pods.complete().map_or(0, Vec::len);
    assert!(rows <= server.letters, "there are no more rows than letters");
    life.tell(input);
    life.go_on();
}

/// The answers to a create and a delete.
pub(crate) fn writes(bytes: &[u8]) {
    let mut server = Server::new(bytes);
    let create = Action::CreatePod(CreatePod {
        namespace: "builds".into(),
        name: "linux-abc".into(),
        queue: Queue::from("linux"),
        template: Uid::from("t"),
        manifest: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "linux-abc"}}),
    });
    let delete = |grace_seconds| Action::DeletePod {
        namespace: "builds".into(),
        name: "linux-abc".into(),
        uid: Uid::from("u"),
        grace_seconds,
    };
    for action in [create, delete(None), delete(Some(30))] {
        server.refused = false;
        let mut requests = 0;
        let input = server.talk(begin(action, CommandId(7)), |_| requests += 1);
        let Input::Outcome { outcome, .. } = &input else {
            unreachable!("a write ends in an outcome")
        };
        assert_eq!(requests, 1, "a write is one request");
        assert_eq!(*outcome == Outcome::Done, !server.refused, "only a success is one");
    }
}
