//! Who takes part in a comparison.

use serde_json::{Map, Value};

use super::Role;
use crate::rivals::{self, Entry};
use crate::scenario::{ControllerSettings, Scenario};

/// One who takes part in a comparison.
#[derive(Clone, Debug)]
pub enum Contestant {
    /// Our controller with the scenario's settings.
    Ours,
    /// Our controller with some settings changed.
    Variant(Variant),
    /// Somebody else's rules.
    Rival(&'static Entry),
    /// The clairvoyant bound.
    Bound,
}

/// Changes to the settings of our controller, such as
/// `idle-timeout=60s,sync-interval=10s`.
#[derive(Clone, Debug)]
pub struct Variant {
    text: String,
    changes: Map<String, Value>,
}

/// Why a contestant is not known.
#[derive(Debug, thiserror::Error)]
pub enum UnknownContestant {
    /// There is no policy of this name.
    #[error("there is no policy {name:?}; there are {}", Contestant::names().join(", "))]
    NoSuchPolicy {
        /// The name asked for.
        name: String,
    },
    /// A change to our settings is not `key=value`.
    #[error("{text:?} is not a change to the controller's settings such as idle-timeout=60s")]
    NoChange {
        /// What was given.
        text: String,
    },
    /// The controller has no such setting, or it does not take such a value.
    #[error("{text:?} does not change the controller's settings: {source}")]
    BadChange {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Contestant {
    /// Ours, every rival, and the bound.
    pub fn all() -> Vec<Self> {
        let rivals = rivals::ALL.iter().map(Self::Rival);
        [Self::Ours].into_iter().chain(rivals).chain([Self::Bound]).collect()
    }

    /// The one of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, UnknownContestant> {
        let mut all = Self::all().into_iter();
        all.find(|contestant| contestant.name() == name)
            .ok_or_else(|| UnknownContestant::NoSuchPolicy { name: name.to_owned() })
    }

    /// The names that [`named`](Self::named) knows.
    pub fn names() -> Vec<String> {
        Self::all().iter().map(Self::name).collect()
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Ours => "ours".to_owned(),
            Self::Variant(variant) => format!("ours {}", variant.text),
            Self::Rival(entry) => entry.name.to_owned(),
            Self::Bound => "clairvoyant".to_owned(),
        }
    }

    /// What it is, in a sentence.
    pub fn about(&self) -> String {
        match self {
            Self::Ours => "this controller".to_owned(),
            Self::Variant(variant) => format!("this controller with {}", variant.text),
            Self::Rival(entry) => entry.about.to_owned(),
            Self::Bound => {
                "perfect foresight, computed: the least waits, and the fewest pod-hours with them".to_owned()
            }
        }
    }

    /// What sort it is.
    pub const fn role(&self) -> Role {
        match self {
            Self::Ours | Self::Variant(_) => Role::Ours,
            Self::Rival(_) => Role::Rival,
            Self::Bound => Role::Bound,
        }
    }
}

impl Variant {
    /// Reads changes such as `idle-timeout=60s,max-pods=20`.
    ///
    /// # Errors
    /// If the controller has no such settings.
    pub fn parse(text: &str) -> Result<Self, UnknownContestant> {
        let mut changes = Map::new();
        for change in text.split(',') {
            let (key, value) = change.split_once('=').ok_or_else(|| UnknownContestant::NoChange {
                text: change.to_owned(),
            })?;
            let value = match value.parse::<u32>() {
                Ok(number) => Value::from(number),
                Err(_) => Value::from(value),
            };
            changes.insert(key.trim().to_owned(), value);
        }
        let variant = Self {
            text: text.to_owned(),
            changes,
        };
        variant.applied(&ControllerSettings::default())?;
        Ok(variant)
    }

    /// The scenario with the changes.
    ///
    /// # Errors
    /// If the settings do not take them.
    pub fn apply(&self, scenario: &Scenario) -> Result<Scenario, UnknownContestant> {
        Ok(Scenario {
            controller: self.applied(&scenario.controller)?,
            ..scenario.clone()
        })
    }

    fn applied(&self, settings: &ControllerSettings) -> Result<ControllerSettings, UnknownContestant> {
        let applied = || {
            let mut value = serde_json::to_value(settings)?;
            if let Value::Object(fields) = &mut value {
                fields.extend(self.changes.clone());
            }
            serde_json::from_value(value)
        };
        applied().map_err(|source| UnknownContestant::BadChange {
            text: self.text.clone(),
            source,
        })
    }
}
