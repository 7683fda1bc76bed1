//! Asking over HTTP.

mod shown;

use engine::EngineOptions;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value as Json;

use crate::{Answer, Backend, LoadedSeries, MemoryBackend};
use shown::{Shown, read, shown};

/// A longer range is refused by the API.
const MAX_STEPS: i64 = 11_000;

/// Something that stores samples and answers queries as Prometheus' HTTP API does.
pub trait HttpServer: Send + Sync {
    /// Forgets everything.
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>>;

    /// Stores samples, all before it returns.
    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>>;

    /// The document at a path below the server's root, whatever the status it comes with.
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Json, String>>;
}

/// A backend that asks a server, and the engine over series in memory what the server should say.
///
/// JSON does not tell all that scripts ask for: the schema of a histogram, say, or its zero bucket's width. So what a script
/// expects is compared with what the engine says, and what the engine says, to the digit, with what the server says. Where
/// they differ, the answer is an error that begins with `HTTP: `.
#[derive(Debug)]
pub struct Compared<S> {
    reference: MemoryBackend,
    server: S,
}

impl<S: HttpServer> Compared<S> {
    /// A server without series, whose engine has these options.
    pub fn new(options: EngineOptions, server: S) -> Self {
        Self { reference: MemoryBackend::new(options), server }
    }

    async fn compare(&self, expected: Result<Answer, String>, path: &str) -> Result<Answer, String> {
        let json = self.server.get(path).await.map_err(|error| format!("HTTP: {error}"))?;
        let found = read(&json).ok_or_else(|| format!("HTTP: {json}"))?;
        let is_same = match (&expected, &found) {
            // The API adds which parameter is at fault.
            (Err(message), Shown::Error(found)) => {
                message == found.strip_prefix("invalid parameter \"query\": ").unwrap_or(found)
            }
            (Ok(answer), found) => shown(answer) == *found,
            (Err(_), _) => false,
        };
        if !is_same {
            return Err(format!("HTTP: {found:?} instead of {:?}", expected.map(|answer| shown(&answer))));
        }
        expected
    }
}

impl<S: HttpServer> Backend for Compared<S> {
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            self.reference.clear().await?;
            self.server.clear().await
        }
        .boxed()
    }

    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>> {
        async {
            self.reference.load(series.clone()).await?;
            self.server.load(series).await
        }
        .boxed()
    }

    fn instant<'a>(&'a self, query: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Answer, String>> {
        async move {
            let path = format!("/api/v1/query?query={}&time={}", encoded(query), seconds(at_ms));
            self.compare(self.reference.instant(query, at_ms).await, &path).await
        }
        .boxed()
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> BoxFuture<'a, Result<Answer, String>> {
        async move {
            let expected = self.reference.range(query, start_ms, end_ms, step_ms).await;
            if (end_ms - start_ms) / step_ms > MAX_STEPS {
                return expected;
            }
            let times = [("start", start_ms), ("end", end_ms), ("step", step_ms)];
            let times = times.map(|(name, ms)| format!("&{name}={}", seconds(ms))).concat();
            let path = format!("/api/v1/query_range?query={}{times}", encoded(query));
            self.compare(expected, &path).await
        }
        .boxed()
    }
}

fn seconds(ms: i64) -> String {
    (ms as f64 / 1000.0).to_string()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
