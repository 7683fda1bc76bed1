//! The series of one shard, from whichever replica answers.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use model::{Labels, Matcher, ShardId, TenantId, TimeRange};
use proto::select as wire;
use proto::select::select_client::SelectClient;
use proto::select::select_frame::Frame;
use series::{Budget, Consistency, QueryError, Series, SeriesStream};
use tonic::Streaming;

use crate::batches::{self, Batches};
use crate::shards::{Refused, Shards, to_wire};

/// A replica that is silent for longer in the middle of an answer is given up.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);
/// The largest frame that is read.
pub(crate) const FRAME_BYTES: usize = 64 << 20;

/// What a shard is asked.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) shard: ShardId,
    pub(crate) tenant: TenantId,
    pub(crate) matchers: Arc<[Matcher]>,
    pub(crate) range: TimeRange,
    pub(crate) labels_only: bool,
    pub(crate) newest_only: bool,
    pub(crate) consistency: Consistency,
    pub(crate) budget: Budget,
}

/// How far back a replica holds everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Earlier samples may be in blocks only, in ms.
    pub(crate) from_ms: i64,
    /// The catalog has these blocks from this version on.
    pub(crate) catalog_version: u64,
}

/// An answer that has begun.
pub(crate) struct ShardStream {
    shards: Shards,
    question: Question,
    held: Held,
    frames: Streaming<wire::SelectFrame>,
    batches: Batches,
    /// The last series that was handed on: after a failure, the next replica's answer is taken up behind it.
    last: Option<Labels>,
}

/// What a message in the middle of an answer came to.
enum Next {
    Batch(Vec<Series>, u64),
    End,
}

impl ShardStream {
    /// Asks until a replica begins to answer, and says how far back it holds everything.
    pub(crate) async fn open(shards: Shards, question: Question) -> Result<(Held, Self), QueryError> {
        let started = shards.clock.now();
        let (held, frames) = begin(&shards, &question).await?;
        shards.metrics.header_seconds.observe((shards.clock.now() - started).as_secs_f64());
        Ok((held, Self { shards, question, held, frames, batches: Batches::default(), last: None }))
    }

    /// The series, sorted by labels.
    pub(crate) fn into_series(self) -> SeriesStream {
        futures::stream::try_unfold((self, None), |(mut stream, charge)| async move {
            // What is held for a batch is given back when the next one is asked for.
            drop(charge);
            let Some((batch, bytes)) = stream.next().await? else { return Ok(None) };
            let charge = stream.question.budget.charge(bytes, || stream.question.to_string())?;
            Ok(Some((batch, (stream, Some(charge)))))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<(Vec<Series>, u64)>, QueryError> {
        loop {
            match self.read().await {
                Ok(Next::End) => return Ok(None),
                Ok(Next::Batch(mut batch, bytes)) => {
                    if let Some(last) = &self.last {
                        batch.retain(|series| series.labels > *last);
                    }
                    if let Some(series) = batch.last() {
                        self.last = Some(series.labels.clone());
                        return Ok(Some((batch, bytes)));
                    }
                }
                Err(Refused::Question(error)) => return Err(error),
                Err(Refused::Replica(why)) => self.fail_over(&why).await?,
            }
        }
    }

    async fn read(&mut self) -> Result<Next, Refused> {
        let message = self.shards.clock.timeout(SILENCE, self.frames.message()).await;
        let message = message.ok_or_else(|| Refused::Replica("it fell silent".to_owned()))??;
        let frame = message.and_then(|message| message.frame);
        match frame.ok_or_else(|| Refused::Replica("its answer broke off".to_owned()))? {
            Frame::Series(batch) => {
                let bytes = batches::size_bytes(&batch);
                let malformed = || Refused::Replica("its answer makes no sense".to_owned());
                Ok(Next::Batch(self.batches.read(batch).ok_or_else(malformed)?, bytes))
            }
            Frame::End(_) => Ok(Next::End),
            Frame::Error(error) => {
                Err(Refused::of_shard(&error, self.question.budget.limit(), || self.question.to_string()))
            }
            Frame::Header(_) => Err(Refused::Replica("it said its header twice".to_owned())),
            Frame::Groups(_) | Frame::Folded(_) | Frame::Declined(_) | Frame::Working(_) => {
                Err(Refused::Replica("it answered another question".to_owned()))
            }
        }
    }

    /// Goes on with another replica, or the same one again.
    async fn fail_over(&mut self, why: &str) -> Result<(), QueryError> {
        tracing::info!(shard = %self.question.shard, why, "a replica failed in the middle of an answer");
        self.shards.metrics.failovers.inc();
        let (held, frames) = begin(&self.shards, &self.question).await?;
        if held.from_ms > self.held.from_ms && held.from_ms > self.question.range.start().as_ms() {
            let shard = self.question.shard;
            let message = format!("shard {shard} let data go while it was read: the query must be asked again");
            return Err(QueryError::Unavailable(message));
        }
        self.frames = frames;
        self.batches = Batches::default();
        Ok(())
    }
}

async fn begin(shards: &Shards, question: &Question) -> Result<(Held, Streaming<wire::SelectFrame>), QueryError> {
    let request = question.to_wire();
    let limit_bytes = request.limit_bytes;
    shards
        .ask(question.shard, question.consistency, |_, connection| {
            let (request, question) = (request.clone(), question.clone());
            async move {
                let mut client = SelectClient::new(connection).max_decoding_message_size(FRAME_BYTES);
                let mut frames = client.select(request).await?.into_inner();
                match frames.message().await?.and_then(|message| message.frame) {
                    Some(Frame::Header(header)) => Ok((held_of(&header), frames)),
                    Some(Frame::Error(error)) => Err(Refused::of_shard(&error, limit_bytes, || question.to_string())),
                    _ => Err(Refused::Replica("its answer broke off".to_owned())),
                }
            }
        })
        .await
}

pub(crate) fn held_of(header: &wire::Header) -> Held {
    let from_ms = if stdx::makes_mistake("read no blocks") { i64::MIN } else { header.held_from_ms };
    Held { from_ms, catalog_version: header.catalog_version }
}

pub(crate) fn matcher_to_wire(matcher: &Matcher) -> wire::Matcher {
    use model::MatchOp;
    let op = match matcher.op() {
        MatchOp::Equal => wire::matcher::Op::Equal,
        MatchOp::NotEqual => wire::matcher::Op::NotEqual,
        MatchOp::Regex => wire::matcher::Op::Regex,
        MatchOp::NotRegex => wire::matcher::Op::NotRegex,
    };
    wire::Matcher { op: op.into(), name: matcher.name().to_owned(), value: matcher.value().to_owned() }
}

impl Question {
    /// As a shard is asked it. What is left of the budget now is what the answer may have.
    pub(crate) fn to_wire(&self) -> wire::SelectRequest {
        wire::SelectRequest {
            shards: vec![self.shard.0],
            tenant: self.tenant.as_str().to_owned(),
            matchers: self.matchers.iter().map(matcher_to_wire).collect(),
            start_ms: self.range.start().as_ms(),
            end_ms: self.range.end().as_ms(),
            consistency: to_wire(self.consistency).into(),
            labels_only: self.labels_only,
            limit_bytes: self.budget.limit().saturating_sub(self.budget.used()),
            fold: None,
            newest_only: self.newest_only,
            takes_joined: true,
        }
    }
}

/// The selector, as it is written in PromQL.
impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (at, matcher) in self.matchers.iter().enumerate() {
            write!(f, "{}{matcher}", if at == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}
