//! Templates and builds.

use std::collections::BTreeSet;

use super::{Complaints, LONGEST, MOST_THINGS, names};
use crate::scenario::outline::Place;
use crate::scenario::problem::Rule;
use crate::scenario::{BuildEvent, Span, Step, StepKind, TemplateSpec};

/// The templates of the beginning.
pub(super) fn templates(templates: &[TemplateSpec], place: &Place<'_>, complaints: &mut Complaints) {
    let mut known = BTreeSet::new();
    for (number, spec) in templates.iter().enumerate() {
        let place = place.index(number);
        template(spec, &place, complaints);
        if !known.insert(&spec.name) {
            let message = format!("there is a template {} already: give each its own name", spec.name);
            complaints.add(&place.key("name"), Rule::Unique, message);
        }
    }
}

/// One template, wherever it stands.
pub(super) fn template(spec: &TemplateSpec, place: &Place<'_>, complaints: &mut Complaints) {
    names::job(&spec.name, &place.key("name"), complaints);
    if let Some(queue) = &spec.queue {
        names::queue(queue, &place.key("queue"), complaints);
    }
    names::text(&spec.image, "an image", &place.key("image"), complaints);
    for (number, tag) in spec.tags.iter().enumerate() {
        names::tag(tag, &place.key("tags").index(number), complaints);
    }
    for (name, value) in &spec.annotations {
        let place = place.key("annotations");
        names::queue(name, &place, complaints);
        names::text(value, "an annotation's value", &place, complaints);
    }
    if let Some(range) = spec.image_pull {
        complaints.range(&place.key("image-pull"), range);
    }
}

/// One build.
pub(super) fn build(build: &BuildEvent, place: &Place<'_>, complaints: &mut Complaints) {
    if let Some(id) = &build.id {
        names::text(id, "an id", &place.key("id"), complaints);
    }
    names::file(&build.pipeline, &place.key("pipeline"), complaints);
    let steps = place.key("steps");
    if build.steps.is_empty() {
        complaints.add(&steps, Rule::Number, "a build has at least one step");
    }
    for (number, one) in build.steps.iter().enumerate() {
        step(one, number, &steps.index(number), complaints);
    }
}

fn step(step: &Step, number: usize, place: &Place<'_>, complaints: &mut Complaints) {
    match step.kind {
        StepKind::Command => command(step, place, complaints),
        StepKind::Wait | StepKind::Block => runs_nothing(step, place, complaints),
    }
    for (which, earlier) in step.after.iter().enumerate() {
        if *earlier >= number {
            let message = format!("step {number} comes after step {earlier}, which is not before it (from 0)");
            complaints.add(&place.key("after").index(which), Rule::Reference, message);
        }
    }
}

fn command(step: &Step, place: &Place<'_>, complaints: &mut Complaints) {
    if let Some(queue) = &step.queue {
        names::queue(queue, &place.key("queue"), complaints);
    }
    if step.runs.0 > LONGEST {
        let message = format!("it runs {}: write at most {}", step.runs, Span(LONGEST));
        complaints.add(&place.key("runs"), Rule::Time, message);
    }
    complaints.bounds(
        &place.key("parallelism"),
        step.parallelism.into(),
        1,
        MOST_THINGS.into(),
    );
    for (number, rule) in step.rules.iter().enumerate() {
        names::tag(rule, &place.key("rules").index(number), complaints);
    }
    if let Some(concurrency) = &step.concurrency {
        let place = place.key("concurrency");
        names::text(&concurrency.group, "a group", &place.key("group"), complaints);
        if concurrency.limit == 0 {
            complaints.add(
                &place.key("limit"),
                Rule::Number,
                "with limit 0 nothing would ever run: write 1 or more",
            );
        }
    }
    if !(-1..=255).contains(&step.exits) {
        let message = format!("no command exits with {}: write 0 to 255, or -1", step.exits);
        complaints.add(&place.key("exits"), Rule::Number, message);
    }
}

/// Wait and block steps are no commands, and have nothing of theirs.
fn runs_nothing(step: &Step, place: &Place<'_>, complaints: &mut Complaints) {
    let fields = [
        ("queue", step.queue.is_some()),
        ("runs", !step.runs.0.is_zero()),
        ("parallelism", step.parallelism != 1),
        ("rules", !step.rules.is_empty()),
        ("priority", step.priority != 0),
        ("concurrency", step.concurrency.is_some()),
        ("exits", step.exits != 0),
    ];
    for (field, _) in fields.into_iter().filter(|(_, given)| *given) {
        let message = format!("a wait or block step runs no command and has no `{field}`: leave it out");
        complaints.add(&place.key(field), Rule::Order, message);
    }
}
