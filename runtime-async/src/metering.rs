//! Usage, as AWS Marketplace is told of it.
//!
//! What is told, and when, is the core's to decide. This sends it with AWS'
//! SDK, as the role of the pod's service account and as nobody else: the
//! credentials come from STS in exchange for the service account's token. No
//! chain of providers is asked, so the instance metadata service never is.

mod answer;
mod credentials;
mod key;
mod options;
mod registration;

use std::time::Duration;

use aws_sdk_marketplacemetering::Client;
use aws_sdk_marketplacemetering::config::retry::RetryConfig;
use aws_sdk_marketplacemetering::config::timeout::TimeoutConfig;
use aws_sdk_marketplacemetering::config::{BehaviorVersion, Builder, Region, SharedHttpClient};
use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use buildscaler_core::{Action, Command, Failure, Input, MeteringConfig, Outcome, Spending, Timestamp};

use self::answer::Asked;
use self::credentials::{AwsEnvironment, Missing};
pub use self::key::{KeyError, PublicKey};
pub(crate) use self::options::{MeteringArgs, MeteringError};
use self::registration::Claims;
use crate::clock::Clock;

/// How long one request to AWS may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// How long a connection may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Tells AWS Marketplace what the core wants told.
#[derive(Debug)]
pub struct Metering {
    pub(crate) config: MeteringConfig,
    key: Option<PublicKey>,
    environment: Result<AwsEnvironment, Missing>,
    http: SharedHttpClient,
}

impl Metering {
    /// Prepares to meter what `config` names, from the variables that EKS sets
    /// for a pod whose service account has a role. Nothing is sent yet.
    ///
    /// Without one of the variables nothing can be metered, and each attempt
    /// says so: that is no reason for scaling to stop.
    pub fn new(config: MeteringConfig, key: Option<PublicKey>, environment: impl Fn(&str) -> Option<String>) -> Self {
        let environment = AwsEnvironment::read(environment);
        if let Err(missing) = &environment {
            tracing::error!("usage cannot be metered: {missing}");
        }
        let provider = tls::Provider::Rustls(CryptoMode::Ring);
        Self {
            config,
            key,
            environment,
            http: aws_smithy_http_client::Builder::new()
                .tls_provider(provider)
                .build_https(),
        }
    }

    /// Carries out a command that is for AWS; none if it is not.
    pub(crate) async fn carry_out(&self, command: &Command, clock: &Clock) -> Option<Input> {
        let fence = Fence {
            not_after: command.not_after,
            clock,
        };
        let answer = match &command.action {
            Action::RegisterUsage {
                product_code,
                public_key_version,
                nonce,
            } => {
                let claims = Claims {
                    product_code,
                    nonce,
                    public_key_version: *public_key_version,
                };
                self.register(&claims, &fence).await
            }
            Action::MeterUsage {
                product_code,
                dimension,
                hour,
                quantity,
                client_token,
            } => {
                let record = Record {
                    product_code,
                    dimension,
                    hour: *hour,
                    quantity: *quantity,
                    client_token,
                };
                self.record(&record, &fence).await
            }
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => return None,
        };
        Some(Input::Outcome {
            id: command.id,
            outcome: answer.map_or_else(Outcome::Failed, |()| Outcome::Done),
            spending: Spending::default(),
        })
    }

    async fn register(&self, claims: &Claims<'_>, fence: &Fence<'_>) -> Result<(), Failure> {
        let client = self.client(fence).await?;
        let request = client
            .register_usage()
            .product_code(claims.product_code)
            .public_key_version(i32::try_from(claims.public_key_version).unwrap_or(i32::MAX))
            .nonce(claims.nonce);
        let answer = request
            .send()
            .await
            .map_err(|error| answer::failure(&error, Asked::Registration, fence.clock.now()))?;
        if let Some(rotated) = answer.public_key_rotation_timestamp() {
            tracing::warn!(%rotated, "AWS has rotated the product's key: set --marketplace-public-key-version anew");
        }
        registration::verify(answer.signature().unwrap_or_default(), claims, self.key.as_ref())
            .map_err(|message| Failure::Malformed { message })
    }

    async fn record(&self, record: &Record<'_>, fence: &Fence<'_>) -> Result<(), Failure> {
        let client = self.client(fence).await?;
        let request = client
            .meter_usage()
            .product_code(record.product_code)
            .timestamp(DateTime::from_millis(record.hour.as_millis()))
            .usage_dimension(record.dimension)
            .usage_quantity(i32::try_from(record.quantity).unwrap_or(i32::MAX))
            .client_token(record.client_token);
        let answer = request
            .send()
            .await
            .map_err(|error| answer::failure(&error, Asked::Record, fence.clock.now()))?;
        let id = answer.metering_record_id().unwrap_or("(none)");
        tracing::info!(id, hour = %record.hour, quantity = record.quantity, "usage recorded");
        Ok(())
    }

    /// A client with fresh credentials: there is one request an hour, which is
    /// about as long as credentials last. The core repeats what fails.
    async fn client(&self, fence: &Fence<'_>) -> Result<Client, Failure> {
        let environment = self.environment.as_ref().map_err(Missing::failure)?;
        let credentials = credentials::fetch(environment, self.http.clone()).await?;
        fence.check()?;
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment.region.clone()))
            .credentials_provider(credentials)
            .http_client(self.http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(deadlines());
        let config = match &environment.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        };
        Ok(Client::from_conf(config.build()))
    }
}

/// When it is too late to send a command: another controller may have taken
/// over.
#[derive(Debug)]
struct Fence<'a> {
    not_after: Option<Timestamp>,
    clock: &'a Clock,
}

impl Fence<'_> {
    fn check(&self) -> Result<(), Failure> {
        if self.not_after.is_some_and(|end| self.clock.now() >= end) {
            return Err(Failure::Unavailable {
                message: "not sent: the Lease may have been lost meanwhile".into(),
            });
        }
        Ok(())
    }
}

/// One hour in one dimension.
#[derive(Debug)]
struct Record<'a> {
    product_code: &'a str,
    dimension: &'a str,
    hour: Timestamp,
    quantity: u32,
    client_token: &'a str,
}

fn deadlines() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_DEADLINE)
        .operation_timeout(DEADLINE)
        .build()
}
