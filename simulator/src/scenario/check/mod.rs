//! What a well-formed scenario may still have wrong.
//!
//! Every rule is checked everywhere, so that one reading tells all; a place is
//! noted as a way down from the top, and becomes a line later.

mod controller;
mod expect;
mod names;
mod timeline;
mod workload;
mod world;

use std::time::Duration;

use super::outline::{Part, Place};
use super::problem::Rule;
use super::read::other_version;
use super::span::{Range, Span};
use super::{Scenario, VERSION};

/// The longest scenario: a year and a day.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// The longest of the lengths that make up a pod's life and the like.
const LONGEST_STAGE: Duration = Duration::from_secs(86_400);
/// Most things of one kind, of those that a world holds one by one.
const MOST_THINGS: u32 = 100_000;
/// Most jobs of a scenario.
const MOST_JOBS: u64 = 1_000_000;
/// Most complaints that are kept.
const MOST_COMPLAINTS: usize = 200;

/// A rule that is broken somewhere.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) parts: Vec<Part>,
    pub(super) rule: Rule,
    pub(super) message: String,
}

/// Everything that is wrong with a scenario, up to a bounded number.
pub(super) fn check(scenario: &Scenario) -> Vec<Complaint> {
    let mut complaints = Complaints::default();
    let top = Place::Top;
    if scenario.version != VERSION {
        complaints.add(
            &top.key("version"),
            Rule::Version,
            other_version(scenario.version.into()),
        );
        return complaints.0;
    }
    header(scenario, &mut complaints);
    controller::check(&scenario.controller, &top.key("controller"), &mut complaints);
    world::check(&scenario.world, &top.key("world"), &mut complaints);
    workload::templates(&scenario.templates, &top.key("templates"), &mut complaints);
    timeline::check(scenario, &top.key("timeline"), &mut complaints);
    expect::check(scenario, &top.key("expect"), &mut complaints);
    complaints.0
}

fn header(scenario: &Scenario, complaints: &mut Complaints) {
    let top = Place::Top;
    names::file(&scenario.name, &top.key("name"), complaints);
    if scenario.lasts.0.is_zero() || scenario.lasts.0 > LONGEST {
        let message = format!(
            "it lasts {}: write a time from 1ms to {}",
            scenario.lasts,
            Span(LONGEST)
        );
        complaints.add(&top.key("lasts"), Rule::Time, message);
    }
    if let Some(starts) = &scenario.starts
        && starts.parse::<jiff::Timestamp>().is_err()
    {
        let message = format!("\"{starts}\" is no RFC 3339 time such as 2025-01-01T00:00:00Z");
        complaints.add(&top.key("starts"), Rule::Time, message);
    }
    for (number, label) in scenario.covers.iter().enumerate() {
        names::text(label, "what it covers", &top.key("covers").index(number), complaints);
    }
}

/// Where complaints are collected.
#[derive(Debug, Default)]
struct Complaints(Vec<Complaint>);

impl Complaints {
    fn add(&mut self, place: &Place<'_>, rule: Rule, message: impl Into<String>) {
        if self.0.len() < MOST_COMPLAINTS {
            self.0.push(Complaint {
                parts: place.parts(),
                rule,
                message: message.into(),
            });
        }
    }

    /// A number has to lie between both bounds.
    fn bounds(&mut self, place: &Place<'_>, number: u64, least: u64, most: u64) {
        if !(least..=most).contains(&number) {
            let message = format!("{number} is out of bounds: write a number from {least} to {most}");
            self.add(place, Rule::Number, message);
        }
    }

    /// A length must not be absurd.
    fn stage(&mut self, place: &Place<'_>, span: Span) {
        if span.0 > LONGEST_STAGE {
            self.add(
                place,
                Rule::Time,
                format!("{span} is too long: write at most {}", Span(LONGEST_STAGE)),
            );
        }
    }

    /// A length must not be nothing either.
    fn some_time(&mut self, place: &Place<'_>, span: Span) {
        if span.0.is_zero() {
            self.add(place, Rule::Time, "no time at all: write more than 0s");
        }
        self.stage(place, span);
    }

    fn range(&mut self, place: &Place<'_>, range: Range) {
        match range {
            Range::Fixed(span) => self.stage(place, span),
            Range::Between { from, to } => {
                if from > to {
                    self.add(
                        place,
                        Rule::Time,
                        format!("from {from} is after to {to}: exchange them"),
                    );
                }
                self.stage(place, from.max(to));
            }
        }
    }
}
