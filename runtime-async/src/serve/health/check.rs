//! One thing that is or is not as it should be, and how that is told.

use std::fmt::Write;

use axum::http::StatusCode;

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Of what.
    pub(super) name: &'static str,
    /// What is wrong with it, if anything is.
    pub(super) wrong: Option<String>,
}

/// Answers a probe as the Kubernetes components do: `ok` if all is well, or
/// each check on a line of its own, if something is not or `?verbose` asks.
pub(super) fn answer(probe: &str, checks: &[Check], query: Option<&str>) -> (StatusCode, String) {
    let well = checks.iter().all(|check| check.wrong.is_none());
    let verbose = query
        .unwrap_or_default()
        .split('&')
        .any(|word| word == "verbose" || word.starts_with("verbose="));
    if well && !verbose {
        return (StatusCode::OK, "ok".into());
    }
    let mut text = String::new();
    for Check { name, wrong } in checks {
        // Writing to a string does not fail.
        let _ = match wrong {
            None => writeln!(text, "[+]{name} ok"),
            Some(wrong) => writeln!(text, "[-]{name} failed: {wrong}"),
        };
    }
    let (status, end) = if well {
        (StatusCode::OK, "passed")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "failed")
    };
    let _ = writeln!(text, "{probe} check {end}");
    (status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        let good = Check {
            name: "loop",
            wrong: None,
        };
        let bad = Check {
            name: "buildkite",
            wrong: Some("not there".into()),
        };
        vec![good, bad]
    }

    #[test]
    fn all_well_is_one_word() {
        let good = &checks()[..1];
        assert_eq!(answer("livez", good, None), (StatusCode::OK, "ok".into()));
        assert_eq!(answer("livez", good, Some("x=1")).1, "ok");
    }

    #[test]
    fn every_check_is_told_if_asked() {
        let told = (StatusCode::OK, "[+]loop ok\nlivez check passed\n".into());
        assert_eq!(answer("livez", &checks()[..1], Some("verbose")), told);
        assert_eq!(answer("livez", &checks()[..1], Some("x&verbose=1")), told);
    }

    #[test]
    fn what_is_wrong_is_told_unasked() {
        assert_eq!(
            answer("readyz", &checks(), None),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "[+]loop ok\n[-]buildkite failed: not there\nreadyz check failed\n".into()
            )
        );
    }
}
