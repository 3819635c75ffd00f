//! What goes wrong with the controllers' requests, and when.

use std::time::Duration;

use http::Method;

use crate::dice::Dice;

/// What a controller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A page of builds.
    Builds,
    /// A page of agents.
    Agents,
    /// A stop of an agent.
    Stop,
    /// A page of templates or pods.
    List,
    /// A watch of either.
    Watch,
    /// A new pod.
    Create,
    /// A pod that shall go.
    Delete,
    /// A Kubernetes Event.
    Tell,
}

impl Call {
    /// Which call a request is.
    pub(crate) fn of(method: &Method, target: &str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        let buildkite = path.starts_with("/v2/");
        Some(match (buildkite, method) {
            (true, &Method::GET) if path.ends_with("/builds") => Self::Builds,
            (true, &Method::GET) if path.ends_with("/agents") => Self::Agents,
            (true, &Method::PUT) if path.ends_with("/stop") => Self::Stop,
            (false, &Method::GET) if target.contains("watch=true") => Self::Watch,
            (false, &Method::GET) => Self::List,
            (false, &Method::POST) if path.ends_with("/events") => Self::Tell,
            (false, &Method::POST) => Self::Create,
            (false, &Method::DELETE) => Self::Delete,
            _ => return None,
        })
    }

    /// Whether a fault of this call is also one of the other: who cannot create pods cannot create Events.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == other || (self, other) == (Self::Create, Self::Tell)
    }

    /// Whether it goes to Buildkite.
    pub(crate) const fn is_for_buildkite(self) -> bool {
        matches!(self, Self::Builds | Self::Agents | Self::Stop)
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It does not arrive.
    Drop,
    /// It is carried out, and its answer is lost.
    LoseReply,
    /// It is carried out, and its answer breaks off.
    Cut,
    /// It arrives late.
    DelayRequest(Duration),
    /// Its answer arrives late.
    DelayReply(Duration),
    /// Nothing happens until the faults end.
    Silence,
    /// It is refused with this status, in HTML.
    Html(u16),
    /// It is refused with this status, as Kubernetes words it.
    Refuse(u16),
    /// It is refused for this many seconds.
    Limit(u64),
    /// The namespace's quota is used up.
    Quota,
    /// Half of the rows are missing; whether the link to the next page is.
    Truncate { linked: bool },
    /// The answer is no JSON.
    Garble,
    /// The answer is that of some time ago.
    Stale,
    /// The stream breaks off after so long.
    CutWatch(Duration),
    /// The stream tells nothing until the faults end, and breaks off then.
    Stall,
    /// The version asked for is forgotten, as an event.
    Gone,
}

impl Effect {
    /// Whether it looks like the truth.
    pub(crate) const fn is_lie(self) -> bool {
        matches!(self, Self::Truncate { .. } | Self::Stale)
    }
}

/// Something that goes wrong for a while.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) effect: Effect,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    /// In how many of a hundred requests.
    pub(crate) percent: u64,
}

impl Fault {
    /// A fault within the time `span`; a lie lasts for less than `patience`.
    pub(crate) fn draw(dice: &mut Dice, span: Duration, patience: Duration) -> Self {
        use Call::{Agents, Builds, Create, Delete, List, Stop, Tell, Watch};
        let call = dice.one(&[Builds, Agents, Agents, Stop, List, Watch, Create, Create, Delete]);
        let effect = match call {
            Builds | Agents => of_a_page(dice),
            Stop => of_a_stop(dice),
            List => of_a_list(dice),
            Watch => of_a_watch(dice),
            Create | Delete | Tell => of_a_write(dice, call),
        };
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let longest = if call == Agents && effect.is_lie() {
            millis(patience)
        } else {
            millis(span) * 2 / 3
        };
        let from = dice.millis(0, millis(span) * 4 / 5);
        let length = dice.millis(300, longest.max(301));
        Self {
            call,
            effect,
            from,
            until: (from + length).min(span),
            percent: dice.one(&[30, 60, 100, 100]),
        }
    }
}

fn late(dice: &mut Dice) -> Effect {
    let length = dice.millis(50, 3000);
    if dice.percent(50) {
        Effect::DelayRequest(length)
    } else {
        Effect::DelayReply(length)
    }
}

fn of_a_page(dice: &mut Dice) -> Effect {
    match dice.within(0, 11) {
        0 => Effect::Drop,
        1 => Effect::LoseReply,
        2 => Effect::Cut,
        3 => late(dice),
        4 => Effect::Silence,
        5 => Effect::Html(dice.one(&[500, 502, 503, 404, 401])),
        6 => Effect::Limit(dice.within(1, 5)),
        7 => Effect::Truncate { linked: true },
        8 | 9 => Effect::Truncate { linked: false },
        10 => Effect::Garble,
        _ => Effect::Stale,
    }
}

fn of_a_stop(dice: &mut Dice) -> Effect {
    match dice.within(0, 6) {
        0 => Effect::Drop,
        1 => Effect::LoseReply,
        2 => Effect::Cut,
        3 => late(dice),
        4 => Effect::Silence,
        5 => Effect::Html(dice.one(&[500, 502, 403])),
        _ => Effect::Limit(dice.within(1, 5)),
    }
}

fn of_a_list(dice: &mut Dice) -> Effect {
    match dice.within(0, 7) {
        0 => Effect::Drop,
        1 => Effect::Cut,
        2 => late(dice),
        3 => Effect::Silence,
        4 => Effect::Refuse(dice.one(&[500, 503, 504, 403, 410, 401])),
        5 => Effect::Limit(dice.within(1, 4)),
        6 => Effect::Garble,
        _ => Effect::Stale,
    }
}

fn of_a_watch(dice: &mut Dice) -> Effect {
    match dice.within(0, 7) {
        0 => Effect::Drop,
        1 => Effect::Refuse(dice.one(&[500, 503, 504, 410])),
        2 => Effect::Limit(dice.within(1, 4)),
        3 => Effect::Silence,
        4 | 5 => Effect::CutWatch(dice.millis(0, 3000)),
        6 => Effect::Stall,
        _ => Effect::Gone,
    }
}

fn of_a_write(dice: &mut Dice, call: Call) -> Effect {
    match dice.within(0, 7) {
        0 => Effect::Drop,
        1 | 2 => Effect::LoseReply,
        3 => late(dice),
        4 => Effect::Silence,
        5 => Effect::Refuse(dice.one(&[500, 503, 504, 403])),
        6 => Effect::Limit(dice.within(1, 4)),
        _ if call == Call::Create => Effect::Quota,
        _ => Effect::Cut,
    }
}
