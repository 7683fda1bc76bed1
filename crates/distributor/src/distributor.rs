//! The door of the crate.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chunk::EncodeError;
use model::{ShardId, TenantId};
use proto::entry::Record;
use stdx::{Clock, Rng, Tasks};
use telemetry::Registry;
use tokio::sync::oneshot;
use transport::Nodes;

use crate::batch::{Delivery, Dropped, Outgoing, Routed, Waiting};
use crate::buffer::Buffer;
use crate::config::Config;
use crate::delivery::Shared;
use crate::link::Links;
use crate::metrics::Metrics;
use crate::moved::start_lanes;
use crate::pushed::{self, PushedSeries};
use crate::route::Routes;

/// Takes records to the leaders of their shards. Cheap to clone; clones share one buffer.
#[derive(Clone)]
pub struct Distributor {
    shared: Arc<Shared>,
    rng: Rng,
}

/// What will have become of some records, in their order.
///
/// It completes when each has its answer or was dropped. Dropping it changes nothing for the records.
#[derive(Debug)]
pub struct Appended {
    pending: std::vec::IntoIter<oneshot::Receiver<Delivery>>,
    next: Option<oneshot::Receiver<Delivery>>,
    done: Vec<Delivery>,
}

impl Distributor {
    /// A distributor over the connections of this process. Its tasks end with those of `tasks`.
    pub fn new(
        config: Config,
        nodes: Nodes,
        routes: Arc<dyn Routes>,
        clock: Clock,
        rng: Rng,
        registry: &Registry,
        tasks: &Tasks,
    ) -> Self {
        let metrics = Metrics::register(registry, config.buffer.bytes());
        let tasks = tasks.child();
        let shared = Shared {
            buffer: Buffer::new(config, clock.clone(), metrics.clone()),
            links: Links::new(nodes, clock.clone(), config, tasks.clone()),
            routes,
            metrics,
            clock,
            tasks,
        };
        Self { shared: Arc::new(shared), rng }
    }

    /// Takes records in. They are on their way when this returns, whether or not anybody waits for what becomes of them.
    ///
    /// Records of one slot are first sent in the order in which they came. Outcomes such as
    /// [`Outcome::UnknownLayout`](proto::entry::Outcome::UnknownLayout) are answers: to repeat such a record with what it
    /// lacked is up to the caller.
    pub fn append(&self, records: Vec<Outgoing>) -> Appended {
        let map = self.shared.routes.shard_map();
        let shard_of = |slot| map.as_ref().map(|map| map.shard_of(slot));
        let by = map.as_ref().map_or(0, |map| map.epoch);
        let routed =
            |Outgoing { slot, record, samples }| (shard_of(slot), Routed { slot: Some(slot), by }, (record, samples));
        self.deliver(records.into_iter().map(routed))
    }

    /// Takes samples in that were not scraped, in one record for each shard if they fit. They are on their way when this
    /// returns, as those of [`Self::append`] are.
    ///
    /// # Errors
    /// If a histogram contradicts itself. Nothing is on its way then.
    pub fn push(&self, tenant: &TenantId, series: &[PushedSeries]) -> Result<Appended, EncodeError> {
        let map = self.shared.routes.shard_map();
        let mut by_shard: BTreeMap<Option<ShardId>, Vec<&PushedSeries>> = BTreeMap::new();
        for series in series {
            let shard = map.as_ref().map(|map| map.shard_of(ring::slot_of_series(tenant, &series.labels)));
            by_shard.entry(shard).or_default().push(series);
        }
        let routed = Routed { slot: None, by: map.as_ref().map_or(0, |map| map.epoch) };
        let mut records = Vec::with_capacity(by_shard.len());
        for (shard, series) in by_shard {
            let encoded = pushed::records(tenant, series.into_iter())?;
            records.extend(encoded.into_iter().map(|counted| (shard, routed, counted)));
        }
        Ok(self.deliver(records.into_iter()))
    }

    /// Sends records to their shards. Where nobody knows the shard, the record is given up.
    fn deliver(&self, records: impl ExactSizeIterator<Item = (Option<ShardId>, Routed, (Record, u32))>) -> Appended {
        let now = self.shared.clock.now();
        let mut pending = Vec::with_capacity(records.len());
        for (shard, routed, (record, samples)) in records {
            let (waiting, delivery) = Waiting::new(routed, record, samples, now);
            pending.push(delivery);
            let Some(shard) = shard else {
                self.shared.buffer.give_up(waiting, Dropped::NoShardMap);
                continue;
            };
            let is_new = self.shared.buffer.push(shard, waiting);
            if is_new {
                start_lanes(&self.shared, &self.rng, shard);
            }
        }
        Appended::of(pending)
    }

    /// Waits until all records are answered, for `limit` at the most, and stops. What is left is dropped and counted.
    ///
    /// Whoever produces records has stopped before.
    pub async fn drain(&self, limit: Duration) {
        let Shared { buffer, clock, tasks, .. } = &*self.shared;
        if clock.timeout(limit, buffer.emptied()).await.is_none() {
            tracing::warn!("some records could not be delivered before the end");
        }
        tasks.stop();
        tasks.wait().await;
        buffer.stop();
    }
}

impl Appended {
    pub(crate) fn of(pending: Vec<oneshot::Receiver<Delivery>>) -> Self {
        Self { pending: pending.into_iter(), next: None, done: Vec::new() }
    }
}

impl Future for Appended {
    type Output = Vec<Delivery>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let Some(next) = &mut this.next else {
                this.next = this.pending.next();
                if this.next.is_none() {
                    return Poll::Ready(std::mem::take(&mut this.done));
                }
                continue;
            };
            // A sender that vanished without a word belonged to a process that is about to end.
            let delivery = ready!(Pin::new(next).poll(cx)).unwrap_or(Err(Dropped::Stopped));
            this.done.push(delivery);
            this.next = None;
        }
    }
}
