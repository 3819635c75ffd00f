//! What a pod's first container does once the kubelet starts it.

use futures::future::BoxFuture;
use tokio::sync::watch;

/// What runs inside the pods of a kubelet stand-in.
///
/// The kubelet does all that is Kubernetes: status, deletion, images, secrets.
/// A workload is the process in the container, be it a real one or an
/// in-process imitation for thousands of pods.
pub trait Workload: Send + Sync + 'static {
    /// Runs one container until it ends by itself and returns how it ended.
    ///
    /// [`Signals::terminated`] resolves when the pod is being deleted; what to
    /// do then is the workload's choice, as it is for a real process. SIGKILL
    /// cannot be caught: the kubelet drops the future, and everything the
    /// workload started must end with it.
    fn run(&self, pod: PodContext, signals: Signals) -> BoxFuture<'static, ExitStatus>;
}

/// All that a container can see of its pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodContext {
    /// The pod's uid.
    pub uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The node that the pod is bound to.
    pub node: String,
    /// The host name that the container sees.
    pub hostname: String,
    /// The name of the container.
    pub container: String,
    /// The container's image.
    pub image: String,
    /// The entry point, where the pod overrides that of the image.
    pub command: Vec<String>,
    /// The arguments, where the pod overrides those of the image.
    pub args: Vec<String>,
    /// The environment in the order of its definition, all references resolved, no name twice.
    pub env: Vec<(String, String)>,
}

impl PodContext {
    /// Returns the value of an environment variable.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&str> {
        let found = self.env.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The signals that a container is sent, short of SIGKILL.
#[derive(Clone, Debug)]
pub struct Signals {
    terminated: watch::Receiver<bool>,
}

impl Signals {
    /// Returns the signals of one container and the switch that sends SIGTERM.
    ///
    /// Sending `true` is SIGTERM. Tests of a workload use it without a kubelet.
    #[must_use]
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, terminated) = watch::channel(false);
        (sender, Self { terminated })
    }

    /// Resolves once SIGTERM was sent, at once if that was earlier.
    ///
    /// Never resolves when the sender is gone without having sent it. The
    /// kubelet sends SIGTERM once only.
    pub async fn terminated(&mut self) {
        if self.terminated.wait_for(|sent| *sent).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Tells whether SIGTERM was sent.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        *self.terminated.borrow()
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus {
    /// The exit code; 128 and the signal's number after a signal.
    pub code: i32,
}

impl ExitStatus {
    /// Exit code 0.
    pub const SUCCESS: Self = Self { code: 0 };
    /// Ended by SIGTERM.
    pub const TERMINATED: Self = Self { code: 143 };
    /// Ended by SIGKILL.
    pub const KILLED: Self = Self { code: 137 };

    /// Tells whether the pod counts as succeeded.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.code == 0
    }
}
