//! Aggregations over the series of a shard.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, select};
use futures::{StreamExt, stream};
use head::Selection;
use model::{ShardId, TenantId};
use proto::select as wire;
use proto::select::select_frame::Frame;
use proto::select::shard_error::Kind;
use series::{
    Budget, Fold, FoldQuery, Folded, FoldedCounts, FoldedGroup, FoldedName, LabelQuery, NoCounter, QueryError,
    Queryable, Select, Series, SeriesStream, Texts,
};
use shard::ShardView;
use stdx::{Clock, CpuPool};

use super::asker::Asker;
use super::{Frames, Question, header, send, shard_error};
use crate::replicas::Replicas;

/// How often whoever waits is told that work goes on.
const WORKING: Duration = Duration::from_secs(2);
/// A message has groups of about so many bytes. Some messages are on their way at a time, which nobody accounts for.
const BATCH_BYTES: usize = 1 << 17;
/// What a question does while its series are found.
const FINDING: &str = "finding series";
/// Series that are read at a time.
const BATCH_SERIES: usize = 512;

/// Aggregates the series of a shard, and sends the groups. The last frame.
pub(super) async fn fold_shard(
    replicas: &Arc<Replicas>,
    shard: ShardId,
    question: &Question,
    query: &wire::FoldQuery,
    limit: usize,
    frames: &Frames,
) -> Result<Frame, wire::ShardError> {
    let declined = Frame::Declined(wire::Declined {});
    let replica = replicas.require(shard).map_err(|error| shard_error(&error))?;
    let (count, view) = replica.view(question.consistency).await.map_err(|error| shard_error(&error))?;
    let (held_from_ms, _) = view.held_from();
    if !send(frames, shard.0, Frame::Header(header(count, &view))).await {
        return Ok(declined);
    }
    if held_from_ms > question.range.start().as_ms() {
        return Ok(declined);
    }
    let select =
        Select { matchers: question.matchers.as_slice().into(), range: question.range, hints: Default::default() };
    let fold = Fold { select, query: query_of_wire(query) };
    let local = LocalShard { view, tenant: question.tenant.clone(), reading: replicas.reading().clone() };
    let (clock, reading) = (replicas.clock(), replicas.reading().clone());
    let folding = engine::fold(&fold, Arc::new(local), Budget::new(limit as u64), clock.clone(), reading);
    let folded = while_telling(clock, shard, frames, folding).await;
    match folded {
        Ok(Some(folded)) => send_folded(shard, folded, frames).await,
        Err(QueryError::Corrupt(message)) => Err(wire::ShardError { kind: Kind::Corrupt.into(), message }),
        // Whoever selects the series meets the same error, and knows better what it means for the query.
        Ok(None) | Err(_) => Ok(declined),
    }
}

/// Tells whoever waits that work goes on, until it is done.
async fn while_telling<T>(clock: &Clock, shard: ShardId, frames: &Frames, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        match select(work.as_mut(), pin!(clock.sleep(WORKING))).await {
            Either::Left((done, _)) => return done,
            Either::Right(_) => drop(send(frames, shard.0, Frame::Working(wire::Working {})).await),
        }
    }
}

async fn send_folded(shard: ShardId, folded: Folded, frames: &Frames) -> Result<Frame, wire::ShardError> {
    let Folded { groups, series, metadata, counts, remark } = folded;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for group in groups {
        let group = group_to_wire(&group);
        bytes += group.labels.len() + group.columns.iter().map(Bytes::len).sum::<usize>();
        batch.push(group);
        if bytes >= BATCH_BYTES {
            let groups = wire::GroupBatch { groups: std::mem::take(&mut batch) };
            if !send(frames, shard.0, Frame::Groups(groups)).await {
                break;
            }
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        send(frames, shard.0, Frame::Groups(wire::GroupBatch { groups: batch })).await;
    }
    let counts = counts.into_iter().map(|counts| {
        let FoldedCounts { changes, size, peak, rest, alike, queryable, new } = counts;
        wire::Counts { changes, size, peak, rest, alike, queryable, new }
    });
    Ok(Frame::Folded(wire::Folded {
        series: series.iter().flat_map(|hash| hash.to_le_bytes()).collect::<Vec<u8>>().into(),
        metadata: metadata.map_or_else(Vec::new, Vec::from),
        counts: counts.collect(),
        remark: remark.map(|NoCounter { metric, metric_type }| wire::NoCounter { metric, metric_type }),
    }))
}

fn group_to_wire(group: &FoldedGroup) -> wire::Group {
    let encode = |(at, column): (usize, &Vec<f64>)| -> Bytes {
        // Nothing is lost where numbers are whole: then there is no column of what is.
        if at > 0 && column.iter().all(|value| value.to_bits() == 0) {
            return Bytes::new();
        }
        let mut bytes = vec![0; size_of_val(column.as_slice())];
        let (words, _) = bytes.as_chunks_mut::<8>();
        words.iter_mut().zip(column).for_each(|(word, value)| *word = value.to_le_bytes());
        bytes.into()
    };
    let name = match group.name {
        FoldedName::Kept => wire::group::Name::Kept,
        FoldedName::ToDrop => wire::group::Name::ToDrop,
        FoldedName::Gone => wire::group::Name::Gone,
    };
    wire::Group {
        labels: Bytes::copy_from_slice(group.labels.canonical_bytes()),
        name: name.into(),
        first_step: group.first_step,
        columns: group.columns.iter().enumerate().map(encode).collect(),
    }
}

fn query_of_wire(query: &wire::FoldQuery) -> FoldQuery {
    FoldQuery {
        text: query.text.clone(),
        start_ms: query.start_ms,
        end_ms: query.end_ms,
        step_ms: query.step_ms,
        lookback_ms: query.lookback_ms,
        subquery_step_ms: query.subquery_step_ms,
        timeout_ms: query.timeout_ms,
        max_samples: query.max_samples,
        features: query.features.clone(),
        stage: query.stage,
    }
}

/// The series of one tenant in a view of a shard.
struct LocalShard {
    view: ShardView,
    tenant: TenantId,
    reading: CpuPool,
}

impl Queryable for LocalShard {
    fn select(&self, asked: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        let (view, tenant, reading, budget) =
            (self.view.clone(), self.tenant.clone(), self.reading.clone(), budget.clone());
        Box::pin(async move {
            let text = format!("{} matchers", asked.matchers.len());
            let asker = Asker::default();
            let is_wanted = asker.is_waiting();
            let Select { matchers, range, .. } = asked.clone();
            let find = move || view.select_while(&tenant, &matchers, range, &is_wanted);
            let mut selection = reading.run(find).await.ok_or(QueryError::Canceled { during: FINDING })?;
            if asked.hints.newest_only {
                selection = selection.newest_only();
            }
            let batches = stream::try_unfold((selection, None), move |(mut selection, charge)| {
                let (reading, budget, text) = (reading.clone(), budget.clone(), text.clone());
                async move {
                    // What is held for a batch is given back when the next one is asked for.
                    drop(charge);
                    let batch;
                    (batch, selection) = reading.run(move || (next_batch(&mut selection), selection)).await;
                    let batch = batch?;
                    let bytes = batch.iter().map(Series::size_bytes).sum::<usize>();
                    let charge = budget.charge(bytes as u64, || text)?;
                    Ok((!batch.is_empty()).then_some((batch, (selection, Some(charge)))))
                }
            });
            Ok(batches.boxed())
        })
    }

    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        let names = self.view.label_names(&self.tenant, &query.matchers, query.range, &|| true);
        Box::pin(async move { charged(names, &query) })
    }

    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        let values = self.view.label_values(&self.tenant, name, (&query.matchers, query.range), &|| true);
        Box::pin(async move { charged(values, &query) })
    }
}

fn next_batch(selection: &mut Selection) -> Result<Vec<Series>, QueryError> {
    let series = std::iter::from_fn(|| selection.next_series()).take(BATCH_SERIES);
    series.map(|series| series.map_err(|error| QueryError::Corrupt(error.to_string()))).collect()
}

fn charged(found: Option<Texts>, query: &LabelQuery) -> Result<Texts, QueryError> {
    let texts = found.unwrap_or_default().cut(query.limit);
    query.charge(&query.budget(), &texts)?;
    Ok(texts)
}
