//! Who asks, and what they may do.

use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::call::Call;
use super::objects::text;
use super::refusal::Refusal;

/// The token of the user who may do everything.
pub const ADMIN_TOKEN: &str = "admin";

/// A user of the API, known by a bearer token.
#[derive(Clone, Debug)]
pub struct User {
    /// The name that messages show, such as `system:serviceaccount:ns:name`.
    pub name: String,
    /// The bearer token.
    pub token: String,
    /// What the user may do; everything else is forbidden.
    pub rules: Vec<Rule>,
}

/// Something that a user may do, as in a Role or ClusterRole. `*` stands for anything.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Verbs, such as `list`.
    pub verbs: Vec<String>,
    /// API groups; the core group is the empty string.
    pub groups: Vec<String>,
    /// Plural names, with a subresource where one is meant: `pods/status`.
    pub resources: Vec<String>,
    /// Names of objects; none means any.
    pub names: Vec<String>,
    /// The namespace that the rule is limited to; none means all, and the cluster's own objects.
    pub namespace: Option<String>,
}

impl Rule {
    /// A rule for all namespaces and names.
    pub fn new(verbs: &[&str], group: &str, resources: &[&str]) -> Self {
        let owned = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect();
        Self {
            verbs: owned(verbs),
            groups: vec![group.to_owned()],
            resources: owned(resources),
            names: Vec::new(),
            namespace: None,
        }
    }

    /// The same rule for one namespace only.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self
        }
    }

    /// The same rule for objects of that name only.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    fn allows(&self, wish: &Wish<'_>) -> bool {
        let listed = |list: &[String], wanted: &str| list.iter().any(|item| item == "*" || item == wanted);
        listed(&self.verbs, wish.verb)
            && listed(&self.groups, wish.group)
            && listed(&self.resources, &wish.resource)
            && (self.names.is_empty() || self.names.iter().any(|name| name == wish.name))
            && self
                .namespace
                .as_deref()
                .is_none_or(|namespace| namespace == wish.namespace)
    }
}

/// One thing that somebody wants to do.
struct Wish<'a> {
    verb: &'a str,
    group: &'a str,
    resource: String,
    namespace: &'a str,
    name: &'a str,
}

/// The users of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    users: Vec<User>,
    anonymous: User,
}

impl Access {
    pub(crate) fn new(anonymous_is_admin: bool) -> Self {
        let everything = Rule::new(&["*"], "*", &["*"]);
        let admin = User {
            name: "system:admin".to_owned(),
            token: ADMIN_TOKEN.to_owned(),
            rules: vec![everything],
        };
        let nobody = User {
            name: "system:anonymous".to_owned(),
            token: String::new(),
            rules: Vec::new(),
        };
        let anonymous = if anonymous_is_admin { admin.clone() } else { nobody };
        Self {
            users: vec![admin],
            anonymous,
        }
    }

    pub(crate) fn add(&mut self, user: User) {
        self.users.retain(|other| other.token != user.token);
        self.users.push(user);
    }

    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<&User, Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(&self.anonymous);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        self.users
            .iter()
            .find(|user| Some(user.token.as_str()) == token)
            .ok_or_else(Refusal::unauthorized)
    }

    pub(crate) fn authorize(&self, user: &User, call: &Call) -> Result<(), Refusal> {
        let facts = call.resource.facts();
        let resource = match call.subresource.as_str() {
            "" => facts.plural.to_owned(),
            subresource => format!("{}/{subresource}", facts.plural),
        };
        // Any authenticated user may ask what it may do.
        if facts.plural == "selfsubjectaccessreviews" {
            return Ok(());
        }
        let namespace = if call.namespace.is_empty() && facts.plural == "namespaces" {
            &call.name
        } else {
            &call.namespace
        };
        let wish = Wish {
            verb: call.verb.name(),
            group: facts.group,
            resource,
            namespace,
            name: &call.name,
        };
        if user.rules.iter().any(|rule| rule.allows(&wish)) {
            return Ok(());
        }
        let place = match (wish.namespace, facts.namespaced) {
            ("", _) => "at the cluster scope".to_owned(),
            (_, false) if call.name.is_empty() => "at the cluster scope".to_owned(),
            (namespace, _) => format!("in the namespace {namespace:?}"),
        };
        let why = format!(
            "User {:?} cannot {} resource {:?} in API group {:?} {place}",
            user.name, wish.verb, wish.resource, facts.group
        );
        Err(Refusal::forbidden(call.resource, &call.name, &why))
    }
}

/// Answers a `SelfSubjectAccessReview` for `user`, in agreement with what requests would meet.
pub(crate) fn review(user: &User, mut review: Value) -> Value {
    let attributes = &review["spec"]["resourceAttributes"];
    let field = |name: &str| text(attributes, &[name]);
    let resource = match field("subresource") {
        "" => field("resource").to_owned(),
        subresource => format!("{}/{subresource}", field("resource")),
    };
    let wish = Wish {
        verb: field("verb"),
        group: field("group"),
        resource,
        namespace: field("namespace"),
        name: field("name"),
    };
    let allowed = user.rules.iter().any(|rule| rule.allows(&wish));
    review["status"] = json!({ "allowed": allowed });
    review
}
