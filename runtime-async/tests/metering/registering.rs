//! `RegisterUsage`: who asks, as whom, and what makes its answer count.

use buildscaler_core::{Action, Command, CommandId, Failure, Reason, Refusal, Timestamp};
use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::marketplace::FakeMarketplace;

use crate::scene::Scene;

#[tokio::test]
async fn a_registration_signed_by_the_product_s_key_is_done() {
    let scene = Scene::start().await;
    assert_eq!(scene.register().await, Ok(()));
    let fake = scene.server.fake();
    let (operation, body) = &fake.inner().asked()[0];
    assert_eq!(operation, "RegisterUsage");
    assert_eq!(body["ProductCode"], FakeMarketplace::PRODUCT_CODE);
    assert_eq!(body["PublicKeyVersion"], 1);
    assert_eq!(body["Nonce"], "nonce");
}

#[tokio::test]
async fn a_registration_that_another_key_signed_is_none() {
    let scene = Scene::start().await;
    let failure = scene.process(Some("public-other.pem")).register("nonce").await;
    let Err(Failure::Malformed { message }) = failure else {
        panic!("{failure:?}");
    };
    assert!(message.contains("--marketplace-public-key"), "{message}");
}

/// A recorded answer of another process.
#[tokio::test]
async fn a_registration_with_another_nonce_is_none_even_without_a_key() {
    let scene = Scene::start().await;
    scene.server.fake().inner_mut().nonce = Some("of another process".into());
    let failure = scene.process(None).register("nonce").await;
    assert!(
        matches!(&failure, Err(Failure::Malformed { message }) if message.contains("nonce")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn without_a_key_the_words_alone_count() {
    let scene = Scene::start().await;
    assert_eq!(scene.process(None).register("nonce").await, Ok(()));
}

#[tokio::test]
async fn who_has_no_subscription_is_told_apart() {
    let scene = Scene::start().await;
    scene.server.fake().inner_mut().entitled = false;
    let failure = scene.register().await;
    let entitled = Refusal::NotEntitled;
    assert!(
        matches!(&failure, Err(Failure::Forbidden { kind, .. }) if *kind == entitled),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_product_or_key_that_aws_does_not_know_is_named() {
    let scene = Scene::start().await;
    let process = scene.process(None);
    for (product, version, option) in [
        ("other", 1, "--marketplace-product-code"),
        (FakeMarketplace::PRODUCT_CODE, 2, "--marketplace-public-key-version"),
    ] {
        let failure = process.register_as(product, version, "nonce").await;
        assert!(
            matches!(&failure, Err(Failure::Rejected { message, .. }) if message.contains(option)),
            "{failure:?}"
        );
    }
}

/// One request each: the core repeats, by its own clock.
#[tokio::test]
async fn the_sdk_repeats_nothing() {
    let scene = Scene::start().await;
    scene
        .server
        .fake()
        .inner_mut()
        .refusals
        .extend(["ThrottlingException", "InternalServiceErrorException"]);
    let throttled = scene.register().await;
    assert!(matches!(throttled, Err(Failure::RateLimited { .. })), "{throttled:?}");
    let internal = scene.register().await;
    assert!(matches!(internal, Err(Failure::Unavailable { .. })), "{internal:?}");
    assert_eq!(scene.server.fake().inner().asked().len(), 2);
    assert_eq!(scene.register().await, Ok(()));
}

#[tokio::test]
async fn a_platform_or_region_that_is_wrong_is_explained() {
    for (exception, word) in [
        ("PlatformNotSupportedException", "EKS"),
        ("InvalidRegionException", "AWS_REGION"),
    ] {
        let scene = Scene::start().await;
        scene.server.fake().inner_mut().refusals.push_back(exception);
        let failure = scene.register().await;
        assert!(
            matches!(&failure, Err(Failure::Rejected { message, .. }) if message.contains(word)),
            "{failure:?}"
        );
    }
}

/// Kubernetes renews the token; the file is read anew each time.
#[tokio::test]
async fn a_token_that_sts_refuses_is_a_matter_of_credentials_and_a_new_one_is_used() {
    let scene = Scene::start().await;
    let process = scene.process(Some("public.pem"));
    scene.renew_token("expired");
    let failure = process.register("nonce").await;
    let Err(Failure::Forbidden {
        kind: Refusal::Credentials,
        message,
    }) = failure
    else {
        panic!("{failure:?}");
    };
    assert!(
        message.contains("InvalidIdentityToken") && !message.contains("expired"),
        "{message}"
    );
    scene.renew_token("fake-web-identity-token\n");
    assert_eq!(process.register("nonce").await, Ok(()));
    assert_eq!(scene.server.fake().inner().asked().len(), 1);
}

#[tokio::test]
async fn a_role_that_does_not_trust_the_service_account_is_a_matter_of_credentials() {
    let mut scene = Scene::start().await;
    scene.set("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/other");
    let failure = scene.register().await;
    let credentials = Refusal::Credentials;
    assert!(
        matches!(&failure, Err(Failure::Forbidden { kind, .. }) if *kind == credentials),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_missing_variable_is_named_and_nothing_is_asked() {
    for name in ["AWS_REGION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
        let mut scene = Scene::start().await;
        scene.set(name, " ");
        let failure = scene.register().await;
        let Err(Failure::Forbidden {
            kind: Refusal::Credentials,
            message,
        }) = failure
        else {
            panic!("{failure:?}");
        };
        assert!(message.contains(name), "{message}");
        assert_eq!(scene.server.fake().inner().exchanges(), 0);
    }
}

#[tokio::test]
async fn an_outage_of_sts_may_pass() {
    let scene = Scene::start().await;
    scene.server.fake().add(Fault::on("/sts*", Effect::Drop).times(1));
    let failure = scene.register().await;
    assert!(matches!(failure, Err(Failure::Unavailable { .. })), "{failure:?}");
    assert_eq!(scene.register().await, Ok(()));
}

/// A controller that may have lost the Lease sends nothing, even if it was
/// still busy getting credentials.
#[tokio::test]
async fn what_comes_too_late_is_not_sent() {
    let scene = Scene::start().await;
    let late = Command {
        id: CommandId(1),
        action: Action::RegisterUsage {
            product_code: FakeMarketplace::PRODUCT_CODE.into(),
            public_key_version: 1,
            nonce: "nonce".into(),
        },
        reason: Reason::Metering,
        not_after: Some(Timestamp::from_millis(1)),
    };
    let failure = scene.process(None).send(late).await;
    assert!(matches!(failure, Err(Failure::Unavailable { .. })), "{failure:?}");
    assert!(scene.server.fake().inner().asked().is_empty());
}
