//! What the last plan thought of each pod can be asked for.

use buildscaler_core::verdict::Verdict;
use buildscaler_core::{Config, Reason};

use crate::support::build::pod;
use crate::support::driver::Driver;
use crate::support::world::{World, busy_worker};

fn judged(driver: &Driver) -> Vec<(String, Option<(Verdict, Reason)>)> {
    let judged = driver.controller.judged();
    judged.map(|(pod, verdict)| (pod.name.clone(), verdict)).collect()
}

/// Seen to fail when verdicts were noted in the order in which queues have
/// workers.
#[test]
fn every_pod_of_ours_has_the_verdict_of_the_last_plan() {
    let mut world: World = busy_worker();
    // Its uid comes first, its queue last.
    let mut orphan = pod("0-orphan", &world.templates[0]);
    orphan.queue = Some("zebra".into());
    let mut foreign = pod("1-foreign", &world.templates[0]);
    foreign.queue = None;
    let working = world.pods[0].name.clone();
    world.pods.extend([orphan.clone(), foreign.clone()]);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(judged(&driver), [], "nothing was seen");
    driver.turn();
    let verdicts = judged(&driver);
    let of = |name: &str| {
        verdicts
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, verdict)| *verdict)
    };
    assert_eq!(of(&working), Some(Some((Verdict::Keep, Reason::Busy))));
    assert_eq!(of(&orphan.name), Some(Some((Verdict::Keep, Reason::Starting))));
    assert_eq!(of(&foreign.name), Some(None));
    assert_eq!(driver.controller.templates().len(), 1);
}
