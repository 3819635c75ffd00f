//! Leaves out of texts what may be secret (Invariant 22).
//!
//! The texts are this program's own and those of servers. A server may quote
//! what it was sent: an admission webhook a template's environment, an API a
//! token. So the values of the templates' variables are left out, and whatever
//! looks like a token.

use std::sync::Arc;

use buildscaler_core::Template;
use serde_json::Value;

const LEFT_OUT: &str = "(left out)";
/// Letters of the shortest value of a variable that is taken for a secret:
/// shorter ones are in every second word.
const SHORTEST: usize = 8;
/// Letters of a text: more than that is nobody's message.
const LONGEST: usize = 600;
/// How tokens begin.
const TOKENS: [&str; 10] = [
    "bkua_", "bkat_", "bkct_", "bkaj_", "bkpt_", "eyJ", "AKIA", "ASIA", "ghp_", "xox",
];
/// The word after these is one.
const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];

/// What is known to be secret.
#[derive(Debug, Default)]
pub(crate) struct Veil(Vec<String>);

impl Veil {
    /// A veil over what these templates hold.
    pub(crate) fn of(templates: &[Arc<Template>]) -> Self {
        let mut values = Vec::new();
        for template in templates {
            for kind in ["/spec/containers", "/spec/initContainers"] {
                let containers = template.pod_template.0.pointer(kind).and_then(Value::as_array);
                for container in containers.into_iter().flatten() {
                    let variables = container.get("env").and_then(Value::as_array);
                    values.extend(variables.into_iter().flatten().filter_map(secret));
                }
            }
        }
        // A value may be part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }

    /// The text without them, in one line, and not too long.
    pub(crate) fn over(&self, text: &str) -> String {
        let mut text = text.replace(['\r', '\n', '\t'], " ");
        for value in &self.0 {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), LEFT_OUT);
            }
        }
        let text = without_tokens(&text);
        match text.char_indices().nth(LONGEST) {
            None => text,
            Some((end, _)) => format!("{}…", &text[..end]),
        }
    }
}

/// The value of a variable, unless it is one of the agent's own that names no
/// token: findings speak of those.
fn secret(variable: &Value) -> Option<String> {
    let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
    let value = variable.get("value").and_then(Value::as_str)?;
    let harmless = name.starts_with("BUILDKITE_") && !name.contains("TOKEN");
    (!harmless && value.len() >= SHORTEST).then(|| value.to_owned())
}

fn without_tokens(text: &str) -> String {
    let in_word = |letter: char| letter.is_ascii_alphanumeric() || "_-.~+/=".contains(letter);
    let mut out = String::with_capacity(text.len());
    let mut follows_scheme = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .find(|letter| in_word(letter) != in_word(first))
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        if !in_word(first) {
            out.push_str(piece);
        } else {
            // `token=…` is one word.
            let secret = TOKENS.iter().any(|start| piece.contains(start) && piece.len() >= 16);
            out.push_str(if secret || (follows_scheme && piece.len() >= 12) {
                LEFT_OUT
            } else {
                piece
            });
            follows_scheme = SCHEMES.iter().any(|scheme| piece.eq_ignore_ascii_case(scheme));
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_left_out_and_words_are_not() {
        let veil = Veil::default();
        assert_eq!(
            veil.over("forbidden: bkua_0123456789abcdef is\nno good (Authorization: Bearer abcdef0123456789)"),
            "forbidden: (left out) is no good (Authorization: Bearer (left out))"
        );
        assert_eq!(veil.over("token=bkua_0123456789abcdef&x"), "(left out)&x");
        let harmless = "pods \"linux-template-32ls6pjehv\" is forbidden: exceeded quota: pods=3";
        assert_eq!(veil.over(harmless), harmless);
    }

    #[test]
    fn a_text_without_end_is_cut() {
        assert_eq!(Veil::default().over(&"é".repeat(10_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_longer_value_goes_before_its_part() {
        let veil = Veil(vec!["marker-marker".into(), "marker-m".into()]);
        assert_eq!(veil.over("(marker-marker)"), "((left out))");
    }
}
