//! `/status/tsdb`: how many series there are, and which labels make them many.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use futures::TryStreamExt;
use model::{Labels, METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp};
use series::{Budget, Charge, Hints, QueryError, Queryable, Select};

use crate::answer::success;
use crate::app::App;
use crate::backend::HeadStats;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Json, ToJson};
use crate::params::Params;

/// Series count that had a sample within about what a head of Prometheus spans.
const SPAN: Duration = Duration::from_secs(3 * 3600);
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 10_000;

/// About what an entry of a map takes beside its text, in bytes.
const ENTRY_BYTES: usize = 64;

/// `/status/tsdb`
pub(crate) async fn status(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    let limit = match params.first("limit") {
        "" => DEFAULT_LIMIT,
        text => text
            .parse::<i64>()
            .ok()
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0)
            .ok_or_else(|| ApiError::bad_data("limit must be a positive number"))?,
    };
    if limit > MAX_LIMIT {
        return Err(ApiError::bad_data(format!("limit must not exceed {MAX_LIMIT}")));
    }
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    let range = TimeRange::inclusive(app.now().saturating_sub(SPAN), Timestamp::MAX);
    let budget = Budget::new(app.config.query_memory.bytes());
    let counts = app.in_time(count(&*storage, range, &budget)).await?;
    let head = app.in_time(app.backend.head_stats(&caller.tenant)).await?;
    let own = HeadStats { series: counts.series, label_pairs: counts.pairs(), ..HeadStats::default() };
    // Whoever counts series does not always look at their labels.
    let head = head.map_or(own, |head| HeadStats { label_pairs: head.label_pairs.max(own.label_pairs), ..head });
    Ok(success(Shown { head, counts, limit }))
}

/// How many series have each label.
struct Counts {
    series: u64,
    /// Series by name and value.
    labels: HashMap<Box<str>, HashMap<Box<str>, u64>>,
    /// What this takes in memory.
    charge: Charge,
}

async fn count(storage: &dyn Queryable, range: TimeRange, budget: &Budget) -> Result<Counts, QueryError> {
    let named = Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").expect("an inequality always compiles");
    let hints = Hints { function: "series", labels_only: true, ..Hints::default() };
    let select = Select { matchers: [named].into(), range, hints };
    let mut batches = storage.select(select, budget).await?;
    let mut counts = Counts { series: 0, labels: HashMap::new(), charge: budget.charge(0, String::new)? };
    while let Some(batch) = batches.try_next().await? {
        for series in batch {
            counts.add(&series.labels)?;
        }
        tokio::task::yield_now().await;
    }
    Ok(counts)
}

impl Counts {
    fn add(&mut self, labels: &Labels) -> Result<(), QueryError> {
        self.series += 1;
        for (name, value) in labels.iter() {
            let values = match self.labels.get_mut(name) {
                Some(values) => values,
                None => self.labels.entry(name.into()).or_default(),
            };
            match values.get_mut(value) {
                Some(count) => *count += 1,
                None => {
                    values.insert(value.into(), 1);
                    let what = || "the values of the labels".to_owned();
                    self.charge.grow((value.len() + ENTRY_BYTES) as u64, what)?;
                }
            }
        }
        Ok(())
    }

    fn pairs(&self) -> u64 {
        self.labels.values().map(|values| values.len() as u64).sum()
    }

    fn by_metric(&self) -> impl Iterator<Item = Count<'_>> {
        let metrics = self.labels.get(METRIC_NAME).into_iter().flatten();
        metrics.map(|(metric, count)| Count { name: metric, label: None, value: *count })
    }

    fn values_by_name(&self) -> impl Iterator<Item = Count<'_>> {
        self.labels.iter().map(|(name, values)| Count { name, label: None, value: values.len() as u64 })
    }

    /// What each label takes in the memory of a Prometheus, where every series has its own copy. Ours share them; but these
    /// are the numbers that tell which label is worth to be looked at.
    fn bytes_by_name(&self) -> impl Iterator<Item = Count<'_>> {
        self.labels.iter().map(|(name, values)| {
            let sizes = values.iter().map(|(value, series)| (encoded_size(name) + encoded_size(value)) * series);
            Count { name, label: None, value: sizes.sum() }
        })
    }

    fn by_pair(&self) -> impl Iterator<Item = Count<'_>> {
        let pairs = self.labels.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        pairs.map(|(name, (label, count))| Count { name, label: Some(label), value: *count })
    }
}

/// A text behind its length, which has one byte, or four where that is not enough.
fn encoded_size(text: &str) -> u64 {
    text.len() as u64 + if text.len() < 255 { 1 } else { 4 }
}

/// A count of something that has a name, or of a label.
struct Count<'a> {
    name: &'a str,
    /// The label's value.
    label: Option<&'a str>,
    value: u64,
}

/// The largest counts, largest first.
fn top<'a>(counts: impl Iterator<Item = Count<'a>>, limit: usize) -> Vec<Count<'a>> {
    let order =
        |a: &Count<'_>, b: &Count<'_>| b.value.cmp(&a.value).then_with(|| (a.name, a.label).cmp(&(b.name, b.label)));
    let mut all: Vec<Count<'_>> = counts.collect();
    if all.len() > limit {
        all.select_nth_unstable_by(limit, order);
        all.truncate(limit);
    }
    all.sort_unstable_by(order);
    all
}

struct Shown {
    head: HeadStats,
    counts: Counts,
    limit: usize,
}

impl ToJson for Shown {
    fn write(&self, json: &mut Json) {
        let Self { head, counts, limit } = self;
        json.object(|json| {
            json.key("headStats").object(|json| {
                json.member("numSeries", head.series);
                json.member("numLabelPairs", head.label_pairs);
                json.member("chunkCount", head.chunks);
                // An empty head begins after all times and ends before them.
                json.member("minTime", head.min_time.unwrap_or(Timestamp::MAX).as_ms());
                json.member("maxTime", head.max_time.unwrap_or(Timestamp::MIN).as_ms());
            });
            json.member("seriesCountByMetricName", top(counts.by_metric(), *limit));
            json.member("labelValueCountByLabelName", top(counts.values_by_name(), *limit));
            json.member("memoryInBytesByLabelName", top(counts.bytes_by_name(), *limit));
            json.member("seriesCountByLabelValuePair", top(counts.by_pair(), *limit));
        });
    }
}

impl ToJson for Count<'_> {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            match self.label {
                Some(value) => json.member("name", format!("{}={value}", self.name)),
                None => json.member("name", self.name),
            }
            json.member("value", self.value);
        });
    }
}
