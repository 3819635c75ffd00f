//! Where the cluster is and as whom to talk to it.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{InClusterError, Kubeconfig, KubeconfigError};
use thiserror::Error;

use crate::mishap::chain;

/// Why it is not known where the cluster is. Each says what to do.
#[derive(Debug, Error)]
pub(crate) enum WhereaboutsError {
    /// The file cannot be read, or is no kubeconfig.
    #[error(
        "the kubeconfig {} cannot be used: {problem}; correct the file, name another with --kubeconfig or KUBECONFIG, \
         or in a pod leave both out to use its service account",
        path.display()
    )]
    Kubeconfig {
        /// As it was given.
        path: PathBuf,
        /// In words that hold nothing of the file.
        problem: String,
    },
    /// There is no kubeconfig, and this is no pod with a service account.
    #[error(
        "there is no cluster configuration: no kubeconfig was given, and the service account of a pod cannot be used \
         ({problem}); name a kubeconfig with --kubeconfig or KUBECONFIG, or run in a pod with a service account"
    )]
    Nowhere {
        /// What is missing of it.
        problem: String,
    },
}

/// The configuration from that kubeconfig, or from the pod's service account.
///
/// Several files may be named as in the variable KUBECONFIG of kubectl.
pub(crate) fn cluster(kubeconfig: Option<&Path>) -> Result<Config, WhereaboutsError> {
    let Some(path) = kubeconfig else {
        return Config::incluster()
            .map_err(|error: InClusterError| WhereaboutsError::Nowhere { problem: chain(&error) });
    };
    let unusable = |problem| WhereaboutsError::Kubeconfig {
        path: path.to_owned(),
        problem,
    };
    let config = read(path)
        .and_then(Config::try_from)
        .map_err(|error| unusable(problem(&error)))?;
    if config.proxy_url.is_some() {
        return Err(unusable("it asks for a proxy-url, which is not supported".into()));
    }
    Ok(config)
}

fn read(paths: &Path) -> Result<Kubeconfig, KubeconfigError> {
    if paths.exists() {
        return Kubeconfig::read_from(paths);
    }
    let mut files = std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty());
    let first = Kubeconfig::read_from(files.next().unwrap_or_else(|| paths.to_owned()))?;
    files.try_fold(first, |merged, path| merged.merge(Kubeconfig::read_from(path)?))
}

/// What is wrong. A parser's own words would quote the file, tokens included.
fn problem(error: &KubeconfigError) -> String {
    let KubeconfigError::Parse(error) = error else {
        return chain(error);
    };
    match error.location() {
        Some(place) => format!("it is no kubeconfig: line {}, column {}", place.line(), place.column()),
        None => "it is no kubeconfig".into(),
    }
}
