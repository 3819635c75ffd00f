//! What a test may choose about its control plane.

/// Which parts run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether pods get a service account and its token, as in a real cluster.
    ///
    /// Off by default: pods can then be created before the accounts exist.
    pub service_account_admission: bool,
    /// Whether kube-controller-manager runs.
    pub controller_manager: bool,
    /// Whether kube-scheduler runs.
    pub scheduler: bool,
    /// More flags for kube-apiserver; they win over those that are always given.
    pub api_server_flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            service_account_admission: false,
            controller_manager: true,
            scheduler: true,
            api_server_flags: Vec::new(),
        }
    }
}
