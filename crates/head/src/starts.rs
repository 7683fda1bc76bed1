//! When the counters of some series began.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::row::Row;

/// When the counters of some series began. Rows that follow each other nearly always share one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Starts(
    // Ids of series, ascending, and times in ms, none of which is 0; `None` if there are none.
    Option<Arc<[(u32, i64)]>>,
);

impl Starts {
    /// The starts of these series, in any order; a start of 0 is not known.
    pub(crate) fn new(of: impl IntoIterator<Item = (u32, i64)>) -> Self {
        let mut known: Vec<(u32, i64)> = of.into_iter().filter(|(_, start)| *start != 0).collect();
        known.sort_unstable();
        known.dedup_by_key(|(series, _)| *series);
        Self((!known.is_empty()).then(|| known.into()))
    }

    /// When the counter of a series began, in ms; 0: nobody knows.
    pub(crate) fn of(&self, series: u32) -> i64 {
        let Some(known) = &self.0 else { return 0 };
        known.binary_search_by_key(&series, |(series, _)| *series).map_or(0, |at| known[at].1)
    }

    /// The starts of all series, ascending by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, i64)> {
        self.0.iter().flat_map(|known| known.iter().copied())
    }

    /// Without those of some series.
    pub(crate) fn without(&self, series: &BTreeSet<u32>) -> Self {
        let is_gone = |(id, _): &(u32, i64)| series.contains(id);
        if self.0.as_ref().is_none_or(|known| !known.iter().any(is_gone)) {
            return self.clone();
        }
        Self::new(self.iter().filter(|known| !is_gone(known)))
    }

    /// Those that are not after `time`: the others are of counters that began later.
    pub(crate) fn until(&self, time: i64) -> Self {
        if self.iter().all(|(_, start)| start <= time) {
            return self.clone();
        }
        Self::new(self.iter().filter(|(_, start)| *start <= time))
    }

    /// Whether both are one and the same in memory. Two that are not may still be equal.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |known| size_of_val(&known[..]) + 16)
    }
}

/// Finds the starts of one series in rows that follow each other: it is looked for once in those that share theirs.
pub(crate) struct StartsOf<'a> {
    series: u32,
    last: Option<(&'a Starts, i64)>,
}

impl<'a> StartsOf<'a> {
    pub(crate) fn new(series: u32) -> Self {
        Self { series, last: None }
    }

    /// When the counter began that the series has a value of in this row, in ms; 0: nobody knows.
    pub(crate) fn in_row(&mut self, row: &'a Row) -> i64 {
        match self.last {
            Some((starts, start)) if starts.is_same(&row.starts) => start,
            _ => {
                let start = row.starts.of(self.series);
                self.last = Some((&row.starts, start));
                start
            }
        }
    }
}
