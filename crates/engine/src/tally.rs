//! How many samples a query has, counted as Prometheus counts them.
//!
//! Prometheus evaluates one operation after the other, over all series and steps, and limits how many samples it has in
//! memory meanwhile. Here series stream through many operations at once; so each operation counts what it would have made,
//! and what would have been in memory is worked out from the counts.

use series::FoldedCounts;

use crate::grid::Grid;
use crate::table::{Row, Table};

/// How many values a vector has at each step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Values at a step, minus those at the step before.
    changes: Vec<i64>,
    /// What the histograms among them count beyond one, by step; empty if there are none.
    histograms: Vec<HistogramWeight>,
    /// The weight of all.
    size: u64,
}

/// What histograms at a step count, in samples of 16 bytes. Prometheus rounds in two ways.
#[derive(Clone, Copy, Debug, Default)]
struct HistogramWeight {
    count: u64,
    /// Rounded down, plus one: of a vector.
    as_vector: u64,
    /// Rounded: of a series.
    as_series: u64,
}

impl Tally {
    /// One value at each step.
    pub(crate) fn of_scalar(grid: Grid) -> Self {
        let mut changes = vec![0; grid.len() + 1];
        changes[0] = 1;
        Self { changes, histograms: Vec::new(), size: grid.len() as u64 }
    }

    pub(crate) fn of(table: &Table, grid: Grid) -> Self {
        let mut tally = Self { changes: vec![0; grid.len() + 1], ..Self::default() };
        table.rows().for_each(|row| tally.add(row, grid));
        tally
    }

    fn add(&mut self, row: Row<'_>, grid: Grid) {
        // Mostly values follow each other without a gap, which counting tells faster than looking for one.
        let absent: usize = row.floats.iter().map(|value| usize::from(!crate::table::is_present(*value))).sum();
        let mut at = 0;
        if absent == 0 && !row.floats.is_empty() {
            at = row.floats.len();
            self.changes[row.first] += 1;
            self.changes[row.first + at] -= 1;
            self.size += at as u64;
        }
        while let Some(start) = row.floats[at..].iter().position(|value| crate::table::is_present(*value)) {
            let start = at + start;
            let run = row.floats[start..].iter().position(|value| !crate::table::is_present(*value));
            at = run.map_or(row.floats.len(), |run| start + run);
            self.changes[row.first + start] += 1;
            self.changes[row.first + at] -= 1;
            self.size += (at - start) as u64;
        }
        if !row.histograms.is_empty() {
            self.histograms.resize(grid.len(), HistogramWeight::default());
        }
        for (step, histogram) in row.histograms {
            let bytes = histogram.size_bytes() as u64;
            let weight = &mut self.histograms[*step as usize];
            weight.count += 1;
            weight.as_vector += 1 + bytes / 16;
            weight.as_series += histogram_weight(bytes as usize);
            self.size += histogram_weight(bytes as usize);
        }
    }

    /// Adds the values of other series.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.changes.resize(self.changes.len().max(other.changes.len()), 0);
        for (own, other) in self.changes.iter_mut().zip(&other.changes) {
            *own += other;
        }
        self.histograms.resize(self.histograms.len().max(other.histograms.len()), HistogramWeight::default());
        for (own, other) in self.histograms.iter_mut().zip(&other.histograms) {
            own.count += other.count;
            own.as_vector += other.as_vector;
            own.as_series += other.as_series;
        }
        self.size += other.size;
    }

    /// The changes from step to step and the weight of all values; `None` if there are histograms.
    pub(crate) fn into_changes(self) -> Option<(Vec<i64>, u64)> {
        self.histograms.is_empty().then_some((self.changes, self.size))
    }

    /// Adds floats that were counted elsewhere: their changes from step to step and their weight.
    pub(crate) fn absorb_changes(&mut self, changes: &[i64], size: u64) {
        self.absorb(&Self { changes: changes.to_vec(), histograms: Vec::new(), size });
    }

    /// The weight of all values as series.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How many values there are at each step.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.per_step(|weight| weight.count)
    }

    /// What the values of each step count as a vector.
    pub(crate) fn vector_sizes(&self) -> impl Iterator<Item = u64> + '_ {
        self.per_step(|weight| weight.as_vector)
    }

    /// What the values of each step count as points of series.
    pub(crate) fn series_sizes(&self) -> impl Iterator<Item = u64> + '_ {
        self.per_step(|weight| weight.as_series)
    }

    fn per_step(&self, of_histograms: fn(&HistogramWeight) -> u64) -> impl Iterator<Item = u64> + '_ {
        let mut floats = 0i64;
        let steps = self.changes.len().saturating_sub(1);
        self.changes[..steps].iter().enumerate().map(move |(step, change)| {
            floats += change;
            floats as u64 + self.histograms.get(step).map_or(0, of_histograms)
        })
    }
}

/// How many samples a histogram counts as a point of a series.
pub(crate) fn histogram_weight(size_bytes: usize) -> u64 {
    (size_bytes as u64 + 8) / 16
}

/// The most that is in memory while series after series is worked on, and what remains of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) peak: u64,
    pub(crate) rest: u64,
}

impl Passage {
    /// Adds what is worked on afterwards, which comes to what remained.
    pub(crate) fn then(&mut self, next: Self) {
        self.peak = self.peak.max(self.rest + next.peak);
        self.rest += next.rest;
    }
}

/// Whether all series that had something in memory had the same: what they come to then does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Alike {
    /// There was none.
    #[default]
    None,
    /// There were so many, and each had this.
    All(u64, Passage),
    /// They differed.
    Not,
}

impl Alike {
    /// Adds what a series had.
    pub(crate) fn see(&mut self, passage: Passage) {
        if passage != Passage::default() {
            self.absorb(Self::All(1, passage));
        }
    }

    /// What series had that were counted elsewhere.
    pub(crate) fn of(counts: &FoldedCounts) -> Self {
        let FoldedCounts { alike, peak, rest, .. } = *counts;
        match alike {
            0 if peak == 0 && rest == 0 => Self::None,
            0 => Self::Not,
            // The last series has its peak beside what all those before it left.
            count => {
                Self::All(count, Passage { peak: peak.saturating_sub(rest / count * (count - 1)), rest: rest / count })
            }
        }
    }

    /// Adds other series.
    pub(crate) fn absorb(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::None, other) => other,
            (own, Self::None) => own,
            (Self::All(count, passage), Self::All(more, other)) if passage == other => Self::All(count + more, passage),
            _ => Self::Not,
        };
    }
}

/// How many samples were looked at, at each step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// All samples of every window.
    pub(crate) queryable: Vec<u64>,
    /// Only those that were in no window before.
    pub(crate) new: Vec<u64>,
}

impl Reads {
    pub(crate) fn none(grid: Grid) -> Self {
        Self { queryable: vec![0; grid.len()], new: vec![0; grid.len()] }
    }

    /// Every value of a vector is a sample that was looked at.
    pub(crate) fn of_values(tally: &Tally) -> Self {
        let sizes: Vec<u64> = tally.series_sizes().collect();
        Self { queryable: sizes.clone(), new: sizes }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (own, other) in [(&mut self.queryable, &other.queryable), (&mut self.new, &other.new)] {
            own.resize(own.len().max(other.len()), 0);
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Histogram, Labels};

    use super::*;
    use crate::identity::Identity;
    use crate::table::ABSENT;

    #[test]
    fn values_are_counted_step_by_step() {
        let grid = Grid::range(0, 3, 1);
        let mut table = Table::new();
        for floats in [[1.0, ABSENT, 1.0, 1.0], [ABSENT, 1.0, ABSENT, ABSENT], [ABSENT; 4]] {
            let mut row = table.start_row(4);
            row.floats().copy_from_slice(&floats);
            if floats[1] == 1.0 {
                row.push_histogram(3, Arc::new(Histogram::default()));
            }
            row.finish(Identity::new(Labels::empty()));
        }
        let mut tally = Tally::of(&table, grid);
        assert_eq!(tally.counts().collect::<Vec<_>>(), [1, 1, 1, 2]);
        assert_eq!(tally.vector_sizes().collect::<Vec<_>>(), [1, 1, 1, 1 + 11]);
        assert_eq!(tally.size(), 4 + 11);
        tally.absorb(&Tally::of_scalar(grid));
        assert_eq!(tally.counts().collect::<Vec<_>>(), [2, 2, 2, 3]);
    }
}
