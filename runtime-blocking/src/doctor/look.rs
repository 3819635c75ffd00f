//! What a controller finds at its first look, carried out step by step.

use std::thread;

use buildscaler_core::{Config, Controller, Finding, FindingKind, Input, LookEnd};

use super::check::{Check, Health};
use crate::crew::Errand;
use crate::deed::is_look;

/// The controller after its first look at both APIs, whatever came of it.
pub(super) fn look(errand: &Errand, config: Config) -> Controller {
    let mut controller = Controller::new(config);
    let mut input = Input::Tick;
    loop {
        let ended = matches!(&input, Input::Buildkite { look, .. } if !matches!(look.end, LookEnd::More(_)));
        let step = controller.step(errand.clock.now(), input);
        if ended {
            return controller;
        }
        input = match step.commands.into_iter().find(is_look) {
            Some(command) => errand.carry_out(command),
            None => {
                // A look that needs more than Buildkite allows in a minute.
                thread::sleep(errand.clock.until(step.wake.at));
                Input::Tick
            }
        };
    }
}

/// What the look found that templates alone do not show.
pub(super) fn checks(controller: &Controller, organization: &str) -> Vec<Check> {
    let findings: Vec<Finding> = controller.findings().collect();
    let mut checks = Vec::new();
    if !findings
        .iter()
        .any(|finding| finding.kind == FindingKind::BuildkiteUnknown)
    {
        let detail = format!("the builds and agents of {organization} can be read");
        checks.push(Check::ok("buildkite", "organization", detail));
    }
    checks.extend(findings.into_iter().filter_map(check));
    checks
}

fn check(finding: Finding) -> Option<Check> {
    let (about, name, health) = match finding.kind {
        FindingKind::BuildkiteUnknown => ("buildkite".into(), "organization", Health::Failed),
        FindingKind::ClusterUnknown => ("kubernetes".into(), "access", Health::Failed),
        FindingKind::BudgetTight => ("buildkite".into(), "budget", Health::Note),
        FindingKind::UnmatchableDemand => (format!("queue {}", finding.subject), "tags", Health::Failed),
        FindingKind::NoTemplate => (format!("queue {}", finding.subject), "template", Health::Note),
        FindingKind::CeilingReached => (format!("queue {}", finding.subject), "ceiling", Health::Note),
        FindingKind::AdoptedPod => (finding.subject, "adopted pod", Health::Failed),
        FindingKind::TemplateFailing => (finding.subject, "pods", Health::Failed),
        FindingKind::SlowStart => (finding.subject, "pods", Health::Note),
        FindingKind::PodTrouble => (format!("queue {}", finding.subject), "pods", Health::Failed),
        // Told by the templates themselves.
        FindingKind::ContestedQueue
        | FindingKind::Parallelism
        | FindingKind::NoQueue
        | FindingKind::BadTemplate
        | FindingKind::Adoption
        | FindingKind::NoAgentToken
        | FindingKind::BadAnnotation
        | FindingKind::QueueMismatch
        | FindingKind::UnlinkedAgents => return None,
        // Nothing is written here.
        FindingKind::CreateRefused
        | FindingKind::StopRefused
        | FindingKind::DeleteRefused
        | FindingKind::MeteringDelayed
        | FindingKind::MeteringRefused
        | FindingKind::LeaseTrouble => return None,
    };
    Some(Check::of(health, &about, name, finding.detail))
}
