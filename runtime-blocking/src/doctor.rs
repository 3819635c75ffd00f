//! `doctor`: whether an installation will work, told before it hurts.
//!
//! It changes nothing: it reads, and asks the API server what may be done.

mod agent_token;
mod asker;
mod buildkite;
mod check;
mod cluster;
mod look;
mod manifest;
mod online;
mod templates;

use std::path::PathBuf;

use buildscaler_args::{ControllerArgs, Token};
use buildscaler_core::Config;
use clap::Args;

use crate::crew::Errand;
use crate::show::Format;
use asker::Asker;
pub(crate) use check::{Check, Health};
use online::Online;

/// What is to be checked.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) online: Online,
    /// Check the templates in this file of YAML documents, and ask no server.
    /// May be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Vec<PathBuf>,
    /// Agent token to check; without it those of the templates are, as far as
    /// the kubeconfig's user may read their Secrets
    #[arg(long, value_name = "TEXT", env = "BUILDKITE_AGENT_TOKEN", hide_env_values = true, value_parser = token)]
    agent_token: Option<Token>,
    /// URL of the Agent API, /v3 included
    #[arg(
        long,
        value_name = "URL",
        env = "BUILDKITE_AGENT_ENDPOINT",
        hide_env_values = true,
        default_value = "https://agent-edge.buildkite.com/v3"
    )]
    agent_endpoint: String,
    /// How the report is written
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) output: Format,
}

fn token(text: &str) -> Result<Token, String> {
    Ok(Token::from(text.trim()))
}

impl DoctorArgs {
    /// The checks of the files that were named.
    pub(crate) fn check_files(&self) -> Vec<Check> {
        self.manifest.iter().flat_map(|path| manifest::check(path)).collect()
    }

    /// The checks of both servers and of the templates on the cluster.
    pub(crate) fn check_servers(&self, args: &ControllerArgs, errand: &Errand) -> Vec<Check> {
        let organization = &args.buildkite_org;
        let mut asker = Asker::new(errand);
        let (mut checks, queues) = buildkite::examine(&mut asker, organization, errand.clock.now());
        let rights = cluster::rights(&mut asker, args.namespace());
        let reachable = rights.iter().all(|check| check.check != "access");
        checks.extend(rights);
        let controller = look::look(errand, Config::from(args));
        checks.extend(look::checks(&controller, organization));
        if reachable {
            let (found, samples) = cluster::templates(&mut asker, args.namespace());
            checks.extend(found);
            checks.extend(templates::examine(&samples));
            checks.extend(agent_token::examine(
                &mut asker,
                &samples,
                self.agent_token.as_ref().filter(|token| !token.expose().is_empty()),
                &self.agent_endpoint,
                organization,
            ));
            for sample in &samples {
                if let Some(queue) = &sample.template.queue {
                    let about = sample.about(templates::Property::Queue);
                    checks.push(queues.check(&about, queue.as_str()));
                }
            }
        }
        checks.extend(asker.clocks());
        checks
    }
}
