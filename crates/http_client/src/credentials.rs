//! Headers that the settings ask for.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::config::{Authentication, HttpClientConfig};
use crate::error::HttpError;
use crate::source::Source;

/// Adds the settings' headers to those of a request, tokens of OAuth 2 apart.
pub(crate) async fn add_headers(config: &HttpClientConfig, headers: &mut HeaderMap) -> Result<(), HttpError> {
    for (name, sources) in &config.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HttpError::Header(name.clone()))?;
        for source in sources {
            let text = source.text("headers file").await?;
            headers.append(header.clone(), secret_value(name, &text)?);
        }
    }
    // A request that says who it comes from is left alone.
    if headers.contains_key(AUTHORIZATION) {
        return Ok(());
    }
    if let Some(value) = authorization(&config.authentication).await? {
        headers.insert(AUTHORIZATION, secret_value("Authorization", &value)?);
    }
    Ok(())
}

/// Moves a name and password from a URL to a header, unless there is one.
pub(crate) fn move_user(uri: &mut Uri, headers: &mut HeaderMap) -> Result<(), HttpError> {
    let Some((user, host)) = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')) else {
        return Ok(());
    };
    if !headers.contains_key(AUTHORIZATION) {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let value = basic(&decode(name), &decode(password));
        headers.insert(AUTHORIZATION, secret_value("Authorization", &value)?);
    }
    let fail = |problem: String| HttpError::Url { url: host.to_owned(), problem };
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(host.parse().map_err(|error: http::uri::InvalidUri| fail(error.to_string()))?);
    *uri = Uri::from_parts(parts).map_err(|error| fail(error.to_string()))?;
    Ok(())
}

/// A header's value that debugging does not show.
pub(crate) fn secret_value(name: &str, text: &str) -> Result<HeaderValue, HttpError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| HttpError::Header(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

async fn authorization(authentication: &Authentication) -> Result<Option<String>, HttpError> {
    Ok(match authentication {
        Authentication::None | Authentication::OAuth2(_) => None,
        Authentication::Basic { username, password } => {
            let username = text_or_empty(username.as_ref(), "basic auth username file").await?;
            let password = text_or_empty(password.as_ref(), "basic auth password file").await?;
            Some(basic(&username, &password))
        }
        Authentication::Credentials { scheme, credentials } => {
            let credentials = text_or_empty(credentials.as_ref(), "authorization credentials file").await?;
            Some(format!("{scheme} {credentials}"))
        }
    })
}

async fn text_or_empty(source: Option<&Source>, what: &'static str) -> Result<String, HttpError> {
    match source {
        Some(source) => source.text(what).await,
        None => Ok(String::new()),
    }
}
