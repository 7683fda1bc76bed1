//! Work that goes on by itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;

/// A future that goes on while nobody polls it, and ends when it is dropped.
///
/// Whatever holds a place that others wait for, such as a permit, must go on: a caller that is not polled for a while, as one
/// of several streams that are merged, would keep the place, and whoever it waits for might need just that one.
///
/// Resumes panics of the work. Must be made within a runtime.
#[derive(Debug)]
pub struct Driven<T>(JoinHandle<T>);

impl<T: Send + 'static> Driven<T> {
    /// Starts work.
    #[expect(clippy::disallowed_methods, reason = "it ends with its caller, and is nobody's task")]
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl<T> Future for Driven<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.0).poll(context)) {
            Ok(result) => Poll::Ready(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this with it.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Driven<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_unpolled_and_ends_with_whoever_wants_it() {
        let place = Arc::new(Semaphore::new(1));
        let take = |place: Arc<Semaphore>| async move {
            let permit = place.acquire().await.unwrap();
            tokio::task::yield_now().await;
            drop(permit);
        };
        let first = Driven::new(take(place.clone()));
        Driven::new(take(place.clone())).await;
        first.await;
        let endless = Driven::new({
            let place = place.clone();
            async move {
                let _permit = place.acquire().await.unwrap();
                std::future::pending::<()>().await;
            }
        });
        tokio::task::yield_now().await;
        assert_eq!(place.available_permits(), 0);
        drop(endless);
        let _permit = place.acquire().await.unwrap();
    }
}
