//! Identifiers that look random, are repeatable, and lead back to their record.

/// What an identifier names; two kinds never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Build,
    BuildkiteJob,
    Cluster,
    Organization,
    Pipeline,
    Queue,
    Token,
}

impl Kind {
    const fn digit(self) -> u64 {
        match self {
            Self::Agent => 1,
            Self::Build => 2,
            Self::BuildkiteJob => 3,
            Self::Cluster => 4,
            Self::Organization => 5,
            Self::Pipeline => 6,
            Self::Queue => 7,
            Self::Token => 8,
        }
    }
}

/// The UUID of the `sequence`th thing of this kind.
///
/// The first group is scrambled so that sorting by id is not sorting by age;
/// the last one is the sequence number, so that no index is needed.
pub(crate) fn uuid(kind: Kind, sequence: u64) -> String {
    let head = scramble(sequence.wrapping_mul(16).wrapping_add(kind.digit())) >> 32;
    format!("{head:08x}-b11d-4{:03x}-8000-{sequence:012x}", kind.digit())
}

/// The sequence number in `id`, if it is the UUID of something of this kind.
pub(crate) fn sequence(kind: Kind, id: &str) -> Option<u64> {
    let tail = id.rsplit('-').next()?;
    let sequence = u64::from_str_radix(tail, 16).ok()?;
    (uuid(kind, sequence) == id).then_some(sequence)
}

/// One round of splitmix64.
fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_sequence_but_only_as_its_own_kind() {
        let id = uuid(Kind::Agent, 4711);
        assert_eq!(sequence(Kind::Agent, &id), Some(4711));
        assert_eq!(sequence(Kind::Build, &id), None);
        assert_eq!(sequence(Kind::Agent, "nonsense"), None);
    }
}
