//! Some nodes in one process, with a network that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::{
    AppendStream, Duplex, Group, GroupEnv, Groups, LOG_TAIL, Network, SnapshotReader, SnapshotStream, SnapshotWriter,
    Standing, StateMachine, Timing, TooNew, Unreachable,
};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use model::{NodeId, ShardId};
use parking_lot::Mutex;
use proto::raft::{self, call::Call as Ask};
use raftlog::{LogDevice, MemoryDevice, remove_group};
use stdx::{Clock, CpuPool, RealDisk, Tasks, Throttle};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub(crate) const SHARD: ShardId = ShardId(1);

/// A command that no binary knows.
pub(crate) const TOO_NEW: &str = "too new";

/// Remembers every command. Its snapshot is a file for each hundred commands and one for the rest.
#[derive(Clone, Default)]
pub(crate) struct Words(pub(crate) Vec<Bytes>);

impl StateMachine for Words {
    type View = Vec<Bytes>;

    fn apply(&mut self, log_index: u64, command: Bytes) -> Result<Bytes, TooNew> {
        if command == TOO_NEW {
            return Err(TooNew { log_index, what: "a word".to_owned() });
        }
        self.0.push(command);
        Ok(Bytes::from(self.0.len().to_string()))
    }

    fn view(&self) -> Vec<Bytes> {
        self.0.clone()
    }

    fn save(view: &Vec<Bytes>, files: &mut SnapshotWriter<'_>) -> io::Result<()> {
        for part in view.chunks(100) {
            files.put("words", "txt", &[part.join(&b'\n').as_slice()])?;
        }
        Ok(())
    }

    fn install(&mut self, files: &SnapshotReader<'_>) -> io::Result<()> {
        self.0.clear();
        for file in files.files() {
            let bytes = files.read(file)?;
            self.0.extend(bytes.split(|byte| *byte == b'\n').map(Bytes::copy_from_slice));
        }
        Ok(())
    }
}

/// Delivers messages between nodes of one process.
#[derive(Default)]
pub(crate) struct Wires {
    nodes: Mutex<BTreeMap<NodeId, Groups>>,
    down: Mutex<BTreeSet<NodeId>>,
    pub(crate) snapshot_bytes: Arc<Mutex<usize>>,
    /// How many heartbeats were sent.
    pub(crate) heartbeats: Mutex<usize>,
    /// Nodes that know no pulses.
    pub(crate) deaf: Mutex<BTreeSet<NodeId>>,
    /// How long pulses are on their way.
    pub(crate) delay: Mutex<Duration>,
    /// What nodes that are opened from now on take in of snapshots.
    pub(crate) bytes_per_second: Mutex<Option<NonZeroU64>>,
}

impl Wires {
    pub(crate) fn set_down(&self, node: NodeId, down: bool) {
        let mut nodes = self.down.lock();
        if down {
            nodes.insert(node)
        } else {
            nodes.remove(&node)
        };
    }

    fn find(&self, from: NodeId, to: NodeId) -> Result<Groups, Unreachable> {
        let down = self.down.lock();
        let nodes = self.nodes.lock();
        let reachable = nodes.get(&to).filter(|_| !down.contains(&from) && !down.contains(&to));
        reachable.cloned().ok_or_else(|| Unreachable(format!("no way from {from} to {to}")))
    }
}

/// The wires as one node sees them.
struct Ends(NodeId, Arc<Wires>);

impl Network for Ends {
    fn call(&self, to: NodeId, call: raft::Call, _: Duration) -> BoxFuture<'_, Result<raft::Reply, Unreachable>> {
        async move {
            let (wires, id) = (&self.1, call.id);
            match call.call {
                Some(Ask::Heartbeat(_)) => *wires.heartbeats.lock() += 1,
                Some(Ask::Pulses(_)) if wires.deaf.lock().contains(&to) => {
                    let refused = raft::reply::Reply::Refused("the call asks nothing".to_owned());
                    return Ok(raft::Reply { id, reply: Some(refused) });
                }
                Some(Ask::Pulses(_)) => {
                    let delay = *wires.delay.lock();
                    tokio::time::sleep(delay).await;
                }
                _ => {}
            }
            Ok(wires.find(self.0, to)?.call(call).await)
        }
        .boxed()
    }

    fn append(&self, to: NodeId) -> BoxFuture<'_, Result<AppendStream, Unreachable>> {
        async move {
            let groups = self.1.find(self.0, to)?;
            let (requests, frames) = mpsc::channel(16);
            let (wires, from) = (self.1.clone(), self.0);
            let frames = ReceiverStream::new(frames).take_while(move |_| {
                let connected = wires.find(from, to).is_ok();
                async move { connected }
            });
            let replies = groups.append(frames.boxed());
            let wires = self.1.clone();
            let answers = replies.map(move |reply| wires.find(from, to).map(|_| reply)).boxed();
            Ok(Duplex { requests, answers })
        }
        .boxed()
    }

    fn install(&self, to: NodeId) -> BoxFuture<'_, Result<SnapshotStream, Unreachable>> {
        async move {
            let groups = self.1.find(self.0, to)?;
            let (requests, frames) = mpsc::channel(16);
            let count = self.1.snapshot_bytes.clone();
            let frames = ReceiverStream::new(frames).inspect(move |frame: &raft::SnapshotFrame| {
                if let Some(raft::snapshot_frame::Frame::Chunk(chunk)) = &frame.frame {
                    *count.lock() += chunk.data.len();
                }
            });
            let replies = groups.install(frames.boxed());
            Ok(Duplex { requests, answers: replies.map(Ok).boxed() })
        }
        .boxed()
    }
}

/// One node: what survives it, and what does not.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    log: Arc<MemoryDevice>,
    folder: PathBuf,
    pub(crate) group: Group<Words>,
}

pub(crate) struct Cluster {
    temporary: tempfile::TempDir,
    pub(crate) wires: Arc<Wires>,
    pub(crate) nodes: Vec<Node>,
}

impl Cluster {
    /// A group of `count` voters.
    pub(crate) async fn new(count: u64) -> Self {
        let wires = Arc::new(Wires::default());
        let mut cluster = Self { temporary: tempfile::tempdir().unwrap(), wires, nodes: Vec::new() };
        for _ in 0..count {
            cluster.add_node().await;
        }
        let voters: Vec<_> = cluster.nodes.iter().map(|node| node.id).collect();
        for node in &cluster.nodes {
            node.group.initialize(voters.clone()).await.unwrap();
        }
        cluster
    }

    /// A node that takes part in nothing yet.
    pub(crate) async fn add_node(&mut self) -> NodeId {
        self.add_node_on(MemoryDevice::new()).await
    }

    /// A node that has such a log.
    pub(crate) async fn add_node_on(&mut self, log: MemoryDevice) -> NodeId {
        let id = NodeId(self.nodes.len() as u64 + 1);
        let log = Arc::new(log);
        let folder = self.temporary.path().join(id.to_string());
        let group = self.open(id, log.clone(), folder.clone()).await;
        self.nodes.push(Node { id, log, folder, group });
        id
    }

    /// Stops a node and starts it again from what it has on its disk.
    pub(crate) async fn restart(&mut self, id: NodeId) {
        let at = self.nodes.iter().position(|node| node.id == id).unwrap();
        self.nodes[at].group.shutdown().await;
        let (log, folder) = (self.nodes[at].log.clone(), self.nodes[at].folder.clone());
        self.nodes[at].group = self.open(id, log, folder).await;
    }

    /// Has a node let the group go, and opens it there again.
    pub(crate) async fn empty(&mut self, id: NodeId) {
        let at = self.nodes.iter().position(|node| node.id == id).unwrap();
        self.nodes[at].group.shutdown().await;
        let (log, folder) = (self.nodes[at].log.clone(), self.nodes[at].folder.clone());
        remove_group(&*log as &dyn LogDevice, SHARD.0).await.unwrap();
        match std::fs::remove_dir_all(&folder) {
            // It had no snapshot yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.unwrap(),
        }
        self.nodes[at].group = self.open(id, log, folder).await;
    }

    async fn open(&self, node: NodeId, log: Arc<MemoryDevice>, folder: PathBuf) -> Group<Words> {
        let tasks = Tasks::new();
        let network: Arc<dyn Network> = Arc::new(Ends(node, self.wires.clone()));
        let env = GroupEnv {
            node,
            timing: Timing::default(),
            log_tail: LOG_TAIL,
            log,
            disk: Arc::new(RealDisk),
            network: network.clone(),
            clock: Clock::system(),
            tasks: tasks.clone(),
            applying: CpuPool::inline(),
            saving: CpuPool::inline(),
            receiving: Throttle::new(Clock::system(), *self.wires.bytes_per_second.lock()),
        };
        let group = Group::open(SHARD, Words::default(), folder, env).await.unwrap();
        let groups = Groups::new(Clock::system());
        groups.insert(&group);
        let paced = groups.clone();
        tasks.spawn_until_stopped("raft-pace", async move { paced.pace(Timing::default().heartbeat).await });
        let (speaking, spawner) = (groups.clone(), tasks.clone());
        tasks.spawn_until_stopped("pulses", async move { speaking.pulse(node, network, &spawner).await });
        self.wires.nodes.lock().insert(node, groups);
        group
    }

    /// Asks a node to lead, as node 9 would that led in a term and has entries up to an index.
    pub(crate) async fn hand_over_to(&self, id: NodeId, (term, log_index): (u64, u64)) -> raft::reply::Reply {
        let from_leader = Some(raft::Vote { term, node_id: 9, committed: true });
        let request = raft::TransferRequest { from_leader, to: id.0, last: Some(raft::LogId { term, log_index }) };
        let call = raft::Call { id: 0, group: SHARD.0, call: Some(raft::call::Call::Transfer(request)) };
        let groups = self.wires.nodes.lock()[&id].clone();
        groups.call(call).await.reply.unwrap()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes.iter().find(|node| node.id == id).unwrap()
    }

    /// The node that leads and can propose, other than `not`.
    pub(crate) async fn leader(&self, not: Option<NodeId>) -> &Node {
        loop {
            for node in &self.nodes {
                let leads = node.group.status().standing == Standing::Leader && Some(node.id) != not;
                if leads && node.group.read_index().await.is_ok() {
                    return node;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Proposes words at whoever leads, trying again as a client would.
    pub(crate) async fn say(&self, words: &[&str], not: Option<NodeId>) {
        for word in words {
            while self.leader(not).await.group.propose(Bytes::from(word.to_string())).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// What a node has, once it has applied as much as `like`.
pub(crate) async fn words(node: &Node, like: &Node) -> Vec<String> {
    node.group.applied(like.group.view().await.0).await;
    node.group.view().await.1.iter().map(|word| String::from_utf8(word.to_vec()).unwrap()).collect()
}
