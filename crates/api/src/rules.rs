//! Rules, alerts and Alertmanagers. Rules are not evaluated here yet: there are none.

use axum::response::Response;
use model::quote;

use crate::answer::success;
use crate::error::ApiError;
use crate::json::{Json, ToJson};
use crate::params::{Params, parse_integer};

/// `/rules`
pub(crate) async fn groups(params: Params) -> Result<Response, ApiError> {
    params.check()?;
    params.selectors().map_err(ApiError::bad_data)?;
    let rule_type = params.first("type").to_lowercase();
    if !matches!(rule_type.as_str(), "" | "alert" | "record") {
        return Err(ApiError::parameter("type", format!("not supported value {}", quote(&rule_type))));
    }
    check_exclude_alerts(params.first("exclude_alerts"))?;
    check_pagination(params.first("group_limit"), params.first("group_next_token"))?;
    Ok(success(Nothing(&["groups"])))
}

/// `/alerts`
pub(crate) async fn alerts() -> Response {
    success(Nothing(&["alerts"]))
}

/// `/alertmanagers`
pub(crate) async fn alertmanagers() -> Response {
    success(Nothing(&["activeAlertmanagers", "droppedAlertmanagers"]))
}

/// An object of empty lists with these names.
struct Nothing(&'static [&'static str]);

impl ToJson for Nothing {
    fn write(&self, json: &mut Json) {
        json.object(|json| self.0.iter().for_each(|key| json.key(key).raw("[]")));
    }
}

/// What Go's `strconv.ParseBool` accepts in lower case.
const BOOLEANS: [&str; 7] = ["", "1", "t", "true", "0", "f", "false"];

fn check_exclude_alerts(text: &str) -> Result<(), ApiError> {
    let text = text.to_lowercase();
    if BOOLEANS.contains(&text.as_str()) {
        return Ok(());
    }
    let fault = format!("strconv.ParseBool: parsing {}: invalid syntax", quote(&text));
    Err(ApiError::parameter("exclude_alerts", format!("error converting exclude_alerts: {fault}")))
}

fn check_pagination(limit: &str, token: &str) -> Result<(), ApiError> {
    if !token.is_empty() && limit.is_empty() {
        let fault = "group_limit needs to be present in order to paginate over the groups";
        return Err(ApiError::parameter("group_next_token", fault));
    }
    if limit.is_empty() {
        return Ok(());
    }
    match parse_integer::<i32>("ParseInt", limit) {
        Err(fault) => {
            Err(ApiError::parameter("group_limit", format!("group_limit needs to be a valid number: {fault}")))
        }
        Ok(limit) if limit <= 0 => Err(ApiError::parameter("group_limit", "group_limit needs to be greater than 0")),
        // There are no groups that a token could stand for.
        Ok(_) if !token.is_empty() => {
            let fault = format!("invalid group_next_token '{token}'. were rule groups changed?");
            Err(ApiError::parameter("group_next_token", fault))
        }
        Ok(_) => Ok(()),
    }
}
