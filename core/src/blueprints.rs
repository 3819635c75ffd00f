//! The blueprints of the templates that serve, drawn once for each version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::annotations::{Terms, Volume};
use crate::blueprint::{Blueprint, template_finding};
use crate::config::Config;
use crate::finding::{Finding, FindingKind};
use crate::fleet::Fleet;
use crate::labels;
use crate::names::{Queue, TemplateHash, Uid};
use crate::template::Template;

/// Drawn blueprints by template.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Blueprints {
    drawn: BTreeMap<Uid, Drawn>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Drawn {
    hash: TemplateHash,
    queue: Queue,
    /// What else the pods are given: their agents' idle timeout, and a volume.
    #[serde(default)]
    fittings: (Duration, Option<Volume>),
    blueprint: Result<Arc<Blueprint>, Finding>,
}

impl Blueprints {
    /// Draws what is new, and forgets what no longer serves.
    pub(crate) fn refresh(&mut self, fleet: &Fleet<'_>, config: &Config) {
        let mut known = std::mem::take(&mut self.drawn);
        for (queue, queue_fleet) in &fleet.queues {
            let Some(template) = queue_fleet.serving() else {
                continue;
            };
            let terms = Terms::of(Some(template), config);
            let fittings = (terms.agents_own_idle_timeout(), terms.volume.clone());
            let is_same =
                |drawn: &Drawn| drawn.hash == template.hash && drawn.queue == **queue && drawn.fittings == fittings;
            let drawn = known.remove(&template.uid).filter(is_same).unwrap_or_else(|| Drawn {
                hash: template.hash.clone(),
                queue: (*queue).clone(),
                blueprint: Blueprint::draw(template, queue, &terms).map(Arc::new),
                fittings,
            });
            self.drawn.insert(template.uid.clone(), drawn);
        }
    }

    /// The blueprint of a template that serves, unless none can be drawn or
    /// another Job of its namespace would adopt its pods.
    pub(crate) fn of(&self, template: &Template, hunters: &[&Arc<Template>]) -> Result<&Arc<Blueprint>, Finding> {
        let Some(drawn) = self.drawn.get(&template.uid) else {
            return Err(template_finding(
                FindingKind::BadTemplate,
                template,
                "it has not been read yet".into(),
            ));
        };
        let blueprint = drawn.blueprint.as_ref().map_err(Clone::clone)?;
        let hunter = hunters
            .iter()
            .find(|hunter| hunter.namespace == template.namespace && blueprint.would_be_adopted_by(&hunter.selector));
        match hunter {
            None => Ok(blueprint),
            Some(hunter) => Err(template_finding(
                FindingKind::Adoption,
                template,
                format!(
                    "the selector of Job {}/{} matches its pods, so the Job controller would delete them; \
                     change that Job's selector or the labels of this template",
                    hunter.namespace, hunter.name
                ),
            )),
        }
    }
}

/// Templates whose selectors are of their authors' making: only they can match
/// a pod that lacks the labels of the Job controller.
pub(crate) fn hunters<'v>(templates: impl Iterator<Item = &'v Arc<Template>>) -> Vec<&'v Arc<Template>> {
    templates
        .filter(|template| {
            let selector = &template.selector;
            let generated = selector.match_expressions.is_empty()
                && !selector.match_labels.is_empty()
                && selector
                    .match_labels
                    .keys()
                    .all(|key| labels::CONTROLLER_LABELS.contains(&key.as_str()));
            !generated
        })
        .collect()
}
