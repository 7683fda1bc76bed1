//! Nodes that answer appends as badly as they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use distributor::Routes;
use futures::{Stream, StreamExt};
use model::{NodeId, ShardId};
use parking_lot::Mutex;
use proto::entry::{Answer, Outcome, Record, RecordAnswer, record};
use proto::ingest::append_reply::Reply;
use proto::ingest::ingest_server::{Ingest, IngestServer};
use proto::ingest::{self, AppendReply, AppendRequest, Busy, NotLeader, Unknown};
use ring::{Shard, ShardMap};
use stdx::{Clock, Rng, Tasks};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::service::Routes as Services;
use tonic::{Request, Response, Status, Streaming};
use transport::{Hello, MemoryNet, Net, Nodes, serve};

/// What a node does with a request, in thousandths; the rest is answered as it should be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) lose_reply: u64,
    pub(crate) lose_request: u64,
    pub(crate) break_stream: u64,
    pub(crate) unknown: u64,
    pub(crate) busy: u64,
    pub(crate) slowest: Duration,
}

/// What all nodes of a test share: the shards' contents and who leads them.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// How often each record was stored, by shard and tick.
    pub(crate) stored: BTreeMap<(u32, i64), u32>,
    /// Ticks in the order in which they were stored first.
    pub(crate) order: Vec<i64>,
    pub(crate) leaders: BTreeMap<u32, u64>,
    /// Whether nodes say who leads instead of them.
    pub(crate) hints: bool,
    /// The nodes that were asked, in order.
    pub(crate) asked: Vec<u64>,
    pub(crate) faults: Faults,
    pub(crate) window: u64,
    /// Bytes of requests without a reply, and the most there ever were, by node.
    pub(crate) in_flight: BTreeMap<u64, u64>,
    pub(crate) most_in_flight: u64,
    /// Nobody is answered.
    pub(crate) frozen: bool,
    /// A shard that has given away what odd ticks are of.
    pub(crate) fenced: Option<u32>,
}

#[derive(Clone)]
pub(crate) struct FakeNode {
    id: u64,
    pub(crate) world: Arc<Mutex<World>>,
    clock: Clock,
    rng: Rng,
    tasks: Tasks,
}

/// What a node decided to do.
enum Plan {
    Reply(Reply),
    Silence,
    Break,
}

impl FakeNode {
    /// Decides about a request, and stores its records if it says so.
    fn decide(&self, request: &AppendRequest) -> Plan {
        let mut world = self.world.lock();
        world.asked.push(self.id);
        if world.frozen {
            return Plan::Silence;
        }
        let leader = world.leaders.get(&request.shard).copied().unwrap_or(1);
        if leader != self.id {
            let leader = if world.hints { leader } else { 0 };
            return Plan::Reply(Reply::NotLeader(NotLeader { leader }));
        }
        let faults = world.faults;
        let mut dice = self.rng.below(1000);
        let mut falls = |share: u64| {
            let hit = dice < share;
            dice = dice.wrapping_sub(share);
            hit
        };
        if falls(faults.lose_request) {
            return Plan::Silence;
        }
        if falls(faults.busy) {
            return Plan::Reply(Reply::Busy(Busy { reason: "test".to_owned() }));
        }
        let [unknown, lost, broken] = [falls(faults.unknown), falls(faults.lose_reply), falls(faults.break_stream)];
        // Something that went wrong may have been carried out.
        if (unknown || broken) && self.rng.below(2) == 0 {
            return if unknown { Plan::Reply(Reply::Unknown(Unknown {})) } else { Plan::Break };
        }
        let records = request.records.iter().map(|record| world.store(request.shard, record)).collect();
        match (unknown, lost, broken) {
            (true, ..) => Plan::Reply(Reply::Unknown(Unknown {})),
            (_, true, _) => Plan::Silence,
            (.., true) => Plan::Break,
            _ => Plan::Reply(Reply::Answer(Answer { records })),
        }
    }

    async fn answer(
        self,
        mut requests: Streaming<AppendRequest>,
        replies: mpsc::UnboundedSender<Result<AppendReply, Status>>,
    ) {
        let window = self.world.lock().window;
        let hello = AppendReply { sequence: 0, reply: None, window_bytes: window };
        let _ = replies.send(Ok(hello));
        while let Some(Ok(request)) = requests.next().await {
            let bytes: u64 = request.records.iter().map(prost_len).sum();
            self.world.lock().take(self.id, bytes);
            let plan = self.decide(&request);
            let (node, replies) = (self.clone(), replies.clone());
            let pause = self.rng.duration(Duration::ZERO, self.world.lock().faults.slowest);
            match plan {
                Plan::Break => {
                    let _ = replies.send(Err(Status::unavailable("broken")));
                    self.world.lock().in_flight.insert(self.id, 0);
                    return;
                }
                Plan::Silence => {
                    // The sender gives it up at its deadline, and may use its room again.
                    self.world.lock().give(self.id, bytes);
                }
                Plan::Reply(reply) => {
                    self.tasks.spawn_until_stopped("reply", async move {
                        node.clock.sleep(pause).await;
                        node.world.lock().give(node.id, bytes);
                        let reply = AppendReply { sequence: request.sequence, reply: Some(reply), window_bytes: 0 };
                        let _ = replies.send(Ok(reply));
                    });
                }
            }
        }
        self.world.lock().in_flight.insert(self.id, 0);
    }
}

fn prost_len(record: &Record) -> u64 {
    prost::Message::encoded_len(record) as u64
}

impl World {
    fn store(&mut self, shard: u32, record: &Record) -> RecordAnswer {
        let Some(record::Record::Scrape(scrape)) = &record.record else { panic!("tests send scrapes") };
        if self.fenced == Some(shard) && scrape.tick_ms % 2 == 1 {
            return RecordAnswer { outcome: Outcome::Moved.into(), ..RecordAnswer::default() };
        }
        let times = self.stored.entry((shard, scrape.tick_ms)).or_default();
        *times += 1;
        let outcome = if *times == 1 { Outcome::Stored } else { Outcome::Duplicate };
        if *times == 1 {
            self.order.push(scrape.tick_ms);
        }
        RecordAnswer { outcome: outcome.into(), stored: 1, ..RecordAnswer::default() }
    }

    fn take(&mut self, node: u64, bytes: u64) {
        let in_flight = self.in_flight.entry(node).or_default();
        *in_flight += bytes;
        self.most_in_flight = self.most_in_flight.max(*in_flight);
    }

    fn give(&mut self, node: u64, bytes: u64) {
        let in_flight = self.in_flight.entry(node).or_default();
        *in_flight = in_flight.saturating_sub(bytes);
    }
}

#[tonic::async_trait]
impl Ingest for FakeNode {
    type AppendStream = Pin<Box<dyn Stream<Item = Result<AppendReply, Status>> + Send>>;

    async fn append(&self, request: Request<Streaming<AppendRequest>>) -> Result<Response<Self::AppendStream>, Status> {
        let (sender, replies) = mpsc::unbounded_channel();
        self.tasks.spawn_until_stopped("append", self.clone().answer(request.into_inner(), sender));
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(replies))))
    }

    async fn read_index(
        &self,
        _: Request<ingest::ReadIndexRequest>,
    ) -> Result<Response<ingest::ReadIndexReply>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn change_replicas(
        &self,
        _: Request<ingest::ChangeReplicasRequest>,
    ) -> Result<Response<ingest::ChangeReplicasReply>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn transfer_leader(
        &self,
        _: Request<ingest::TransferLeaderRequest>,
    ) -> Result<Response<ingest::TransferLeaderReply>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn give_slot(&self, _: Request<ingest::GiveSlotRequest>) -> Result<Response<ingest::GiveSlotReply>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn adopt_slot(
        &self,
        _: Request<ingest::AdoptSlotRequest>,
    ) -> Result<Response<ingest::AdoptSlotReply>, Status> {
        Err(Status::unimplemented("not needed here"))
    }
}

/// Routes that tests change.
#[derive(Debug)]
pub(crate) struct FakeRoutes {
    pub(crate) map: Mutex<Option<Arc<ShardMap>>>,
    pub(crate) hints: Mutex<BTreeMap<ShardId, NodeId>>,
}

impl Routes for FakeRoutes {
    fn shard_map(&self) -> Option<Arc<ShardMap>> {
        self.map.lock().clone()
    }

    fn leader_hint(&self, shard: ShardId) -> Option<NodeId> {
        self.hints.lock().get(&shard).copied()
    }

    fn set_leader_hint(&self, shard: ShardId, leader: Option<NodeId>) {
        let mut hints = self.hints.lock();
        match leader {
            Some(leader) => hints.insert(shard, leader),
            None => hints.remove(&shard),
        };
    }
}

/// A map of `shards` data shards, each on all of `nodes`.
pub(crate) fn shard_map(shards: u32, nodes: &[u64]) -> ShardMap {
    let replicas: Vec<NodeId> = nodes.iter().map(|node| NodeId(*node)).collect();
    let shard = Shard::born(replicas);
    ShardMap::born((0..=shards).map(|number| (ShardId(number), shard.clone())).collect())
}

/// Starts nodes, and returns what connects to them.
pub(crate) async fn start(world: &Arc<Mutex<World>>, ids: &[u64], seed: u64, tasks: &Tasks) -> Nodes {
    let net: Arc<dyn Net> = Arc::new(MemoryNet::default());
    let nodes = Nodes::new(net.clone(), Hello::new());
    for id in ids.iter().copied().collect::<BTreeSet<_>>() {
        let address = format!("node-{id}");
        let clock = Clock::system();
        let node = FakeNode {
            id,
            world: world.clone(),
            clock: clock.clone(),
            rng: Rng::from_seed(seed ^ id),
            tasks: tasks.clone(),
        };
        let listener = net.listen(&address).await.unwrap();
        let hello = Hello::new();
        hello.set(1, Some(NodeId(id)));
        serve(listener, Services::new(IngestServer::new(node)), hello, &clock, tasks);
        nodes.set_address(NodeId(id), &address);
    }
    nodes
}
