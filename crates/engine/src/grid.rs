//! The times at which an expression is evaluated.

/// Steps of equal length; none, one, or many. Times are in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    start: i64,
    step: i64,
    len: usize,
    is_instant: bool,
}

impl Grid {
    /// One step.
    pub(crate) fn instant(at: i64) -> Self {
        Self { start: at, step: 1, len: 1, is_instant: true }
    }

    /// All `start + i · step` up to `end`. A step below 1 ms counts as 1 ms.
    pub(crate) fn range(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let span = i128::from(end) - i128::from(start);
        let len = if span < 0 { 0 } else { span / i128::from(step) + 1 };
        Self { start, step, len: usize::try_from(len).unwrap_or(usize::MAX), is_instant: span == 0 }
    }

    /// How many steps there are.
    pub(crate) fn len(self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether it ends where it starts. A range may have a single step too, which Prometheus evaluates otherwise.
    pub(crate) fn is_instant(self) -> bool {
        self.is_instant
    }

    /// The time between two steps.
    pub(crate) fn step(self) -> i64 {
        self.step
    }

    /// The time of the first step.
    pub(crate) fn start(self) -> i64 {
        self.start
    }

    /// The time of the last step; of the first one if there is none.
    pub(crate) fn end(self) -> i64 {
        self.time(self.len.saturating_sub(1))
    }

    /// The time of a step.
    pub(crate) fn time(self, step: usize) -> i64 {
        self.start.wrapping_add((step as i64).wrapping_mul(self.step))
    }

    pub(crate) fn times(self) -> impl Iterator<Item = i64> {
        (0..self.len).map(move |step| self.time(step))
    }

    /// Only the first step.
    pub(crate) fn first(self) -> Self {
        Self { len: self.len.min(1), is_instant: self.len > 0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_end_at_their_last_step() {
        let times = |grid: Grid| grid.times().collect::<Vec<_>>();
        assert_eq!(times(Grid::range(-5, 16, 10)), [-5, 5, 15]);
        assert_eq!(times(Grid::range(5, 5, 10)), [5]);
        assert_eq!(times(Grid::range(5, 4, 10)), []);
        assert_eq!((Grid::range(0, 25, 10).end(), Grid::instant(7).end()), (20, 7));
        assert!(Grid::range(5, 5, 10).is_instant() && !Grid::range(5, 6, 10).is_instant());
    }
}
