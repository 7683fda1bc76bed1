//! The gRPC service that queriers read from.

mod asker;
mod batches;
mod exemplars;
mod fold;
mod labels;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::future::{self, join_all};
use head::IsWanted;
use model::{MatchOp, Matcher, ShardId, TenantId, TimeRange, Timestamp};
use proto::select;
use proto::select::select_frame::Frame;
use proto::select::select_server::Select;
use proto::select::shard_error::Kind;
use series::Texts;
use shard::ShardView;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use transport::{ErrorKind, RpcError};

use self::asker::Asker;
use self::batches::{Batches, Form};
use crate::replica::Consistency;
use crate::replicas::Replicas;

/// How old a bounded answer may be.
const BOUND: Duration = Duration::from_millis(250);
/// Frames that wait for the connection.
const FRAMES: usize = 16;

/// The service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SelectService(pub(crate) Arc<Replicas>);

type Frames = mpsc::Sender<Result<select::SelectFrame, Status>>;

/// A question, understood.
struct Question {
    tenant: TenantId,
    matchers: Vec<Matcher>,
    range: TimeRange,
    consistency: Consistency,
}

#[tonic::async_trait]
impl Select for SelectService {
    type SelectStream = Pin<Box<dyn Stream<Item = Result<select::SelectFrame, Status>> + Send>>;

    async fn select(&self, request: Request<select::SelectRequest>) -> Result<Response<Self::SelectStream>, Status> {
        let request = request.into_inner();
        let consistency = consistency_of(request.consistency());
        let question = question(&request.tenant, &request.matchers, request.start_ms, request.end_ms, consistency)?;
        let (sender, frames) = mpsc::channel(FRAMES);
        let selecting = select(self.0.clone(), request, Arc::new(question), sender);
        self.0.tasks().spawn_until_stopped("select", selecting);
        Ok(Response::new(Box::pin(ReceiverStream::new(frames))))
    }

    async fn label_names(
        &self,
        request: Request<select::LabelsRequest>,
    ) -> Result<Response<select::LabelsReply>, Status> {
        self.labels(request.into_inner(), |view, question, _, is_wanted| {
            view.label_names(&question.tenant, &question.matchers, question.range, is_wanted)
        })
        .await
    }

    async fn label_values(
        &self,
        request: Request<select::LabelsRequest>,
    ) -> Result<Response<select::LabelsReply>, Status> {
        self.labels(request.into_inner(), |view, question, name, is_wanted| {
            view.label_values(&question.tenant, name, (&question.matchers, question.range), is_wanted)
        })
        .await
    }

    async fn metadata(
        &self,
        request: Request<select::MetadataRequest>,
    ) -> Result<Response<select::MetadataReply>, Status> {
        let request = request.into_inner();
        let tenant = tenant(&request.tenant)?;
        let metric = (!request.metric.is_empty()).then_some(request.metric.as_str());
        let mut said: BTreeMap<Box<str>, BTreeSet<model::Metadata>> = BTreeMap::new();
        for shard in request.shards {
            let (_, view) = self.0.require(ShardId(shard))?.view(Consistency::StaleOk).await?;
            for (name, metadata) in view.metadata(&tenant, metric) {
                said.entry(name).or_default().extend(metadata);
            }
        }
        let families = said.into_iter().flat_map(|(name, all)| {
            all.into_iter().map(move |metadata| select::FamilyMetadata {
                name: name.to_string(),
                metric_type: metadata.metric_type.as_str().to_owned(),
                help: metadata.help.to_string(),
                unit: metadata.unit.to_string(),
            })
        });
        Ok(Response::new(select::MetadataReply { families: families.collect() }))
    }

    async fn exemplars(
        &self,
        request: Request<select::ExemplarsRequest>,
    ) -> Result<Response<select::ExemplarsReply>, Status> {
        let request = request.into_inner();
        let consistency = consistency_of(request.consistency());
        let tenant = tenant(&request.tenant)?;
        let selectors = request.selectors.iter().map(|selector| matchers_of(&selector.matchers));
        let selectors = selectors.collect::<Result<Vec<_>, Status>>()?;
        let (_, view) = self.view(ShardId(request.shard), consistency).await?;
        let times = request.start_ms..=request.end_ms;
        let found = self.0.reading().run(move || view.exemplars(&tenant, &selectors, times)).await;
        Ok(Response::new(exemplars::reply(found, request.limit_bytes)))
    }
}

impl SelectService {
    async fn labels(
        &self,
        request: select::LabelsRequest,
        read: impl Fn(&ShardView, &Question, &str, IsWanted<'_>) -> Option<Texts> + Clone + Send + 'static,
    ) -> Result<Response<select::LabelsReply>, Status> {
        let consistency = consistency_of(request.consistency());
        let question = question(&request.tenant, &request.matchers, request.start_ms, request.end_ms, consistency)?;
        let question = Arc::new(question);
        let form = labels::Form::of(&request);
        let shards = request.shards.iter().map(|shard| {
            let (question, read, name) = (question.clone(), read.clone(), request.name.clone());
            async move {
                let viewed = self.view(ShardId(*shard), question.consistency).await;
                let (count, view) = match viewed {
                    Ok(viewed) => viewed,
                    Err(error) => {
                        return select::ShardLabels {
                            shard: *shard,
                            error: Some(shard_error(&error)),
                            ..Default::default()
                        };
                    }
                };
                let header = header(count, &view);
                let asker = Asker::default();
                let is_wanted = asker.is_waiting();
                let reading = move || read(&view, &question, &name, &is_wanted).unwrap_or_default();
                let texts = self.0.reading().run(reading).await;
                form.reply(*shard, header, texts)
            }
        });
        Ok(Response::new(select::LabelsReply { shards: join_all(shards).await }))
    }

    async fn view(&self, shard: ShardId, consistency: Consistency) -> Result<(u64, ShardView), RpcError> {
        self.0.require(shard)?.view(consistency).await
    }
}

fn tenant(name: &str) -> Result<TenantId, Status> {
    let refused = || RpcError::new(ErrorKind::Rejected, format!("{name:?} is no name of a tenant"));
    Ok(TenantId::new(name).ok_or_else(refused)?)
}

fn question(
    tenant_name: &str,
    matchers: &[select::Matcher],
    start_ms: i64,
    end_ms: i64,
    consistency: Consistency,
) -> Result<Question, Status> {
    Ok(Question {
        tenant: tenant(tenant_name)?,
        matchers: matchers_of(matchers)?,
        range: TimeRange::new(Timestamp(start_ms), Timestamp(end_ms.max(start_ms))),
        consistency,
    })
}

fn matchers_of(matchers: &[select::Matcher]) -> Result<Vec<Matcher>, Status> {
    let matchers = matchers.iter().map(|matcher| {
        let op = match matcher.op() {
            select::matcher::Op::Equal => MatchOp::Equal,
            select::matcher::Op::NotEqual => MatchOp::NotEqual,
            select::matcher::Op::Regex => MatchOp::Regex,
            select::matcher::Op::NotRegex => MatchOp::NotRegex,
        };
        let refused = |error| RpcError::new(ErrorKind::Rejected, format!("the matcher of {}: {error}", matcher.name));
        Matcher::new(op, &matcher.name, &matcher.value).map_err(refused)
    });
    Ok(matchers.collect::<Result<_, _>>()?)
}

fn consistency_of(consistency: select::Consistency) -> Consistency {
    match consistency {
        select::Consistency::Bounded => Consistency::Bounded(BOUND),
        select::Consistency::Strong => Consistency::Strong,
        select::Consistency::StaleOk => Consistency::StaleOk,
    }
}

fn header(applied_count: u64, view: &ShardView) -> select::Header {
    let (held_from_ms, catalog_version) = view.held_from();
    select::Header { applied_count, held_from_ms, catalog_version }
}

fn shard_error(error: &RpcError) -> select::ShardError {
    let kind = match error.kind {
        ErrorKind::Rejected => Kind::Invalid,
        ErrorKind::Corrupt => Kind::Corrupt,
        ErrorKind::Unavailable | ErrorKind::NotLeader(_) | ErrorKind::Unknown | ErrorKind::Bug => Kind::Unavailable,
    };
    select::ShardError { kind: kind.into(), message: error.message.clone() }
}

/// Answers for all shards at once; their frames interleave.
async fn select(replicas: Arc<Replicas>, request: select::SelectRequest, question: Arc<Question>, frames: Frames) {
    let (fold, form) = (request.fold.as_ref(), Form::of(&request));
    let shards = request.shards.iter().map(|shard| {
        let (replicas, question, frames) = (replicas.clone(), question.clone(), frames.clone());
        async move {
            let id = ShardId(*shard);
            let last = match fold {
                Some(query) => fold::fold_shard(&replicas, id, &question, query, form.limit_bytes, &frames).await,
                None => select_shard(&replicas, id, &question, form, &frames).await,
            };
            if let Err(error) = &last
                && error.kind() == Kind::Corrupt
            {
                replicas.damage().note(id, &error.message);
            }
            send(&frames, *shard, last.unwrap_or_else(Frame::Error)).await;
        }
    });
    while_wanted(&frames, join_all(shards)).await;
}

/// Works until it is done or nobody waits for frames any more, which may happen while none is being sent. What is being read
/// then is the last.
async fn while_wanted(frames: &Frames, work: impl Future) {
    future::select(pin!(work), pin!(frames.closed())).await;
}

async fn send(frames: &Frames, shard: u32, frame: Frame) -> bool {
    frames.send(Ok(select::SelectFrame { shard, frame: Some(frame) })).await.is_ok()
}

/// Sends the series of a shard. The last frame.
async fn select_shard(
    replicas: &Arc<Replicas>,
    shard: ShardId,
    question: &Arc<Question>,
    form: Form,
    frames: &Frames,
) -> Result<Frame, select::ShardError> {
    let end = Frame::End(select::End {});
    let started = replicas.clock().now();
    let replica = replicas.require(shard).map_err(|error| shard_error(&error))?;
    let (count, view) = replica.view(question.consistency).await.map_err(|error| shard_error(&error))?;
    if !send(frames, shard.0, Frame::Header(header(count, &view))).await {
        return Ok(end);
    }
    let question = question.clone();
    let asker = Asker::default();
    let is_wanted = asker.is_waiting();
    let beginning = move || {
        let mut batches = Batches::find(&view, &question, form, &is_wanted)?;
        Some((batches.next(), batches))
    };
    let Some((mut batch, mut batches)) = replicas.reading().run(beginning).await else { return Ok(end) };
    let mut reading = replicas.clock().now() - started;
    loop {
        let Some(series) = batch.map_err(|error| error.to_wire(shard))? else { break };
        if !send(frames, shard.0, Frame::Series(series)).await || batches.are_over() {
            break;
        }
        let resumed = replicas.clock().now();
        (batch, batches) = replicas.reading().run(move || (batches.next(), batches)).await;
        reading += replicas.clock().now() - resumed;
    }
    replicas.metrics().select_seconds.observe(reading.as_secs_f64());
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_when_whoever_asked_leaves() {
        let (frames, receiver) = mpsc::channel(FRAMES);
        let leaving = async {
            tokio::task::yield_now().await;
            drop(receiver);
        };
        future::join(while_wanted(&frames, future::pending::<()>()), leaving).await;
    }
}
