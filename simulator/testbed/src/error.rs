//! What can go wrong while real parts are had, started or stopped.

use std::io;
use std::time::Duration;

/// Why the test bed could not do what a test asked for.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// Something that must be installed is not.
    #[error("missing: {0}")]
    Missing(String),
    /// A real part did not build.
    #[error("building {what} failed:\n{output}")]
    Build {
        /// The part.
        what: String,
        /// What the compiler said.
        output: String,
    },
    /// A file or a process could not be handled.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A part ended although nobody asked it to.
    #[error("{name} ended by itself; the end of its log:\n{log}")]
    Died {
        /// The part.
        name: &'static str,
        /// The last lines that it wrote.
        log: String,
    },
    /// A part did not answer in time.
    #[error("{name} was not ready within {} s: {last}; the end of its log:\n{log}", .within.as_secs())]
    NotReady {
        /// The part.
        name: &'static str,
        /// How long it was given.
        within: Duration,
        /// What it said last.
        last: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// The Kubernetes API refused or did not answer.
    #[error("kubernetes: {0}")]
    Kubernetes(Box<kube::Error>),
    /// A kubeconfig of ours could not be read back.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
}

impl From<kube::Error> for TestbedError {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// Says what was being done when the system refused.
pub(crate) trait During<T> {
    /// Adds `what` to the error.
    fn during(self, what: impl FnOnce() -> String) -> Result<T, TestbedError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, TestbedError> {
        self.map_err(|source| TestbedError::Io { what: what(), source })
    }
}
