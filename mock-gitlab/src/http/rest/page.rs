//! Pagination by offset: `page` and `per_page` in, `X-…` headers and `Link` out.

use std::fmt::Write as _;

use axum::response::Response;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LINK};
use serde_json::{Value, json};

use super::ask::{Asked, Reply};
use crate::http::reply;
use crate::world::ApiError;

const DEFAULT_PER_PAGE: usize = 20;
const MAX_PER_PAGE: usize = 100;

/// One page of a list.
pub(super) struct List {
    items: Vec<Value>,
    total: usize,
    page: usize,
    per_page: usize,
}

/// The page that was asked for. Only its items become objects; the others are counted.
pub(super) fn list<T>(
    asked: &Asked,
    all: impl Iterator<Item = T>,
    entity: impl Fn(T) -> Value,
) -> Result<Reply, ApiError> {
    let number = |name: &str| {
        let value = asked.parameters.integer(name)?;
        Ok::<_, ApiError>(value.map(|value| usize::try_from(value).unwrap_or(0)))
    };
    // A page below the first one is the first one, and a size below 1 the usual one; only 0 is refused.
    let page = number("page")?.unwrap_or(1).max(1);
    if asked.parameters.integer("per_page")? == Some(0) {
        let text = "per_page has a value not allowed";
        return Err(ApiError::new(400, json!({ "error": text })));
    }
    let per_page = number("per_page")?.filter(|size| *size > 0);
    let per_page = per_page.unwrap_or(DEFAULT_PER_PAGE).min(MAX_PER_PAGE);
    let first = (page - 1).saturating_mul(per_page);
    let mut items = Vec::new();
    let mut total = 0;
    for item in all {
        if total >= first && items.len() < per_page {
            items.push(entity(item));
        }
        total += 1;
    }
    Ok(Reply::List(List {
        items,
        total,
        page,
        per_page,
    }))
}

impl List {
    /// As HTTP; `url` is the instance's, `path` below `/api/v4`.
    pub(super) fn respond(self, url: &str, path: &str, query: &str) -> Response {
        let pages = self.total.div_ceil(self.per_page);
        let next = (self.page < pages).then_some(self.page + 1);
        let previous = (self.page > 1).then_some(self.page - 1);
        let link = |page: usize| page_url(url, path, query, page, self.per_page);
        let mut links = String::new();
        for (page, relation) in [
            (previous, "prev"),
            (next, "next"),
            (Some(1), "first"),
            (Some(pages.max(1)), "last"),
        ] {
            if let Some(page) = page {
                let comma = if links.is_empty() { "" } else { ", " };
                let _ = write!(links, "{comma}<{}>; rel=\"{relation}\"", link(page));
            }
        }
        let optional = |page: Option<usize>| page.map(|page| page.to_string()).unwrap_or_default();
        let mut response = reply::json_body(StatusCode::OK, &self.items);
        for (name, value) in [
            (HeaderName::from_static("x-total"), self.total.to_string()),
            (HeaderName::from_static("x-total-pages"), pages.to_string()),
            (HeaderName::from_static("x-page"), self.page.to_string()),
            (
                HeaderName::from_static("x-per-page"),
                self.per_page.to_string(),
            ),
            (HeaderName::from_static("x-next-page"), optional(next)),
            (HeaderName::from_static("x-prev-page"), optional(previous)),
            (LINK, links),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The same query with another page. Tokens in it are left out.
fn page_url(url: &str, path: &str, query: &str, page: usize, per_page: usize) -> String {
    let ours = ["page", "per_page", "private_token", "access_token"];
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && !ours.contains(&name)
        })
        .map(str::to_owned)
        .collect();
    parts.push(format!("page={page}"));
    parts.push(format!("per_page={per_page}"));
    format!("{url}/api/v4{path}?{}", parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(total: usize, page: usize, query: &str) -> Response {
        let list = List {
            items: Vec::new(),
            total,
            page,
            per_page: 20,
        };
        list.respond("http://x", "/projects/1/jobs", query)
    }

    #[test]
    fn headers_of_a_page() {
        for (total, page, pages, next, previous) in [
            (0, 1, "0", "", ""),
            (20, 1, "1", "", ""),
            (41, 1, "3", "2", ""),
            (41, 2, "3", "3", "1"),
            (41, 3, "3", "", "2"),
        ] {
            let answer = answer(total, page, "");
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("x-total"), total.to_string());
            assert_eq!(header("x-total-pages"), pages);
            assert_eq!(header("x-page"), page.to_string());
            assert_eq!(header("x-per-page"), "20");
            assert_eq!(header("x-next-page"), next);
            assert_eq!(header("x-prev-page"), previous);
            assert_eq!(header("link").contains("rel=\"next\""), !next.is_empty());
        }
    }

    #[test]
    fn links_keep_the_query_but_no_token() {
        let query = "scope[]=running&page=2&per_page=20&private_token=glpat-x";
        let answer = answer(60, 2, query);
        assert_eq!(
            answer.headers()["link"].to_str().unwrap(),
            "<http://x/api/v4/projects/1/jobs?scope[]=running&page=1&per_page=20>; rel=\"prev\", \
             <http://x/api/v4/projects/1/jobs?scope[]=running&page=3&per_page=20>; rel=\"next\", \
             <http://x/api/v4/projects/1/jobs?scope[]=running&page=1&per_page=20>; rel=\"first\", \
             <http://x/api/v4/projects/1/jobs?scope[]=running&page=3&per_page=20>; rel=\"last\""
        );
    }
}
