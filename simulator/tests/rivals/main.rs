//! Other people's policies, each walked through an example of its source's
//! rules whose numbers were worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod agent_stack_k8s;
mod always_max;
mod arc_percentage_busy;
mod arc_scale_set;
mod buildkite_agent_scaler;
mod clairvoyant;
mod example;
mod gitlab_fleeting;
mod keda_hpa;
mod keda_scaled_job;
mod list;
mod original;
mod workload;
