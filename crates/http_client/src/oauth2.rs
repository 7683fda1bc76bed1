//! Tokens that another server hands out for a secret: the grant `client_credentials` of RFC 6749, section 4.4.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Uri};
use stdx::Clock;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::client::HttpClient;
use crate::config::OAuth2Config;
use crate::credentials::{basic, secret_value};
use crate::error::HttpError;
use crate::request::{Request, Response};

/// How long a token server may take; the request that waits for the token has its own deadline too.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(60);
/// Far more than any token needs.
const MAX_TOKEN_BYTES: u64 = 1 << 20;
/// How long before its end a token is no longer used, so that it does not end on its way: Go's choice.
const MARGIN: Duration = Duration::from_secs(10);

/// Gets tokens, and keeps one until shortly before it expires or the secret changes.
pub(crate) struct TokenSource {
    config: OAuth2Config,
    client: HttpClient,
    clock: Clock,
    /// Held while a token is fetched, so that requests at the same time share it.
    token: Mutex<Option<Token>>,
}

struct Token {
    /// The value of the header `Authorization`.
    authorization: String,
    /// The secret that it was got for.
    secret: String,
    /// When it is no longer used; never if the server says nothing.
    end: Option<Instant>,
}

/// Where the secret stands in a request for a token. Servers take one or the other.
#[derive(Clone, Copy)]
enum SecretIn {
    Header,
    Body,
}

impl TokenSource {
    /// Gets tokens with `client`.
    pub(crate) fn new(config: &OAuth2Config, client: HttpClient, clock: Clock) -> Self {
        Self { config: config.clone(), client, clock, token: Mutex::new(None) }
    }

    /// The value of the header `Authorization`.
    pub(crate) async fn authorization(&self) -> Result<String, HttpError> {
        let secret = match &self.config.client_secret {
            Some(source) => source.text("oauth2 client secret file").await?,
            None => String::new(),
        };
        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept
            && token.secret == secret
            && token.end.is_none_or(|end| self.clock.now() < end)
        {
            return Ok(token.authorization.clone());
        }
        let mut response = self.ask(&secret, SecretIn::Header).await?;
        if response.status.is_client_error() {
            response = self.ask(&secret, SecretIn::Body).await?;
        }
        let (authorization, lifetime) = read_token(&response)?;
        let end = lifetime.map(|lifetime| self.clock.now() + lifetime.saturating_sub(MARGIN));
        *kept = Some(Token { authorization: authorization.clone(), secret, end });
        Ok(authorization)
    }

    async fn ask(&self, secret: &str, secret_in: SecretIn) -> Result<Response, HttpError> {
        let request = self.request(secret, secret_in)?;
        // Boxed since this client's requests may themselves, in types though never in fact, wait for tokens.
        Box::pin(self.client.send(request)).await.map_err(|error| HttpError::OAuth2(error.message()))
    }

    fn request(&self, secret: &str, secret_in: SecretIn) -> Result<Request, HttpError> {
        let config = &self.config;
        let fail = |error: http::uri::InvalidUri| HttpError::OAuth2(format!("token_url: {error}"));
        let uri: Uri = config.token_url.parse().map_err(fail)?;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !config.scopes.is_empty() {
            form.append_pair("scope", &config.scopes.join(" "));
        }
        form.extend_pairs(&config.endpoint_params);
        let mut request = Request::get(uri, TOKEN_TIMEOUT);
        match secret_in {
            SecretIn::Header => {
                let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let value = basic(&encode(&config.client_id), &encode(secret));
                request.headers.insert(AUTHORIZATION, secret_value("Authorization", &value)?);
            }
            SecretIn::Body => {
                form.append_pair("client_id", &config.client_id).append_pair("client_secret", secret);
            }
        }
        request.method = Method::POST;
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.body = Bytes::from(form.finish());
        request.max_bytes = MAX_TOKEN_BYTES;
        Ok(request)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The value for the header `Authorization` and how long it is good for.
fn read_token(response: &Response) -> Result<(String, Option<Duration>), HttpError> {
    let fail = |problem: &str| HttpError::OAuth2(problem.to_owned());
    if !response.status.is_success() {
        return Err(fail(&format!("cannot fetch token: {}", response.status)));
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&response.body).map_err(|error| fail(&format!("cannot parse token: {error}")))?;
    let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let token = text("access_token").ok_or_else(|| fail("server response missing access_token"))?;
    let kind = match text("token_type") {
        Some(kind) if !kind.eq_ignore_ascii_case("bearer") => kind,
        _ => "Bearer",
    };
    // Some servers write the number as a text.
    let seconds = answer.get("expires_in").and_then(|seconds| match seconds {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    Ok((format!("{kind} {token}"), seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)))
}
