//! What must hold, whatever happens: one file each.

mod answers;
mod blocks;
mod catalogs;
mod disks;
mod leaders;
mod maps;
mod replicas;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use model::TimeRange;
use series::Consistency;

pub(crate) use answers::check_answer;

use crate::cluster::Cluster;
use crate::universe::{Shared, read_and_check};

/// Looks at the cluster from outside, all the time.
pub(crate) struct Watcher {
    shared: Shared,
    cluster: Arc<Cluster>,
}

impl Watcher {
    pub(crate) fn new(shared: Shared, cluster: Arc<Cluster>) -> Self {
        Self { shared, cluster }
    }

    pub(crate) async fn run(self) {
        let (mut leaders, mut maps) = (leaders::Leaders::default(), maps::Maps::default());
        let mut catalogs = catalogs::Catalogs::default();
        loop {
            leaders.look(&self.shared, &self.cluster);
            maps.look(&self.shared);
            disks::look(&self.shared, &self.cluster);
            catalogs.look(&self.shared, &self.cluster).await;
            self.shared.clock.sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What must hold when all is mended and everything works again.
pub(crate) async fn check_in_the_end(shared: &Shared, cluster: &Cluster) {
    if !read_and_check(shared, TimeRange::ALL, Consistency::Strong).await {
        shared.violated("the last read was not answered".to_owned());
    }
    slots::check(shared).await;
    blocks::check(shared).await;
    replicas::check(shared, cluster).await;
}
