//! Aggregations that shards do.

use std::future::Future;
use std::time::Duration;

use futures::future::try_join_all;
use model::Labels;
use proto::select as wire;
use proto::select::select_client::SelectClient;
use proto::select::select_frame::Frame;
use series::{Charge, Fold, FoldQuery, Folded, FoldedCounts, FoldedGroup, FoldedName, Foldings, NoCounter, QueryError};
use tonic::Streaming;

use crate::shard_stream::{FRAME_BYTES, Question, SILENCE};
use crate::shards::{Refused, Shards};

/// How often a shard is asked from the start, if replicas fail in the middle of their answers.
const ATTEMPTS: usize = 3;

/// What all shards make of their series, each asked one of these questions. `None`: one of them can't.
///
/// All are worked on at once, and all are given up as soon as one declines.
pub(crate) async fn fold(
    shards: &Shards,
    questions: Vec<Question>,
    fold: &Fold,
) -> Result<Option<Foldings>, QueryError> {
    let Some(budget) = questions.first().map(|question| question.budget.clone()) else { return Ok(None) };
    let asked = questions.into_iter().map(|question| one(shards, question, &fold.query));
    let (mut parts, mut charge) = (Vec::new(), budget.charge(0, String::new)?);
    match try_join_all(asked).await {
        Ok(all) => {
            for (folded, own) in all {
                // One charge for all of them.
                let bytes = own.bytes();
                drop(own);
                charge.grow(bytes, || "groups".to_owned())?;
                parts.push(folded);
            }
            shards.metrics.folds.inc();
            Ok(Some(Foldings { parts, charge }))
        }
        Err(NoPart::Declined) => {
            shards.metrics.declined_folds.inc();
            Ok(None)
        }
        Err(NoPart::Failed(error)) => Err(error),
    }
}

/// Why a shard has no part.
enum NoPart {
    /// It can't be had, but the series can.
    Declined,
    /// Neither can.
    Failed(QueryError),
}

/// Why an answer of a replica ends early.
enum Broken {
    Declined,
    Refused(Refused),
}

impl From<Refused> for Broken {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<tonic::Status> for Broken {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(status.into())
    }
}

/// What a shard makes of its series. Nothing of an answer that breaks off is kept: another replica begins anew.
async fn one(shards: &Shards, question: Question, query: &FoldQuery) -> Result<(Folded, Charge), NoPart> {
    let mut failure = String::new();
    for _ in 0..ATTEMPTS {
        let begun = begin(shards, &question, query).await.map_err(NoPart::Failed)?;
        let Some(frames) = begun else { return Err(NoPart::Declined) };
        let why = match read(shards, &question, frames).await {
            Ok(part) => return Ok(part),
            Err(Broken::Declined) => return Err(NoPart::Declined),
            // A part may need more memory than series that come one by one: those then say whether it is too much.
            Err(Broken::Refused(Refused::Question(_))) => return Err(NoPart::Declined),
            Err(Broken::Refused(Refused::Replica(why))) => why,
        };
        tracing::info!(shard = %question.shard, why, "a replica failed in the middle of an aggregation");
        shards.metrics.failovers.inc();
        failure = why;
    }
    let message = format!("shard {} can't be read: {failure}", question.shard);
    Err(NoPart::Failed(QueryError::Unavailable(message)))
}

/// Asks until a replica begins to answer. `None`: it has not all samples of the range.
async fn begin(
    shards: &Shards,
    question: &Question,
    query: &FoldQuery,
) -> Result<Option<Streaming<wire::SelectFrame>>, QueryError> {
    let request = wire::SelectRequest { fold: Some(query_to_wire(query)), ..question.to_wire() };
    let range_start = question.range.start().as_ms();
    shards
        .ask(question.shard, question.consistency, |_, connection| {
            let (request, question) = (request.clone(), question.clone());
            async move {
                let limit_bytes = request.limit_bytes;
                let mut client = SelectClient::new(connection).max_decoding_message_size(FRAME_BYTES);
                let mut frames = client.select(request).await?.into_inner();
                match frames.message().await?.and_then(|message| message.frame) {
                    Some(Frame::Header(header)) => Ok((header.held_from_ms <= range_start).then_some(frames)),
                    Some(Frame::Error(error)) => Err(Refused::of_shard(&error, limit_bytes, || question.to_string())),
                    _ => Err(Refused::Replica("its answer broke off".to_owned())),
                }
            }
        })
        .await
}

async fn read(
    shards: &Shards,
    question: &Question,
    mut frames: Streaming<wire::SelectFrame>,
) -> Result<(Folded, Charge), Broken> {
    let over = |error| Broken::Refused(Refused::Question(error));
    let mut charge = question.budget.charge(0, String::new).map_err(over)?;
    let mut groups = Vec::new();
    loop {
        let message = in_time(shards, SILENCE, frames.message()).await?;
        let frame = message.and_then(|message| message.frame);
        match frame.ok_or_else(|| Refused::Replica("its answer broke off".to_owned()))? {
            Frame::Working(_) => {}
            Frame::Groups(batch) => {
                let before = groups.len();
                for group in batch.groups {
                    groups.push(group_of_wire(group).ok_or_else(senseless)?);
                }
                let bytes = groups[before..].iter().map(FoldedGroup::size_bytes).sum::<usize>();
                charge.grow(bytes as u64, || question.to_string()).map_err(over)?;
            }
            Frame::Folded(folded) => {
                let folded = folded_of_wire(folded, groups).ok_or_else(senseless)?;
                charge.resize(folded.size_bytes() as u64, || question.to_string()).map_err(over)?;
                return Ok((folded, charge));
            }
            // An older ingester knows nothing of folding, and sends its series.
            Frame::Declined(_) | Frame::Series(_) | Frame::End(_) => return Err(Broken::Declined),
            Frame::Error(error) => {
                let limit_bytes = question.budget.limit();
                return Err(Refused::of_shard(&error, limit_bytes, || question.to_string()).into());
            }
            Frame::Header(_) => return Err(Refused::Replica("it said its header twice".to_owned()).into()),
        }
    }
}

async fn in_time<T>(
    shards: &Shards,
    limit: Duration,
    work: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, Broken> {
    let done = shards.clock.timeout(limit, work).await;
    Ok(done.ok_or_else(|| Refused::Replica("it fell silent".to_owned()))??)
}

fn senseless() -> Broken {
    Refused::Replica("its answer makes no sense".to_owned()).into()
}

fn query_to_wire(query: &FoldQuery) -> wire::FoldQuery {
    wire::FoldQuery {
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

fn group_of_wire(group: wire::Group) -> Option<FoldedGroup> {
    let mut columns = Vec::with_capacity(group.columns.len());
    for bytes in &group.columns {
        columns.push(words(bytes)?.map(f64::from_bits).collect());
    }
    let name = match group.name() {
        wire::group::Name::Kept => FoldedName::Kept,
        wire::group::Name::ToDrop => FoldedName::ToDrop,
        wire::group::Name::Gone => FoldedName::Gone,
    };
    let labels = Labels::from_canonical_bytes(&group.labels)?;
    Some(FoldedGroup { labels, name, first_step: group.first_step, columns })
}

fn folded_of_wire(folded: wire::Folded, groups: Vec<FoldedGroup>) -> Option<Folded> {
    let metadata = match folded.metadata.as_slice() {
        [] => None,
        [name, metric_type, unit] => Some([name.clone(), metric_type.clone(), unit.clone()]),
        _ => return None,
    };
    let counts = folded.counts.into_iter().map(|counts| {
        let wire::Counts { changes, size, peak, rest, alike, queryable, new } = counts;
        FoldedCounts { changes, size, peak, rest, alike, queryable, new }
    });
    let remark = folded.remark.map(|wire::NoCounter { metric, metric_type }| NoCounter { metric, metric_type });
    Some(Folded { groups, series: words(&folded.series)?.collect(), metadata, counts: counts.collect(), remark })
}

/// 64-bit numbers, lowest byte first; `None` if the bytes are not so many.
fn words(bytes: &[u8]) -> Option<impl Iterator<Item = u64>> {
    let (words, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| words.iter().map(|word| u64::from_le_bytes(*word)))
}
