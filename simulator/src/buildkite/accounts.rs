//! Users, their API access tokens, and the tokens of agents.

use std::collections::BTreeSet;
use std::fmt;

use buildscaler_core::Timestamp;

/// The user whose token a new fake knows.
pub(crate) const OWNER: &str = "scaler";

/// A permission of an API access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Builds and jobs.
    ReadBuilds,
    /// List and get agents.
    ReadAgents,
    /// Stop, pause and resume agents.
    WriteAgents,
    /// Clusters and queues.
    ReadClusters,
    /// The organization.
    ReadOrganizations,
}

impl Scope {
    /// As Buildkite spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadBuilds => "read_builds",
            Self::ReadAgents => "read_agents",
            Self::WriteAgents => "write_agents",
            Self::ReadClusters => "read_clusters",
            Self::ReadOrganizations => "read_organizations",
        }
    }
}

/// A user: the owner of tokens, and the one whom the smaller limit is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, which is also the key.
    pub name: String,
    /// Whether the user is an admin or holds "Stop Agents".
    pub may_stop_agents: bool,
    /// Whether the user sees the pipelines, and so which job an agent runs.
    pub sees_pipelines: bool,
}

/// An API access token.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// What is sent as the bearer.
    pub secret: String,
    /// The owner's name.
    pub user: String,
    /// What it permits.
    pub scopes: BTreeSet<Scope>,
    /// Whether it may be used on this organization.
    pub for_this_organization: bool,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("user", &self.user)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// Who may call.
#[derive(Clone, Debug)]
pub struct Accounts {
    users: Vec<User>,
    tokens: Vec<AccessToken>,
    agent_tokens: Vec<String>,
}

impl Accounts {
    /// One user with one token that may do all that Buildscaler needs, and one
    /// agent token.
    pub(crate) fn new(access_token: &str, agent_token: &str) -> Self {
        let user = User {
            name: OWNER.to_owned(),
            may_stop_agents: true,
            sees_pipelines: true,
        };
        let scopes = [
            Scope::ReadBuilds,
            Scope::ReadAgents,
            Scope::WriteAgents,
            Scope::ReadClusters,
        ];
        let token = AccessToken {
            secret: access_token.to_owned(),
            user: user.name.clone(),
            scopes: scopes.into(),
            for_this_organization: true,
            expires_at: None,
        };
        Self {
            users: vec![user],
            tokens: vec![token],
            agent_tokens: vec![agent_token.to_owned()],
        }
    }

    /// Adds a user, or replaces the one of this name.
    pub fn put_user(&mut self, user: User) {
        self.users.retain(|other| other.name != user.name);
        self.users.push(user);
    }

    /// Adds a token, or replaces the one of this secret.
    pub fn put_token(&mut self, token: AccessToken) {
        self.revoke(&token.secret);
        self.tokens.push(token);
    }

    /// Revokes an API access token.
    pub fn revoke(&mut self, secret: &str) {
        self.tokens.retain(|token| token.secret != secret);
    }

    /// Makes another agent token good.
    pub fn put_agent_token(&mut self, secret: impl Into<String>) {
        self.agent_tokens.push(secret.into());
    }

    /// Revokes an agent token; agents that are registered stay.
    pub fn revoke_agent_token(&mut self, secret: &str) {
        self.agent_tokens.retain(|token| token != secret);
    }

    pub(crate) fn is_agent_token(&self, secret: &str) -> bool {
        self.agent_tokens.iter().any(|token| token == secret)
    }

    /// The token and its owner, if it is good now.
    pub(crate) fn authenticate(&self, secret: &str, now: Timestamp) -> Option<(&AccessToken, &User)> {
        let token = self.tokens.iter().find(|token| token.secret == secret)?;
        let good = token.expires_at.is_none_or(|end| now < end);
        let owner = self.users.iter().find(|user| user.name == token.user)?;
        good.then_some((token, owner))
    }
}
