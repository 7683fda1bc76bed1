//! A metadata group of one, which says what tests want to hear.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use meta::{ClusterState, ScraperMember};
use parking_lot::Mutex;
use proto::meta::{LeaseReply, LeaseRequest, LeaveRequest};
use stdx::Clock;
use tokio::sync::watch;
use transport::{ErrorKind, RpcError};

use crate::membership::Cluster;

pub(crate) struct FakeCluster {
    state: watch::Sender<Arc<ClusterState>>,
    clock: Clock,
    pub(crate) mood: Mutex<Mood>,
}

/// How the cluster behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    /// Leases are not renewed.
    pub(crate) is_silent: bool,
    /// How far its clock is ahead.
    pub(crate) skew_ms: i64,
}

impl FakeCluster {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { state: watch::channel(Arc::default()).0, clock, mood: Mutex::default() }
    }

    /// Changes the members.
    pub(crate) fn change(&self, change: impl FnOnce(&mut BTreeMap<String, ScraperMember>)) {
        self.state.send_modify(|state| {
            let mut next = ClusterState::clone(state);
            change(Arc::make_mut(&mut next.scrapers));
            if next.scrapers != state.scrapers {
                next.scraper_epoch += 1;
                next.version += 1;
                *state = Arc::new(next);
            }
        });
    }

    /// Another scraper takes part.
    pub(crate) fn join(&self, name: &str, incarnation: u64) {
        let member = ScraperMember { incarnation, address: String::new() };
        self.change(|members| drop(members.insert(name.to_owned(), member)));
    }

    pub(crate) fn members(&self) -> Vec<String> {
        self.state.borrow().scrapers.keys().cloned().collect()
    }
}

impl Cluster for FakeCluster {
    fn lease(&self, request: LeaseRequest, limit: Duration) -> BoxFuture<'_, Result<LeaseReply, RpcError>> {
        async move {
            let Mood { is_silent, skew_ms } = *self.mood.lock();
            if is_silent {
                self.clock.sleep(limit).await;
                return Err(RpcError::new(ErrorKind::Unknown, "silence"));
            }
            self.join(&request.name, request.incarnation);
            let epoch = self.state.borrow().scraper_epoch;
            Ok(LeaseReply { epoch, lease_ms: 2_000, wall_ms: self.clock.wall_ms() + skew_ms })
        }
        .boxed()
    }

    fn leave(&self, request: LeaveRequest, _: Duration) -> BoxFuture<'_, Result<(), RpcError>> {
        self.change(|members| drop(members.remove(&request.name)));
        async { Ok(()) }.boxed()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.state.subscribe()
    }
}
