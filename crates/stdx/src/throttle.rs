//! So many bytes per second, and no more.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::{Clock, Instant};

/// Holds up those who share it, so that together they get no more than so many bytes per second. Cheap to clone.
///
/// Whoever comes after an idle time does not get what was left unused then.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    clock: Clock,
    bytes_per_second: Option<NonZeroU64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken_bytes: u64,
    /// When what was taken is paid for.
    paid_at: Option<Instant>,
}

impl Throttle {
    /// `None`: counts, and holds up nobody.
    pub fn new(clock: Clock, bytes_per_second: Option<NonZeroU64>) -> Self {
        Self(Arc::new(Inner { clock, bytes_per_second, state: Mutex::default() }))
    }

    /// How many bytes per second it lets through; `None`: any.
    pub fn bytes_per_second(&self) -> Option<NonZeroU64> {
        self.0.bytes_per_second
    }

    /// How many bytes were taken since it was made.
    pub fn taken_bytes(&self) -> u64 {
        self.0.state.lock().taken_bytes
    }

    /// Takes so many bytes, and returns once they and all that were taken before are paid for.
    pub async fn take(&self, bytes: u64) {
        let due = {
            let mut state = self.0.state.lock();
            state.taken_bytes += bytes;
            let Some(rate) = self.0.bytes_per_second else { return };
            let now = self.0.clock.now();
            let began = state.paid_at.map_or(now, |paid_at| paid_at.max(now));
            let due = began + Duration::from_secs_f64(bytes as f64 / rate.get() as f64);
            state.paid_at = Some(due);
            due
        };
        self.0.clock.sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(bytes_per_second: u64) -> (Clock, Throttle) {
        let clock = Clock::system();
        (clock.clone(), Throttle::new(clock, NonZeroU64::new(bytes_per_second)))
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_share_it_get_so_much_together() {
        let (clock, throttle) = throttle(1000);
        let began = clock.now();
        let other = throttle.clone();
        tokio::join!(throttle.take(1500), other.take(500), throttle.take(1000));
        assert_eq!(clock.now() - began, Duration::from_secs(3));
        assert_eq!(throttle.taken_bytes(), 3000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_is_not_given_later() {
        let (clock, throttle) = throttle(1000);
        throttle.take(10).await;
        clock.sleep(Duration::from_secs(100)).await;
        let began = clock.now();
        throttle.take(2000).await;
        assert_eq!(clock.now() - began, Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_only_counts() {
        let (clock, throttle) = throttle(0);
        let began = clock.now();
        throttle.take(u64::MAX / 2).await;
        assert_eq!((clock.now(), throttle.taken_bytes()), (began, u64::MAX / 2));
    }
}
