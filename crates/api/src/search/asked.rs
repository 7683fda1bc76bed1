//! What a search asks for.

use std::sync::Arc;
use std::time::Duration;

use model::{Matcher, TimeRange, Timestamp, quote};

use super::filter::{Algorithm, Filter};
use crate::error::ApiError;
use crate::params::Params;

/// What is searched when no start is given.
const DEFAULT_SPAN: Duration = Duration::from_secs(3600);
const DEFAULT_LIMIT: usize = 100;
const DEFAULT_BATCH_SIZE: usize = 100;
/// Each term is looked for in each text, so that many of them are much work.
const MAX_TERMS: usize = 32;

/// What a search asks for.
pub(super) struct Asked {
    /// Series that one of these selects; all series if there are none.
    pub(super) selectors: Vec<Vec<Matcher>>,
    pub(super) range: TimeRange,
    /// `None`: every text is a hit.
    pub(super) filter: Option<Arc<Filter>>,
    pub(super) order: Order,
    pub(super) shows_score: bool,
    /// The most hits that are answered; at least 1.
    pub(super) limit: usize,
    /// How many hits stand in one line; at least 1.
    pub(super) batch_size: usize,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
    /// The best score, and among equals the smaller text.
    Score,
}

impl Order {
    /// Whether the texts that come first are not the first ones of a sorted list.
    pub(super) fn is_backwards(self) -> bool {
        self == Self::Descending
    }
}

impl Asked {
    /// Reads the parameters that all searches share. `max_limit` is the highest limit that may be asked for; 0: any.
    ///
    /// # Errors
    /// What is wrong with the first bad one, in Prometheus' order.
    pub(super) fn read(params: &Params, now: Timestamp, max_limit: usize, endpoint: &str) -> Result<Self, ApiError> {
        let start = params.time_or("start", now.saturating_sub(DEFAULT_SPAN))?;
        let end = params.time_or("end", now)?;
        if end < start {
            return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
        }
        let selectors = params.selectors().map_err(ApiError::bad_data)?;
        let filter = read_filter(params)?.map(Arc::new);
        let shows_score = flag(params, "include_score", false)?;
        let order = read_order(params)?;
        let limit = read_limit(params, max_limit)?;
        let batch_size = match params.first("batch_size") {
            "" => DEFAULT_BATCH_SIZE,
            text => positive(text).ok_or_else(|| not_positive("batch_size", text))?,
        };
        let Some(order) = order else {
            let sort_by = quote(params.first("sort_by"));
            let fault = format!("invalid sort_by {sort_by} for {endpoint}: must be \"alpha\" or \"score\"");
            return Err(ApiError::bad_data(fault));
        };
        let range = TimeRange::inclusive(start, end);
        Ok(Self { selectors, range, filter, order, shows_score, limit, batch_size })
    }
}

fn read_filter(params: &Params) -> Result<Option<Filter>, ApiError> {
    let terms: Vec<&str> = params.all("search[]").collect();
    if terms.len() > MAX_TERMS {
        let fault = format!("too many search[] terms: got {}, maximum is {MAX_TERMS}", terms.len());
        return Err(ApiError::bad_data(fault));
    }
    let threshold = match params.first("fuzz_threshold") {
        "" => 0,
        text => parse_integer(text)
            .filter(|threshold| (0..=100).contains(threshold))
            .ok_or_else(|| ApiError::bad_data(format!("invalid fuzz_threshold {}: must be 0-100", quote(text))))?,
    };
    let algorithm = match params.first("fuzz_alg") {
        "" => Algorithm::default(),
        name => Algorithm::find(name).ok_or_else(|| {
            let names = Algorithm::ALL.map(Algorithm::as_str).join(" ");
            ApiError::bad_data(format!("unsupported fuzz_alg {}: must be one of [{names}]", quote(name)))
        })?,
    };
    let respects_case = flag(params, "case_sensitive", true)?;
    Ok(Filter::new(terms, algorithm, threshold as f64 / 100.0, !respects_case))
}

/// The order that is asked for; `None` if it is none that is known, which is the last thing to complain about.
fn read_order(params: &Params) -> Result<Option<Order>, ApiError> {
    let (sort_by, direction) = (params.first("sort_by"), params.first("sort_dir"));
    let fault = match (sort_by, direction) {
        ("", direction) if !direction.is_empty() => "sort_dir is only valid when sort_by is set".to_owned(),
        ("score", direction) if !direction.is_empty() => "sort_dir is not supported for sort_by=score".to_owned(),
        (_, direction) if !matches!(direction, "" | "asc" | "dsc") => {
            format!("invalid sort_dir {}: must be \"asc\" or \"dsc\"", quote(direction))
        }
        ("score", _) if params.all("search[]").next().is_none() => {
            "sort_by=score requires search[] to be set".to_owned()
        }
        ("score", _) => return Ok(Some(Order::Score)),
        ("alpha", "dsc") => return Ok(Some(Order::Descending)),
        ("" | "alpha", _) => return Ok(Some(Order::Ascending)),
        _ => return Ok(None),
    };
    Err(ApiError::bad_data(fault))
}

fn read_limit(params: &Params, max_limit: usize) -> Result<usize, ApiError> {
    let max_limit = if max_limit == 0 { usize::MAX } else { max_limit };
    let text = params.first("limit");
    if text.is_empty() {
        return Ok(DEFAULT_LIMIT.min(max_limit));
    }
    let limit = positive(text).ok_or_else(|| not_positive("limit", text))?;
    if limit > max_limit {
        let fault = format!("limit {limit} exceeds the configured maximum ({max_limit}, see --web.search.max-limit)");
        return Err(ApiError::bad_data(fault));
    }
    Ok(limit)
}

/// A parameter that is a truth value, in one of the forms that Go reads.
pub(super) fn flag(params: &Params, name: &str, default: bool) -> Result<bool, ApiError> {
    match params.first(name) {
        "" => Ok(default),
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(ApiError::bad_data(format!("invalid {name} {}: must be boolean", quote(other)))),
    }
}

fn positive(text: &str) -> Option<usize> {
    parse_integer(text).and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
}

fn not_positive(name: &str, text: &str) -> ApiError {
    ApiError::bad_data(format!("invalid {name} {}: must be a positive integer", quote(text)))
}

fn parse_integer(text: &str) -> Option<i64> {
    // Both take one sign, then decimal digits.
    text.parse().ok()
}
