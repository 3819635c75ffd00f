//! Identifiers that look random and are not.

/// Deals out uids and name suffixes, the same ones for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    state: u64,
}

/// The letters of a generated name: no vowels, so that no words appear.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 5;
/// A generated name is cut so that it fits a DNS label.
const LONGEST_PREFIX: usize = 63 - SUFFIX;

impl Identities {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next uid, in the shape of a random UUID.
    pub(crate) fn uid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let version = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
        let variant = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            version >> 32,
            (version >> 16) & 0xffff,
            version & 0xffff,
            variant >> 48,
            variant & 0xffff_ffff_ffff
        )
    }

    /// A name from `generateName`: the prefix, cut to fit, and five letters.
    pub(crate) fn name(&mut self, prefix: &str) -> String {
        let mut name = prefix.chars().take(LONGEST_PREFIX).collect::<String>();
        let mut bits = self.next();
        for _ in 0..SUFFIX {
            let letter = usize::try_from(bits % 27).unwrap_or(0);
            name.push(char::from(ALPHABET[letter]));
            bits /= 27;
        }
        name
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}
