//! The ingesters of a universe: who runs, who is down.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use consensus::GroupStatus;
use futures::future::join_all;
use model::{NodeId, ShardId};
use parking_lot::Mutex;

use crate::universe::{Shared, id_of};
use crate::{Event, Node};

/// How long is waited for what somebody else is at work on, before a look elsewhere or another try.
const BUSY: Duration = Duration::from_millis(10);

/// Machines by number, and what runs on them.
pub(crate) struct Cluster {
    shared: Shared,
    names: Vec<String>,
    /// Whoever ends or starts a process holds its place meanwhile.
    places: Vec<tokio::sync::Mutex<Option<Node>>>,
    /// What can be asked of those that run.
    running: Mutex<BTreeMap<usize, (NodeId, Observer)>>,
}

/// What can be asked of a node from outside.
type Observer = Arc<dyn Fn() -> Vec<(ShardId, GroupStatus)> + Send + Sync>;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its connections break, and what it wrote is on the disk.
    Kill,
    /// What it did not sync is lost, and nobody hears of it.
    PowerLoss,
}

impl Cluster {
    /// Starts all of them.
    pub(crate) async fn start(shared: Shared, names: &[&str]) -> Self {
        let places = names.iter().map(|_| tokio::sync::Mutex::new(None)).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let cluster = Self { shared, names, places, running: Mutex::default() };
        join_all((0..cluster.names.len()).map(|machine| cluster.heal(machine))).await;
        cluster
    }

    pub(crate) fn name(&self, machine: usize) -> &str {
        &self.names[machine]
    }

    pub(crate) fn machines(&self) -> usize {
        self.names.len()
    }

    /// All other names, those of clients too.
    pub(crate) fn others(&self, machines: &[usize]) -> Vec<String> {
        let mut others = self.other_machines(machines);
        others.push("outsider".to_owned());
        others
    }

    /// The names of all machines of the cluster but these.
    pub(crate) fn other_machines(&self, machines: &[usize]) -> Vec<String> {
        let inside: Vec<&str> = machines.iter().map(|machine| self.name(*machine)).collect();
        self.names.iter().filter(|name| !inside.contains(&name.as_str())).cloned().collect()
    }

    /// All replicas of machines that run: the machine, the node, the group and how the replica sees it.
    pub(crate) fn replicas(&self) -> Vec<(usize, NodeId, ShardId, GroupStatus)> {
        let running = self.running.lock().clone();
        let observed = running.into_iter().flat_map(|(machine, (node, observe))| {
            observe().into_iter().map(move |(shard, status)| (machine, node, shard, status))
        });
        observed.collect()
    }

    /// From when on, in ms, each shard has data on machines that run, and the version of the catalog that has all before.
    pub(crate) async fn held(&self) -> Vec<(usize, ShardId, i64, u64)> {
        let mut all = Vec::new();
        for (machine, place) in self.places.iter().enumerate() {
            // Whoever ends or starts a process is not waited for.
            let Ok(place) = place.try_lock() else { continue };
            let Some(node) = &*place else { continue };
            let held = self.shared.clock.timeout(BUSY, node.ingester.held()).await.unwrap_or_default();
            all.extend(held.into_iter().map(|(shard, (from_ms, version))| (machine, shard, from_ms, version)));
        }
        all
    }

    /// The id of the node on a machine, if one runs there.
    pub(crate) async fn id(&self, machine: usize) -> Option<NodeId> {
        self.places[machine].lock().await.as_ref().map(id_of)
    }

    /// Ends the process of a machine, and starts it again after a while.
    pub(crate) async fn crash(&self, machine: usize, end: End, lasts: Duration) {
        let mut place = self.places[machine].lock().await;
        self.end(machine, &mut place, end).await;
        self.shared.clock.sleep(lasts).await;
        self.boot(machine, &mut place).await;
    }

    /// A machine loses all it has, and starts again after a while as if it were new.
    pub(crate) async fn wipe(&self, machine: usize, lasts: Duration) {
        let mut place = self.places[machine].lock().await;
        self.end(machine, &mut place, End::PowerLoss).await;
        self.shared.world.wipe(self.name(machine));
        self.shared.clock.sleep(lasts).await;
        self.boot(machine, &mut place).await;
    }

    /// A machine loses power, and bits of what it saved of its shards turn over before it starts again.
    pub(crate) async fn rot(&self, machine: usize, lasts: Duration) {
        let mut place = self.places[machine].lock().await;
        self.end(machine, &mut place, End::PowerLoss).await;
        let (disk, shards) =
            (self.shared.world.machine(self.name(machine)).disk, Path::new(self.name(machine)).join("shards"));
        for _ in 0..1 + self.shared.rng.below(3) {
            if let Some(path) = disk.rot(&shards, &self.shared.rng) {
                self.note(Event::BitTurned);
                self.shared.trace.note(format!("a bit turns over in {}", path.display()));
            }
        }
        self.shared.clock.sleep(lasts).await;
        self.boot(machine, &mut place).await;
    }

    /// Ends all processes at once, and starts them again after a while.
    pub(crate) async fn blackout(&self, lasts: Duration) {
        // None is held while another one is waited for, which may need those to come up.
        let mut places: Vec<_> = loop {
            if let Ok(places) = self.places.iter().map(tokio::sync::Mutex::try_lock).collect() {
                break places;
            }
            self.shared.clock.sleep(BUSY).await;
        };
        // All lose what they did not sync before the first of them is waited for.
        join_all(places.iter_mut().enumerate().map(|(machine, place)| self.end(machine, place, End::PowerLoss))).await;
        self.shared.clock.sleep(lasts).await;
        join_all(places.iter_mut().enumerate().map(|(machine, place)| self.boot(machine, place))).await;
    }

    async fn end(&self, machine: usize, place: &mut Option<Node>, end: End) {
        let Some(node) = place.take() else { return };
        let name = self.name(machine);
        self.running.lock().remove(&machine);
        self.shared.trace.note(format!("{name}: {end:?}"));
        let others = self.others(&[machine]);
        match end {
            End::Kill => node.die().await,
            End::PowerLoss => {
                others.iter().for_each(|other| self.shared.world.wires.cut(name, other));
                node.lose_power().await;
                others.iter().for_each(|other| self.shared.world.wires.mend(name, other));
                // Whoever speaks to it from now on hears that nobody knows them.
                self.shared.world.wires.reset(name);
            }
        }
    }

    async fn boot(&self, machine: usize, place: &mut Option<Node>) {
        let name = self.name(machine);
        self.shared.trace.note(format!("{name}: starts"));
        match self.shared.world.try_start(name).await {
            Ok(node) => {
                self.shared.trace.note(format!("{name}: runs as node {}", id_of(&node)));
                self.running.lock().insert(machine, (id_of(&node), Arc::new(node.ingester.observer())));
                *place = Some(node);
            }
            Err(error) => self.shared.violated(format!("{name} can't start: {error}")),
        }
    }

    /// Starts a machine if it does not run.
    pub(crate) async fn heal(&self, machine: usize) {
        let mut place = self.places[machine].lock().await;
        if place.is_none() {
            self.boot(machine, &mut place).await;
        }
    }

    /// Ends all.
    pub(crate) async fn stop(&self) {
        for place in &self.places {
            if let Some(node) = place.lock().await.take() {
                node.die().await;
            }
        }
    }

    pub(crate) fn note(&self, event: Event) {
        self.shared.world.coverage.note(event);
    }
}
