//! How many queries are evaluated at a time, and whose turn is next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::TenantId;
use parking_lot::Mutex;
use series::QueryError;
use stdx::Clock;
use tokio::sync::oneshot;

use crate::metrics::{Metrics, OneMore};

/// What a query does meanwhile, in Prometheus' words.
const QUEUE: &str = "query queue";

/// More queries of one tenant do not wait: they would not have their turn before their time is up.
const MAX_WAITING: usize = 1000;

/// Lets so many queries run at a time. Others wait: those of one tenant come in the order in which they asked, and tenants
/// take turns, so that nobody waits behind all that somebody else asks.
pub(crate) struct Gate(Arc<Mutex<Queues>>);

struct Queues {
    /// How many more may run at once.
    free: usize,
    /// Those that wait, by tenant. No queue is empty.
    waiting: BTreeMap<TenantId, VecDeque<oneshot::Sender<Pass>>>,
    /// Whose turn it is next: each tenant that has somebody waiting.
    rotation: VecDeque<TenantId>,
}

/// Leave to run. Goes to the next who waits when it is dropped, wherever that is.
struct Pass(Option<Arc<Mutex<Queues>>>);

/// Leave to run, until it is dropped.
pub(crate) struct Turn {
    _pass: Pass,
    _running: OneMore,
}

impl Gate {
    /// A gate for so many queries; for one at least.
    pub(crate) fn new(width: usize) -> Self {
        Self(Arc::new(Mutex::new(Queues { free: width.max(1), waiting: BTreeMap::new(), rotation: VecDeque::new() })))
    }

    /// Waits for a turn of this tenant, and tells how long that took.
    ///
    /// # Errors
    /// [`QueryError::Timeout`] if it took longer than `limit`, or if too many of the tenant wait already.
    pub(crate) async fn enter(
        &self,
        tenant: &TenantId,
        clock: &Clock,
        limit: Duration,
        metrics: &Metrics,
    ) -> Result<(Turn, Duration), QueryError> {
        let start = clock.now();
        let too_late = QueryError::Timeout { during: QUEUE, limit };
        let pass = match self.ask(tenant) {
            Asked::Passed(pass) => pass,
            Asked::Full => return Err(too_late),
            Asked::Waiting(called) => {
                let _waiting = OneMore::of(&metrics.queries_waiting);
                let called = clock.timeout(limit, called).await.ok_or(too_late)?;
                called.expect("a waiting query is called before its place is dropped")
            }
        };
        let turn = Turn { _pass: pass, _running: OneMore::of(&metrics.queries_running) };
        Ok((turn, clock.now().saturating_duration_since(start)))
    }

    fn ask(&self, tenant: &TenantId) -> Asked {
        let mut queues = self.0.lock();
        if queues.free > 0 {
            queues.free -= 1;
            return Asked::Passed(Pass(Some(self.0.clone())));
        }
        if !queues.waiting.contains_key(tenant) {
            queues.rotation.push_back(tenant.clone());
        }
        let queue = queues.waiting.entry(tenant.clone()).or_default();
        // Those that have gone meanwhile do not count.
        queue.retain(|call| !call.is_closed());
        if queue.len() >= MAX_WAITING {
            return Asked::Full;
        }
        let (call, called) = oneshot::channel();
        queue.push_back(call);
        Asked::Waiting(called)
    }
}

enum Asked {
    Passed(Pass),
    Waiting(oneshot::Receiver<Pass>),
    Full,
}

impl Queues {
    /// The next who waits: the longest waiting query of the tenant whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Pass>> {
        while let Some(tenant) = self.rotation.pop_front() {
            let Some(queue) = self.waiting.get_mut(&tenant) else { continue };
            let call = loop {
                match queue.pop_front() {
                    // Its client has gone, or its time is up.
                    Some(call) if call.is_closed() => {}
                    other => break other,
                }
            };
            if queue.is_empty() {
                self.waiting.remove(&tenant);
            } else {
                self.rotation.push_back(tenant);
            }
            if call.is_some() {
                return call;
            }
        }
        None
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(queues) = self.0.take() else { return };
        loop {
            let call = {
                let mut queues = queues.lock();
                let Some(call) = queues.next() else {
                    queues.free += 1;
                    return;
                };
                call
            };
            match call.send(Self(Some(queues.clone()))) {
                Ok(()) => return,
                // It went at this very moment. The pass that comes back must not look for the next by itself: this loop does.
                Err(mut pass) => pass.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use telemetry::Registry;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[tokio::test]
    async fn tenants_take_turns() {
        let (gate, clock, metrics) = (Gate::new(1), Clock::system(), Metrics::register(&Registry::new()));
        let enter = |name: &str| {
            let tenant = tenant(name);
            let (gate, clock, metrics) = (&gate, &clock, &metrics);
            async move { gate.enter(&tenant, clock, LIMIT, metrics).await.unwrap().0 }.boxed_local()
        };
        let mut running = Some(enter("a").await);
        let names = ["a", "a", "a", "b", "b", "c"];
        let mut waiting: Vec<_> = names.iter().map(|name| (*name, enter(name))).collect();
        for (_, turn) in &mut waiting {
            assert!(turn.now_or_never().is_none());
        }
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(running.take());
            let next = waiting.iter_mut().enumerate().find_map(|(at, (_, turn))| Some((at, turn.now_or_never()?)));
            let (at, turn) = next.expect("somebody is called");
            running = Some(turn);
            order.push(waiting.remove(at).0);
        }
        assert_eq!(order, ["a", "b", "c", "a", "b", "a"]);
    }

    #[tokio::test]
    async fn a_turn_passes_by_those_who_have_gone() {
        let (gate, clock, metrics) = (Gate::new(1), Clock::system(), Metrics::register(&Registry::new()));
        let (a, b) = (tenant("a"), tenant("b"));
        let running = gate.enter(&a, &clock, LIMIT, &metrics).await.unwrap();
        let mut gone = gate.enter(&b, &clock, LIMIT, &metrics).boxed_local();
        let mut called = gate.enter(&b, &clock, LIMIT, &metrics).boxed_local();
        let mut patient = gate.enter(&a, &clock, LIMIT, &metrics).boxed_local();
        assert!((&mut gone).now_or_never().is_none());
        assert!((&mut called).now_or_never().is_none());
        assert!((&mut patient).now_or_never().is_none());
        drop(gone);
        drop(running);
        // The second of b was called, and goes before it looks.
        drop(called);
        assert!((&mut patient).now_or_never().is_some_and(|turn| turn.is_ok()));
        assert_eq!(gate.0.lock().free, 1);
    }

    #[tokio::test]
    async fn too_many_of_one_tenant_do_not_wait() {
        let (gate, clock, metrics) = (Gate::new(1), Clock::system(), Metrics::register(&Registry::new()));
        let (a, b) = (tenant("a"), tenant("b"));
        let _running = gate.enter(&a, &clock, LIMIT, &metrics).await.unwrap();
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| gate.enter(&a, &clock, LIMIT, &metrics).boxed_local()).collect();
        for turn in &mut waiting {
            assert!(turn.now_or_never().is_none());
        }
        let refused = gate.enter(&a, &clock, LIMIT, &metrics).now_or_never();
        assert!(matches!(refused, Some(Err(QueryError::Timeout { .. }))));
        assert!(gate.enter(&b, &clock, LIMIT, &metrics).now_or_never().is_none());
        drop(waiting.pop());
        assert!(gate.enter(&a, &clock, LIMIT, &metrics).now_or_never().is_none());
    }
}
