//! Getting the page of a target.

use std::sync::Arc;

use bytes::Bytes;
use exposition::{ContentTypeError, Format, accept_header};
use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_client::{HttpError, Request, Response};

use crate::job::Job;
use crate::page::PageError;
use crate::scrape_loop::Settings;
use crate::target::Target;

/// No page is larger, whatever the job allows.
const MAX_PAGE_BYTES: u64 = 512 << 20;
/// How much larger than its content a compressed page may be.
const COMPRESSION_OVERHEAD: u64 = 1 << 10;

/// A page that was fetched, or why there is none.
pub(crate) type Fetched = Result<Response, ScrapeError>;

/// Why a scrape failed, in Prometheus' words.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ScrapeError {
    #[error("{0}")]
    Forced(Arc<str>),
    #[error("invalid URL: {0}")]
    Url(String),
    #[error("Get {url}: {message}", url = model::quote(.0), message = .1.message())]
    Http(String, HttpError),
    #[error("{}", .0.message())]
    Body(HttpError),
    #[error("body size limit exceeded")]
    BodySize,
    #[error("server returned HTTP status {0}")]
    Status(String),
    #[error(transparent)]
    ContentType(#[from] ContentTypeError),
    #[error(transparent)]
    Page(#[from] PageError),
}

/// Fetches the page of a target.
pub(crate) async fn fetch(settings: Arc<Settings>, user_agent: HeaderValue) -> Fetched {
    let Settings { job, target, client, forced_error } = &*settings;
    if let Some(error) = forced_error {
        return Err(ScrapeError::Forced(error.clone()));
    }
    let uri = target.url.parse().map_err(|error: http::uri::InvalidUri| ScrapeError::Url(error.to_string()))?;
    let mut request = Request::get(uri, target.timeout);
    request.headers = headers(job, target, user_agent);
    request.unix_socket.clone_from(&target.unix_socket);
    request.max_bytes = max_body(job).saturating_add(COMPRESSION_OVERHEAD);
    let response = client.send(request).await.map_err(|error| match error {
        HttpError::TooLarge(_) => ScrapeError::BodySize,
        error => ScrapeError::Http(target.url.clone(), error),
    })?;
    if response.status != http::StatusCode::OK {
        let reason = response.status.canonical_reason().unwrap_or_default();
        return Err(ScrapeError::Status(format!("{} {reason}", response.status.as_str()).trim_end().to_owned()));
    }
    Ok(response)
}

fn headers(job: &Job, target: &Target, user_agent: HeaderValue) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("it is made of plain letters and digits");
    let encoding = if job.enable_compression { "gzip" } else { "identity" };
    let timeout = target.timeout.as_secs_f64().to_string();
    HeaderMap::from_iter([
        (ACCEPT, value(&accept_header(&job.protocols, job.escaping))),
        (ACCEPT_ENCODING, HeaderValue::from_static(encoding)),
        (USER_AGENT, user_agent),
        (HeaderName::from_static("x-prometheus-scrape-timeout-seconds"), value(&timeout)),
    ])
}

/// How many bytes a page may have at the most. One as large as the job's limit is too large.
fn max_body(job: &Job) -> u64 {
    match job.limits.body_size {
        0 => MAX_PAGE_BYTES,
        limit => (limit - 1).min(MAX_PAGE_BYTES),
    }
}

/// The page, and how it is written.
pub(crate) fn decode(response: &Response, job: &Job) -> Result<(Bytes, Result<Format, ContentTypeError>), ScrapeError> {
    let body = response.decoded(max_body(job)).map_err(|error| match error {
        HttpError::TooLarge(_) => ScrapeError::BodySize,
        error => ScrapeError::Body(error),
    })?;
    if body.is_empty() {
        // Nothing is nothing in every format.
        return Ok((body, Ok(Format::Text)));
    }
    let format = Format::of_content_type(response.content_type(), job.fallback_protocol);
    Ok((body, format.map(|(format, _)| format)))
}
