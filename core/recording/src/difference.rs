//! Where two JSON values differ, for people.

use serde_json::Value;

/// Places that are shown; the others follow from the first, as a rule.
const MOST: usize = 8;
/// Letters of a value that are shown.
const LENGTH: usize = 200;

/// The first places where the two differ, one a line.
pub(crate) fn places(expected: &Value, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", Some(expected), Some(got), &mut found);
    found
}

fn compare(path: &str, expected: Option<&Value>, got: Option<&Value>, found: &mut Vec<String>) {
    if expected == got || found.len() >= MOST {
        return;
    }
    match (expected, got) {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            for (key, value) in expected {
                compare(&format!("{path}.{key}"), Some(value), got.get(key), found);
            }
            for (key, value) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                compare(&format!("{path}.{key}"), None, Some(value), found);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for place in 0..expected.len().max(got.len()) {
                compare(&format!("{path}[{place}]"), expected.get(place), got.get(place), found);
            }
        }
        _ => found.push(format!(
            "{}: recorded {}, replayed {}",
            path.trim_start_matches('.'),
            shown(expected),
            shown(got)
        )),
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if text.chars().count() <= LENGTH {
        text
    } else {
        text.chars().take(LENGTH).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_is_named_by_its_path() {
        let recorded = json!({"commands": [{"id": 1, "reason": "Demand"}], "finished": false});
        let replayed = json!({"commands": [{"id": 1, "reason": "Idle"}, {"id": 2}], "finished": false});
        let expected = [
            r#"commands[0].reason: recorded "Demand", replayed "Idle""#,
            r#"commands[1]: recorded nothing, replayed {"id":2}"#,
        ];
        assert_eq!(places(&recorded, &replayed), expected);
    }
}
