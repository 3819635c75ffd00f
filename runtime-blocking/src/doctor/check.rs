//! One thing that was looked at, and how it is.

use serde::Serialize;

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at: an API, a template, or a place in a file.
    pub(crate) about: String,
    /// Which of its properties.
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) result: Health,
    /// What was seen, and what to do about it where it is not well.
    pub(crate) detail: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    /// As it should be.
    Ok,
    /// Worth knowing, or not to be seen from here; nothing fails because of it.
    Note,
    /// Something will not work.
    Failed,
}

impl Check {
    pub(crate) fn ok(about: &str, check: &'static str, detail: impl Into<String>) -> Self {
        Self::of(Health::Ok, about, check, detail)
    }

    pub(crate) fn note(about: &str, check: &'static str, detail: impl Into<String>) -> Self {
        Self::of(Health::Note, about, check, detail)
    }

    pub(crate) fn failed(about: &str, check: &'static str, detail: impl Into<String>) -> Self {
        Self::of(Health::Failed, about, check, detail)
    }

    pub(crate) fn of(result: Health, about: &str, check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            about: about.to_owned(),
            check,
            result,
            detail: detail.into(),
        }
    }
}
