//! Targets and scrape pools.

mod relabel_steps;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use model::quote;

use crate::answer::success;
use crate::app::App;
use crate::backend::{ActiveTarget, DroppedTarget, Scope, TargetStates, Targets};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Json, ToJson};
use crate::params::{Params, rfc3339};

pub(crate) use relabel_steps::relabel_steps;

/// What Go writes for a time that is not set.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// `/targets`
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    let pool = Some(params.first("scrapePool")).filter(|pool| !pool.is_empty());
    let states = match params.first("state").to_lowercase().as_str() {
        "" | "any" => TargetStates::Any,
        "active" => TargetStates::Active,
        "dropped" => TargetStates::Dropped,
        // Prometheus shows none then.
        _ => return Ok(success(Shown { targets: Targets::default(), states: TargetStates::Active })),
    };
    let targets = app.in_time(app.backend.targets(&caller.tenant, states, pool, scope(&params))).await?;
    Ok(success(Shown { targets, states }))
}

/// Whose targets are asked for. Not Prometheus': processes of a cluster ask each other with it.
pub(crate) fn scope(params: &Params) -> Scope {
    if params.first("scope") == "process" { Scope::Process } else { Scope::Cluster }
}

/// `/scrape_pools`
pub(crate) async fn pools(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    let mut pools = app.in_time(app.backend.scrape_pools(&caller.tenant)).await?;
    pools.sort_unstable();
    Ok(success(Pools(pools)))
}

/// `/scrape_pools/config`
pub(crate) async fn pool_config(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let pool = params.first("scrapePool");
    if pool.is_empty() {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    }
    let yaml = app.backend.scrape_pool_config(&caller.tenant, pool).ok_or_else(|| unknown_pool(pool))?;
    Ok(success(Yaml(yaml)))
}

fn unknown_pool(pool: &str) -> ApiError {
    ApiError::bad_data(format!("error retrieving scrape config: scrape pool {} not found", quote(pool)))
}

/// A text of settings.
pub(crate) struct Yaml(pub(crate) String);

impl ToJson for Yaml {
    fn write(&self, json: &mut Json) {
        json.object(|json| json.member("yaml", &self.0));
    }
}

struct Pools(Vec<String>);

impl ToJson for Pools {
    fn write(&self, json: &mut Json) {
        json.object(|json| json.member("scrapePools", &self.0));
    }
}

struct Shown {
    targets: Targets,
    states: TargetStates,
}

impl ToJson for Shown {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("activeTargets", &self.targets.active);
            json.member("droppedTargets", &self.targets.dropped);
            json.key("droppedTargetCounts");
            if !self.states.has_dropped() {
                return json.raw("null");
            }
            json.open_object();
            for (pool, count) in &self.targets.dropped_counts {
                json.key_text(pool).integer(*count);
            }
            json.close_object();
        });
    }
}

impl ToJson for ActiveTarget {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("discoveredLabels", &self.discovered_labels);
            json.member("labels", &self.labels);
            json.member("scrapePool", &self.scrape_pool);
            json.member("scrapeUrl", &self.scrape_url);
            json.member("globalUrl", &self.global_url);
            json.member("lastError", &self.last_error);
            json.member("lastScrape", self.last_scrape.map_or_else(|| NO_TIME.to_owned(), rfc3339));
            json.member("lastScrapeDuration", self.last_scrape_duration.as_secs_f64());
            json.member("health", self.health.as_str());
            json.member("scrapeInterval", &self.scrape_interval);
            json.member("scrapeTimeout", &self.scrape_timeout);
        });
    }
}

impl ToJson for DroppedTarget {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("discoveredLabels", &self.discovered_labels);
            json.member("scrapePool", &self.scrape_pool);
        });
    }
}
