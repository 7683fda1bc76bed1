//! How much may be on its way.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A number of bytes that may be without a reply, as the receiver says.
#[derive(Debug)]
pub(crate) struct Window {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    limit: u64,
    used: u64,
    closed: bool,
}

/// Room that was taken. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Room<'w> {
    window: &'w Window,
    bytes: u64,
}

impl Window {
    pub(crate) fn new(limit: u64) -> Self {
        Self { state: Mutex::new(State { limit, used: 0, closed: false }), changed: Notify::new() }
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.state.lock().limit = limit;
        self.changed.notify_waiters();
    }

    /// Whoever waits, or comes later, gets no room.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Waits for room; `None` once the window is closed. What is larger than the whole window goes alone.
    pub(crate) async fn room(&self, bytes: u64) -> Option<Room<'_>> {
        loop {
            // Registered before the look, so that no change in between is missed.
            let changed = self.changed.notified();
            {
                let mut state = self.state.lock();
                if state.closed {
                    return None;
                }
                if state.used == 0 || state.used + bytes <= state.limit {
                    state.used += bytes;
                    return Some(Room { window: self, bytes });
                }
            }
            changed.await;
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.window.state.lock().used -= self.bytes;
        self.window.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn room_is_lent_up_to_the_limit() {
        let window = Window::new(10);
        let first = window.room(6).await.unwrap();
        assert!(window.room(5).now_or_never().is_none());
        let second = window.room(4).await.unwrap();
        drop(first);
        let third = window.room(6).await.unwrap();
        window.set_limit(20);
        drop((second, third, window.room(10).await.unwrap()));
        drop(window.room(1_000).await.unwrap());
        window.close();
        assert!(window.room(1).await.is_none());
    }
}
