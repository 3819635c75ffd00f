//! Why a call is refused, with the status and message of the real API.

use http::StatusCode;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No agent of this id.
    #[error("No agent found")]
    UnknownAgent,
    /// No job of this id.
    #[error("No job found")]
    UnknownJob,
    /// The agent is not connected (any more).
    #[error("Can only stop connected agents")]
    NotConnected,
    /// It is paused already.
    #[error("Agent is already paused")]
    AlreadyPaused,
    /// It is not in a state to be paused.
    #[error("Only connected agents may be paused")]
    NotPausable,
    /// It is not paused.
    #[error("Agent is not paused")]
    NotPaused,
    /// The job is not this agent's, or not in the right state.
    #[error("Job cannot be changed by this agent")]
    NotYourJob,
    /// The agent has another job.
    #[error("Job is locked")]
    Locked,
    /// The job is not there to be acquired.
    #[error("Job cannot be acquired")]
    NotAcquirable,
}

impl Refusal {
    /// The status that the real API answers with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UnknownAgent | Self::UnknownJob => StatusCode::NOT_FOUND,
            Self::NotConnected => StatusCode::BAD_REQUEST,
            Self::AlreadyPaused | Self::NotPausable | Self::NotPaused | Self::NotYourJob | Self::NotAcquirable => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Locked => StatusCode::LOCKED,
        }
    }
}
