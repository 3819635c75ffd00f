//! Whether two states are the same for all that may come of them.
//!
//! A state is written out in full, then what makes no difference is taken off:
//! times are told from now (adding to every time changes no decision), pods,
//! agents and commands are numbered in the order in which they are mentioned,
//! and what is long past is past. Two states of one fingerprint have one
//! future, unless 64 bits are not enough to tell them apart.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};

use buildscaler_core::Timestamp;

use super::outside::{SIGN, SmallAgent};
use super::state::State;

/// Longer, in milliseconds, than anything that the core remembers makes a
/// difference with the settings of small worlds.
const HORIZON: i64 = 200_000;

/// Stands before what is of one replica.
const APART: char = '\u{1}';

/// Writes states out, in a place that is used again.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    text: String,
    plain: Vec<u8>,
    names: Vec<u64>,
    commands: Vec<u64>,
}

impl Fingerprints {
    pub(super) fn of(&mut self, state: &State) -> u64 {
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = self.write(state);
        self.simplify(state.now);
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.plain);
        hasher.finish()
    }

    fn write(&mut self, state: &State) -> std::fmt::Result {
        let text = &mut self.text;
        for pod in &state.outside.pods {
            write!(text, "{:?}{:?}{}{}", pod.shown, pod.agent, pod.hunted, pod.late)?;
            if let SmallAgent::Idle { stopping: false } = pod.agent {
                write!(text, "{:?}", pod.idle_since)?;
            }
        }
        let template = state.outside.template.as_ref().map(|template| &template.uid);
        write!(text, "{template:?}{:?}{:?}", state.outside.jobs, state.left)?;
        write!(text, "{:?}", state.outside.lease)?;
        for (replica, by) in state.replicas.iter().zip(0_u8..) {
            // Replicas number their commands apart.
            text.push(APART);
            for talk in state.talks.iter().filter(|talk| talk.by == by) {
                write!(text, "{talk:?}")?;
            }
            write!(text, "{:?}{:?}{:?}", replica.condition, replica.wake, replica.shown)?;
            write!(text, "{:?}", replica.controller)?;
        }
        Ok(())
    }

    /// Takes off what makes no difference.
    fn simplify(&mut self, now: Timestamp) {
        self.plain.clear();
        self.names.clear();
        self.commands.clear();
        let text = self.text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let rest = &text[at..];
            at += 1;
            self.plain.push(byte);
            let before = match byte {
                b'@' => 1,
                b'T' if rest.starts_with(b"Timestamp(") => 10,
                b'C' if rest.starts_with(b"CommandId(") => 10,
                b if char::from(b) == APART => {
                    self.commands.clear();
                    continue;
                }
                b'n' if rest.starts_with(b"next_id: ") => 9,
                _ => continue,
            };
            let (number, length) = number(&rest[before..]);
            at += before - 1 + length;
            let told = match byte {
                b'@' => place(&mut self.names, number.unsigned_abs()),
                b'T' => (number - now.as_millis()).clamp(-HORIZON, HORIZON),
                b'C' => place(&mut self.commands, number.unsigned_abs()),
                _ => 0,
            };
            self.plain.extend_from_slice(&told.to_le_bytes());
        }
    }
}

/// The number with which the text begins, and how long it is.
fn number(text: &[u8]) -> (i64, usize) {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.clone().count();
    let value = digits.fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    (if negative { -value } else { value }, start + length)
}

/// The place of a number among those that were mentioned.
fn place(known: &mut Vec<u64>, number: u64) -> i64 {
    let found = known.iter().position(|one| *one == number).unwrap_or_else(|| {
        known.push(number);
        known.len() - 1
    });
    i64::try_from(found).unwrap_or(i64::MAX)
}

const _: () = assert!(SIGN == '@', "the sign that is looked for");
