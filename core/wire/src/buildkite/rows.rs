//! Reading JSON from a server that may grow new fields, types and states.

use buildscaler_core::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::malformed::told;

/// The rows of a page, not read yet.
///
/// # Errors
/// If the page is not an array of objects: then nothing in it can be relied on.
pub(super) fn objects(body: &[u8]) -> Result<Vec<&RawValue>, Failure> {
    let rows: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| Failure::Malformed {
        message: format!("a page is no JSON array: {}", told(&error)),
    })?;
    if rows.iter().all(|row| row.get().starts_with('{')) {
        Ok(rows)
    } else {
        Err(Failure::Malformed {
            message: "a page has rows that are no objects".into(),
        })
    }
}

/// A field that counts as absent when it is not of the expected type: one
/// changed field must not cost the row.
pub(super) fn lax<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A list of texts, of which those that are none are left out. Null is the
/// empty list.
pub(super) fn texts<'de, D>(deserializer: D) -> Result<Vec<String>, D::Error>
where
    D: Deserializer<'de>,
{
    let rows: Option<Vec<&RawValue>> = Option::deserialize(deserializer)?;
    let rows = rows.into_iter().flatten();
    Ok(rows.filter_map(|row| serde_json::from_str(row.get()).ok()).collect())
}
