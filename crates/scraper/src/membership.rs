//! Which targets are ours: a place on the ring of scrapers, as long as the lease on it lasts.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use meta::{ClusterState, FEATURE_LEVEL, LEAVING_SCRAPERS};
use model::TargetId;
use proto::meta::{LeaseReply, LeaseRequest, LeaveRequest};
use ring::ScraperRing;
use stdx::{Clock, Tasks};
use tokio::sync::watch;
use tokio::time::Instant;
use transport::RpcError;

use crate::acting::Acting;
use crate::metrics::Metrics;

/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_millis(500);
/// How long one renewal may take.
const RENEWAL_LIMIT: Duration = Duration::from_secs(1);
/// How long this scraper waits for others to say that they scrape what was its own. Whoever has not found its targets by then
/// would not find them any better later.
const HAND_OVER: Duration = Duration::from_secs(60);
/// How long it waits where nobody can say that, for some scraper or meta is of an older version.
const BLIND_HAND_OVER: Duration = Duration::from_secs(2);
/// A clock that is off by more is reported.
const SUSPICIOUS_SKEW_MS: i64 = 2_000;
/// A clock that is off by more would poison targets: nothing is scraped by it.
const UNBEARABLE_SKEW_MS: i64 = 30_000;

/// What a scraper needs of meta.
pub trait Cluster: Send + Sync + 'static {
    /// Takes or renews a scraper's lease.
    fn lease(&self, request: LeaseRequest, limit: Duration) -> BoxFuture<'_, Result<LeaseReply, RpcError>>;

    /// Gives a scraper's lease back.
    fn leave(&self, request: LeaveRequest, limit: Duration) -> BoxFuture<'_, Result<(), RpcError>>;

    /// The state of the cluster, to be watched.
    fn watch(&self) -> watch::Receiver<Arc<ClusterState>>;
}

impl Cluster for meta::Client {
    fn lease(&self, request: LeaseRequest, limit: Duration) -> BoxFuture<'_, Result<LeaseReply, RpcError>> {
        meta::Client::lease(self, request, limit).boxed()
    }

    fn leave(&self, request: LeaveRequest, limit: Duration) -> BoxFuture<'_, Result<(), RpcError>> {
        meta::Client::leave(self, request, limit).boxed()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        meta::Client::watch(self)
    }
}

/// Who this scraper is.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    pub(crate) address: String,
}

/// What this scraper owns.
#[derive(Clone)]
pub(crate) struct Standing {
    me: Arc<str>,
    /// `None`: nothing, for this scraper holds no lease.
    ring: Option<ScraperRing>,
    /// The ring by which all scrapers have acted last.
    before: ScraperRing,
    /// All scrapers that hold a lease, those included that are about to leave and have no place on the ring any more.
    living: Arc<BTreeSet<String>>,
    /// Up to this version of the membership, everything that has changed hands is scraped by whom it came to.
    settled: u64,
}

impl Standing {
    pub(crate) fn nothing(me: &str) -> Self {
        Self { me: me.into(), ring: None, before: ScraperRing::new(0, []), living: Arc::default(), settled: 0 }
    }

    /// The version of the membership by which this scraper owns what it owns.
    pub(crate) fn epoch(&self) -> u64 {
        self.ring.as_ref().map_or(0, ScraperRing::epoch)
    }

    /// Whether this scraper takes part at all.
    pub(crate) fn is_member(&self) -> bool {
        self.ring.is_some()
    }

    pub(crate) fn owns(&self, target: TargetId) -> bool {
        self.ring.as_ref().is_some_and(|ring| ring.owner(target) == Some(&*self.me))
    }

    /// Whether a target has just been taken over from a scraper that lives and may still scrape it.
    pub(crate) fn has_live_predecessor(&self, target: TargetId) -> bool {
        let before = self.before.owner(target).filter(|owner| *owner != &*self.me);
        self.is_member() && before.is_some_and(|owner| self.living.contains(owner))
    }

    /// Whether everything that was taken away by this version of the membership is scraped by somebody else.
    pub(crate) fn is_settled(&self, epoch: u64) -> bool {
        self.settled >= epoch
    }

    /// Everything belongs to others from now on.
    fn give_all(&mut self) {
        self.ring = self.ring.as_ref().map(|ring| without(ring, &self.me));
        // What was lost by this version of the membership is not settled, though that by which this scraper had it was.
        self.settled = self.settled.min(self.epoch().saturating_sub(1));
    }

    /// Everyone is known to have acted by this version of the membership. Returns whether that is news.
    fn settle(&mut self, epoch: u64) -> bool {
        if epoch <= self.settled {
            return false;
        }
        self.settled = epoch;
        if let Some(ring) = self.ring.as_ref().filter(|ring| ring.epoch() <= epoch) {
            self.before = ring.clone();
        }
        true
    }
}

/// Keeps the lease, and says what it is good for.
pub(crate) struct Membership {
    cluster: Arc<dyn Cluster>,
    member: Member,
    clock: Clock,
    metrics: Metrics,
    /// How many targets this scraper owns.
    targets: Arc<AtomicU32>,
    acting: Arc<Acting>,
    state: watch::Receiver<Arc<ClusterState>>,
    standing: watch::Sender<Standing>,
    lease: Option<Lease>,
    /// Since when this version of the membership is known here.
    known_since: (u64, Instant),
    /// This scraper gives up what it has.
    is_leaving: bool,
    skew: Skew,
}

/// The right to take part, for a while.
#[derive(Clone, Copy)]
struct Lease {
    until: Instant,
    epoch: u64,
}

/// How wrong this node's clock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skew {
    Fine,
    Suspicious,
    Unbearable,
}

impl Membership {
    pub(crate) fn new(
        cluster: Arc<dyn Cluster>,
        member: Member,
        clock: Clock,
        metrics: Metrics,
        targets: Arc<AtomicU32>,
        acting: Arc<Acting>,
    ) -> (Self, watch::Receiver<Standing>) {
        let (standing, watched) = watch::channel(Standing::nothing(&member.name));
        let state = cluster.watch();
        let known_since = (0, clock.now());
        let membership = Self {
            cluster,
            member,
            clock,
            metrics,
            targets,
            acting,
            state,
            standing,
            lease: None,
            known_since,
            is_leaving: false,
            skew: Skew::Fine,
        };
        (membership, watched)
    }

    /// Keeps the lease until `stopped`, then until what is scraped here is scraped by others and the `loops` have ended. Gives it
    /// back then.
    pub(crate) async fn run(mut self, stopped: impl Future<Output = ()>, loops: Tasks) {
        tokio::select! {
            () = self.renew() => {}
            () = stopped => {}
        }
        self.is_leaving = true;
        if self.can_say_so() {
            tokio::select! {
                () = self.renew() => {}
                () = loops.wait() => {}
            }
            self.leave().await;
        } else {
            self.leave().await;
            // Nobody has to take over what is not there.
            let has_targets = self.targets.load(Ordering::Relaxed) > 0;
            self.standing.send_modify(Standing::give_all);
            if has_targets {
                self.clock.sleep(BLIND_HAND_OVER).await;
            }
            self.standing.send_if_modified(|standing| standing.settle(u64::MAX));
            loops.wait().await;
        }
    }

    async fn leave(&self) {
        let Member { name, incarnation, .. } = self.member.clone();
        if let Err(error) = self.cluster.leave(LeaveRequest { name, incarnation }, RENEWAL_LIMIT).await {
            tracing::info!(%error, "could not leave: the lease will run out");
        }
        self.metrics.is_member.set(0);
    }

    async fn renew(&mut self) {
        loop {
            let asked_ms = self.clock.wall_ms();
            let request = self.request();
            let cluster = self.cluster.clone();
            let reply = self.meanwhile(async move { cluster.lease(request, RENEWAL_LIMIT).await }).await;
            match reply {
                Ok(reply) => {
                    self.metrics.count_renewal("renewed");
                    self.take(&reply, asked_ms);
                }
                Err(error) => {
                    self.metrics.count_renewal("failed");
                    tracing::debug!(%error, "could not renew the lease");
                }
            }
            let pause = self.clock.clone();
            self.meanwhile(async move { pause.sleep(RENEWAL).await }).await;
        }
    }

    fn request(&self) -> LeaseRequest {
        let Member { name, incarnation, address } = self.member.clone();
        LeaseRequest {
            name,
            incarnation,
            address,
            targets: self.targets.load(Ordering::Relaxed),
            // By a clock like that nothing is scraped here: others do it meanwhile.
            leaving: (self.is_leaving || self.skew == Skew::Unbearable) && self.can_say_so(),
            acting_epoch: Some(self.acting.epoch(self.standing.borrow().epoch())),
            feature_level: FEATURE_LEVEL,
        }
    }

    /// Whether all nodes know that a scraper may be about to leave.
    fn can_say_so(&self) -> bool {
        self.state.borrow().feature_level >= LEAVING_SCRAPERS
    }

    /// Does something, and acts upon other members and upon the end of the lease meanwhile.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let clock = self.clock.clone();
        loop {
            let until = self.lease.map(|lease| lease.until);
            let end = async {
                match until {
                    Some(until) => clock.sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                done = &mut work => return done,
                () = end => {
                    tracing::warn!("the lease was not renewed in time: this scraper stops");
                    self.lease = None;
                }
                Ok(()) = self.state.changed() => {}
            }
            self.publish();
        }
    }

    fn take(&mut self, reply: &LeaseReply, asked_ms: i64) {
        let now_ms = self.clock.wall_ms();
        // The reply is half a round trip old.
        // 0: meta does not know the time yet.
        if reply.wall_ms != 0 {
            self.judge_skew(reply.wall_ms - (asked_ms + (now_ms - asked_ms) / 2));
        }
        let now = self.clock.now();
        let until = now + Duration::from_millis(reply.lease_ms.unsigned_abs());
        // Whoever has held its lease all the time goes on by the members that it knows until it hears of newer ones, as all
        // others do. Its targets are nobody else's before it has said that it acts by those.
        let held = self.lease.filter(|held| held.until > now);
        let epoch = held.map_or(reply.epoch, |held| held.epoch);
        self.lease = Some(Lease { until, epoch });
        self.publish();
        self.settle(reply.settled_epoch);
    }

    /// Takes note of how far everyone has come, as meta says; `None`: it can't say.
    fn settle(&self, settled: Option<u64>) {
        let (epoch, since) = self.known_since;
        let patience = if settled.is_some() { HAND_OVER } else { BLIND_HAND_OVER };
        let is_over = self.clock.now().duration_since(since) > patience;
        let settled = if is_over { epoch } else { settled.unwrap_or(0) };
        self.standing.send_if_modified(|standing| standing.settle(settled));
    }

    fn judge_skew(&mut self, skew_ms: i64) {
        self.metrics.clock_skew_seconds.set(skew_ms as f64 / 1000.0);
        let skew = match skew_ms.abs() {
            size if size > UNBEARABLE_SKEW_MS => Skew::Unbearable,
            size if size > SUSPICIOUS_SKEW_MS => Skew::Suspicious,
            _ => Skew::Fine,
        };
        if skew == self.skew {
            return;
        }
        self.skew = skew;
        match skew {
            Skew::Fine => tracing::info!(skew_ms, "this clock agrees with the cluster's again"),
            Skew::Suspicious => tracing::warn!(skew_ms, "this clock is not the cluster's"),
            Skew::Unbearable => tracing::error!(skew_ms, "this clock is far from the cluster's: nothing is scraped"),
        }
    }

    /// Says what this scraper owns now, if that is different from before.
    fn publish(&mut self) {
        let state = self.state.borrow_and_update().clone();
        if self.known_since.0 != state.scraper_epoch {
            self.known_since = (state.scraper_epoch, self.clock.now());
        }
        let is_listed =
            state.scrapers.get(&self.member.name).is_some_and(|listed| listed.incarnation == self.member.incarnation);
        let lease = self.lease.filter(|lease| is_listed && state.scraper_epoch >= lease.epoch);
        let may_scrape = lease.is_some() && self.skew != Skew::Unbearable;
        self.metrics.is_member.set(i64::from(may_scrape));
        self.metrics.membership_epoch.set(state.scraper_epoch as i64);
        self.standing.send_if_modified(|standing| {
            if !may_scrape {
                return standing.ring.take().is_some();
            }
            if standing.ring.as_ref().is_some_and(|ring| ring.epoch() == state.scraper_epoch) {
                return false;
            }
            let ring = state.scraper_ring();
            if standing.ring.is_none() {
                // Whoever was away for a while takes its targets from those who have had them meanwhile. Nobody has if it was not
                // missed.
                let was_missed = standing.settled < ring.epoch();
                standing.before = if was_missed { without(&ring, &standing.me) } else { ring.clone() };
            }
            standing.living = Arc::new(state.scrapers.keys().cloned().collect());
            standing.ring = Some(ring);
            true
        });
    }
}

/// The ring before a member came.
fn without(ring: &ScraperRing, name: &str) -> ScraperRing {
    ScraperRing::new(ring.epoch(), ring.members().filter(|member| *member != name).map(Box::from))
}

#[cfg(test)]
mod tests {
    use telemetry::Registry;

    use super::*;
    use crate::tests::FakeCluster;

    #[tokio::test]
    async fn whoever_holds_its_lease_goes_on_until_it_hears_of_newer_members() {
        let clock = Clock::system();
        let cluster = Arc::new(FakeCluster::new(clock.clone()));
        cluster.join("b", 7);
        let member = Member { name: "b".to_owned(), incarnation: 7, address: String::new() };
        let metrics = Metrics::register(&Registry::new());
        let (targets, acting) = (Arc::new(AtomicU32::new(0)), Arc::new(Acting::default()));
        let (mut membership, standing) = Membership::new(cluster, member, clock, metrics, targets, acting);
        let reply = |epoch| LeaseReply { epoch, lease_ms: 60_000, wall_ms: 0, settled_epoch: Some(0) };
        membership.take(&reply(1), 0);
        assert!(standing.borrow().is_member());
        // It said that it is about to leave, and meta's answer is here before the news of it.
        membership.take(&reply(2), 0);
        assert!(standing.borrow().is_member(), "nobody else scrapes its targets yet");
        // The members changed while it held no lease: others have its targets.
        membership.lease = None;
        membership.take(&reply(3), 0);
        assert!(!standing.borrow().is_member());
    }

    fn ring(epoch: u64, members: &[&str]) -> ScraperRing {
        ScraperRing::new(epoch, members.iter().map(|name| Box::from(*name)))
    }

    #[test]
    fn targets_are_taken_over_from_the_living_and_the_dead() {
        let before = ring(1, &["a", "c"]);
        let mut standing = Standing {
            me: "b".into(),
            ring: Some(ring(2, &["a", "b"])),
            before: before.clone(),
            living: Arc::new(["a", "b"].map(str::to_owned).into()),
            settled: 1,
        };
        let (mut living, mut dead) = (0, 0);
        for target in (0..1_000).map(|number| TargetId(number << 64 | number)).filter(|target| standing.owns(*target)) {
            let was_alive = before.owner(target) == Some("a");
            assert_eq!(standing.has_live_predecessor(target), was_alive);
            *(if was_alive { &mut living } else { &mut dead }) += 1;
        }
        assert!(living > 50 && dead > 50, "{living} {dead}");
        assert!(!Standing::nothing("b").has_live_predecessor(TargetId(1)));
        // Once everyone has acted upon it, nobody else has what is ours.
        assert!(!standing.settle(1) && standing.settle(2));
        let mut own = (0..1_000).map(|number| TargetId(number << 64 | number)).filter(|target| standing.owns(*target));
        assert!(!own.any(|target| standing.has_live_predecessor(target)));
    }
}
