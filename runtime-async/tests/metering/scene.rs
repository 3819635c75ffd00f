//! The fake services, and the calls of the controller.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_args::Token;
use buildscaler_core::{
    Action, Command, CommandId, Config, Failure, Input, MeteringConfig, Outcome, Reason, Timestamp,
};
use buildscaler_runtime_async::{Metering, PublicKey, Settings, install_tls};
use buildscaler_simulator::loopback::marketplace::MarketplaceServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_simulator::marketplace::FakeMarketplace;
use buildscaler_wire::Surroundings;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The services, and a pod as EKS makes it.
pub(crate) struct Scene {
    pub(crate) server: MarketplaceServer,
    /// The variables of the pod.
    pub(crate) variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

/// A file beside these tests.
pub(crate) fn key_file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "metering", "keys", name]
        .iter()
        .collect()
}

/// The fake, which signs with the key whose public half is `public.pem`.
pub(crate) fn fake() -> FakeMarketplace {
    let key = PrivatePkcs8KeyDer::from_pem_file(key_file("private.pem")).expect("a key");
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).expect("an RSA key");
    FakeMarketplace::new(Box::new(move |message| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("signed");
        signature
    }))
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let fake = fake();
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        std::fs::write(&token, &fake.web_identity).expect("written");
        let variables = [
            ("AWS_REGION", fake.region.clone()),
            ("AWS_ROLE_ARN", fake.role_arn.clone()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
        ];
        let server = MarketplaceServer::start(fake).await.expect("served");
        let endpoints = [
            ("AWS_ENDPOINT_URL_STS", server.sts_endpoint()),
            ("AWS_ENDPOINT_URL_MARKETPLACE_METERING", server.metering_endpoint()),
        ];
        Self {
            server,
            variables: variables.into_iter().chain(endpoints).collect(),
            folder,
        }
    }

    /// Writes another token for the service account, as Kubernetes does.
    pub(crate) fn renew_token(&self, token: &str) {
        std::fs::write(self.folder.path().join("token"), token).expect("written");
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
    }

    /// A process in that pod.
    pub(crate) fn process(&self, key: Option<&str>) -> Process {
        install_tls();
        let key = key.map(|file| PublicKey::read(&key_file(file)).expect("a key"));
        let variables = self.variables.clone();
        let config = MeteringConfig {
            product_code: FakeMarketplace::PRODUCT_CODE.into(),
            public_key_version: 1,
            dimension: "agents".into(),
            instance: "instance".into(),
        };
        let metering = Metering::new(config, key, move |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        });
        // Nothing of Kubernetes and Buildkite is asked here.
        let nowhere = "http://127.0.0.1:1";
        let surroundings = Surroundings {
            organization: "acme".into(),
            namespace: None,
        };
        let cluster = kube::Config::new(nowhere.parse().expect("a URL"));
        let settings = Settings::new(
            Config::default(),
            surroundings,
            &cluster,
            nowhere,
            &Token::from("token"),
        );
        Process {
            settings: Arc::new(settings.expect("settings").meter(Some(metering))),
        }
    }

    /// Registers once, with the product's key.
    pub(crate) async fn register(&self) -> Result<(), Failure> {
        self.process(Some("public.pem")).register("nonce").await
    }

    /// All quantities recorded, and how often each was sent.
    pub(crate) fn recorded(&self) -> Vec<(i64, u32)> {
        let server = self.server.fake();
        let records = server.inner().records().values();
        records.map(|record| (record.quantity, record.sent)).collect()
    }
}

/// The controller's side of one process.
pub(crate) struct Process {
    settings: Arc<Settings>,
}

impl Process {
    pub(crate) async fn register(&self, nonce: &str) -> Result<(), Failure> {
        self.register_as(FakeMarketplace::PRODUCT_CODE, 1, nonce).await
    }

    pub(crate) async fn register_as(&self, product: &str, version: u32, nonce: &str) -> Result<(), Failure> {
        self.carry_out(Action::RegisterUsage {
            product_code: product.into(),
            public_key_version: version,
            nonce: nonce.into(),
        })
        .await
    }

    /// Records a quantity for the hour that ended so many hours ago.
    pub(crate) async fn record(&self, hours_ago: u32, quantity: u32, token: &str) -> Result<(), Failure> {
        self.record_as("agents", hours_ago, quantity, token).await
    }

    pub(crate) async fn record_as(
        &self,
        dimension: &str,
        hours_ago: u32,
        quantity: u32,
        token: &str,
    ) -> Result<(), Failure> {
        let now = wall_clock().as_millis();
        let hour = Timestamp::from_millis(now - now.rem_euclid(3_600_000)).before(HOUR * (hours_ago + 1));
        self.carry_out(Action::MeterUsage {
            product_code: FakeMarketplace::PRODUCT_CODE.into(),
            dimension: dimension.into(),
            hour,
            quantity,
            client_token: token.into(),
        })
        .await
    }

    pub(crate) async fn carry_out(&self, action: Action) -> Result<(), Failure> {
        let id = CommandId(7);
        let command = Command {
            id,
            action,
            reason: Reason::Metering,
            not_after: None,
        };
        self.send(command).await
    }

    pub(crate) async fn send(&self, command: Command) -> Result<(), Failure> {
        let asked = command.id;
        match self.settings.carry_out(command).await {
            Input::Outcome { id, outcome, .. } => {
                assert_eq!(id, asked);
                match outcome {
                    Outcome::Done => Ok(()),
                    Outcome::Failed(failure) => Err(failure),
                }
            }
            other @ (Input::Tick
            | Input::Cluster { .. }
            | Input::Buildkite { .. }
            | Input::Lease { .. }
            | Input::Shutdown) => panic!("{other:?}"),
        }
    }
}
