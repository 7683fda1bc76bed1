//! Tasks that have an owner.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The tasks of one component: spawned under names, told to stop together, waited for together.
///
/// Clones share the same tasks. A child made by [`Tasks::child`] stops with its parent and can stop before it.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// An owner without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// An owner that is told to stop when this one is, and whose tasks are waited for apart.
    pub fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token() }
    }

    /// Starts `work` as a task of this owner.
    #[expect(clippy::disallowed_methods, reason = "the one place that may spawn: everyone else spawns here")]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let work = self.tracker.track_future(work.instrument(tracing::debug_span!("task", name)));
        tokio::spawn(work)
    }

    /// Starts `work` as a task that is dropped at its next await once the owner is told to stop.
    pub fn spawn_until_stopped(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.spawn(name, async move {
            stop.run_until_cancelled(work).await;
        });
    }

    /// Tells every task to stop. Returns at once.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether the tasks were told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the tasks are told to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until every task has ended. Tasks spawned meanwhile are waited for too.
    pub async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
