//! Objects that are not what their API documents.

use thiserror::Error;

/// Letters of an explanation that are kept: it goes into logs.
const LONGEST: usize = 400;

/// Why an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Malformed {
    /// Where and what, for people; of bounded length.
    pub message: String,
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        Self { message: told(&error) }
    }
}

/// What is wrong with some JSON, without the texts that were found in it: they
/// may be as long as the answer, and secret.
pub fn told(error: &serde_json::Error) -> String {
    let said = error.to_string();
    // An unexpected text is quoted between these two, whatever is in it.
    let without = match (said.find("string \""), said.rfind("\", expected ")) {
        (Some(begin), Some(end)) if begin < end => {
            let (before, after) = (said.get(..begin), said.get(end + 1..));
            format!("{}string{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        (Some(_) | None, Some(_) | None) => said,
    };
    without
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Seen to fail with serde's own words, which quote the text.
    #[test]
    fn a_text_of_the_wrong_kind_is_not_quoted() {
        let text = format!(r#"{{"a": "{}, \", expected nothing"}}"#, "x".repeat(100_000));
        let said = serde_json::from_str::<BTreeMap<String, u32>>(&text)
            .map_err(|error| told(&error))
            .expect_err("a text is no number");
        assert!(
            said.starts_with("invalid type: string, expected u32 at line 1"),
            "{said}"
        );
        assert!(said.len() < 100, "{said}");
    }
}
