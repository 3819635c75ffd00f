//! The checks by name, and the targets they run against.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;

use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane::Options;
use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::target::Target;
use crate::{access, admission, api, clients, controllers, leases, lifecycle, nodes, versions};

/// A check, whatever its target.
pub(crate) struct Check {
    name: &'static str,
    needs_kubectl: bool,
    run: Box<dyn Fn(Target) -> Running + Send + Sync>,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

impl Check {
    pub(crate) fn new<F>(name: &'static str, run: fn(Target) -> F) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self {
            name,
            needs_kubectl: false,
            run: Box::new(move |target| Box::pin(run(target))),
        }
    }

    pub(crate) fn needs_kubectl(self) -> Self {
        Self {
            needs_kubectl: true,
            ..self
        }
    }

    /// What the check needs and this machine has not.
    fn missing(&self) -> Option<&'static str> {
        (self.needs_kubectl && !have_kubectl()).then_some("needs kubectl")
    }
}

/// Checks that need what is not to be had here, and why.
const OUT_OF_REACH: [(&str, &str); 2] = [
    (
        "b4_a_selector_that_cannot_be_escaped_is_refused",
        "is about the controller; what the selector does is b3 and b4 here",
    ),
    (
        "b13_two_controllers_create_no_pod_twice",
        "is about the controller, which is tested for it elsewhere",
    ),
];

/// One control plane, shared by all checks that run against the real thing.
#[derive(Clone, Default)]
pub(crate) struct SharedPlane {
    plane: Arc<Mutex<Option<Arc<ControlPlane>>>>,
}

impl SharedPlane {
    /// Starts the control plane if this is the first check that needs it.
    async fn started(&self) -> Result<Arc<ControlPlane>, Failed> {
        let mut plane = self.plane.lock().await;
        if let Some(plane) = &*plane {
            return Ok(Arc::clone(plane));
        }
        let options = Options {
            // So that the history that a continue token needs is gone within seconds.
            api_server_flags: vec!["--etcd-compaction-interval=3s".to_owned()],
            ..Options::default()
        };
        let started = Arc::new(ControlPlane::start(options).await?);
        *plane = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn stop(&self) {
        if let Some(plane) = self.plane.lock().await.take()
            && let Some(plane) = Arc::into_inner(plane)
        {
            plane.stop().await.expect("the control plane stops");
        }
    }
}

/// Everything that the tests of this process share.
pub(crate) struct Suite {
    runtime: Arc<Runtime>,
    plane: SharedPlane,
}

impl Suite {
    pub(crate) fn new() -> Self {
        Self {
            runtime: Arc::new(Runtime::new().expect("a runtime")),
            plane: SharedPlane::default(),
        }
    }

    /// Every check against every target.
    pub(crate) fn trials(&self) -> Vec<Trial> {
        let checks = [
            api::checks(),
            access::checks(),
            versions::checks(),
            leases::checks(),
            lifecycle::checks(),
            admission::checks(),
            controllers::checks(),
            nodes::checks(),
            clients::checks(),
        ];
        let mut trials = Vec::new();
        for check in checks.into_iter().flatten().map(Arc::new) {
            trials.push(self.on_fake(&check));
            trials.push(self.on_real(&check));
        }
        trials.extend(
            OUT_OF_REACH.map(|(name, why)| Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true)),
        );
        trials
    }

    pub(crate) fn stop(&self) {
        self.runtime.block_on(self.plane.stop());
    }

    fn on_fake(&self, check: &Arc<Check>) -> Trial {
        let (runtime, check) = (Arc::clone(&self.runtime), Arc::clone(check));
        named("fake", &Arc::clone(&check), check.missing(), move || {
            runtime.block_on(async {
                let target = Target::fake(check.name).await;
                (check.run)(target).await;
                Ok(())
            })
        })
    }

    fn on_real(&self, check: &Arc<Check>) -> Trial {
        let (runtime, check, plane) = (Arc::clone(&self.runtime), Arc::clone(check), self.plane.clone());
        let go = if cfg!(have_go) {
            None
        } else {
            Some("needs Go to build the real control plane")
        };
        named("real", &Arc::clone(&check), go.or(check.missing()), move || {
            runtime.block_on(async {
                let target = Target::real(plane.started().await?, check.name).await;
                (check.run)(target).await;
                Ok(())
            })
        })
    }
}

/// A test that is visibly ignored where something is missing.
fn named(
    target: &str,
    check: &Check,
    missing: Option<&str>,
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let reason = missing.map(|missing| format!(" ({missing})")).unwrap_or_default();
    Trial::test(format!("{target}::{}{reason}", check.name), run).with_ignored_flag(missing.is_some())
}

/// Whether kubectl is there; with `CI=true` it has to be.
fn have_kubectl() -> bool {
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    let version = Command::new("kubectl").args(["version", "--client"]).output();
    ci || version.is_ok_and(|output| output.status.success())
}
