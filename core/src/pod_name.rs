//! Pod names that are computed, not drawn: a create of unknown fate can be
//! repeated, and two overlapping controllers cannot make the same pod twice.

use crate::hash;
use crate::names::Queue;
use crate::template::Template;

/// Letters of the template's name that a pod's name keeps. With the hash it
/// stays below the 63 characters of a hostname.
const STEM: usize = 40;
/// Letters of the hash: 50 bits.
const HASH: usize = 10;

/// The name of the pod in this slot of this version of the template.
///
/// It is a DNS label, so that hostname and pod name are the same.
pub(crate) fn pod_name(template: &Template, queue: &Queue, slot: u32) -> String {
    let stem: String = template
        .name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(STEM)
        .collect();
    let stem = stem.trim_matches('-');
    let digest = hash::letters(&[
        template.uid.as_str().as_bytes(),
        template.hash.as_str().as_bytes(),
        queue.as_str().as_bytes(),
        &slot.to_be_bytes(),
    ]);
    let digest = &digest[..HASH];
    if stem.is_empty() {
        format!("agent-{digest}")
    } else {
        format!("{stem}-{digest}")
    }
}
