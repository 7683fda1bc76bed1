//! Nodes that have nothing but meta.

use std::collections::BTreeMap;
use std::sync::Arc;

use consensus::{Group, GroupEnv, Groups, LOG_TAIL, Standing, Step, Timing};
use futures::FutureExt;
use futures::future::join_all;
use meta::{
    Birth, Bootstrap, Client, ClientConfig, Identity, IdentityFile, Leader, MetaMachine, MetaService, Patience,
    ShardSteps,
};
use model::ShardId;
use raftlog::MemoryDevice;
use stdx::{Clock, CpuPool, RealDisk, Rng, Tasks, Throttle};
use tempfile::TempDir;
use tonic::service::Routes;
use transport::{Hello, MemoryNet, Net, Nodes, RaftNetwork, RaftService, serve};

/// What survives nodes: the net and their disks.
pub(crate) struct World {
    net: MemoryNet,
    names: Vec<String>,
    disks: BTreeMap<String, (TempDir, Arc<MemoryDevice>)>,
    rng: Rng,
}

impl World {
    pub(crate) fn new(names: &[&str]) -> Self {
        let mut world = Self {
            net: MemoryNet::default(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            disks: BTreeMap::new(),
            rng: Rng::from_seed(7),
        };
        names.iter().for_each(|name| world.wipe(name));
        world
    }

    pub(crate) fn wipe(&mut self, name: &str) {
        self.disks.insert(name.to_owned(), (tempfile::tempdir().unwrap(), Arc::new(MemoryDevice::new())));
    }

    pub(crate) async fn start_all(&self, expect: u32) -> Vec<Host> {
        join_all(self.names.iter().map(|name| self.start(name, expect))).await
    }

    pub(crate) async fn start(&self, name: &str, expect: u32) -> Host {
        let (folder, log) = &self.disks[name];
        let (clock, tasks, rng, hello) = (Clock::system(), Tasks::new(), self.rng.fork(), Hello::new());
        let net: Arc<dyn Net> = Arc::new(self.net.clone());
        let nodes = Nodes::new(net.clone(), hello.clone());
        let file = IdentityFile::new(Arc::new(RealDisk), folder.path().join("identity.json"));
        let bootstrap = Bootstrap {
            address: name.to_owned(),
            zone: String::new(),
            peers: self.names.clone(),
            expect,
            birth: Birth { shards: 2, replication: 3, block_window_ms: 7_200_000 },
            incarnation: rng.u64(),
            nodes: nodes.clone(),
            file,
            clock: clock.clone(),
            rng: rng.clone(),
        };
        let service = MetaService::new(&bootstrap, tasks.clone());
        let groups = Groups::new(clock.clone());
        let (losses, _) = tokio::sync::mpsc::unbounded_channel();
        let routes = Routes::new(RaftService::new(groups.clone(), losses)).add_service(service.clone().into_server());
        serve(net.listen(name).await.unwrap(), routes, hello.clone(), &clock, &tasks);
        let (identity, founding) = service.belong(&bootstrap).await.unwrap();
        if let Some(first) = &founding {
            first.addresses().for_each(|(node, address)| nodes.set_address(node, address));
        }
        let env = GroupEnv {
            node: identity.node,
            timing: Timing::default(),
            log_tail: LOG_TAIL,
            log: log.clone(),
            disk: Arc::new(RealDisk),
            network: Arc::new(RaftNetwork::new(nodes.clone(), clock.clone(), tasks.clone())),
            clock: clock.clone(),
            tasks: tasks.clone(),
            applying: CpuPool::inline(),
            saving: CpuPool::inline(),
            receiving: Throttle::new(clock.clone(), None),
        };
        let group = Group::open(ShardId::META, MetaMachine::new(), folder.path().join("meta"), env).await.unwrap();
        groups.insert(&group);
        // There are no data shards here.
        let steps = ShardSteps {
            change_replicas: Arc::new(|_, _, _, _| {
                async { Ok(Step::Waiting("nothing to wait for".to_owned())) }.boxed()
            }),
            give_slot: Arc::new(|_, _, _| async { Ok(()) }.boxed()),
        };
        let leader = Arc::new(Leader::new(group.clone(), clock.clone(), steps, Patience::default()));
        service.serve(group.clone(), leader.clone());
        if let Some(first) = &founding {
            first.give_birth(identity, &group, &leader, &clock).await.unwrap();
        }
        tasks.spawn_until_stopped("meta-leader", async move { leader.run().await });
        let config = ClientConfig { seeds: self.names.clone(), catalog: true, nodes, clock, rng };
        let client = Client::start(config, &tasks);
        Host { name: name.to_owned(), identity, group, client, tasks }
    }
}

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) identity: Identity,
    group: Group<MetaMachine>,
    pub(crate) client: Client,
    tasks: Tasks,
}

impl Host {
    pub(crate) fn leads_meta(&self) -> bool {
        self.group.status().standing == Standing::Leader
    }

    pub(crate) async fn stop(self) {
        self.group.shutdown().await;
        self.tasks.stop();
        self.tasks.wait().await;
    }
}
