//! Who asks, and what the answer must be like.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use model::{TenantId, quote};
use series::Consistency;

use crate::error::ApiError;

const TENANT_HEADER: &str = "x-scope-orgid";
const CONSISTENCY_HEADER: &str = "x-read-consistency";
const PUSH_DOWN_HEADER: &str = "x-query-push-down";

/// What the headers of a request say about how it is meant.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    pub(crate) consistency: Consistency,
    /// Whether aggregations may be done where the series are.
    pub(crate) push_down: bool,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let tenant = header(&parts.headers, TENANT_HEADER).unwrap_or(TenantId::DEFAULT.to_owned());
        let tenant = TenantId::new(&tenant)
            .ok_or_else(|| ApiError::bad_data(format!("{} in header X-Scope-OrgID is no tenant", quote(&tenant))))?;
        let consistency = match header(&parts.headers, CONSISTENCY_HEADER) {
            None => Consistency::default(),
            Some(name) => Consistency::find(&name).ok_or_else(|| {
                let fault = "in header X-Read-Consistency is none of bounded, strong and stale_ok";
                ApiError::bad_data(format!("{} {fault}", quote(&name)))
            })?,
        };
        let push_down = match header(&parts.headers, PUSH_DOWN_HEADER).as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(other) => {
                let fault = "in header X-Query-Push-Down is neither on nor off";
                return Err(ApiError::bad_data(format!("{} {fault}", quote(other))));
            }
        };
        Ok(Self { tenant, consistency, push_down })
    }
}

/// The value of a header. Bytes that are no UTF-8 become U+FFFD, which no valid value has.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
