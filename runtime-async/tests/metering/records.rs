//! `MeterUsage`: what counts as recorded, refused or unknown.

use buildscaler_core::Failure;
use buildscaler_simulator::fault::{Effect, Fault};

use crate::scene::Scene;

#[tokio::test]
async fn a_record_is_sent_once_and_says_what_it_is_for() {
    let scene = Scene::start().await;
    assert_eq!(scene.process(None).record(0, 12, "token").await, Ok(()));
    assert_eq!(scene.recorded(), [(12, 1)]);
    let fake = scene.server.fake();
    let (operation, body) = &fake.inner().asked()[0];
    assert_eq!(operation, "MeterUsage");
    assert_eq!(
        (&body["UsageDimension"], &body["ClientToken"]),
        (&"agents".into(), &"token".into())
    );
    let seconds = body["Timestamp"].as_f64().expect("a number");
    assert!(seconds % 3600.0 == 0.0, "{seconds}");
}

#[tokio::test]
async fn an_hour_without_usage_can_be_recorded() {
    let scene = Scene::start().await;
    assert_eq!(scene.process(None).record(0, 0, "token").await, Ok(()));
    assert_eq!(scene.recorded(), [(0, 1)]);
}

/// The answer is lost, the record is there, and its repetition changes nothing.
#[tokio::test]
async fn a_lost_answer_leaves_the_fate_unknown_and_the_repetition_counts_once() {
    let scene = Scene::start().await;
    scene
        .server
        .fake()
        .add(Fault::on("/metering*", Effect::LoseReply).times(1));
    let process = scene.process(None);
    let failure = process.record(1, 5, "token").await;
    assert!(matches!(failure, Err(Failure::FateUnknown { .. })), "{failure:?}");
    assert_eq!(process.record(1, 5, "token").await, Ok(()));
    assert_eq!(scene.recorded(), [(5, 2)]);
}

/// Another process, which had no answer either, gets the same one.
#[tokio::test]
async fn a_repetition_by_another_process_is_the_same_record() {
    let scene = Scene::start().await;
    assert_eq!(scene.process(None).record(1, 5, "token").await, Ok(()));
    assert_eq!(scene.process(None).record(1, 5, "other").await, Ok(()));
    assert_eq!(scene.recorded(), [(5, 2)]);
}

#[tokio::test]
async fn another_quantity_for_the_same_hour_is_told_apart() {
    let scene = Scene::start().await;
    assert_eq!(scene.process(None).record(1, 5, "token").await, Ok(()));
    let failure = scene.process(None).record(1, 6, "other").await;
    assert!(matches!(failure, Err(Failure::AlreadyExists { .. })), "{failure:?}");
    let failure = scene.process(None).record(1, 6, "token").await;
    assert!(matches!(failure, Err(Failure::AlreadyExists { .. })), "{failure:?}");
    assert_eq!(scene.recorded(), [(5, 1)]);
}

#[tokio::test]
async fn what_is_older_than_six_hours_is_refused_for_its_time() {
    let scene = Scene::start().await;
    let failure = scene.process(None).record(6, 5, "token").await;
    assert!(matches!(failure, Err(Failure::TimeRefused { .. })), "{failure:?}");
    assert_eq!(scene.process(None).record(4, 5, "token").await, Ok(()));
}

#[tokio::test]
async fn a_dimension_that_the_product_lacks_is_named() {
    let scene = Scene::start().await;
    let failure = scene.process(None).record_as("pods", 0, 5, "token").await;
    assert!(
        matches!(&failure, Err(Failure::Rejected { message, .. }) if message.contains("--marketplace-dimension")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn without_a_connection_nothing_is_in_doubt() {
    let mut scene = Scene::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = listener.local_addr().expect("an address");
    drop(listener);
    scene.set("AWS_ENDPOINT_URL_MARKETPLACE_METERING", &format!("http://{closed}"));
    let failure = scene.process(None).record(0, 5, "token").await;
    assert!(matches!(failure, Err(Failure::Unavailable { .. })), "{failure:?}");
}

#[tokio::test]
async fn an_internal_error_leaves_a_record_in_doubt_and_throttling_does_not() {
    let scene = Scene::start().await;
    scene
        .server
        .fake()
        .inner_mut()
        .refusals
        .extend(["InternalServiceErrorException", "ThrottlingException"]);
    let process = scene.process(None);
    let internal = process.record(0, 5, "token").await;
    assert!(matches!(internal, Err(Failure::FateUnknown { .. })), "{internal:?}");
    let throttled = process.record(0, 5, "token").await;
    assert!(matches!(throttled, Err(Failure::RateLimited { .. })), "{throttled:?}");
    assert_eq!(process.record(0, 5, "token").await, Ok(()));
    assert_eq!(scene.recorded(), [(5, 1)]);
}
