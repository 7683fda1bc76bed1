//! `/api/v1/read`: samples for other servers.

mod messages;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Limited};
use model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp};
use prost::Message;
use series::{Budget, Charge, Hints, QueryError, Queryable, Samples, Select};

use crate::app::App;
use crate::caller::Caller;
use crate::lifecycle::failure;
use messages::{LabelMatcher, ReadQuery, ReadRequest, ResponseType, TimeSeries};
use stream::ChunkStream;

/// The largest request that is read, before and after decompression.
const MAX_REQUEST_BYTES: usize = 32 << 20;

/// `/read`
pub(crate) async fn read(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Response {
    match answer(app, &caller, body).await {
        Ok(response) => response,
        Err(ReadError::Request(fault)) => failure(StatusCode::BAD_REQUEST, &fault),
        Err(ReadError::Query(error)) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

enum ReadError {
    /// The request makes no sense.
    Request(String),
    Query(QueryError),
}

impl From<QueryError> for ReadError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

async fn answer(app: Arc<App>, caller: &Caller, body: Body) -> Result<Response, ReadError> {
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await;
    let body = body.map_err(|error| ReadError::Request(error.to_string()))?.to_bytes();
    let request = ReadRequest::decode(&*decompress(&body)?).map_err(|error| ReadError::Request(error.to_string()))?;
    let response_type = request.response_type().map_err(ReadError::Request)?;
    let external = &app.config.external_labels;
    let selects: Result<Vec<Select>, ReadError> =
        request.queries.iter().map(|query| select_of(query, external)).collect();
    let selects = selects?;
    let limit = app.engine.options().timeout;
    let (turn, waited) = app.read_gate.enter(&caller.tenant, &app.clock, limit, &app.metrics).await?;
    let left = limit.saturating_sub(waited);
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    match response_type {
        ResponseType::Samples => {
            let results = samples(&app, &*storage, selects, left).await?;
            let bytes = app.pool.run(move || results.compress()).await;
            let headers = [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
            Ok((headers, bytes).into_response())
        }
        ResponseType::StreamedXorChunks => {
            let body = ChunkStream::new(app, storage, selects, left, turn).into_body().await?;
            Ok(([(header::CONTENT_TYPE, stream::CONTENT_TYPE)], body).into_response())
        }
    }
}

/// All samples of all queries, for whoever does not take them piece by piece.
async fn samples(
    app: &App,
    storage: &dyn Queryable,
    selects: Vec<Select>,
    limit: Duration,
) -> Result<Results, ReadError> {
    let budget = Budget::new(app.config.query_memory.bytes());
    let results = app.clock.timeout(limit, async {
        let mut results = Results::new(&budget, app.config.remote_read_sample_limit)?;
        for select in selects {
            results.add(storage, select, &app.config.external_labels, &budget).await?;
        }
        Ok(results)
    });
    results.await.unwrap_or_else(|| Err(timed_out(app).into()))
}

fn timed_out(app: &App) -> QueryError {
    QueryError::Timeout { during: "remote read", limit: app.engine.options().timeout }
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, ReadError> {
    let corrupt = |_| ReadError::Request("snappy: corrupt input".to_owned());
    let size = snap::raw::decompress_len(body).map_err(corrupt)?;
    if size > MAX_REQUEST_BYTES {
        let fault = format!("snappy: decoded length {size} exceeds limit {MAX_REQUEST_BYTES}");
        return Err(ReadError::Request(fault));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(corrupt)
}

/// What storage is to be asked. It does not know external labels: a series has them if it has none of its own.
fn select_of(query: &ReadQuery, external: &Labels) -> Result<Select, ReadError> {
    let mut matchers = Vec::with_capacity(query.matchers.len());
    for LabelMatcher { op, name, value } in &query.matchers {
        let op = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex].get(*op as usize).copied();
        let op = op.ok_or_else(|| ReadError::Request("unknown type of a label matcher".to_owned()))?;
        let is_external = op == MatchOp::Equal && external.get(name).is_some_and(|own| own == value);
        let value = if is_external { "" } else { value };
        let fault = |error: re2::Error| ReadError::Request(error.to_string());
        matchers.push(Matcher::new(op, name, value).map_err(fault)?);
    }
    if matchers.iter().all(Matcher::matches_empty) {
        // Storage wants something to look for, and every series that is scraped or computed has a name.
        matchers.push(Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").expect("an inequality always compiles"));
    }
    let range = TimeRange::inclusive(Timestamp(query.start_timestamp_ms), Timestamp(query.end_timestamp_ms));
    Ok(Select { matchers: matchers.into(), range, hints: Hints::default() })
}

/// The answer, as far as it is written: a `ReadResponse` with a `QueryResult` for each query.
struct Results {
    bytes: Vec<u8>,
    /// More samples for one query are refused.
    sample_limit: u64,
    /// What it takes in memory.
    charge: Charge,
}

impl Results {
    fn new(budget: &Budget, sample_limit: u64) -> Result<Self, QueryError> {
        Ok(Self { bytes: Vec::new(), sample_limit, charge: budget.charge(0, String::new)? })
    }

    async fn add(
        &mut self,
        storage: &dyn Queryable,
        select: Select,
        external: &Labels,
        budget: &Budget,
    ) -> Result<(), ReadError> {
        let range = select.range;
        let mut batches = storage.select(select, budget).await?;
        let mut result = Vec::new();
        let mut samples = Samples::new();
        let mut count = 0;
        while let Some(batch) = batches.try_next().await? {
            for series in batch {
                series.read(range, &mut samples)?;
                count += samples.len() as u64;
                if self.sample_limit > 0 && count > self.sample_limit {
                    return Err(ReadError::Request(format!("exceeded sample limit ({})", self.sample_limit)));
                }
                let series = TimeSeries::new(&with_external(&series.labels, external), &samples);
                let size = series.encoded_len() as u64;
                self.charge.grow(size, || "the samples of a remote read".to_owned())?;
                push_member(&mut result, &series.encode_to_vec());
            }
            tokio::task::yield_now().await;
        }
        push_member(&mut self.bytes, &result);
        Ok(())
    }

    fn compress(self) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(&self.bytes).expect("what fits into a budget fits into a block")
    }
}

/// Adds a message as a member of the list that has number 1: series in a result, results in an answer.
fn push_member(bytes: &mut Vec<u8>, message: &[u8]) {
    const LENGTH_DELIMITED_1: u8 = 1 << 3 | 2;
    bytes.push(LENGTH_DELIMITED_1);
    prost::encode_length_delimiter(message.len(), bytes).expect("a vector grows");
    bytes.extend_from_slice(message);
}

fn with_external(labels: &Labels, external: &Labels) -> Labels {
    if external.is_empty() {
        return labels.clone();
    }
    let mut builder = LabelsBuilder::from(labels.clone());
    for (name, value) in external.iter().filter(|(name, _)| labels.get(name).is_none()) {
        builder.set(name, value);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_not(bytes: Vec<u8>, is_compressed: bool) {
            let body = if is_compressed { snap::raw::Encoder::new().compress_vec(&bytes).unwrap() } else { bytes };
            if let Ok(bytes) = decompress(&body) {
                let _ = ReadRequest::decode(&*bytes);
            }
        }
    }
}
