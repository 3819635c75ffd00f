//! A small stable hash for names and fingerprints (FNV-1a, 64 bits). The
//! standard library's hasher may change from release to release, and a pod's
//! name may not.

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
const LETTERS: usize = 13;

/// The hash of `parts` in 13 lower-case letters and digits. Parts are
/// delimited, so that `ab, c` and `a, bc` differ.
pub(crate) fn letters(parts: &[&[u8]]) -> String {
    let mut hash = OFFSET;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    // FNV's high bits mix poorly over short inputs; names use a prefix.
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..LETTERS)
        .map(|place| {
            let digit = (hash.rotate_left(5 * (place as u32 + 1)) & 31) as usize;
            char::from(ALPHABET[digit])
        })
        .collect()
}
