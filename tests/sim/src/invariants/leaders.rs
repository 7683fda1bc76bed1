//! A group has one leader in a term.

use std::collections::BTreeMap;

use consensus::Standing;
use model::ShardId;

use crate::Event;
use crate::cluster::Cluster;
use crate::universe::Shared;

/// Who led which group, in which term.
#[derive(Default)]
pub(super) struct Leaders(BTreeMap<(ShardId, u64), usize>);

impl Leaders {
    pub(super) fn look(&mut self, shared: &Shared, cluster: &Cluster) {
        let replicas = cluster.replicas().into_iter().filter(|(.., status)| status.standing == Standing::Leader);
        for (machine, _, shard, status) in replicas {
            let term = status.term;
            match self.0.insert((shard, term), machine) {
                None => {
                    cluster.note(Event::NewTerm);
                    shared.trace.note(format!("n{machine} leads shard {shard} in term {term}"));
                }
                Some(other) if other != machine => {
                    shared.violated(format!("n{machine} and n{other} both led shard {shard} in term {term}"));
                }
                Some(_) => {}
            }
        }
    }
}
