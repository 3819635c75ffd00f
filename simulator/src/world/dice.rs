//! Chance, from a seed.

use std::time::Duration;

use crate::scenario::Range;

/// A source of numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Another source, for things of one kind: what is drawn for one thing
    /// does not depend on how much was drawn for others.
    pub(crate) const fn for_thing(seed: u64, kind: u64, number: u64) -> Self {
        let mixed = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(kind.wrapping_mul(0xd1b5_4a32_d192_ed03))
            .wrapping_add(number.wrapping_mul(0x8cb9_2ba7_2f3d_8dd7));
        Self::new(mixed)
    }

    /// SplitMix64.
    pub(crate) const fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`; zero if there is none.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.number() % bound }
    }

    /// A length of time in the range, to the millisecond.
    pub(crate) fn length(&mut self, range: Range) -> Duration {
        match range {
            Range::Fixed(span) => span.0,
            Range::Between { from, to } => {
                let spread = to.0.saturating_sub(from.0).as_millis();
                let spread = u64::try_from(spread).unwrap_or(u64::MAX).saturating_add(1);
                from.0 + Duration::from_millis(self.below(spread))
            }
        }
    }

    /// Whether something happens that happens to so many of a hundred.
    pub(crate) fn percent(&mut self, of_hundred: u32) -> bool {
        self.below(100) < u64::from(of_hundred)
    }
}
