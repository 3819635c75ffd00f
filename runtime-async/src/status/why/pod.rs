//! What a pod is, and what becomes of it.

use buildscaler_core::verdict::Verdict;

use super::links::{agents_in_words, fact, lower, seat_and_work};
use super::{Explanation, Fact, Teller, VerdictStatus};
use crate::status::deed::Deed;
use crate::status::look::Seat;
use crate::status::notes::Judged;
use crate::status::when::{When, length};
use crate::status::words;

impl Teller<'_> {
    pub(super) fn pod(&self, judged: &Judged) -> Explanation {
        let pod = &judged.pod;
        let name = format!("{}/{}", pod.namespace, pod.name);
        let seats = self.seats(judged);
        let of_it = |deed: &Deed| {
            deed.uid.as_ref() == Some(&pod.uid)
                || deed.pod.as_ref() == Some(&name)
                || deed
                    .agent
                    .as_ref()
                    .is_some_and(|agent| seats.iter().any(|seat| seat.id == *agent))
        };
        Explanation {
            queue: pod.queue.as_ref().map(ToString::to_string),
            summary: format!("Pod {name} {}; {}", words::stage(pod.stage), agents_in_words(&seats)),
            verdict: self.verdict(judged),
            because: self.keeps_as_it_is(judged, &seats),
            facts: self.facts(judged),
            related: seats.iter().flat_map(|seat| seat_and_work(seat)).collect(),
            findings: self.concerning(pod.queue.as_ref(), &[&name]),
            withheld: self.withheld(of_it),
            decisions: self.decisions(of_it),
            ..self.blank("pod", name.clone())
        }
    }

    pub(super) fn verdict(&self, judged: &Judged) -> Option<VerdictStatus> {
        let (verdict, reason) = judged.verdict?;
        let changes = !matches!(verdict, Verdict::Keep | Verdict::Forget);
        let (verdict, what) = words::verdict(verdict);
        Some(VerdictStatus {
            verdict,
            reason: reason.as_str(),
            what: if changes && self.notes.settings.config.dry_run {
                format!("If this were no dry run: {}", lower(what))
            } else {
                what.to_owned()
            },
            because: words::reason(reason),
        })
    }

    /// Why the verdict may be another than one would think.
    fn keeps_as_it_is(&self, judged: &Judged, seats: &[&Seat]) -> Vec<String> {
        let mut because = Vec::new();
        if judged.pod.adopted {
            because.push("Another controller owns it, so it is left alone".into());
        }
        because.extend(self.blindness());
        if seats.is_empty() && !self.notes.sights.buildkite.is_unknown() {
            because.push("The last look at Buildkite showed no agent of it".into());
        }
        because
    }

    fn facts(&self, judged: &Judged) -> Vec<Fact> {
        let pod = &judged.pod;
        let age = length(When(pod.created_at).age(self.now));
        let says = |name, text: &Option<String>| text.as_deref().map(|text| fact(name, &self.veil.over(text)));
        [
            Some(fact("Uid", &pod.uid)),
            Some(fact("Created", &format_args!("{} ({age} ago)", When(pod.created_at)))),
            Some(fact("Stage", &words::stage(pod.stage))),
            Some(fact("Template", &self.template_of(judged))),
            says("Trouble", &pod.trouble),
            says("Kubernetes says", &pod.message),
            pod.deleting.then(|| fact("Deletion", &"is under way in Kubernetes")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn template_of(&self, judged: &Judged) -> String {
        let Some(uid) = &judged.pod.template_uid else {
            return "none that is known".into();
        };
        let Some(template) = self.notes.templates.iter().find(|template| template.uid == *uid) else {
            return "one that is gone".into();
        };
        let made_of = judged.pod.template_hash.as_ref();
        let version = if made_of.is_none_or(|hash| *hash == template.hash) {
            ""
        } else {
            ", in a version that has changed since"
        };
        format!("{}/{}{version}", template.namespace, template.name)
    }
}
