//! What a request asks for: the verb, the object, and the options of the query.

use http::{Method, Request};

use super::refusal::Refusal;
use super::resource::Resource;

/// What is to be done, as RBAC rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// One request to the resource part of the API, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) resource: Resource,
    /// Empty for "all namespaces" and for what lives in none.
    pub(crate) namespace: String,
    /// Empty for a collection.
    pub(crate) name: String,
    pub(crate) subresource: String,
    pub(crate) query: Vec<(String, String)>,
}

impl Call {
    /// Takes a request apart, or refuses a path that the API does not have.
    pub(crate) fn parse(request: &Request<Vec<u8>>) -> Result<Self, Refusal> {
        let path = request.uri().path();
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect::<Vec<_>>();
        let segments = segments.iter().map(String::as_str).collect::<Vec<_>>();
        let (group, rest) = match segments.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, "v1", rest @ ..] => (*group, rest),
            _ => return Err(Refusal::unknown_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", ""),
            [plural, name] => (*plural, *name, ""),
            [plural, name, subresource] => (*plural, *name, *subresource),
            _ => return Err(Refusal::unknown_path()),
        };
        let resource = Resource::named(group, plural).ok_or_else(Refusal::unknown_path)?;
        if resource.facts().namespaced == namespace.is_empty() && !(namespace.is_empty() && name.is_empty()) {
            return Err(Refusal::unknown_path());
        }
        let query = query_pairs(request.uri().query().unwrap_or_default());
        let verb = verb(request.method(), name.is_empty(), &query)?;
        if verb == Verb::Create && resource.facts().namespaced && namespace.is_empty() {
            return Err(Refusal::method_not_allowed());
        }
        let (namespace, name, subresource) = (namespace.to_owned(), name.to_owned(), subresource.to_owned());
        Ok(Self {
            verb,
            resource,
            namespace,
            name,
            subresource,
            query,
        })
    }

    /// A parameter of the query, if it is there and not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.parameter(name), Some("true" | "1"))
    }

    pub(crate) fn dry_run(&self) -> bool {
        self.parameter("dryRun") == Some("All")
    }
}

fn verb(method: &Method, collection: bool, query: &[(String, String)]) -> Result<Verb, Refusal> {
    let watch = query
        .iter()
        .any(|(key, value)| key == "watch" && matches!(value.as_str(), "true" | "1"));
    match (method.as_str(), collection) {
        ("GET" | "HEAD", true) if watch => Ok(Verb::Watch),
        ("GET" | "HEAD", true) => Ok(Verb::List),
        ("GET" | "HEAD", false) => Ok(Verb::Get),
        ("POST", _) => Ok(Verb::Create),
        ("PUT", false) => Ok(Verb::Update),
        ("PATCH", false) => Ok(Verb::Patch),
        ("DELETE", false) => Ok(Verb::Delete),
        ("DELETE", true) => Ok(Verb::DeleteCollection),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn query_pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// Undoes percent-encoding; a `+` is a space, as forms encode it.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = after;
                }
                _ => bytes.push(first),
            },
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
