//! `/targets/relabel_steps`: what each relabelling rule of a scrape pool makes of a label set.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use model::Labels;
use relabel::{Keep, RuleConfig, Step, steps};

use super::unknown_pool;
use crate::answer::success;
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Json, ToJson, read_texts};
use crate::params::Params;

/// `/targets/relabel_steps`
pub(crate) async fn relabel_steps(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let (pool, labels) = (params.first("scrapePool"), params.first("labels"));
    if pool.is_empty() {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    }
    if labels.is_empty() {
        return Err(ApiError::bad_data("no labels parameter provided"));
    }
    let texts = read_texts(labels);
    let texts = texts.map_err(|fault| ApiError::bad_data(format!("error parsing labels: {fault}")))?;
    let labels = Labels::from_pairs(texts.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let rules = app.backend.relabel_rules(&caller.tenant, pool).ok_or_else(|| unknown_pool(pool))?;
    Ok(success(Shown(steps(&rules, &labels))))
}

struct Shown<'a>(Vec<Step<'a>>);

impl ToJson for Shown<'_> {
    fn write(&self, json: &mut Json) {
        json.object(|json| json.member("steps", &self.0));
    }
}

impl ToJson for Step<'_> {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("rule", self.rule.config());
            json.member("output", &self.labels);
            json.member("keep", self.keep == Keep::Yes);
        });
    }
}

impl ToJson for RuleConfig {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            if let Some(sources) = self.source_labels.as_ref().filter(|sources| !sources.is_empty()) {
                json.member("source_labels", sources);
            }
            json.member("separator", &self.separator);
            json.member("regex", self.regex.as_deref().unwrap_or(Self::DEFAULT_REGEX));
            if self.modulus != 0 {
                json.member("modulus", self.modulus);
            }
            if !self.target_label.is_empty() {
                json.member("target_label", &self.target_label);
            }
            json.member("replacement", &self.replacement);
            if let Some(action) = self.action {
                json.member("action", action.as_str());
            }
        });
    }
}
