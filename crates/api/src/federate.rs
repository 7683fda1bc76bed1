//! `/federate`: the newest samples, for another server to scrape.

mod page;
mod protobuf;
mod text;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use http::{HeaderMap, StatusCode, header};
use model::{Labels, METRIC_NAME, MatchOp, Matcher, Sample, TimeRange};
use series::{Budget, Charge, Hints, QueryError, Queryable, Samples, Select};

use crate::answer::body_in_pieces;
use crate::app::App;
use crate::caller::Caller;
use crate::format::{Encoding, Format};
use crate::lifecycle::failure;
use crate::params::Params;
use page::Page;

/// `/federate`
pub(crate) async fn federate(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Response {
    if let Err(error) = params.check() {
        return failure(StatusCode::BAD_REQUEST, &error.to_string());
    }
    let selectors: Result<Vec<_>, _> = params.all("match[]").map(promql::parse_selector).collect();
    let selectors = match selectors {
        Ok(selectors) => selectors,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let storage = app.backend.queryable(&caller.tenant, caller.consistency);
    let range = TimeRange::inclusive(app.now().saturating_sub(app.engine.options().lookback), app.now());
    let budget = Budget::new(app.config.query_memory.bytes());
    match app.in_time(newest_samples(&*storage, selectors, range, &budget)).await {
        Ok(newest) => {
            let format = Format::of_accept(&headers, &[Encoding::Protobuf, Encoding::Text]);
            let page = page(newest, &app.config.external_labels, format);
            ([(header::CONTENT_TYPE, format.content_type())], page).into_response()
        }
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// The newest samples of series, sorted by metric.
struct Newest {
    samples: Vec<(Labels, Sample)>,
    /// What they take in memory.
    _charge: Charge,
}

async fn newest_samples(
    storage: &dyn Queryable,
    selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
    budget: &Budget,
) -> Result<Newest, QueryError> {
    let mut streams = Vec::new();
    // A selector without any matcher finds nothing in Prometheus, although one that matches everything finds all.
    for mut matchers in selectors.into_iter().filter(|matchers| !matchers.is_empty()) {
        if matchers.iter().all(Matcher::matches_empty) {
            // Series without a name are left out anyway, and storage wants something to look for.
            matchers.push(Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").expect("an inequality always compiles"));
        }
        let select = Select { matchers: matchers.into(), range, hints: Hints::default() };
        streams.push(storage.select(select, budget).await?);
    }
    let mut charge = budget.charge(0, String::new)?;
    let mut newest = Vec::new();
    let mut samples = Samples::new();
    let mut batches = series::merge(streams);
    while let Some(batch) = batches.try_next().await? {
        for series in batch {
            series.read(range, &mut samples)?;
            // A series that has ended says nothing: whoever reads the page does not know staleness markers.
            if let Some(sample) = samples.iter().last().filter(|sample| !sample.value.is_stale()) {
                let size = series.labels.size_bytes() + size_of::<(Labels, Sample)>();
                charge.grow(size as u64, || "the newest samples".to_owned())?;
                newest.push((series.labels, sample));
            }
        }
        tokio::task::yield_now().await;
    }
    newest.retain(|(labels, _)| !labels.metric().is_empty());
    newest.sort_by(|(a, _), (b, _)| a.metric().cmp(b.metric()));
    Ok(Newest { samples: newest, _charge: charge })
}

/// So many samples are written at a time.
const PIECE_SAMPLES: usize = 256;

fn page(newest: Newest, external: &Labels, format: Format) -> Body {
    let mut page = Page::new(format, external);
    let mut written = 0;
    let mut is_over = false;
    body_in_pieces(move || {
        while !is_over {
            let piece = newest.samples.iter().skip(written).take(PIECE_SAMPLES);
            let count = piece.map(|(labels, sample)| page.write(labels, sample)).count();
            written += count;
            if count == 0 {
                is_over = true;
                page.finish();
            }
            let bytes = page.take();
            // A family that is not whole is not to be had yet.
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        None
    })
}
