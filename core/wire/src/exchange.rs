//! One command of the core, as a conversation over HTTP.

use buildscaler_core::{Action, Command, CommandId, Failure, Input, Outcome, Spending, Timestamp};

use crate::buildkite::{LookScript, StopScript};
use crate::kubernetes::{ClusterScript, LeaseScript, WriteScript};
use crate::transport::{Reply, Request};

/// Where and as whom requests go. There is no secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The slug of the Buildkite organisation.
    pub organization: String,
    /// The only namespace looked at; none is all of them.
    pub namespace: Option<String>,
}

/// The requests of one command and what was learnt from their replies.
///
/// Call [`next_request`](Self::next_request) and [`absorb`](Self::absorb) in
/// turn until there is no further request, then [`finish`](Self::finish).
/// Finishing early is safe: what was not seen is unknown, and a write that was
/// handed out but not answered has an unknown fate.
///
/// A write of a leader is not handed out once its leadership may have ended
/// ([`Command::not_after`]), however long it has waited or the process slept:
/// it ends as not sent.
#[derive(Debug)]
pub struct Exchange {
    script: Script,
    not_after: Option<Timestamp>,
}

#[derive(Debug)]
enum Script {
    Cluster(ClusterScript),
    Look(LookScript),
    Stop(StopScript),
    Write(CommandId, WriteScript),
    /// There is nothing to ask.
    Over(Input),
    Lease(LeaseScript),
}

impl Exchange {
    /// Begins to carry out `command`.
    pub fn begin(command: Command, surroundings: &Surroundings, now: Timestamp) -> Self {
        let Command { id, not_after, .. } = command;
        let script = match command.action {
            Action::ObserveCluster => Script::Cluster(ClusterScript::begin(id, surroundings, now)),
            Action::ObserveBuildkite { grant, from } => {
                Script::Look(LookScript::begin(id, &surroundings.organization, grant, from, now))
            }
            Action::StopAgent { agent } => Script::Stop(StopScript::begin(id, &surroundings.organization, &agent)),
            Action::CreatePod(create) => Script::Write(id, WriteScript::create(&create)),
            Action::DeletePod {
                namespace,
                name,
                uid,
                grace_seconds,
            } => Script::Write(id, WriteScript::delete(&namespace, &name, &uid, grace_seconds)),
            Action::RegisterUsage { .. } | Action::MeterUsage { .. } => Script::Over(unmetered(id)),
            Action::ReadLease {
                namespace,
                name,
                within,
            } => Script::Lease(LeaseScript::read(id, &namespace, &name, within)),
            Action::WriteLease(write) => Script::Lease(LeaseScript::write(id, &write)),
        };
        Self { script, not_after }
    }

    /// The next request to send; none when there is nothing more to ask, or
    /// while a reply is awaited.
    pub fn next_request(&mut self, now: Timestamp) -> Option<Request> {
        if self.not_after.is_some_and(|end| now >= end) {
            return None;
        }
        match &mut self.script {
            Script::Cluster(script) => script.next_request(now),
            Script::Look(script) => script.next_request(now),
            Script::Stop(script) => script.next_request(),
            Script::Write(_, script) => script.next_request(),
            Script::Over(_) => None,
            Script::Lease(script) => script.next_request(),
        }
    }

    /// Takes the reply to the request handed out last. A reply to nothing is
    /// ignored.
    pub fn absorb(&mut self, reply: Reply, now: Timestamp) {
        match &mut self.script {
            Script::Cluster(script) => script.absorb(reply, now),
            Script::Look(script) => script.absorb(reply, now),
            Script::Stop(script) => script.absorb(reply, now),
            Script::Write(_, script) => script.absorb(reply, now),
            Script::Over(_) => {}
            Script::Lease(script) => script.absorb(reply, now),
        }
    }

    /// Ends the conversation with what the core waits for.
    pub fn finish(self, _now: Timestamp) -> Input {
        match self.script {
            Script::Cluster(script) => script.finish(),
            Script::Look(script) => script.finish(),
            Script::Stop(script) => script.finish(),
            Script::Write(id, script) => script.finish(id),
            Script::Over(end) => end,
            Script::Lease(script) => script.finish(),
        }
    }
}

/// The end of a command that a runtime without metering is given: AWS is asked
/// through its SDK, and by no script.
pub fn unmetered(id: CommandId) -> Input {
    Input::Outcome {
        id,
        outcome: Outcome::Failed(Failure::Rejected {
            status: 501,
            message: "this runtime does not meter usage".into(),
        }),
        spending: Spending::default(),
    }
}
