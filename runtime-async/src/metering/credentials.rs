//! Who the controller is to AWS: the role of its service account.

use aws_sdk_marketplacemetering::config::{Credentials, SharedHttpClient};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::{BehaviorVersion, Builder, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use buildscaler_core::{Failure, Refusal};
use thiserror::Error;

use super::answer::never_sent;
use crate::transport::chain;

/// What EKS tells a pod whose service account has a role.
#[derive(Clone, Debug)]
pub(super) struct AwsEnvironment {
    /// `AWS_REGION`, the pod's own: AWS refuses metering from another.
    pub(super) region: String,
    role_arn: String,
    token_file: String,
    session: String,
    /// Another server than AWS', for private networks and tests.
    pub(super) endpoint: Option<String>,
    sts_endpoint: Option<String>,
}

/// A variable that is not set.
#[derive(Clone, Debug, Error)]
#[error(
    "the environment variable {0} is not set; EKS sets it for pods whose service account has the annotation \
     eks.amazonaws.com/role-arn, at their creation"
)]
pub(super) struct Missing(&'static str);

impl Missing {
    pub(super) fn failure(&self) -> Failure {
        Failure::Forbidden {
            kind: Refusal::Credentials,
            message: self.to_string(),
        }
    }
}

impl AwsEnvironment {
    /// Reads the variables; blank ones count as not set.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Missing> {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let need = |name: &'static str| get(name).ok_or(Missing(name));
        Ok(Self {
            region: need("AWS_REGION")?,
            role_arn: need("AWS_ROLE_ARN")?,
            token_file: need("AWS_WEB_IDENTITY_TOKEN_FILE")?,
            session: get("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "buildscaler".into()),
            endpoint: get("AWS_ENDPOINT_URL_MARKETPLACE_METERING").or_else(|| get("AWS_ENDPOINT_URL")),
            sts_endpoint: get("AWS_ENDPOINT_URL_STS").or_else(|| get("AWS_ENDPOINT_URL")),
        })
    }
}

/// Exchanges the service account's token, which Kubernetes renews, for
/// credentials.
pub(super) async fn fetch(environment: &AwsEnvironment, http: SharedHttpClient) -> Result<Credentials, Failure> {
    let forbidden = |message: String| Failure::Forbidden {
        kind: Refusal::Credentials,
        message,
    };
    let token = std::fs::read_to_string(&environment.token_file).map_err(|error| {
        forbidden(format!(
            "the file of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read: {error}"
        ))
    })?;
    let answer = client(environment, http)
        .assume_role_with_web_identity()
        .role_arn(&environment.role_arn)
        .role_session_name(&environment.session)
        .web_identity_token(token.trim())
        .send()
        .await
        .map_err(|error| refusal(&error))?;
    let granted = answer
        .credentials()
        .ok_or_else(|| forbidden("STS answered without credentials".into()))?;
    Ok(Credentials::builder()
        .access_key_id(granted.access_key_id())
        .secret_access_key(granted.secret_access_key())
        .session_token(granted.session_token())
        .provider_name("web identity")
        .build())
}

fn client(environment: &AwsEnvironment, http: SharedHttpClient) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(environment.region.clone()))
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .timeout_config(super::deadlines());
    let config = match &environment.sts_endpoint {
        Some(endpoint) => config.endpoint_url(endpoint),
        None => config,
    };
    Client::from_conf(config.build())
}

/// Nothing was told to the metering service yet, whatever went wrong.
fn refusal<E, R>(error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = error.code();
    let status_is_theirs = matches!(
        code,
        None | Some("IDPCommunicationError" | "Throttling" | "InternalFailure")
    );
    let message = format!("AWS STS gives no credentials: {}", chain(error));
    if never_sent(error) || status_is_theirs {
        Failure::Unavailable { message }
    } else {
        Failure::Forbidden {
            kind: Refusal::Credentials,
            message,
        }
    }
}
