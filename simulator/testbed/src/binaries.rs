//! Where the real parts come from: built once from pinned Go modules, then cached.
//!
//! The cache lies in the user's cache folder under a hash of go.mod, go.sum and
//! the Go version, so that a changed pin builds anew and nothing else does. A
//! lock on the folder makes concurrent test processes build once. Binaries in
//! `KUBEBUILDER_ASSETS` are used instead, as envtest users expect.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{During, TestbedError};

/// The version that the control plane is built from and says that it is.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

/// A real part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
    /// etcd
    Etcd,
    /// buildkite-agent
    Agent,
    /// helm, which installs the chart
    Helm,
}

/// What was done to have a binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It was there.
    Present(Binary),
    /// It is being built, which takes minutes while Go's own cache is cold.
    Building(Binary),
    /// It was built.
    Built(Binary),
}

impl Binary {
    /// Every part of a running cluster, in the order in which building them shares the most work.
    pub const ALL: [Self; 5] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Agent,
    ];

    /// Returns the name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Etcd => "etcd",
            Self::Agent => "buildkite-agent",
            Self::Helm => "helm",
        }
    }

    /// Returns the path of the binary and builds it if it is not there yet.
    ///
    /// Blocks for minutes when Go's cache is cold; `cargo run -p
    /// buildscaler-testbed --bin testbed-build` does so ahead of the tests.
    pub fn ensure(self, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, TestbedError> {
        if let Some(path) = self.in_assets()? {
            progress(Progress::Present(self));
            return Ok(path);
        }
        let module = self.module();
        let folder = cache_folder(&module)?;
        let path = folder.join(self.file_name());
        if path.is_file() {
            progress(Progress::Present(self));
            return Ok(path);
        }
        fs::create_dir_all(&folder).during(|| format!("making {}", folder.display()))?;
        let _lock = lock(&folder)?;
        // Another process may have built it while this one waited.
        if !path.is_file() {
            progress(Progress::Building(self));
            self.build(&module, &path)?;
            progress(Progress::Built(self));
        }
        Ok(path)
    }

    /// Looks where envtest users keep their binaries.
    ///
    /// The folder must then hold the server and etcd. The other two are not part
    /// of what envtest ships, so they are built when absent.
    fn in_assets(self) -> Result<Option<PathBuf>, TestbedError> {
        let Some(assets) = env::var_os("KUBEBUILDER_ASSETS") else {
            return Ok(None);
        };
        let path = Path::new(&assets).join(self.file_name());
        if path.is_file() {
            return Ok(Some(path));
        }
        match self {
            Self::ApiServer | Self::Etcd => Err(TestbedError::Missing(format!(
                "{}, which KUBEBUILDER_ASSETS promises",
                path.display()
            ))),
            Self::ControllerManager | Self::Scheduler | Self::Agent | Self::Helm => Ok(None),
        }
    }

    fn build(self, module: &Path, path: &Path) -> Result<(), TestbedError> {
        let unfinished = path.with_extension("unfinished");
        let output = Command::new("go")
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags"])
            .arg(self.linker_flags())
            .arg("-o")
            .arg(&unfinished)
            .arg(self.package())
            .output()
            .during(|| "running go build".into())?;
        if !output.status.success() {
            return Err(TestbedError::Build {
                what: self.file_name().into(),
                output: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        fs::rename(&unfinished, path).during(|| format!("keeping {}", path.display()))
    }

    fn module(self) -> PathBuf {
        let name = match self {
            Self::ApiServer | Self::ControllerManager | Self::Scheduler => "controlplane",
            Self::Etcd => "etcd",
            Self::Agent => "agent",
            Self::Helm => "helm",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(name)
    }

    fn package(self) -> &'static str {
        match self {
            Self::ApiServer => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::ControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Scheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::Agent => "github.com/buildkite/agent/v3",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
        }
    }

    fn linker_flags(self) -> String {
        match self {
            // Without these the server does not know its own version.
            Self::ApiServer | Self::ControllerManager | Self::Scheduler => {
                let numbers = KUBERNETES_VERSION.trim_start_matches('v');
                let mut parts = numbers.split('.');
                let (major, minor) = (parts.next(), parts.next());
                let version = "-X k8s.io/component-base/version";
                format!(
                    "-s -w {version}.gitVersion={KUBERNETES_VERSION} {version}.gitMajor={} {version}.gitMinor={}",
                    major.unwrap_or_default(),
                    minor.unwrap_or_default(),
                )
            }
            Self::Etcd | Self::Agent | Self::Helm => "-s -w".into(),
        }
    }
}

fn cache_folder(module: &Path) -> Result<PathBuf, TestbedError> {
    let mut hash = DefaultHasher::new();
    go_version()?.hash(&mut hash);
    KUBERNETES_VERSION.hash(&mut hash);
    for pin in ["go.mod", "go.sum"] {
        let pin = module.join(pin);
        let text = fs::read(&pin).during(|| format!("reading {}", pin.display()))?;
        text.hash(&mut hash);
    }
    let cache = match (env::var_os("XDG_CACHE_HOME"), env::home_dir()) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => home.join(".cache"),
        (_, None) => return Err(TestbedError::Missing("a home folder for the cache".into())),
    };
    let key = format!("{:016x}", hash.finish());
    Ok(cache.join("buildscaler").join("testbed").join(key))
}

fn go_version() -> Result<Vec<u8>, TestbedError> {
    let missing =
        |why: String| TestbedError::Missing(format!("go, needed to build the real control plane and agent ({why})"));
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .output()
        .map_err(|error| missing(error.to_string()))?;
    if !output.status.success() {
        return Err(missing(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(output.stdout)
}

/// Waits for the lock of a folder; it is released when the file is dropped.
fn lock(folder: &Path) -> Result<File, TestbedError> {
    let path = folder.join(".lock");
    let file = File::create(&path).during(|| format!("making {}", path.display()))?;
    file.lock().during(|| format!("locking {}", path.display()))?;
    Ok(file)
}
