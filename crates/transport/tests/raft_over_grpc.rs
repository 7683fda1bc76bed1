//! A Raft group whose replicas talk gRPC, over pipes and over TCP.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::{
    Group, GroupEnv, Groups, LOG_TAIL, SnapshotReader, SnapshotWriter, Standing, StateMachine, Timing, TooNew,
};
use futures::future::select_all;
use model::{NodeId, ShardId};
use raftlog::MemoryDevice;
use stdx::{Clock, CpuPool, RealDisk, Tasks, Throttle};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::service::Routes;
use transport::{Hello, MemoryNet, Net, Nodes, RaftNetwork, RaftService, TcpNet, serve};

/// Counts commands.
#[derive(Default)]
struct Count(u64);

impl StateMachine for Count {
    type View = u64;

    fn apply(&mut self, _: u64, _: Bytes) -> Result<Bytes, TooNew> {
        self.0 += 1;
        Ok(Bytes::from(self.0.to_string()))
    }

    fn view(&self) -> u64 {
        self.0
    }

    fn save(view: &u64, files: &mut SnapshotWriter<'_>) -> io::Result<()> {
        files.put("count", "txt", &[view.to_string().as_bytes()]).map(drop)
    }

    fn install(&mut self, files: &SnapshotReader<'_>) -> io::Result<()> {
        let text = files.read(&files.files()[0])?;
        self.0 = String::from_utf8_lossy(&text).parse().map_err(io::Error::other)?;
        Ok(())
    }
}

struct Node {
    id: NodeId,
    group: Group<Count>,
    nodes: Nodes,
    address: String,
    tasks: Tasks,
    lost: UnboundedReceiver<NodeId>,
}

async fn start(id: u64, net: Arc<dyn Net>, address: &str, folder: &std::path::Path) -> Node {
    let (id, tasks, hello) = (NodeId(id), Tasks::new(), Hello::new());
    hello.set(7, Some(id));
    let nodes = Nodes::new(net.clone(), hello.clone());
    let network = RaftNetwork::new(nodes.clone(), Clock::system(), tasks.clone());
    let listener = net.listen(address).await.unwrap();
    let address = listener.address().unwrap();
    let env = GroupEnv {
        node: id,
        timing: Timing { heartbeat: Duration::from_millis(50), election_timeout: Duration::from_millis(300) },
        log_tail: LOG_TAIL,
        log: Arc::new(MemoryDevice::new()),
        disk: Arc::new(RealDisk),
        network: Arc::new(network),
        clock: Clock::system(),
        tasks: tasks.clone(),
        applying: CpuPool::inline(),
        saving: CpuPool::inline(),
        receiving: Throttle::new(Clock::system(), None),
    };
    let group = Group::open(ShardId(1), Count::default(), folder.join(id.to_string()), env).await.unwrap();
    let (losses, lost) = unbounded_channel();
    let groups = Groups::new(Clock::system());
    groups.insert(&group);
    serve(listener, Routes::new(RaftService::new(groups, losses)), hello, &Clock::system(), &tasks);
    Node { id, group, nodes, address, tasks, lost }
}

async fn leader_among(nodes: &[Node]) -> usize {
    let leads = |node: &Node| {
        let group = node.group.clone();
        Box::pin(async move { group.wait_for(|status| status.standing == Standing::Leader).await.unwrap() })
    };
    select_all(nodes.iter().map(leads)).await.1
}

/// Proposes until somebody takes it.
async fn propose(nodes: &[Node]) -> u64 {
    loop {
        for node in nodes {
            if let Ok(proposed) = node.group.propose(Bytes::new()).await {
                return String::from_utf8_lossy(&proposed.answer).parse().unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_group_lives_and_outlives_its_leader(net: Arc<dyn Net>, addresses: [&str; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = Vec::new();
    for (id, address) in (1..).zip(addresses) {
        nodes.push(start(id, net.clone(), address, folder.path()).await);
    }
    for node in &nodes {
        nodes.iter().for_each(|other| node.nodes.set_address(other.id, &other.address));
        node.group.initialize(nodes.iter().map(|other| other.id)).await.unwrap();
    }
    for expected in 1..=20 {
        assert_eq!(propose(&nodes).await, expected);
    }
    let leader = nodes.remove(leader_among(&nodes).await);
    leader.group.shutdown().await;
    leader.tasks.stop();
    for node in &mut nodes {
        assert_eq!(node.lost.recv().await, Some(leader.id), "the others hear that its connection broke");
    }
    assert_eq!(propose(&nodes).await, 21);
    for node in &nodes {
        node.group.shutdown().await;
        node.tasks.stop();
    }
}

#[tokio::test]
async fn over_pipes() {
    a_group_lives_and_outlives_its_leader(Arc::new(MemoryNet::default()), ["a", "b", "c"]).await;
}

#[tokio::test]
async fn over_tcp() {
    a_group_lives_and_outlives_its_leader(Arc::new(TcpNet), ["127.0.0.1:0"; 3]).await;
}
