//! What the controller is told before it begins.

use std::sync::Arc;

use buildscaler_args::Token;
use buildscaler_core::{Command, Config, Input};
use buildscaler_recording as recording;
use buildscaler_wire::Surroundings;
use reqwest::Url;
use thiserror::Error;

use crate::buildkite::{Buildkite, BuildkiteError};
use crate::clock::Clock;
use crate::kubernetes::Kubernetes;
use crate::metering::Metering;
use crate::run::{exchange, meter};
use crate::transport::Transport;

/// Everything that [`run`](crate::run) needs.
#[derive(Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) surroundings: Surroundings,
    pub(crate) transport: Arc<Transport>,
    pub(crate) record: Option<recording::Settings>,
    pub(crate) metering: Option<Metering>,
}

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The credentials or certificates for Kubernetes are unusable.
    #[error("the credentials or certificates for Kubernetes cannot be used: {0}")]
    Kubernetes(String),
    /// The token or the URL for Buildkite is unusable.
    #[error("{0}")]
    Buildkite(String),
}

impl Settings {
    /// Prepares both connections. Nothing is sent yet, so a server that is
    /// down is no error.
    pub fn new(
        config: Config,
        surroundings: Surroundings,
        kubernetes: &kube::Config,
        buildkite: &str,
        token: &Token,
    ) -> Result<Self, SettingsError> {
        crate::install_tls();
        let base = Url::parse(buildkite)
            .map_err(|error| SettingsError::Buildkite(format!("the URL of the Buildkite API is no URL: {error}")))?;
        let buildkite =
            Buildkite::new(base, token).map_err(|error: BuildkiteError| SettingsError::Buildkite(error.to_string()))?;
        let kubernetes =
            Kubernetes::new(kubernetes).map_err(|error| SettingsError::Kubernetes(crate::transport::chain(&error)))?;
        Ok(Self {
            config,
            surroundings,
            transport: Arc::new(Transport { kubernetes, buildkite }),
            record: None,
            metering: None,
        })
    }

    /// Records what is seen and decided, if there are settings for it.
    #[must_use]
    pub fn record(self, record: Option<recording::Settings>) -> Self {
        Self { record, ..self }
    }

    /// Tells AWS Marketplace of the usage, if there is somebody to do it.
    #[must_use]
    pub fn meter(mut self, metering: Option<Metering>) -> Self {
        self.config.metering = metering.as_ref().map(|metering| metering.config.clone());
        Self { metering, ..self }
    }

    /// Carries out one command by asking the APIs, as [`run`](crate::run) does
    /// with every command that watches do not answer.
    pub async fn carry_out(&self, command: Command) -> Input {
        let clock = Clock::new();
        match meter(self.metering.as_ref(), &command, &clock).await {
            Some(answer) => answer,
            None => exchange(&self.transport, &self.surroundings, &clock, command).await,
        }
    }
}
