//! What goes wrong.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    ApiServerKilled,
    ApiServerRestarted,
    EtcdKilled,
    AllConnectionsCut,
    AnswersLate,
    AnswerOfStopLost,
    KillBeforeLook,
    KillAfterLook,
    KillBeforeStop,
    KillAfterStop,
    KillAtCreate,
    KillAtDelete,
    Paused,
    ClockJumps,
}

/// Each of them comes once before one comes again.
pub(super) const FAULTS: [Fault; 14] = [
    Fault::ApiServerKilled,
    Fault::ApiServerRestarted,
    Fault::EtcdKilled,
    Fault::AllConnectionsCut,
    Fault::AnswersLate,
    Fault::AnswerOfStopLost,
    Fault::KillBeforeLook,
    Fault::KillAfterLook,
    Fault::KillBeforeStop,
    Fault::KillAfterStop,
    Fault::KillAtCreate,
    Fault::KillAtDelete,
    Fault::Paused,
    Fault::ClockJumps,
];
