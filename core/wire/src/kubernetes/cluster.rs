//! `ObserveCluster`: the templates, then the pods.

use std::sync::Arc;

use buildscaler_core::{ClusterView, CommandId, Failure, Input, Pod, Template, Timestamp, View};

use super::list::{Listing, Progress};
use super::pod::PodRow;
use super::request::Kind;
use super::template::JobRow;
use crate::exchange::Surroundings;
use crate::transport::{Reply, Request};

/// Both lists, one after the other. One may fail without the other.
#[derive(Debug)]
pub(crate) struct ClusterScript {
    id: CommandId,
    namespace: Option<String>,
    begun_at: Timestamp,
    asked: bool,
    awaiting: bool,
    templates: Part<Template>,
    pods: Part<Pod>,
}

/// A list on its way, or what has become of it.
#[derive(Debug)]
enum Part<T> {
    Listing(Listing<Arc<T>>),
    Seen(View<Vec<Arc<T>>>),
}

impl ClusterScript {
    pub(crate) fn begin(id: CommandId, surroundings: &Surroundings, now: Timestamp) -> Self {
        Self {
            id,
            namespace: surroundings.namespace.clone(),
            begun_at: now,
            asked: false,
            awaiting: false,
            templates: Part::Listing(Listing::new(Kind::Templates)),
            pods: Part::Listing(Listing::new(Kind::Pods)),
        }
    }

    pub(crate) fn next_request(&mut self, now: Timestamp) -> Option<Request> {
        if self.awaiting {
            return None;
        }
        let namespace = self.namespace.as_deref();
        let request = match self.templates.request(namespace) {
            Some(request) => request,
            None => self.pods.request(namespace)?,
        };
        if !self.asked {
            self.begun_at = now;
        }
        self.asked = true;
        self.awaiting = true;
        Some(request)
    }

    pub(crate) fn absorb(&mut self, reply: Reply, now: Timestamp) {
        if !std::mem::take(&mut self.awaiting) {
            return;
        }
        match &mut self.templates {
            Part::Listing(listing) => {
                let progress = listing.absorb::<JobRow>(reply, now);
                // Nothing may be asked before the limit resets (Invariant 21).
                if let Progress::Failed(failure @ Failure::RateLimited { .. }) = &progress {
                    self.pods = Part::Seen(View::Unknown(failure.clone()));
                }
                self.templates.advance(progress);
            }
            Part::Seen(_) => {
                if let Part::Listing(listing) = &mut self.pods {
                    let progress = listing.absorb::<PodRow>(reply, now);
                    self.pods.advance(progress);
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Input {
        Input::Cluster {
            id: Some(self.id),
            view: ClusterView {
                begun_at: self.begun_at,
                templates: self.templates.into_view(),
                pods: self.pods.into_view(),
            },
        }
    }
}

impl<T> Part<T> {
    fn request(&mut self, namespace: Option<&str>) -> Option<Request> {
        let Self::Listing(listing) = self else {
            return None;
        };
        match listing.request(namespace) {
            Ok(request) => Some(request),
            Err(failure) => {
                *self = Self::Seen(View::Unknown(failure));
                None
            }
        }
    }

    fn advance(&mut self, progress: Progress) {
        let view = match progress {
            Progress::More => return,
            Progress::Failed(failure) => View::Unknown(failure),
            Progress::Complete => match self {
                Self::Listing(listing) => View::Complete(listing.take_found()),
                Self::Seen(_) => return,
            },
        };
        *self = Self::Seen(view);
    }

    fn into_view(self) -> View<Vec<Arc<T>>> {
        match self {
            Self::Seen(view) => view,
            Self::Listing(_) => View::Unknown(Failure::Unavailable {
                message: "the look ended before the list was read".into(),
            }),
        }
    }
}
