//! The decisions of Buildscaler.
//!
//! This crate does no IO, reads no clock and draws no random numbers. It
//! consumes what was seen of templates, pods, agents and Buildkite jobs,
//! together with the time, and emits commands. Runtimes carry them out.
//!
//! Two types matter: [`Controller`], whose [`step`](Controller::step) is the
//! only door in, and [`Step`], the only thing that comes out. Everything else
//! is what they are made of.

pub mod agent;
pub mod annotations;
pub mod announcer;
mod assess;
mod blueprint;
mod blueprints;
pub mod buildkite_job;
pub mod config;
pub mod controller;
mod create;
mod demand;
mod failing;
pub mod failure;
pub mod finding;
mod fleet;
mod hash;
mod index;
mod inspect;
pub mod labels;
pub mod lease;
pub mod memory;
pub mod names;
mod pairs;
mod plan;
pub mod pod;
mod pod_name;
pub mod policy;
pub mod reason;
pub mod report;
pub mod selector;
pub mod step;
pub mod template;
pub mod time;
pub mod verdict;
pub mod view;
pub mod withheld;

pub use agent::{Agent, ConnectionState};
pub use announcer::{Announcement, Announcer, EventTrouble, ObjectKind, Regarding};
pub use buildkite_job::{BuildkiteJob, JobState};
pub use config::{BudgetConfig, Config, LeadershipConfig, MeteringConfig};
pub use controller::Controller;
pub use failing::{FailedStart, FailingTemplate, StartFailure};
pub use failure::{Failure, Refusal};
pub use finding::{Finding, FindingChange, FindingKind};
pub use lease::{Leadership, LeadershipNews, Lease, LeaseRecord, Loss, Role, WriteLease};
pub use memory::saved::{Saved, Unusable};
pub use names::{AgentId, BuildkiteJobId, Queue, TemplateHash, Uid};
pub use pod::{Pod, PodStage};
pub use reason::Reason;
pub use report::{QueueReport, Report};
pub use step::{
    Action, Command, CommandId, CreatePod, Cursor, Input, LimitReading, LimitScope, Look, LookEnd, Outcome, Spending,
    Step, Wake,
};
pub use template::{PodTemplate, Template};
pub use time::Timestamp;
pub use view::{ClusterView, View};
pub use withheld::{Withheld, WithheldChange};
