//! A controller in a small world, as the page tells of it.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use buildscaler_core::{Cursor, Failure, LookEnd, Refusal, View};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use self::stage::{MARKER, Stage, TOKEN, at, burst, dry_burst};
use super::model::Status;
use super::when::When;
use super::{page, routes, why};

mod stage;

/// Half a minute later.
fn burst_status() -> Status {
    Status::of(&burst().notes(), When(at(30)))
}

#[test]
fn a_small_world_for_programs() {
    insta::assert_json_snapshot!(burst_status());
}

#[test]
fn a_small_world_for_people() {
    let page = page::overview(&burst_status());
    let main = &page[page.find("<main").expect("main")..page.find("<footer").expect("footer")];
    insta::assert_snapshot!(main.replace("><", ">\n<"));
}

/// Invariant 22, whatever a server quotes.
#[tokio::test]
async fn no_secret_is_in_any_answer() {
    let stage = burst();
    let plain: Vec<String> = stage
        .notes()
        .findings
        .values()
        .map(|standing| standing.detail.clone())
        .collect();
    assert!(
        plain.iter().any(|detail| detail.contains(MARKER)),
        "the world is not as it was: {plain:?}"
    );
    for path in [
        "/",
        "/status.json",
        "/why/linux-busy",
        "/why/job-oldest",
        "/why/job-oldest.json",
        "/why/agent-idle",
        "/why?name=x",
    ] {
        let (_, text) = ask(&stage, path, "*/*").await;
        for secret in [MARKER, &TOKEN[..12]] {
            assert!(!text.contains(secret), "{secret} in {path}:\n{text}");
        }
        assert!(text.starts_with('{') || !text.contains("<b>"), "not escaped in {path}");
    }
}

#[tokio::test]
async fn answers_may_do_nothing_but_be_read() {
    let stage = burst();
    let answer = respond(&stage, "/", "text/html").await;
    let headers = answer.headers();
    let policy = headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(policy.starts_with("default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"));
    assert!(
        !policy.contains("unsafe") && policy.matches("'sha256-").count() == 2,
        "{policy}"
    );
    for absent in [header::SET_COOKIE, header::ACCESS_CONTROL_ALLOW_ORIGIN] {
        assert!(!headers.contains_key(absent));
    }
    let (_, text) = ask(&stage, "/", "text/html").await;
    for foreign in ["http://", "https://", "src=", "@import", "url(\""] {
        assert!(!text.contains(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn programs_get_json_and_people_get_html() {
    let stage = burst();
    for (path, accept, kind) in [
        ("/", "text/html,*/*", "text/html; charset=utf-8"),
        ("/", "application/json", "application/json"),
        (
            "/why/linux-busy",
            "text/html,application/json",
            "text/html; charset=utf-8",
        ),
        ("/why/ci/linux-busy.json", "*/*", "application/json"),
        ("/why?name=ci%2Flinux-busy", "application/json", "application/json"),
    ] {
        let answer = respond(&stage, path, accept).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], kind, "{path}");
    }
    let (status, text) = ask(&stage, "/why/%3Cscript%3Ealert(1)%3C/script%3E", "text/html").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        text.contains("&lt;script&gt;alert(1)") && !text.contains("<script>alert"),
        "{text}"
    );
    let (status, text) = ask(&stage, "/why/nobody", "application/json").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let told: Value = serde_json::from_str(&text).expect("json");
    assert_eq!((&told["version"], &told["asked"]), (&json!(1), &json!("nobody")));
}

fn explained(stage: &Stage, name: &str) -> String {
    let told = why::explain(&stage.notes(), name, When(at(30))).expect(name);
    let mut text = format!(
        "{} {} of {}\n",
        told.kind,
        told.name,
        told.queue.as_deref().unwrap_or("no queue")
    );
    text.push_str(&format!("  {}\n", told.summary));
    if let Some(verdict) = &told.verdict {
        text.push_str(&format!("  verdict: {}, because {}\n", verdict.what, verdict.because));
    }
    told.because
        .iter()
        .for_each(|sentence| text.push_str(&format!("  - {sentence}\n")));
    told.facts
        .iter()
        .for_each(|fact| text.push_str(&format!("  {}: {}\n", fact.name, fact.value)));
    told.related
        .iter()
        .for_each(|other| text.push_str(&format!("  its {} {}\n", other.kind, other.name)));
    told.findings
        .iter()
        .for_each(|finding| text.push_str(&format!("  finding {} {}\n", finding.kind, finding.subject)));
    told.withheld.iter().for_each(|one| {
        text.push_str(&format!(
            "  would {} ({}): {}\n",
            one.title,
            one.reason,
            one.subjects.join(", ")
        ))
    });
    text.push_str(&format!("  {} decisions\n", told.decisions.len()));
    text
}

#[test]
fn each_thing_is_explained_by_each_of_its_names() {
    let stage = burst();
    let names = [
        "linux-busy",
        "ci/linux-idle",
        "uid-linux-new",
        "agent-busy",
        "job-running",
        "job-oldest",
        "job-3",
        "job-mac",
        "job-held",
    ];
    let told: String = names.iter().map(|name| explained(&stage, name)).collect();
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_unknown_is_told_as_unknown() {
    let mut stage = burst();
    stage.wait(30);
    stage.show_cluster(
        View::Unknown(Failure::Unavailable {
            message: "no route".into(),
        }),
        Vec::new(),
    );
    let failed = Failure::Forbidden {
        kind: Refusal::Credentials,
        message: format!("{TOKEN} has expired"),
    };
    stage.show_buildkite(Vec::new(), Vec::new(), LookEnd::Failed(Cursor::START, failed));
    let now = When(at(95));
    let status = Status::of(&stage.notes(), now);
    let states: Vec<_> = status
        .views
        .iter()
        .map(|view| (view.state, view.why.as_deref()))
        .collect();
    let why = "forbidden (Credentials): (left out) has expired";
    assert_eq!(
        states,
        [
            ("unknown", Some("unavailable: no route")),
            ("known", None),
            ("unknown", Some(why))
        ]
    );
    assert!(page::overview(&status).contains("things to mend"));
    let told = why::explain(&stage.notes(), "job-oldest", now).expect("known from before");
    assert!(
        told.because[0].starts_with("Buildkite has been unknown for 1 min"),
        "{:?}",
        told.because
    );
    // A loop that does not step is trouble as well.
    let later = Status::of(&stage.notes(), When(at(1_000)));
    assert_eq!(later.controller.state, "stuck");
    assert!(page::overview(&later).contains("has not moved for"));
}

/// Seen to fail when the page left out the notice.
#[tokio::test]
async fn a_dry_run_says_so_and_what_it_would_do() {
    let stage = dry_burst();
    let (_, text) = ask(&stage, "/status.json", "*/*").await;
    let told: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(
        (&told["controller"]["dryRun"], &told["decisions"]),
        (&json!(true), &json!([]))
    );
    let kinds: Vec<Value> = told["withheld"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| json!([one["action"], one["queue"], one["reason"], one["count"]]))
        .collect();
    assert_eq!(
        kinds,
        [
            json!(["create_pod", "linux", "demand", 4]),
            json!(["stop_agent", "linux", "replaced", 1]),
            json!(["delete_pod", "linux", "finished", 1]),
        ]
    );
    assert_eq!(told["withheld"][2]["subjects"], json!(["ci/linux-over"]));

    let (_, page) = ask(&stage, "/", "text/html").await;
    for words in [
        "Dry run: nothing is sent",
        "create 4 pods",
        "stop 1 agent",
        "delete 1 pod",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (_, page) = ask(&burst(), "/", "text/html").await;
    assert!(!page.contains("Dry run"), "{page}");
}

#[test]
fn a_dry_run_explains_each_thing_as_what_would_become_of_it() {
    let stage = dry_burst();
    let notes = stage.notes();
    let coming = notes
        .withheld
        .iter()
        .find_map(|deed| deed.pod.clone().filter(|pod| !pod.contains("over")));
    let coming = coming.expect("a pod that would be made");
    let names = ["linux-busy", "linux-over", "agent-idle", "job-oldest"];
    let told: String = names.iter().map(|name| explained(&stage, name)).collect();
    insta::assert_snapshot!(told);
    let told = why::explain(&notes, &coming, When(at(30))).expect("known");
    assert_eq!(
        told.summary,
        format!("pod {coming} would be created if this were no dry run")
    );
}

/// What it would do is told as it is now, not as it once was. Seen to fail when
/// the notes kept what first appeared.
#[test]
fn a_dry_run_forgets_what_it_would_no_longer_do() {
    let mut stage = dry_burst();
    let now = When(at(30));
    assert_eq!(Status::of(&stage.notes(), now).withheld.len(), 3);
    stage.wait(30);
    assert_eq!(Status::of(&stage.notes(), now).withheld.len(), 3);
    let blind = Failure::Unavailable {
        message: "no route".into(),
    };
    // The pods are gone as well, so that nothing is left to stop or delete.
    stage.show_cluster(View::Unknown(blind), Vec::new());
    assert_eq!(Status::of(&stage.notes(), now).withheld.len(), 0);
}

async fn respond(stage: &Stage, path: &str, accept: &str) -> Response {
    let request = Request::get(path)
        .header(header::ACCEPT, accept)
        .body(Body::empty())
        .expect("a request");
    routes(stage.onlooker.notebook())
        .oneshot(request)
        .await
        .expect("an answer")
}

async fn ask(stage: &Stage, path: &str, accept: &str) -> (StatusCode, String) {
    let answer = respond(stage, path, accept).await;
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}
