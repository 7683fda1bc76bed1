//! Processor time as a handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Driven;

/// Runs work that would keep an async runtime busy for longer than half a millisecond.
///
/// Each kind of work (applying entries, answering reads, building blocks) has a pool of its own, so that none starves
/// another. In the simulator a pool runs its work at once, in the order of the calls.
#[derive(Clone, Debug)]
pub struct CpuPool {
    /// `None`: run in the caller's task.
    permits: Option<Arc<Semaphore>>,
    under_way: Arc<AtomicUsize>,
}

impl CpuPool {
    /// A pool that runs at most `width` pieces of work at a time, on the runtime's blocking threads.
    ///
    /// # Panics
    /// If `width` is 0.
    pub fn new(width: usize) -> Self {
        assert!(width > 0, "a pool without threads would never run anything");
        Self { permits: Some(Arc::new(Semaphore::new(width))), under_way: Arc::default() }
    }

    /// A pool that runs everything in the task that asks, for tests and the simulator.
    pub fn inline() -> Self {
        Self { permits: None, under_way: Arc::default() }
    }

    /// How many pieces of work run or wait for a place: no work is done for anybody who has left once this is 0.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Runs `work` and returns what it returned.
    ///
    /// Work that has begun runs to its end even when the returned future is dropped.
    ///
    /// # Panics
    /// If `work` panics, with its panic.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let Some(permits) = self.permits.clone() else { return work() };
        let counted = OneMore::of(&self.under_way);
        let begin = move |permit: OwnedSemaphorePermit| {
            tokio::task::spawn_blocking(move || {
                let result = work();
                drop((permit, counted));
                result
            })
        };
        let worked = match permits.clone().try_acquire_owned() {
            Ok(permit) => begin(permit).await,
            // Whoever waits must be driven by somebody: they may not be polled when it is their turn.
            Err(_) => {
                let waiting = async move { permits.acquire_owned().await.expect("the semaphore is never closed") };
                Driven::new(async move { begin(waiting.await).await }).await
            }
        };
        worked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

/// One more, as long as it lives.
struct OneMore(Arc<AtomicUsize>);

impl OneMore {
    fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_polls_takes_nobodys_place() {
        let pool = CpuPool::new(1);
        let mut ahead = futures::stream::iter(0..20).map(|number| pool.run(move || number)).buffered(8);
        let mut sum = 0;
        while let Some(number) = ahead.next().await {
            // The other seven wait for the only place meanwhile, unpolled.
            sum += pool.run(move || number).await;
        }
        assert_eq!(sum, 190);
    }

    #[tokio::test]
    async fn work_is_under_way_until_it_has_ended_or_is_not_wanted() {
        let pool = CpuPool::new(1);
        let (begun, has_begun) = mpsc::channel();
        let (end, is_to_end) = mpsc::channel();
        let running = pool.run(move || {
            begun.send(()).unwrap();
            is_to_end.recv().unwrap();
        });
        let mut running = Box::pin(running);
        assert!(futures::poll!(&mut running).is_pending());
        while has_begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let mut waiting = Box::pin(pool.run(|| ()));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(pool.under_way(), 2);
        // What waits goes with whoever asked; what runs does not.
        drop((waiting, running));
        while pool.under_way() > 1 {
            tokio::task::yield_now().await;
        }
        end.send(()).unwrap();
        while pool.under_way() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
