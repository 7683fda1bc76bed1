//! Exemplars.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::{Exemplar, Timestamp};
use promql::Descend;
use series::{Budget, ExemplarQuery, SeriesExemplars};

use crate::answer::{List, Remarks, success_in_pieces};
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Json, ToJson};
use crate::params::Params;

/// `/query_exemplars`
pub(crate) async fn query(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    let (start, end) = (params.optional_time("start")?, params.optional_time("end")?);
    let (start, end) = (start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX));
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let options = &app.engine.options().features.parse;
    let expr = promql::parse(params.first("query"), options).map_err(|error| ApiError::bad_data(error.to_string()))?;
    let mut selectors = Vec::new();
    expr.walk(&mut |expr, _| {
        selectors.extend(expr.selector().map(|selector| selector.matchers.to_vec()));
        Descend::Into
    });
    if selectors.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    let budget = Budget::new(app.config.query_memory.bytes());
    let query = ExemplarQuery { selectors: selectors.into(), start, end };
    let found = app.in_time(storage.exemplars(query, &budget)).await?;
    let bytes: usize = found.iter().map(SeriesExemplars::size_bytes).sum();
    let charge = budget.charge(bytes as u64, || "exemplars".to_owned()).map_err(ApiError::from)?;
    Ok(success_in_pieces(List::charged(found, charge), Remarks::default()))
}

impl ToJson for SeriesExemplars {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("seriesLabels", &self.labels);
            json.key("exemplars").list(&self.exemplars);
        });
    }
}

impl ToJson for Exemplar {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("labels", &self.labels);
            json.key("value").sample_value(self.value);
            json.key("timestamp").time(self.timestamp);
        });
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    #[test]
    fn exemplars_look_as_those_of_prometheus() {
        let exemplar = |trace: &str, value, timestamp| Exemplar {
            labels: Labels::from_pairs([("trace_id", trace)]),
            value,
            timestamp: Timestamp(timestamp),
        };
        let series = SeriesExemplars {
            labels: Labels::from_pairs([("__name__", "test_bucket"), ("le", "+Inf")]),
            exemplars: vec![exemplar("a", 6.0, 1_600_096_945_479), exemplar("b", f64::INFINITY, 1_600_096_955_000)],
        };
        let expected = concat!(
            r#"{"seriesLabels":{"__name__":"test_bucket","le":"+Inf"},"exemplars":["#,
            r#"{"labels":{"trace_id":"a"},"value":"6","timestamp":1600096945.479},"#,
            r#"{"labels":{"trace_id":"b"},"value":"+Inf","timestamp":1600096955}]}"#,
        );
        assert_eq!(String::from_utf8(crate::json::to_bytes(&series)).unwrap(), expected);
    }
}
