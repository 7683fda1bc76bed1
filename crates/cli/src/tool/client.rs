//! Asks a server over HTTP.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_client::{HttpClient, HttpClientConfig, Request};
use serde_json::Value as Json;
use stdx::Clock;

/// How long an answer may take: a little more than a server lets a query take by default.
const LIMIT: Duration = Duration::from_secs(150);
/// The largest answer.
const ANSWER_BYTES: u64 = 1 << 30;

/// Asks one server.
#[derive(Debug)]
pub(super) struct Client {
    client: HttpClient,
    url: String,
    headers: HeaderMap,
}

impl Client {
    /// # Errors
    /// If a header can't be sent.
    pub(super) fn new(url: &str, headers: &[(String, String)]) -> Result<Self, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let wrong = || format!("{name}={value} can't be sent as a header");
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            map.append(header, HeaderValue::from_str(value).map_err(|_| wrong())?);
        }
        let client =
            HttpClient::new(HttpClientConfig::default(), Clock::system()).map_err(|error| error.to_string())?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), headers: map })
    }

    /// The document at a path, whatever the status it comes with.
    ///
    /// # Errors
    /// If there is none, in words that say what to do.
    pub(super) async fn get(&self, path: &str) -> Result<Json, String> {
        self.send(Method::GET, path, Vec::new()).await
    }

    /// The document at a path with parameters, whatever the status it comes with.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(super) async fn get_with(&self, path: &str, form: &[(&str, &str)]) -> Result<Json, String> {
        self.get(&format!("{path}?{}", encoded_form(form))).await
    }

    /// The answer to a form, whatever the status it comes with.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Json, String> {
        self.send(Method::POST, path, encoded_form(form).into_bytes()).await
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Json, String> {
        let url = format!("{}{path}", self.url);
        let uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let mut headers = self.headers.clone();
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        let request =
            Request { method, headers, body: body.into(), max_bytes: ANSWER_BYTES, ..Request::get(uri, LIMIT) };
        let response = self.client.send(request).await.map_err(|error| {
            format!("{}: {error}. Is a server there? --server or RINGWOOD_SERVER says where to ask", self.url)
        })?;
        let body = response.decoded(ANSWER_BYTES).map_err(|error| format!("{url}: {error}"))?;
        serde_json::from_slice(&body).map_err(|_| not_json(&url, response.status, &body))
    }
}

fn not_json(url: &str, status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim().lines().next().unwrap_or_default();
    format!(
        "{url} answered {status}: {line:?}, which is no JSON. --server must be where Prometheus' HTTP API is served"
    )
}

/// A form as it is sent.
fn encoded_form(form: &[(&str, &str)]) -> String {
    let fields = form.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// A text as a part of a path or a form.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
