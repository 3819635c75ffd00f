//! The kinds that the fake serves, as one table.

/// A kind of object that the fake serves.
///
/// The order is only there for ordered maps; it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Namespaces.
    Namespaces,
    /// Nodes.
    Nodes,
    /// Pods.
    Pods,
    /// Secrets.
    Secrets,
    /// Config maps.
    ConfigMaps,
    /// Service accounts.
    ServiceAccounts,
    /// Events as the core group spells them; stored as [`Resource::Events`].
    CoreEvents,
    /// Events as `events.k8s.io` spells them.
    Events,
    /// Resource quotas, of which only the number of pods is enforced.
    ResourceQuotas,
    /// Limit ranges.
    LimitRanges,
    /// Jobs.
    Jobs,
    /// Leases.
    Leases,
    /// The question "may I?", which is answered and never stored.
    SelfSubjectAccessReviews,
}

/// What the API says about a resource: how paths and objects spell it.
pub(crate) struct Facts {
    pub(crate) group: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// Whether `/status` is a subresource, so that each side ignores the other's fields.
    pub(crate) status: bool,
    /// Whether an update of what is not there makes it, whatever version it names.
    pub(crate) made_by_update: bool,
}

const fn facts(group: &'static str, plural: &'static str, singular: &'static str, kind: &'static str) -> Facts {
    Facts {
        group,
        plural,
        singular,
        kind,
        short: &[],
        namespaced: true,
        status: false,
        made_by_update: false,
    }
}

impl Facts {
    const fn short(self, short: &'static [&'static str]) -> Self {
        Self { short, ..self }
    }

    const fn cluster_wide(self) -> Self {
        Self {
            namespaced: false,
            ..self
        }
    }

    const fn with_status(self) -> Self {
        Self { status: true, ..self }
    }

    const fn made_by_update(self) -> Self {
        Self {
            made_by_update: true,
            ..self
        }
    }
}

const NAMESPACES: Facts = facts("", "namespaces", "namespace", "Namespace")
    .short(&["ns"])
    .cluster_wide()
    .with_status();
const NODES: Facts = facts("", "nodes", "node", "Node")
    .short(&["no"])
    .cluster_wide()
    .with_status();
const PODS: Facts = facts("", "pods", "pod", "Pod").short(&["po"]).with_status();
const SECRETS: Facts = facts("", "secrets", "secret", "Secret");
const CONFIG_MAPS: Facts = facts("", "configmaps", "configmap", "ConfigMap").short(&["cm"]);
const SERVICE_ACCOUNTS: Facts = facts("", "serviceaccounts", "serviceaccount", "ServiceAccount").short(&["sa"]);
const CORE_EVENTS: Facts = facts("", "events", "event", "Event").short(&["ev"]);
const EVENTS: Facts = facts("events.k8s.io", "events", "event", "Event").short(&["ev"]);
const QUOTAS: Facts = facts("", "resourcequotas", "resourcequota", "ResourceQuota")
    .short(&["quota"])
    .with_status();
const LIMIT_RANGES: Facts = facts("", "limitranges", "limitrange", "LimitRange").short(&["limits"]);
const JOBS: Facts = facts("batch", "jobs", "job", "Job").with_status();
const LEASES: Facts = facts("coordination.k8s.io", "leases", "lease", "Lease").made_by_update();
const REVIEWS: Facts = facts(
    "authorization.k8s.io",
    "selfsubjectaccessreviews",
    "selfsubjectaccessreview",
    "SelfSubjectAccessReview",
)
.cluster_wide();

impl Resource {
    /// Every resource that the fake serves.
    pub const ALL: [Self; 13] = [
        Self::Namespaces,
        Self::Nodes,
        Self::Pods,
        Self::Secrets,
        Self::ConfigMaps,
        Self::ServiceAccounts,
        Self::CoreEvents,
        Self::Events,
        Self::ResourceQuotas,
        Self::LimitRanges,
        Self::Jobs,
        Self::Leases,
        Self::SelfSubjectAccessReviews,
    ];

    pub(crate) const fn facts(self) -> &'static Facts {
        match self {
            Self::Namespaces => &NAMESPACES,
            Self::Nodes => &NODES,
            Self::Pods => &PODS,
            Self::Secrets => &SECRETS,
            Self::ConfigMaps => &CONFIG_MAPS,
            Self::ServiceAccounts => &SERVICE_ACCOUNTS,
            Self::CoreEvents => &CORE_EVENTS,
            Self::Events => &EVENTS,
            Self::ResourceQuotas => &QUOTAS,
            Self::LimitRanges => &LIMIT_RANGES,
            Self::Jobs => &JOBS,
            Self::Leases => &LEASES,
            Self::SelfSubjectAccessReviews => &REVIEWS,
        }
    }

    /// Finds the resource that a path names.
    pub(crate) fn named(group: &str, plural: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.facts().group == group && resource.facts().plural == plural)
    }

    /// The resource under which objects are kept: two spellings of events are one store.
    pub(crate) const fn stored_as(self) -> Self {
        match self {
            Self::CoreEvents => Self::Events,
            Self::Namespaces
            | Self::Nodes
            | Self::Pods
            | Self::Secrets
            | Self::ConfigMaps
            | Self::ServiceAccounts
            | Self::Events
            | Self::ResourceQuotas
            | Self::LimitRanges
            | Self::Jobs
            | Self::Leases
            | Self::SelfSubjectAccessReviews => self,
        }
    }

    /// `apiVersion` as objects carry it.
    pub(crate) fn api_version(self) -> String {
        match self.facts().group {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        }
    }

    /// The name that messages use: `pods`, but `jobs.batch`.
    pub(crate) fn qualified(self) -> String {
        match self.facts().group {
            "" => self.facts().plural.to_owned(),
            group => format!("{}.{group}", self.facts().plural),
        }
    }

    /// The kind as messages of validation use it: `Pod`, but `Job.batch`.
    pub(crate) fn qualified_kind(self) -> String {
        match self.facts().group {
            "" => self.facts().kind.to_owned(),
            group => format!("{}.{group}", self.facts().kind),
        }
    }
}
