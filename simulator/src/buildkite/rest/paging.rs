//! Pages, numbered from one, and the `Link` header that leads between them.

use http::header::LINK;
use http::{HeaderValue, Response};
use serde_json::Value;

use super::super::call::Call;
use super::super::reply;

const DEFAULT_PER_PAGE: u64 = 30;
const MAX_PER_PAGE: u64 = 100;

/// Which rows were asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    number: u64,
    size: u64,
}

impl Page {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let number = |name: &str| call.param(name).and_then(|value| value.parse::<u64>().ok());
        Self {
            number: number("page").unwrap_or(1).max(1),
            size: number("per_page").unwrap_or(DEFAULT_PER_PAGE).clamp(1, MAX_PER_PAGE),
        }
    }

    /// How many rows come before this page.
    pub(super) const fn offset(self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// Renders this page's rows only: a row may be large.
    pub(super) fn answer<T>(self, rows: &[T], call: &Call<'_>, render: impl Fn(&T) -> Value) -> Response<Vec<u8>> {
        let offset = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let page: Vec<Value> = rows.iter().skip(offset).take(size).map(render).collect();
        let mut response = reply::ok(&Value::Array(page));
        let link = self.link(u64::try_from(rows.len()).unwrap_or(u64::MAX), call);
        if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }

    /// The header; none where everything fits on one page.
    fn link(self, rows: u64, call: &Call<'_>) -> Option<String> {
        let last = rows.div_ceil(self.size).max(1);
        let mut targets = Vec::new();
        if self.number < last {
            targets.extend([("next", self.number + 1), ("last", last)]);
        }
        if self.number > 1 {
            targets.extend([("prev", self.number - 1), ("first", 1)]);
        }
        let links = targets
            .iter()
            .map(|(rel, page)| format!("<{}>; rel=\"{rel}\"", call.url_of_page(*page)));
        let links: Vec<String> = links.collect();
        (!links.is_empty()).then(|| links.join(", "))
    }
}
