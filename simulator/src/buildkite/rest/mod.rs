//! The REST API, `/v2`.

mod agents;
mod builds;
mod paging;
mod render;
mod route;

use buildscaler_core::Timestamp;
use http::{Response, StatusCode, Uri};
use serde_json::json;

use super::FakeBuildkite;
use super::accounts::{AccessToken, Scope, User};
use super::call::Call;
use super::ids::{self, Kind};
use super::observed::Observed;
use super::reply;
use route::Route;

const UNAUTHENTICATED: &str = "Authentication required. Please supply a valid API Access Token: \
                               https://buildkite.com/docs/apis/rest-api#authentication";

impl FakeBuildkite {
    pub(super) fn rest(&mut self, call: &Call<'_>, uri: &Uri, now: Timestamp) -> Response<Vec<u8>> {
        let route = Route::parse(call.method, &call.segments());
        self.observed.count(route.map_or("unknown", |route| route.name()));
        let response = self.authenticated(call, route, now);
        self.observed.push(Observed {
            at: now,
            method: call.method.clone(),
            target: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            body: call.body.to_vec(),
            status: response.status(),
        });
        response
    }

    fn authenticated(&mut self, call: &Call<'_>, route: Option<Route<'_>>, now: Timestamp) -> Response<Vec<u8>> {
        let credentials = call
            .secret("bearer")
            .and_then(|secret| self.accounts.authenticate(secret, now));
        let Some((token, user)) = credentials.map(|(token, user)| (token.clone(), user.clone())) else {
            return reply::error(StatusCode::UNAUTHORIZED, UNAUTHENTICATED);
        };
        let standings = self.spent.spend(&user.name, self.limits, now);
        let mut response = match (standings.refusal(), route) {
            (Some(refusal), _) => refusal,
            (None, Some(route)) => self.permitted(call, route, &token, &user, now),
            (None, None) => reply::not_found(),
        };
        standings.mark(response.headers_mut());
        response
    }

    fn permitted(
        &mut self,
        call: &Call<'_>,
        route: Route<'_>,
        token: &AccessToken,
        user: &User,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        if route
            .organization()
            .is_some_and(|slug| slug != self.organization || !token.for_this_organization)
        {
            return reply::error(StatusCode::NOT_FOUND, "No organization found");
        }
        if let Some(missing) = route.scope().filter(|scope| !token.scopes.contains(scope)) {
            return self.missing(missing);
        }
        if route.scope() == Some(Scope::WriteAgents) && !user.may_stop_agents {
            return reply::error(StatusCode::FORBIDDEN, "Forbidden");
        }
        match route {
            Route::Token => access_token(token),
            Route::Organization(slug) => organization(slug),
            Route::Clusters(_) => self.list_clusters(),
            Route::Queues(_, cluster) => self.list_queues(cluster),
            Route::AllBuilds | Route::Builds(_) => self.list_builds(call, None),
            Route::PipelineBuilds(_, slug) => self.list_builds(call, Some(slug)),
            Route::Build(_, slug, number) => self.show_build(call, slug, number),
            Route::BuildkiteJob(_, id) => self.show_job(id),
            Route::Agents(_) => self.list_agents(call, user, now),
            Route::Agent(_, id) => self.show_agent(call, id, user),
            Route::Stop(_, id) => self.stop_requested(call, id, now),
            Route::Pause(_, id) => self.pause_requested(call, id, now),
            Route::Resume(_, id) => reply::done(self.resume_agent(now, &id.into())),
        }
    }

    fn missing(&self, scope: Scope) -> Response<Vec<u8>> {
        let message = if self.switches.scope_error_names_scope {
            format!("Your access token doesn't have the {} scope", scope.as_str())
        } else {
            "Forbidden".to_owned()
        };
        reply::error(StatusCode::FORBIDDEN, &message)
    }

    /// An organization that never made a cluster has none.
    fn list_clusters(&self) -> Response<Vec<u8>> {
        let cluster = json!({"id": ids::uuid(Kind::Cluster, 1), "name": "Default", "description": null});
        let clusters = if self.switches.clustered {
            vec![cluster]
        } else {
            Vec::new()
        };
        reply::ok(&clusters.into())
    }

    fn list_queues(&self, cluster: &str) -> Response<Vec<u8>> {
        if !self.switches.clustered || cluster != ids::uuid(Kind::Cluster, 1) {
            return reply::error(StatusCode::NOT_FOUND, "No cluster found");
        }
        let queues = self.queues.iter().map(|(key, record)| {
            json!({"id": record.id, "key": key.as_str(), "description": null, "dispatch_paused": record.paused})
        });
        reply::ok(&queues.collect())
    }
}

fn access_token(token: &AccessToken) -> Response<Vec<u8>> {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    reply::ok(&json!({
        "uuid": ids::uuid(Kind::Token, 1), "scopes": scopes, "description": "Buildscaler",
        "created_at": "2025-07-16 06:07:42 UTC", "expires_at": reply::old_time(token.expires_at),
        "user": {"name": token.user, "email": format!("{}@example.com", token.user)},
    }))
}

fn organization(slug: &str) -> Response<Vec<u8>> {
    reply::ok(&json!({"id": ids::uuid(Kind::Organization, 1), "slug": slug, "name": slug}))
}
