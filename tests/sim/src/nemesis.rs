//! Lets the faults of a plan happen, and mends what they broke.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use model::ShardId;

use crate::cluster::{Cluster, End};
use crate::plan::{Fault, Plan, Planned};
use crate::universe::Shared;
use crate::{Event, FakeTarget};

pub(crate) struct Nemesis {
    shared: Shared,
    cluster: Arc<Cluster>,
}

/// How long meta may take for an order.
const ORDER_LIMIT: Duration = Duration::from_secs(5);

impl Nemesis {
    pub(crate) fn new(shared: Shared, cluster: Arc<Cluster>) -> Self {
        Self { shared, cluster }
    }

    /// Returns when all is over and mended.
    pub(crate) async fn run(&self, plan: &Plan) {
        join_all(plan.faults.iter().map(|planned| self.cause(planned))).await;
    }

    async fn cause(&self, planned: &Planned) {
        self.shared.clock.sleep(planned.at).await;
        self.shared.trace.note(format!("begins: {planned}"));
        self.happen(&planned.fault, planned.lasts).await;
        self.shared.trace.note(format!("is over: {:?}", planned.fault));
    }

    async fn happen(&self, fault: &Fault, lasts: Duration) {
        let (world, cluster) = (&self.shared.world, &self.cluster);
        match fault {
            Fault::Crash { machine, silent } => {
                let (end, event) = if *silent { (End::PowerLoss, Event::PowerLoss) } else { (End::Kill, Event::Crash) };
                cluster.note(event);
                cluster.crash(*machine, end, lasts).await;
            }
            Fault::Blackout => {
                cluster.note(Event::Blackout);
                cluster.blackout(lasts).await;
            }
            Fault::Partition { machines, one_way } => self.part(machines, *one_way, lasts).await,
            Fault::Split { machines: [a, b] } => {
                cluster.note(Event::Split);
                let (a, b) = (cluster.name(*a), cluster.name(*b));
                self.cut(&[(a, b), (b, a)], lasts).await;
            }
            Fault::Slow { machine, one_way, delay } => {
                cluster.note(if *one_way { Event::OneWaySlowLink } else { Event::SlowLink });
                self.slow(*machine, *one_way, *delay, lasts).await;
            }
            Fault::Reset { machine } => {
                cluster.note(Event::Reset);
                world.wires.reset(cluster.name(*machine));
            }
            Fault::ClockJump { machine, by_ms } => {
                cluster.note(Event::ClockJump);
                let clock = world.machine(cluster.name(*machine)).clock;
                clock.set_ahead(*by_ms);
                self.shared.clock.sleep(lasts).await;
                clock.set_ahead(0);
            }
            Fault::DiskFull { machine } => {
                cluster.note(Event::DiskFull);
                self.break_disk(*machine, io::ErrorKind::StorageFull, lasts).await;
            }
            Fault::SyncError { machine } => {
                cluster.note(Event::SyncFailed);
                self.break_disk(*machine, io::ErrorKind::Other, lasts).await;
            }
            Fault::BucketDown => {
                cluster.note(Event::BucketDown);
                world.outage.set(true);
                self.shared.clock.sleep(lasts).await;
                world.outage.set(false);
            }
            Fault::BucketFaults { percent } => {
                cluster.note(Event::BucketFaults);
                world.outage.set_percent(*percent);
                self.shared.clock.sleep(lasts).await;
                world.outage.set_percent(0);
            }
            Fault::Drain { machine } => self.drain(*machine, lasts).await,
            Fault::Wipe { machine } => {
                cluster.note(Event::Wipe);
                cluster.wipe(*machine, lasts).await;
            }
            Fault::MoveSlot { target, shard } => self.move_slot(*target, *shard).await,
            Fault::Rot { machine } => {
                cluster.note(Event::Rot);
                cluster.rot(*machine, lasts).await;
            }
        }
    }

    async fn move_slot(&self, target: u32, shard: u32) {
        let slot = FakeTarget::new(target, 0).slot();
        match self.shared.outsider.client.move_slot(slot, ShardId(shard), ORDER_LIMIT).await {
            Ok(_) => self.cluster.note(Event::SlotSent),
            Err(error) => self.shared.trace.note(format!("slot {slot} can't be sent to shard {shard}: {error}")),
        }
    }

    async fn part(&self, machines: &[usize], one_way: bool, lasts: Duration) {
        let cluster = &self.cluster;
        cluster.note(if one_way { Event::OneWayPartition } else { Event::Partition });
        let others = cluster.others(machines);
        let out = machines.iter().flat_map(|inside| others.iter().map(|other| (cluster.name(*inside), &**other)));
        let mut links: Vec<(&str, &str)> = out.collect();
        if !one_way {
            links.extend(links.clone().into_iter().map(|(inside, other)| (other, inside)));
        }
        self.cut(&links, lasts).await;
    }

    async fn cut(&self, links: &[(&str, &str)], lasts: Duration) {
        let wires = &self.shared.world.wires;
        links.iter().for_each(|(from, to)| wires.cut(from, to));
        self.shared.clock.sleep(lasts).await;
        links.iter().for_each(|(from, to)| wires.mend(from, to));
    }

    async fn slow(&self, machine: usize, one_way: bool, delay: Duration, lasts: Duration) {
        let (wires, cluster) = (&self.shared.world.wires, &self.cluster);
        let name = cluster.name(machine);
        let others = if one_way { cluster.other_machines(&[machine]) } else { cluster.others(&[machine]) };
        let mut links: Vec<(&str, &str)> = others.iter().map(|other| (&**other, name)).collect();
        if !one_way {
            links.extend(links.clone().into_iter().map(|(other, name)| (name, other)));
        }
        links.iter().for_each(|(from, to)| wires.slow(from, to, delay));
        self.shared.clock.sleep(lasts).await;
        links.iter().for_each(|(from, to)| wires.speed_up(from, to));
    }

    /// A process whose disk fails is there for a while, and then ends.
    async fn break_disk(&self, machine: usize, kind: io::ErrorKind, lasts: Duration) {
        // One that is starting has nothing to lose yet, and would not come up.
        if self.cluster.id(machine).await.is_none() {
            return;
        }
        let hardware = self.shared.world.machine(self.cluster.name(machine));
        if kind == io::ErrorKind::StorageFull {
            hardware.disk.set_full(true);
        }
        hardware.log.fail(kind);
        self.shared.clock.sleep(lasts).await;
        self.cluster.crash(machine, End::Kill, Duration::from_millis(100)).await;
    }

    async fn drain(&self, machine: usize, lasts: Duration) {
        let Some(node) = self.cluster.id(machine).await else { return };
        self.cluster.note(Event::Drain);
        let client = &self.shared.outsider.client;
        if let Err(error) = client.drain(node, false, ORDER_LIMIT).await {
            self.shared.trace.note(format!("node {node} can't be drained: {error}"));
        }
        self.shared.clock.sleep(lasts).await;
        // An order whose outcome is unknown may still have been taken.
        while let Err(error) = client.drain(node, true, ORDER_LIMIT).await {
            if self.cluster.id(machine).await != Some(node) {
                // It lost its disk meanwhile: there is no such node any more.
                return;
            }
            self.shared.trace.note(format!("node {node} can't be taken back yet: {error}"));
            self.shared.clock.sleep(Duration::from_secs(1)).await;
        }
    }
}
