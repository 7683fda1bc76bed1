//! Which ticks of a target are stored.

/// Ticks, as runs of equal distance. A target that never misses one has a single run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    runs: Vec<Run>, // Ascending and apart.
}

/// `count` ticks from `first` on, `step` ms apart; a single one has a step of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: i64,
    pub(crate) step: i64,
    pub(crate) count: u64,
}

impl Run {
    fn last(self) -> i64 {
        self.first + self.step * (self.count as i64 - 1)
    }

    fn contains(self, tick: i64) -> bool {
        let offset = tick - self.first;
        offset == 0 || (self.step > 0 && offset > 0 && tick <= self.last() && offset % self.step == 0)
    }
}

impl Ticks {
    /// The newest tick.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.runs.last().map(|run| run.last())
    }

    pub(crate) fn contains(&self, tick: i64) -> bool {
        self.runs.iter().rev().any(|run| run.contains(tick))
    }

    /// Adds a tick, which must not be there.
    pub(crate) fn insert(&mut self, tick: i64) {
        debug_assert!(!self.contains(tick));
        let at = self.runs.partition_point(|run| run.first < tick);
        match at.checked_sub(1).map(|before| &mut self.runs[before]) {
            // It continues the run before it.
            Some(run) if tick > run.last() && (run.count == 1 || tick - run.last() == run.step) => {
                run.step = tick - run.last();
                run.count += 1;
            }
            // It falls into a gap inside that run, which it splits.
            Some(run) if tick < run.last() => {
                let below = ((tick - run.first) / run.step) as u64 + 1;
                let first = run.first + run.step * below as i64;
                let above = Run { first, step: run.step, count: run.count - below };
                run.count = below;
                self.runs.splice(at..at, [Run { first: tick, step: 0, count: 1 }, above]);
            }
            _ => self.runs.insert(at, Run { first: tick, step: 0, count: 1 }),
        }
    }

    /// Forgets runs that ended before `tick`.
    pub(crate) fn forget_before(&mut self, tick: i64) {
        let ended = self.runs.iter().take_while(|run| run.last() < tick).count();
        self.runs.drain(..ended);
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(crate) fn from_runs(runs: Vec<Run>) -> Self {
        Self { runs }
    }

    /// Whether the runs ascend and are apart, and every time fits. What this process wrote is; what somebody sends may not be.
    pub(crate) fn is_valid(&self) -> bool {
        let mut before = None;
        self.runs.iter().all(|run| {
            let steps =
                i64::try_from(run.count).ok().and_then(|count| count.checked_sub(1)).filter(|steps| *steps >= 0);
            let length = steps.and_then(|steps| run.step.checked_mul(steps));
            let last = length.and_then(|length| run.first.checked_add(length));
            let is_run = run.step > 0 || (run.step == 0 && run.count == 1);
            let is_next = before.is_none_or(|before| before < run.first);
            before = last;
            is_run && is_next && last.is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_that_never_misses_a_tick_has_one_run() {
        let mut ticks = Ticks::default();
        (0..1000).for_each(|number| ticks.insert(number * 15_000));
        assert_eq!(ticks.runs(), [Run { first: 0, step: 15_000, count: 1000 }]);
        ticks.forget_before(999 * 15_000);
        assert_eq!(ticks.newest(), Some(999 * 15_000));
        ticks.forget_before(999 * 15_000 + 1);
        assert_eq!(ticks.newest(), None);
    }

    #[test]
    fn runs_that_nobody_wrote_are_told() {
        let check = |runs: &[(i64, i64, u64)], expected: bool| {
            let runs = runs.iter().map(|(first, step, count)| Run { first: *first, step: *step, count: *count });
            assert_eq!(Ticks::from_runs(runs.collect()).is_valid(), expected);
        };
        check(&[], true);
        check(&[(5, 0, 1), (9, 10, 3), (30, 0, 1)], true);
        check(&[(9, 10, 3), (29, 0, 1)], false);
        check(&[(5, 0, 2)], false);
        check(&[(5, 3, 0)], false);
        check(&[(5, -3, 2)], false);
        check(&[(5, i64::MAX, 3)], false);
        check(&[(5, 1, u64::MAX)], false);
    }

    proptest! {
        #[test]
        fn they_are_a_set(inserted in prop::collection::vec(0i64..60, 0..80)) {
            let (mut ticks, mut set) = (Ticks::default(), BTreeSet::new());
            for tick in inserted {
                prop_assert_eq!(ticks.contains(tick), set.contains(&tick), "{}", tick);
                if set.insert(tick) {
                    ticks.insert(tick);
                }
                prop_assert!((-1..61).all(|tick| ticks.contains(tick) == set.contains(&tick)), "{:?}", ticks);
                prop_assert_eq!(ticks.newest(), set.last().copied());
            }
        }
    }
}
