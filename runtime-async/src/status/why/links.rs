//! What belongs together, and small things in words.

use buildscaler_core::ConnectionState;

use super::{Fact, Related};
use crate::status::look::Seat;
use crate::status::notes::Judged;

pub(super) fn belongs(seat: &Seat, judged: &Judged) -> bool {
    match &seat.pod_uid {
        Some(uid) => judged.pod.uid == *uid,
        None => seat.hostname.is_some() && seat.hostname == judged.pod.hostname,
    }
}

pub(super) fn seat_in_words(seat: &Seat) -> String {
    let stopping = match seat.state {
        ConnectionState::Connected => "",
        ConnectionState::Stopping => ", and was asked to stop",
        ConnectionState::Other => ", and is in a state that takes no jobs",
    };
    let paused = if seat.paused { ", and is paused" } else { "" };
    match &seat.running {
        Some(id) => format!("runs job {id}{stopping}{paused}"),
        None => format!("is idle{stopping}{paused}"),
    }
}

pub(super) fn agents_in_words(seats: &[&Seat]) -> String {
    match seats {
        [] => "it has no agent".into(),
        [seat] => format!("its agent {}", seat_in_words(seat)),
        several => format!("it has {} agents", several.len()),
    }
}

pub(super) fn seat_and_work(seat: &Seat) -> Vec<Related> {
    let work = seat.running.as_ref().map(|id| related("job", id));
    [related("agent", &seat.id)].into_iter().chain(work).collect()
}

pub(super) fn pod_of(judged: &Judged) -> Related {
    related("pod", &format_args!("{}/{}", judged.pod.namespace, judged.pod.name))
}

pub(super) fn related(kind: &'static str, name: &dyn std::fmt::Display) -> Related {
    Related {
        kind,
        name: name.to_string(),
    }
}

pub(super) fn fact(name: &'static str, value: &dyn std::fmt::Display) -> Fact {
    Fact {
        name,
        value: value.to_string(),
    }
}

pub(super) fn lower(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}
