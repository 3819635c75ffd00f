//! The fake as a service that faults can decorate.

use buildscaler_core::Timestamp;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};

use super::{FakeKubernetes, Reply};
use crate::fault::Service;

impl Service for FakeKubernetes {
    /// Answers a request; a watch is an answer without a body that carries its
    /// [`Subscription`](super::Subscription) as an extension.
    fn handle(&mut self, now: Timestamp, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        match Self::handle(self, now, &request) {
            Reply::Response(response) => response,
            Reply::Watch(subscription) => {
                let mut response = Response::new(Vec::new());
                response
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response.extensions_mut().insert(subscription);
                response
            }
        }
    }
}
