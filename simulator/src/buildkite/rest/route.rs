//! Which call a path means, and what it takes to make it.

use http::Method;

use super::super::accounts::Scope;

/// A call of the REST API; the first field is the organization's slug.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route<'a> {
    Token,
    AllBuilds,
    Organization(&'a str),
    Clusters(&'a str),
    Queues(&'a str, &'a str),
    Builds(&'a str),
    PipelineBuilds(&'a str, &'a str),
    Build(&'a str, &'a str, u64),
    BuildkiteJob(&'a str, &'a str),
    Agents(&'a str),
    Agent(&'a str, &'a str),
    Stop(&'a str, &'a str),
    Pause(&'a str, &'a str),
    Resume(&'a str, &'a str),
}

impl<'a> Route<'a> {
    pub(super) fn parse(method: &Method, segments: &[&'a str]) -> Option<Self> {
        let read = *method == Method::GET;
        let write = *method == Method::PUT;
        match *segments {
            ["access-token"] if read => Some(Self::Token),
            ["builds"] if read => Some(Self::AllBuilds),
            ["organizations", slug] if read => Some(Self::Organization(slug)),
            ["organizations", slug, ref rest @ ..] if read => Self::parse_read(slug, rest),
            ["organizations", slug, "agents", id, "stop"] if write => Some(Self::Stop(slug, id)),
            ["organizations", slug, "agents", id, "pause"] if write => Some(Self::Pause(slug, id)),
            ["organizations", slug, "agents", id, "resume"] if write => Some(Self::Resume(slug, id)),
            _ => None,
        }
    }

    fn parse_read(slug: &'a str, rest: &[&'a str]) -> Option<Self> {
        match *rest {
            ["builds"] => Some(Self::Builds(slug)),
            ["pipelines", pipeline, "builds"] => Some(Self::PipelineBuilds(slug, pipeline)),
            ["pipelines", pipeline, "builds", number] => Some(Self::Build(slug, pipeline, number.parse().ok()?)),
            ["jobs", id] => Some(Self::BuildkiteJob(slug, id)),
            ["agents"] => Some(Self::Agents(slug)),
            ["agents", id] => Some(Self::Agent(slug, id)),
            ["clusters"] => Some(Self::Clusters(slug)),
            ["clusters", cluster, "queues"] => Some(Self::Queues(slug, cluster)),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Token => "access-token",
            Self::Organization(..) => "organization",
            Self::Clusters(..) => "clusters",
            Self::Queues(..) => "queues",
            Self::AllBuilds | Self::Builds(..) | Self::PipelineBuilds(..) => "builds",
            Self::Build(..) => "build",
            Self::BuildkiteJob(..) => "job",
            Self::Agents(..) => "agents",
            Self::Agent(..) => "agent",
            Self::Stop(..) => "stop",
            Self::Pause(..) => "pause",
            Self::Resume(..) => "resume",
        }
    }

    pub(super) const fn organization(self) -> Option<&'a str> {
        match self {
            Self::Token | Self::AllBuilds => None,
            Self::Organization(slug)
            | Self::Builds(slug)
            | Self::Agents(slug)
            | Self::Clusters(slug)
            | Self::Queues(slug, _)
            | Self::PipelineBuilds(slug, _)
            | Self::Build(slug, _, _)
            | Self::BuildkiteJob(slug, _)
            | Self::Agent(slug, _)
            | Self::Stop(slug, _)
            | Self::Pause(slug, _)
            | Self::Resume(slug, _) => Some(slug),
        }
    }

    pub(super) const fn scope(self) -> Option<Scope> {
        match self {
            Self::Token => None,
            Self::Organization(..) => Some(Scope::ReadOrganizations),
            Self::Clusters(..) | Self::Queues(..) => Some(Scope::ReadClusters),
            Self::AllBuilds
            | Self::Builds(..)
            | Self::PipelineBuilds(..)
            | Self::Build(..)
            | Self::BuildkiteJob(..) => Some(Scope::ReadBuilds),
            Self::Agents(..) | Self::Agent(..) => Some(Scope::ReadAgents),
            Self::Stop(..) | Self::Pause(..) | Self::Resume(..) => Some(Scope::WriteAgents),
        }
    }
}
