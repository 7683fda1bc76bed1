//! One shard on this node.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::{Group, GroupStatus, Standing};
use model::ShardId;
use parking_lot::Mutex;
use proto::ingest::ingest_client::IngestClient;
use proto::{ingest, meta};
use shard::{ShardMachine, ShardView};
use stdx::{Clock, Tasks};
use transport::{ErrorKind, Nodes, RpcError, deadline};

use crate::batch::Batcher;
use crate::digests::Digest;

/// How long a read waits for the replica to catch up.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(2);

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// It has everything that was acknowledged so long before the question.
    Bounded(Duration),
    /// It has everything that was acknowledged before the question.
    Strong,
    /// Whatever the replica has.
    StaleOk,
}

/// One shard on this node.
pub(crate) struct Replica {
    pub(crate) shard: ShardId,
    pub(crate) group: Group<ShardMachine>,
    pub(crate) batcher: Batcher,
    digest: Mutex<Option<Digest>>,
    nodes: Nodes,
    clock: Clock,
    /// The replica's own tasks; they stop when the shard leaves the node.
    pub(crate) tasks: Tasks,
}

impl Replica {
    pub(crate) fn new(
        group: Group<ShardMachine>,
        batcher: Batcher,
        nodes: Nodes,
        clock: Clock,
        tasks: Tasks,
    ) -> Arc<Self> {
        Arc::new(Self { shard: group.id(), group, batcher, digest: Mutex::default(), nodes, clock, tasks })
    }

    pub(crate) fn leads(&self) -> bool {
        self.group.standing() == Standing::Leader
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Notes the last hash of the state.
    pub(crate) fn note_digest(&self, digest: Digest) {
        *self.digest.lock() = Some(digest);
    }

    /// A view that is fresh enough, and how many entries are in it.
    pub(crate) async fn view(&self, consistency: Consistency) -> Result<(u64, ShardView), RpcError> {
        let needed = match consistency {
            Consistency::StaleOk => 0,
            Consistency::Strong if stdx::makes_mistake("read without the index") => 0,
            Consistency::Strong => self.read_index().await?,
            Consistency::Bounded(bound) => match self.group.committed_lately(bound) {
                Some(count) => count,
                None => self.read_index().await?,
            },
        };
        if self.clock.timeout(CATCH_UP_LIMIT, self.group.applied(needed)).await.is_none() {
            let message = format!("this replica of shard {} is behind: it waits for entry {needed}", self.shard);
            return Err(RpcError::new(ErrorKind::Unavailable, message));
        }
        Ok(self.group.view().await)
    }

    /// How many entries must be applied to see everything that was acknowledged before this call.
    pub(crate) async fn read_index(&self) -> Result<u64, RpcError> {
        let status = self.group.status();
        if status.standing == Standing::Leader {
            return Ok(self.group.read_index().await?);
        }
        let client = status.leader.and_then(|leader| self.nodes.client(leader));
        let client = client.ok_or_else(|| {
            RpcError::new(ErrorKind::Unavailable, format!("this replica of shard {} knows no leader", self.shard))
        })?;
        let mut client = IngestClient::new(client);
        let request = ingest::ReadIndexRequest { shard: self.shard.0 };
        Ok(deadline(&self.clock, CATCH_UP_LIMIT, client.read_index(request)).await?.count)
    }

    /// Samples per second that come in, and the slots that have most of them; nothing if this node does not lead.
    fn load(&self) -> (f64, Vec<meta::SlotLoad>) {
        if self.leads() {
            return self.batcher.loads.report(self.clock.now());
        }
        self.batcher.loads.forget();
        Default::default()
    }

    /// How this replica sees its shard, for operators.
    pub(crate) async fn report(&self) -> meta::ReplicaStatus {
        let (_, view) = self.group.view().await;
        let digest = *self.digest.lock();
        let (samples_per_second, hottest_slots) = self.load();
        meta::ReplicaStatus {
            samples_per_second,
            hottest_slots,
            series_count: view.series_count(),
            unshipped_cuts: view.unshipped_cuts().count() as u32,
            newest_ms: Some(view.time_range()).filter(|range| !range.is_empty()).map(|range| range.end().as_ms() - 1),
            digest: digest.map(|digest| Bytes::copy_from_slice(&digest.hash.to_be_bytes())).unwrap_or_default(),
            digest_count: digest.map_or(0, |digest| digest.count),
            ..report(self.shard, self.group.status())
        }
    }
}

/// How a replica sees its group, without what only data shards have.
pub(crate) fn report(shard: ShardId, status: GroupStatus) -> meta::ReplicaStatus {
    meta::ReplicaStatus {
        shard: shard.0,
        is_leader: status.standing == Standing::Leader,
        leader: status.leader.map_or(0, |leader| leader.0),
        term: status.term,
        log_count: status.log_count,
        committed_count: status.committed_count,
        applied_count: status.applied_count,
        snapshot_count: status.snapshot_count,
        voters: status.voters.iter().map(|node| node.0).collect(),
        learners: status.learners.iter().map(|node| node.0).collect(),
        is_joint: status.is_joint,
        ..Default::default()
    }
}
