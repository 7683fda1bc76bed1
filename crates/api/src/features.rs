//! `/features`: what a server can do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::EngineOptions;
use promql::FUNCTIONS;

use crate::answer::success;
use crate::app::App;
use crate::backend::Features;
use crate::config::ApiConfig;
use crate::json::{Json, ToJson};

/// `/features`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Response {
    let mut features = of_api(&app.config, app.engine.options());
    for (category, more) in app.backend.features() {
        features.entry(category).or_default().extend(more);
    }
    success(Shown(features))
}

/// Operators, aggregations and signs that are always there.
const OPERATORS: [&str; 33] = [
    "!=",
    "!~",
    "%",
    "*",
    "+",
    "-",
    "/",
    "<",
    "</",
    "<=",
    "==",
    "=~",
    ">",
    ">/",
    ">=",
    "@",
    "^",
    "and",
    "atan2",
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "max",
    "min",
    "or",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
    "unless",
];

fn of_api(config: &ApiConfig, options: &EngineOptions) -> Features {
    let features = options.features;
    let parse = features.parse;
    let operators = OPERATORS.into_iter().map(|operator| (operator, true));
    let experimental = ["limit_ratio", "limitk"].map(|operator| (operator, parse.experimental_functions));
    let functions =
        FUNCTIONS.iter().map(|function| (function.name, !function.is_experimental || parse.experimental_functions));
    let language = [
        ("anchored", parse.extended_range_selectors),
        ("at_modifier", true),
        ("bool", true),
        ("by", true),
        ("delayed_name_removal", features.delayed_name_removal),
        ("duration_expr", true),
        ("fill", parse.binop_fill_modifiers),
        ("fill_left", parse.binop_fill_modifiers),
        ("fill_right", parse.binop_fill_modifiers),
        ("group_left", true),
        ("group_right", true),
        ("ignoring", true),
        ("negative_offset", true),
        ("offset", true),
        ("on", true),
        ("per_query_lookback_delta", true),
        ("per_step_stats", config.per_step_stats),
        ("smoothed", parse.extended_range_selectors),
        ("subqueries", true),
        ("type_and_unit_labels", features.type_and_unit_labels),
        ("without", true),
    ];
    let api = [
        ("admin", false),
        ("exclude_alerts", true),
        ("label_values_match", true),
        ("lifecycle", config.lifecycle_is_enabled),
        ("openapi_3.1", true),
        ("openapi_3.2", true),
        ("otlp_write_receiver", false),
        ("query_stats", true),
        ("query_warnings", true),
        ("remote_write_receiver", false),
        ("search", config.search_is_enabled),
        ("search_fuzz_alg_jarowinkler", true),
        ("search_fuzz_alg_subsequence", true),
        ("time_range_labels", true),
        ("time_range_series", true),
    ];
    BTreeMap::from([
        category("api", api),
        category("promql", language),
        category("promql_functions", functions),
        category("promql_operators", operators.chain(experimental)),
    ])
}

fn category(name: &str, features: impl IntoIterator<Item = (&'static str, bool)>) -> (String, BTreeMap<String, bool>) {
    (name.to_owned(), features.into_iter().map(|(name, is_on)| (name.to_owned(), is_on)).collect())
}

struct Shown(Features);

impl ToJson for Shown {
    fn write(&self, json: &mut Json) {
        json.open_object();
        for (category, features) in &self.0 {
            json.key_text(category).open_object();
            for (name, is_on) in features {
                // Operators are to be readable: they are not escaped for HTML.
                is_on.write(json.plain_key(name));
            }
            json.close_object();
        }
        json.close_object();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_here_is_as_in_prometheus() {
        let Some(golden) = testkit::read_shared("conformance/http_api/features.json") else { return };
        let golden: Features = serde_json::from_str(&golden).unwrap();
        let ours = of_api(&ApiConfig::default(), &EngineOptions::default());
        for (category, features) in &ours {
            assert_eq!(features, &golden[category], "{category}");
        }
    }
}
