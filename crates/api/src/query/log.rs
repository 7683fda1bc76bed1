//! The lines of the query log.

use engine::{QueryTimes, Statistics};
use model::Timestamp;
use series::QueryError;

use super::statistics::{Shown, write_statistics};
use crate::caller::Caller;
use crate::json::Json;
use crate::params::rfc3339;

/// What was asked.
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) times: QueryTimes,
}

/// The line that Prometheus would write about a query, with the tenant beside it.
pub(super) fn log_line(
    asked: &Asked,
    caller: &Caller,
    outcome: Result<&Statistics, &QueryError>,
    now: Timestamp,
) -> Vec<u8> {
    let (start, end, step_ms) = match asked.times {
        QueryTimes::Instant(at) => (at, at, 0),
        QueryTimes::Range { start, end, step } => (start, end, step),
    };
    let mut json = Json::new();
    json.object(|json| {
        json.member("time", rfc3339(now));
        json.member("level", "INFO");
        json.member("msg", "promql query logged");
        json.key("params").object(|json| {
            json.member("end", rfc3339(Timestamp(end)));
            json.member("query", asked.text.as_str());
            json.member("start", rfc3339(Timestamp(start)));
            json.member("step", step_ms / 1000);
        });
        match outcome {
            Ok(statistics) => write_statistics(json, statistics, Shown::Totals),
            Err(error) => json.member("error", error.to_string()),
        }
        json.member("tenant", caller.tenant.as_str());
    });
    let mut line = json.into_bytes();
    line.push(b'\n');
    line
}
