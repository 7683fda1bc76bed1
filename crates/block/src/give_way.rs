//! Work that is too long to do in one go.

use std::future::poll_fn;
use std::task::Poll;

/// Lets others run. A group takes about 0.1 ms to decode or to search: of some hundreds nobody should have to wait for all.
pub(crate) async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
