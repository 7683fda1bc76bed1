//! Chance, from a seed.

use std::ops::Range;

/// What decides; the same seed decides the same.
#[derive(Clone, Debug)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that always fall the same way.
    pub fn from_seed(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// One of these, which must not be none.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.0.usize(..from.len())]
    }

    /// An index below `bound`, which must not be 0.
    pub fn index(&mut self, bound: usize) -> usize {
        self.0.usize(..bound)
    }

    /// A whole number in a range, which must not be empty.
    pub fn within(&mut self, range: Range<i64>) -> i64 {
        self.0.i64(range)
    }

    /// Whether something happens that does so once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.0.usize(..times) == 0
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// Some of these, each as likely as not, in their order.
    pub fn some_of<'a>(&mut self, from: &[&'a str]) -> Vec<&'a str> {
        from.iter().copied().filter(|_| self.0.bool()).collect()
    }

    /// Dice of their own.
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }
}
