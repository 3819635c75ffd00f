//! Annotations of templates, good and bad ones.

use std::collections::BTreeMap;

use super::Draft;
use crate::scenario::{Event, TemplateSpec};
use crate::world::Dice;

/// What an annotation may say in a generated world. Startup timeouts are long
/// enough for any pod of it, and idle timeouts as the option's.
const NOTES: [(&str, &[&str]); 9] = [
    ("min-idle", &["1", "2", "3", "-1"]),
    ("max-active-builds", &["1", "2", "3", "4", "a few"]),
    ("disconnect-after-idle-timeout", &["30", "60", "200", "0"]),
    ("agent-startup-timeout", &["600", "900", "never"]),
    ("max-agent-lifetime", &["400", "900"]),
    ("pvc-size", &["10Gi", "large"]),
    ("pvc-mount-path", &["/cache", "cache"]),
    ("pvc-storage-class-name", &["fast", "Fast!"]),
    ("min-idel", &["1"]),
];

/// Of a hundred templates, so many have annotations; and of a hundred of those,
/// so many have any one of them.
const ANNOTATED: u32 = 40;
const EACH: u32 = 30;

impl Draft {
    /// Annotates templates, those that come later included. It has dice of its
    /// own, so that worlds are otherwise as they were before.
    pub(super) fn annotate(&mut self, templates: &mut [TemplateSpec], seed: u64) {
        let mut dice = Dice::new(seed ^ 0x0ff1_ce00);
        for spec in templates {
            spec.annotations = notes(&mut dice);
        }
        for moment in &mut self.timeline {
            if let Event::ApplyTemplate(spec) = &mut moment.event {
                spec.annotations = notes(&mut dice);
            }
        }
    }
}

fn notes(dice: &mut Dice) -> BTreeMap<String, String> {
    let mut notes = BTreeMap::new();
    if !dice.percent(ANNOTATED) {
        return notes;
    }
    for (name, values) in NOTES {
        let place = usize::try_from(dice.below(values.len() as u64)).unwrap_or(0);
        if let (true, Some(value)) = (dice.percent(EACH), values.get(place)) {
            notes.insert(name.to_owned(), (*value).to_owned());
        }
    }
    notes
}
