//! The `Link` header, of which only the number of the next page is used: the
//! token must never follow a URL to another host.

use http::HeaderMap;
use http::header::LINK;

/// What the header says of the page after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    None,
    Page(u32),
    /// There is one, but its number cannot be read.
    Unreadable,
}

/// The next page according to all `Link` headers.
pub(super) fn next(headers: &HeaderMap) -> Next {
    for header in headers.get_all(LINK) {
        let Ok(text) = header.to_str() else {
            return Next::Unreadable;
        };
        let mut links = text.split('<').skip(1);
        if let Some(link) = links.find(|link| is_next(link)) {
            return page(link).map_or(Next::Unreadable, Next::Page);
        }
    }
    Next::None
}

/// Whether `url>; rel="next", ` has the relation `next`.
fn is_next(link: &str) -> bool {
    let parameters = link.split_once('>').map_or("", |(_, parameters)| parameters);
    parameters
        .split([';', ','])
        .filter_map(|parameter| parameter.trim().split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
        .any(|(_, value)| {
            let relations = value.trim().trim_matches('"');
            relations.split_whitespace().any(|relation| relation == "next")
        })
}

fn page(link: &str) -> Option<u32> {
    let (url, _) = link.split_once('>')?;
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next()?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("page="))?;
    value.parse().ok()
}
