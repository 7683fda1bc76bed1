//! A metadata group of one, which says what tests want to hear.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use meta::{ClusterState, FEATURE_LEVEL, ScraperMember};
use parking_lot::Mutex;
use proto::meta::{LeaseReply, LeaseRequest, LeaveRequest};
use stdx::Clock;
use tokio::sync::watch;
use transport::{ErrorKind, RpcError};

use crate::membership::Cluster;

pub(crate) struct FakeCluster {
    state: watch::Sender<Arc<ClusterState>>,
    /// By which version of the membership each scraper acts, as it said last.
    acting: Mutex<BTreeMap<String, u64>>,
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
    /// See [`FakeCluster::be_old`].
    is_old: bool,
}

impl FakeCluster {
    pub(crate) fn new(clock: Clock) -> Self {
        let state = ClusterState { feature_level: FEATURE_LEVEL, ..ClusterState::default() };
        Self { state: watch::channel(Arc::new(state)).0, acting: Mutex::default(), clock, mood: Mutex::default() }
    }

    /// It knows nothing of scrapers that are about to leave, and of how far they are.
    pub(crate) fn be_old(&self) {
        self.mood.lock().is_old = true;
        self.state.send_modify(|state| Arc::make_mut(state).feature_level = 0);
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
        self.set(name, ScraperMember { incarnation, address: String::new(), is_leaving: false });
    }

    fn set(&self, name: &str, member: ScraperMember) {
        self.change(|members| drop(members.insert(name.to_owned(), member)));
    }

    /// The newest version of the membership, if all who stay act by it.
    fn settled(&self) -> u64 {
        let (state, acting) = (self.state.borrow(), self.acting.lock());
        let mut staying = state.scrapers.iter().filter(|(_, member)| !member.is_leaving);
        let is_settled = staying.all(|(name, _)| acting.get(name) == Some(&state.scraper_epoch));
        if is_settled { state.scraper_epoch } else { 0 }
    }

    pub(crate) fn members(&self) -> Vec<String> {
        self.state.borrow().scrapers.keys().cloned().collect()
    }
}

impl Cluster for FakeCluster {
    fn lease(&self, request: LeaseRequest, limit: Duration) -> BoxFuture<'_, Result<LeaseReply, RpcError>> {
        async move {
            let Mood { is_silent, skew_ms, is_old } = *self.mood.lock();
            if is_silent {
                self.clock.sleep(limit).await;
                return Err(RpcError::new(ErrorKind::Unknown, "silence"));
            }
            let member =
                ScraperMember { incarnation: request.incarnation, address: String::new(), is_leaving: request.leaving };
            self.set(&request.name, member);
            self.acting.lock().insert(request.name, request.acting_epoch.unwrap());
            let epoch = self.state.borrow().scraper_epoch;
            let settled_epoch = (!is_old).then(|| self.settled());
            Ok(LeaseReply { epoch, lease_ms: 2_000, wall_ms: self.clock.wall_ms() + skew_ms, settled_epoch })
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
