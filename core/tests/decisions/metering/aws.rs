//! AWS Marketplace by its documented rules, as far as the core can meet them.

use std::collections::BTreeMap;

use buildscaler_core::{Action, Config, Failure, MeteringConfig, Outcome, Refusal, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::build::{already_exists, fate_unknown, forbidden, rate_limited, secs, unavailable};
use crate::support::driver::Driver;
use crate::support::world::World;

/// What becomes of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// By the rules.
    Served,
    /// By the rules, and the answer is lost.
    Unanswered,
    /// It never arrives, and nobody can tell.
    Vanished,
    Throttled,
    Unreachable,
    NoCredentials,
    NotEntitled,
    UnknownProduct,
    /// By a clock that differs by a day.
    Skewed,
    /// Another controller has recorded the hour.
    Recorded,
}

pub(super) fn fates() -> impl Strategy<Value = Fate> {
    let fates = vec![
        Fate::Served,
        Fate::Unanswered,
        Fate::Vanished,
        Fate::Throttled,
        Fate::Unreachable,
        Fate::NoCredentials,
        Fate::NotEntitled,
        Fate::UnknownProduct,
        Fate::Skewed,
        Fate::Recorded,
    ];
    select(fates)
}

/// What AWS has, and a witness of what it was asked.
#[derive(Debug, Default)]
pub(super) struct Aws {
    pub(super) registered: Vec<(Timestamp, String)>,
    /// By the beginning of the hour: the quantity and the token.
    pub(super) records: BTreeMap<Timestamp, (u32, String)>,
    pub(super) asked: Vec<(Timestamp, Action)>,
    /// Whether this process knows that it is registered.
    confirmed: bool,
}

impl Aws {
    pub(super) fn begin_process(&mut self) {
        self.confirmed = false;
    }

    /// All agent-hours that are paid for.
    pub(super) fn billed(&self) -> u64 {
        self.records.values().map(|(quantity, _)| u64::from(*quantity)).sum()
    }

    pub(super) fn handle(&mut self, action: &Action, fate: Fate, now: Timestamp) -> Outcome {
        self.asked.push((now, action.clone()));
        self.object(action, now);
        let served = match fate {
            Fate::Served | Fate::Unanswered => self.serve(action, now),
            Fate::Vanished => Outcome::Failed(fate_unknown()),
            Fate::Throttled => Outcome::Failed(rate_limited(now.after(secs(1)))),
            Fate::Unreachable => Outcome::Failed(unavailable()),
            Fate::NoCredentials => Outcome::Failed(forbidden(Refusal::Credentials)),
            Fate::NotEntitled => Outcome::Failed(forbidden(Refusal::NotEntitled)),
            Fate::UnknownProduct => Outcome::Failed(Failure::Rejected {
                status: 400,
                message: "InvalidProductCodeException".into(),
            }),
            Fate::Skewed => Outcome::Failed(time_refused()),
            Fate::Recorded => Outcome::Failed(already_exists()),
        };
        let outcome = if fate == Fate::Unanswered {
            Outcome::Failed(fate_unknown())
        } else {
            served
        };
        if matches!(action, Action::RegisterUsage { .. }) {
            self.confirmed |= outcome == Outcome::Done;
        }
        outcome
    }

    /// Invariant 23, whatever AWS makes of it.
    fn object(&self, action: &Action, now: Timestamp) {
        let Action::MeterUsage {
            hour,
            quantity,
            client_token,
            ..
        } = action
        else {
            return;
        };
        assert!(self.confirmed, "Invariant 23: a record before the registration");
        assert_eq!(hour.as_millis() % 3_600_000, 0, "an hour begins at {hour}");
        assert!(
            hour.after(secs(3600)) <= now,
            "{hour} has not ended at {now}: AWS closes it"
        );
        assert!((1..=64).contains(&client_token.len()), "{client_token}");
        if let Some(known) = self.records.get(hour) {
            assert_eq!(
                known,
                &(*quantity, client_token.clone()),
                "Invariant 23: a second record of one hour"
            );
        }
    }

    fn serve(&mut self, action: &Action, now: Timestamp) -> Outcome {
        match action {
            Action::RegisterUsage { nonce, .. } => {
                self.registered.push((now, nonce.clone()));
                Outcome::Done
            }
            Action::MeterUsage {
                hour,
                quantity,
                client_token,
                ..
            } => {
                if now.since(*hour) > secs(6 * 3600) {
                    return Outcome::Failed(time_refused());
                }
                let record = (*quantity, client_token.clone());
                let known = self.records.entry(*hour).or_insert_with(|| record.clone());
                if *known == record {
                    Outcome::Done
                } else {
                    Outcome::Failed(already_exists())
                }
            }
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_)
            | Action::DeletePod { .. } => panic!("AWS is not asked to {action:?}"),
        }
    }
}

fn time_refused() -> Failure {
    Failure::TimeRefused {
        message: "TimestampOutOfBoundsException".into(),
    }
}

/// A controller whose usage is metered, and AWS.
pub(super) struct Metered {
    pub(super) driver: Driver,
    pub(super) aws: Aws,
    /// What becomes of requests, first come, first served; then all are served.
    pub(super) fates: Vec<Fate>,
    /// What becomes of the others.
    pub(super) otherwise: Fate,
    processes: u32,
}

pub(super) fn config(instance: &str) -> Config {
    Config {
        sync_interval: secs(60),
        metering: Some(MeteringConfig {
            product_code: "product".into(),
            public_key_version: 1,
            dimension: "agents".into(),
            instance: instance.into(),
        }),
        ..Config::default()
    }
}

impl Metered {
    pub(super) fn new(world: World) -> Self {
        Self {
            driver: Driver::new(&config("process-0"), world),
            aws: Aws::default(),
            fates: Vec::new(),
            otherwise: Fate::Served,
            processes: 0,
        }
    }

    /// The process ends and another one comes.
    pub(super) fn restart(&mut self) {
        self.processes += 1;
        self.aws.begin_process();
        self.driver.config = config(&format!("process-{}", self.processes));
        self.driver.restart();
    }

    /// Lets time pass, with looks and answers as they come.
    pub(super) fn live(&mut self, minutes: u64) {
        let until = self.driver.now.after(secs(60 * minutes));
        while self.driver.now < until {
            self.answer();
            let looked = self.driver.attempt().0;
            assert!(looked, "no look ended");
            self.driver.carry_out_scaling();
        }
        self.answer();
    }

    fn answer(&mut self) {
        while let Some(command) = self
            .driver
            .take(|action| matches!(action, Action::RegisterUsage { .. } | Action::MeterUsage { .. }))
        {
            let fate = if self.fates.is_empty() {
                self.otherwise
            } else {
                self.fates.remove(0)
            };
            let outcome = self.aws.handle(&command.action, fate, self.driver.now);
            self.driver.answer(&command, outcome);
        }
    }
}
