//! The checks by name, and the targets they run against.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane::Options;
use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::target::Target;
use crate::{admission, api, controllers, lifecycle, nodes, versions};

/// A check, whatever its target.
pub(crate) struct Check {
    name: &'static str,
    run: Box<dyn Fn(Target) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync>,
}

impl Check {
    pub(crate) fn new<F>(name: &'static str, run: fn(Target) -> F) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self {
            name,
            run: Box::new(move |target| Box::pin(run(target))),
        }
    }
}

/// Checks that need what is not to be had here, and why.
const OUT_OF_REACH: [(&str, &str); 3] = [
    (
        "a15_an_overloaded_server_says_when_to_come_back",
        "needs a server squeezed by API Priority and Fairness",
    ),
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
            versions::checks(),
            lifecycle::checks(),
            admission::checks(),
            controllers::checks(),
            nodes::checks(),
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
        Trial::test(format!("fake::{}", check.name), move || {
            runtime.block_on(async {
                let target = Target::fake(check.name).await;
                (check.run)(target).await;
            });
            Ok(())
        })
    }

    fn on_real(&self, check: &Arc<Check>) -> Trial {
        let (runtime, check, plane) = (Arc::clone(&self.runtime), Arc::clone(check), self.plane.clone());
        let mut name = format!("real::{}", check.name);
        if !cfg!(have_go) {
            name.push_str(" (needs Go to build the real control plane)");
        }
        let trial = Trial::test(name, move || {
            runtime.block_on(async {
                let target = Target::real(plane.started().await?, check.name).await;
                (check.run)(target).await;
                Ok(())
            })
        });
        trial.with_ignored_flag(!cfg!(have_go))
    }
}
