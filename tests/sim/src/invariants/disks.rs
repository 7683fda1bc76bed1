//! What replicas rely on is on their disks: terms never go back, and logs have no holes.

use crate::cluster::Cluster;
use crate::universe::Shared;

/// Looks at the disks of all machines, and at what runs on them.
pub(super) fn look(shared: &Shared, cluster: &Cluster) {
    for (machine, _, shard, status) in cluster.replicas() {
        let log = shared.world.machine(cluster.name(machine)).log;
        if let Err(seen) = log.witness(shard.0, status.term) {
            shared.violated(format!("n{machine} was in term {seen} of shard {shard}, and is in {} now", status.term));
        }
    }
    for machine in 0..cluster.machines() {
        let holes = shared.world.machine(cluster.name(machine)).log.holes();
        holes.into_iter().for_each(|hole| shared.violated(format!("n{machine}: {hole}")));
    }
}
