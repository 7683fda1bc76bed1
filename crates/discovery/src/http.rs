//! Targets at a URL.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_client::{HttpClient, HttpError, Request, StatusCode, Uri};
use stdx::Clock;

use crate::config::HttpConfig;
use crate::discoverer::{Context, Mechanism};
use crate::group::{GroupError, TargetGroup, groups_from_json};
use crate::metrics::Metrics;
use crate::updates::Updates;

const NAME: &str = "http";

/// The label that says which URL a target is from.
const URL_LABEL: &str = "__meta_url";

/// The largest answer to take, uncompressed: about a million targets with some labels.
const MAX_BYTES: u64 = 256 << 20;

/// Asks a server for targets again and again.
pub(crate) struct Urls {
    url: String,
    refresh_interval: Duration,
    request: Request,
    client: HttpClient,
    clock: Clock,
    metrics: Metrics,
    /// How many groups the last answer had.
    group_count: usize,
}

/// Why an answer brings no groups.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("{}", .0.message())]
    Http(#[from] HttpError),
    #[error("server returned HTTP status {0}")]
    Status(StatusCode),
    #[error("unsupported content type {0:?}")]
    ContentType(String),
    #[error(transparent)]
    Wrong(#[from] GroupError),
    #[error("the runtime is shutting down")]
    Stopping,
}

impl Urls {
    pub(crate) fn new(config: HttpConfig, context: &Context) -> Result<Self, String> {
        let uri: Uri = config.url.parse().map_err(|error| format!("parse URL {:?}: {error}", config.url))?;
        let mut request = Request::get(uri, config.refresh_interval);
        for (name, value) in [
            ("accept", "application/json".to_owned()),
            ("accept-encoding", "gzip".to_owned()),
            ("user-agent", concat!("Ringwood/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("x-prometheus-refresh-interval-seconds", config.refresh_interval.as_secs_f64().to_string()),
        ] {
            let value = value.parse().map_err(|error| format!("header {name}: {error}"))?;
            request.headers.insert(name, value);
        }
        request.max_bytes = MAX_BYTES;
        Ok(Self {
            client: context.client(&config.client).map_err(|error| error.message())?,
            url: config.url,
            refresh_interval: config.refresh_interval,
            request,
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
            group_count: 0,
        })
    }

    async fn find(mut self, updates: Updates) {
        loop {
            let started = self.clock.now();
            match self.ask().await {
                Ok(mut groups) => {
                    let new_count = groups.len();
                    let gone = new_count..self.group_count;
                    groups.extend(gone.map(|index| TargetGroup::gone(format!("{}:{index}", self.url))));
                    self.group_count = new_count;
                    updates.send(groups);
                }
                Err(error) => {
                    self.metrics.refresh_failed(NAME);
                    tracing::warn!(url = self.url, %error, "cannot get targets, keeping those known");
                }
            }
            self.metrics.refreshed(NAME, self.clock.now() - started);
            self.clock.sleep_until(started + self.refresh_interval).await;
        }
    }

    async fn ask(&self) -> Result<Vec<TargetGroup>, AskError> {
        let response = self.client.send(self.request.clone()).await?;
        if response.status != StatusCode::OK {
            return Err(AskError::Status(response.status));
        }
        if !is_json(response.content_type()) {
            return Err(AskError::ContentType(response.content_type().to_owned()));
        }
        let url = self.url.clone();
        let read = move || {
            let mut groups = groups_from_json(&url, &response.decoded(MAX_BYTES)?)?;
            groups.iter_mut().for_each(|group| group.set_label(URL_LABEL, &url));
            Ok(groups)
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| AskError::Stopping)?
    }
}

impl Mechanism for Urls {
    fn run(self: Box<Self>, updates: Updates) -> BoxFuture<'static, ()> {
        self.find(updates).boxed()
    }
}

/// Whether a header `Content-Type` says JSON, in UTF-8 if it says in what.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';');
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf8 = match (parts.next(), parts.next()) {
        (None, _) => true,
        (Some(charset), None) => {
            let charset = charset.trim_start().to_ascii_lowercase();
            matches!(charset.as_str(), "charset=utf-8" | "charset=\"utf-8\"")
        }
        _ => false,
    };
    is_json && is_utf8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_a_type_of_its_own() {
        for content_type in
            ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""]
        {
            assert!(is_json(content_type), "{content_type}");
        }
        for content_type in ["", "text/plain", "application/json; charset=latin1", "application/jsonx"] {
            assert!(!is_json(content_type), "{content_type}");
        }
    }
}
