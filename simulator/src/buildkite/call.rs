//! A request, taken apart once.

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Method, Request};
use serde_json::Value;

/// The parts of a request that handlers look at.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    base: String,
}

impl<'a> Call<'a> {
    pub(crate) fn new(request: &'a Request<Vec<u8>>) -> Self {
        let uri = request.uri();
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let base = match (uri.scheme_str(), uri.authority(), host) {
            (Some(scheme), Some(authority), _) => format!("{scheme}://{authority}"),
            (None | Some(_), _, Some(host)) => format!("http://{host}"),
            (None | Some(_), _, None) => "https://api.buildkite.com".to_owned(),
        };
        Self {
            method: request.method(),
            path: uri.path(),
            query: uri.query().map(parse_query).unwrap_or_default(),
            headers: request.headers(),
            body: request.body(),
            base,
        }
    }

    /// The path's segments after the version.
    pub(crate) fn segments(&self) -> Vec<&'a str> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .skip(1)
            .collect()
    }

    /// The secret after `scheme` in the Authorization header.
    pub(crate) fn secret(&self, scheme: &str) -> Option<&'a str> {
        let header = self.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (found, secret) = header.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then(|| secret.trim())
    }

    /// The first value of a parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params(name).next()
    }

    /// All values of a parameter, be it spelt `name` or `name[]`.
    pub(crate) fn params(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self
            .query
            .iter()
            .filter(move |(key, _)| key.strip_suffix("[]").unwrap_or(key) == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A yes-or-no parameter.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        match self.param(name) {
            Some("true" | "1" | "") => true,
            Some(_) => false,
            None => default,
        }
    }

    /// The body as JSON; null if it is empty or none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or(Value::Null)
    }

    /// The URL of this request with another page.
    pub(crate) fn url_of_page(&self, page: u64) -> String {
        let others = self.query.iter().filter(|(key, _)| key != "page");
        let query: Vec<String> = others
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        let separator = if query.is_empty() { "" } else { "&" };
        format!("{}{}?{}{separator}page={page}", self.base, self.path, query.join("&"))
    }

    /// The URL of another path of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        rest = if escaped.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_may_be_escaped() {
        let request = Request::get("/v2/x?state%5B%5D=running&state[]=failing&per_page=5")
            .body(Vec::new())
            .unwrap();
        let call = Call::new(&request);
        assert_eq!(call.params("state").collect::<Vec<_>>(), ["running", "failing"]);
        assert!(call.url_of_page(2).ends_with("state%5B%5D=failing&per_page=5&page=2"));
    }
}
