//! What values options take, and what to say about the others.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::token::Token;

/// Where Buildkite's REST API is.
pub(crate) const BUILDKITE_API_URL: &str = "https://api.buildkite.com";

/// Letters of a Kubernetes namespace.
const NAMESPACE_LENGTH: usize = 63;
/// Letters of most objects' names; as a label's value, fewer would do.
const OBJECT_NAME_LENGTH: usize = 63;

/// A token. Only a blank one is refused: clap quotes what it refuses.
pub(crate) fn token(text: &str) -> Result<Token, String> {
    // Secrets made with `echo` end in a line break.
    match text.trim() {
        "" => Err("it is blank".into()),
        token => Ok(Token::from(token)),
    }
}

/// The slug of an organisation.
pub(crate) fn organization(text: &str) -> Result<String, String> {
    let slug = text.trim();
    if slug.is_empty() {
        return Err("it is blank".into());
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if slug.chars().all(fits) {
        Ok(slug.to_owned())
    } else {
        Err("it is no slug; the slug is what follows https://buildkite.com/ in the browser".into())
    }
}

/// A namespace, or blank.
pub(crate) fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if name.len() > NAMESPACE_LENGTH || !name.chars().all(fits) || name.starts_with('-') || name.ends_with('-') {
        return Err("it is no name of a namespace: those have lower-case letters, digits and inner dashes".into());
    }
    Ok(name.to_owned())
}

/// A namespace, and not blank.
pub(crate) fn some_namespace(text: &str) -> Result<String, String> {
    let name = namespace(text)?;
    if name.is_empty() {
        return Err("it is blank; leave the option out for its default".into());
    }
    Ok(name)
}

/// The name of an object: of dots and of names like those of namespaces.
pub(crate) fn object_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let is_name = |part: &str| !part.is_empty() && namespace(part).is_ok();
    if name.len() > OBJECT_NAME_LENGTH || !name.split('.').all(is_name) {
        return Err("it is no name of an object: those have lower-case letters, digits, inner dashes and dots".into());
    }
    Ok(name.to_owned())
}

/// A number of seconds that is not zero.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match number(text)? {
        0 => Err("it must be at least 1 second".into()),
        seconds => Ok(Duration::from_secs(seconds.into())),
    }
}

/// The idle timeout. To the agent, zero means never to leave.
pub(crate) fn idle_seconds(text: &str) -> Result<Duration, String> {
    match number(text)? {
        0 => Err("with 0 an idle agent would never leave; it must be at least 1 second".into()),
        seconds => Ok(Duration::from_secs(seconds.into())),
    }
}

/// A ceiling. Zero is refused: it might be meant as "no limit".
pub(crate) fn ceiling(text: &str) -> Result<u32, String> {
    match number(text)? {
        0 => Err("it must be at least 1; leave the option out for no limit".into()),
        pods => Ok(pods),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("it is no whole number from 0 to {}", u32::MAX))
}

/// The fewest bytes that a recording may have: a look at a large fleet has
/// some hundred thousand.
const LEAST_RECORD_BYTES: u64 = 1 << 20;

/// A folder.
pub(crate) fn folder(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() {
        return Err("it is blank".into());
    }
    Ok(PathBuf::from(text))
}

/// A number of bytes that a recording can do with.
pub(crate) fn record_bytes(text: &str) -> Result<u64, String> {
    let bytes = text
        .trim()
        .parse()
        .map_err(|_| format!("it is no whole number from {LEAST_RECORD_BYTES} to {}", u64::MAX))?;
    if bytes < LEAST_RECORD_BYTES {
        return Err(format!("it must be at least {LEAST_RECORD_BYTES}, which is one MiB"));
    }
    Ok(bytes)
}

/// The base of the API's URLs, without a slash at its end. Blank is the
/// default.
pub(crate) fn api_url(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() {
        return Ok(BUILDKITE_API_URL.to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err("it must begin with https:// or http://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold credentials; the token goes into --token".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must not have a ? or #".into());
    }
    let base = url.as_str().trim_end_matches('/');
    match base.strip_suffix("/v2") {
        Some(stem) => Err(format!("/v2 is added to it; give {stem}")),
        None => Ok(base.to_owned()),
    }
}
