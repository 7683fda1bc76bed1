//! How long to wait before the next try.

use std::time::Duration;

use crate::Rng;

/// Growing, jittered pauses between tries of the same thing.
///
/// Decorrelated jitter: each pause is drawn between the shortest one and three times the last, so that many clients that
/// failed together do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    last: Duration,
    rng: Rng,
}

impl Backoff {
    /// Pauses from `shortest` up to `longest`.
    pub fn new(shortest: Duration, longest: Duration, rng: Rng) -> Self {
        Self { shortest, longest, last: shortest, rng }
    }

    /// The next pause, in `[shortest, longest]`.
    pub fn next_pause(&mut self) -> Duration {
        self.last = self.rng.duration(self.shortest, self.last * 3).min(self.longest);
        self.last
    }

    /// Starts again from the shortest pause: call it after a success.
    pub fn reset(&mut self) {
        self.last = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_in_bounds_grow_and_start_again() {
        let (shortest, longest) = (Duration::from_millis(10), Duration::from_secs(1));
        let mut backoff = Backoff::new(shortest, longest, Rng::from_seed(7));
        let pauses: Vec<_> = (0..200).map(|_| backoff.next_pause()).collect();
        assert!(pauses.iter().all(|pause| (shortest..=longest).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause > longest / 2));
        backoff.reset();
        assert!(backoff.next_pause() <= shortest * 3);
    }
}
