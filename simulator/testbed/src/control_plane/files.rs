//! The folder of one control plane: certificates, kubeconfigs, data and logs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::{ADMINISTRATORS, Authority, Identity, SigningKeys};
use crate::error::{During, TestbedError};

/// Everything on disk, gone when it is dropped.
pub(crate) struct Files {
    folder: TempDir,
    authority: Authority,
}

impl Files {
    /// Makes the folder and writes the certificates that the parts share.
    pub(crate) fn new() -> Result<Self, TestbedError> {
        let folder = TempDir::with_prefix("buildscaler-testbed-").during(|| "making a folder".into())?;
        let files = Self {
            folder,
            authority: Authority::new()?,
        };
        files.write("ca.crt", &files.authority.certificate())?;
        files.write_identity("server", &files.authority.server()?)?;
        let keys = SigningKeys::new()?;
        files.write("service-account.key", &keys.private)?;
        files.write("service-account.pub", &keys.public)?;
        Ok(files)
    }

    /// Returns the path of a file or folder in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the path of the log of a part.
    pub(crate) fn log(&self, part: &str) -> PathBuf {
        self.path(&format!("{part}.log"))
    }

    /// Writes a kubeconfig of an administrator for a server on a port.
    pub(crate) fn admin_kubeconfig(&self, name: &str, port: u16) -> Result<PathBuf, TestbedError> {
        self.kubeconfig(name, port, "testbed-admin", Some(ADMINISTRATORS))
    }

    /// Writes a kubeconfig for any user.
    pub(crate) fn kubeconfig(
        &self,
        name: &str,
        port: u16,
        user: &str,
        group: Option<&str>,
    ) -> Result<PathBuf, TestbedError> {
        let identity = self.authority.client(user, group)?;
        let (certificate, key) = self.write_identity(name, &identity)?;
        self.kubeconfig_of(
            name,
            port,
            &json!({"client-certificate": certificate, "client-key": key}),
        )
    }

    /// Writes a kubeconfig for whoever has these credentials, in the words of a kubeconfig.
    pub(crate) fn kubeconfig_of(&self, name: &str, port: u16, credentials: &Value) -> Result<PathBuf, TestbedError> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "testbed",
            "clusters": [{"name": "testbed", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": self.path("ca.crt"),
            }}],
            "users": [{"name": name, "user": credentials}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": name}}],
        });
        self.write(&format!("{name}.kubeconfig"), &config.to_string())
    }

    /// Returns the certificate of the authority, PEM.
    pub(crate) fn certificate_authority(&self) -> String {
        self.authority.certificate()
    }

    fn write_identity(&self, name: &str, identity: &Identity) -> Result<(PathBuf, PathBuf), TestbedError> {
        let certificate = self.write(&format!("{name}.crt"), &identity.certificate)?;
        let key = self.write(&format!("{name}.key"), &identity.key)?;
        Ok((certificate, key))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, TestbedError> {
        let path = self.path(name);
        fs::write(&path, text).during(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Removes what is not allowed in a file name.
pub(crate) fn file_name(user: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    user.chars().map(keep).collect()
}

/// Joins a flag and a path.
pub(crate) fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
