//! Intermediate results: for each series a value at each step.

mod floats;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::{Histogram, Labels, STALE_NAN, is_stale};
use series::QueryError;

use self::floats::{Floats, Place};
use crate::grid::Grid;
use crate::identity::Identity;
use crate::unique::same_labels;

/// What stands where a series has no float: the staleness marker, which is never the result of anything.
pub(crate) const ABSENT: f64 = STALE_NAN;

/// Whether there is a float.
#[inline]
pub(crate) fn is_present(value: f64) -> bool {
    !is_stale(value)
}

/// Series over the steps of one grid.
///
/// Floats of a series are side by side, dense from the first step of a series to the last one, [`ABSENT`] in between
/// where there is none. Histograms, which are rare, are kept apart, with their steps.
///
/// Two rows may have the same labels, but not at the same step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Meta>,
    floats: Floats,
    /// What labels and histograms take, of rows that went too.
    other_bytes: usize,
}

/// A histogram at a step.
pub(crate) type HistogramAt = (u32, Arc<Histogram>);

#[derive(Clone, Debug)]
struct Meta {
    id: Identity,
    /// Where the row's floats are.
    at: Place,
    /// The step of the first one.
    first: u32,
    len: u32,
    histograms: Vec<HistogramAt>,
}

/// A series of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) id: &'a Identity,
    /// The step of the first float.
    pub(crate) first: usize,
    /// Floats, or [`ABSENT`], step by step.
    pub(crate) floats: &'a [f64],
    /// Ascending by step. Where there is one, there is no float.
    pub(crate) histograms: &'a [HistogramAt],
}

/// A series of a table, to be changed.
#[derive(Debug)]
pub(crate) struct RowMut<'a> {
    pub(crate) id: &'a mut Identity,
    pub(crate) first: usize,
    pub(crate) floats: &'a mut [f64],
    pub(crate) histograms: &'a mut Vec<HistogramAt>,
}

impl<'a> Row<'a> {
    /// The float at a step, or [`ABSENT`].
    #[inline]
    pub(crate) fn float(&self, step: usize) -> f64 {
        step.checked_sub(self.first).and_then(|at| self.floats.get(at)).copied().unwrap_or(ABSENT)
    }

    /// The histogram at a step.
    pub(crate) fn histogram(&self, step: usize) -> Option<&'a Arc<Histogram>> {
        let at = self.histograms.binary_search_by_key(&step, |(step, _)| *step as usize).ok()?;
        Some(&self.histograms[at].1)
    }

    /// The steps that have a float, with the floats.
    pub(crate) fn present_floats(&self) -> impl Iterator<Item = (usize, f64)> + use<'a> {
        let first = self.first;
        let floats = self.floats.iter().enumerate().filter(|(_, value)| is_present(**value));
        floats.map(move |(at, value)| (first + at, *value))
    }

    /// The steps that have a value of either kind. Floats come first.
    pub(crate) fn present_steps(&self) -> impl Iterator<Item = usize> + use<'a> {
        let histograms = self.histograms.iter().map(|(step, _)| *step as usize);
        self.present_floats().map(|(step, _)| step).chain(histograms)
    }

    /// The last step with a value.
    pub(crate) fn last_step(&self) -> usize {
        let float = self.floats.iter().rposition(|value| is_present(*value)).map(|at| self.first + at);
        let histogram = self.histograms.last().map(|(step, _)| *step as usize);
        float.max(histogram).unwrap_or_default()
    }

    /// The first step with a value.
    pub(crate) fn first_step(&self) -> usize {
        let float = self.floats.iter().position(|value| is_present(*value)).map(|at| self.first + at);
        let histogram = self.histograms.first().map(|(step, _)| *step as usize);
        float.into_iter().chain(histogram).min().unwrap_or_default()
    }
}

impl Table {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// At which steps any series has a value.
    pub(crate) fn steps(&self, grid: Grid) -> Vec<bool> {
        let mut steps = vec![false; grid.len()];
        self.rows().flat_map(|row| row.present_steps()).for_each(|step| steps[step] = true);
        steps
    }

    pub(crate) fn row(&self, row: usize) -> Row<'_> {
        let meta = &self.rows[row];
        let floats = self.floats.column(meta.at, meta.len as usize);
        Row { id: &meta.id, first: meta.first as usize, floats, histograms: &meta.histograms }
    }

    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = Row<'_>> + ExactSizeIterator {
        (0..self.rows.len()).map(|row| self.row(row))
    }

    /// Whether no series has histograms.
    pub(crate) fn has_only_floats(&self) -> bool {
        self.rows.iter().all(|meta| meta.histograms.is_empty())
    }

    /// The floats of all series, those of rows that went too, some columns at a time.
    pub(crate) fn all_floats(&self) -> impl Iterator<Item = &[f64]> {
        self.floats.blocks()
    }

    /// Changes all series. Those left without a value go; they may get no values beyond the steps they have.
    pub(crate) fn change(&mut self, mut change: impl FnMut(RowMut<'_>)) {
        let floats = &mut self.floats;
        self.rows.retain_mut(|meta| {
            let own = floats.column_mut(meta.at, meta.len as usize);
            let first = meta.first as usize;
            change(RowMut { id: &mut meta.id, first, floats: own, histograms: &mut meta.histograms });
            !meta.histograms.is_empty() || own.iter().any(|value| is_present(*value))
        });
    }

    /// Changes who the series are.
    pub(crate) fn identities_mut(&mut self) -> impl Iterator<Item = &mut Identity> {
        self.rows.iter_mut().map(|meta| &mut meta.id)
    }

    /// A new series over so many steps, which has no values yet.
    pub(crate) fn start_row(&mut self, steps: usize) -> NewRow<'_> {
        let at = self.floats.start(steps);
        NewRow { table: self, at, histograms: Vec::new() }
    }

    /// Adds a series, with a float or [`ABSENT`] for each step, and its histograms. Without any values it is not added.
    pub(crate) fn push_column(&mut self, id: Identity, column: Vec<f64>, histograms: Vec<HistogramAt>) {
        let (first, end) = present_part(&column);
        if first < end || !histograms.is_empty() {
            let at = self.floats.adopt(column);
            let at = Place { at: at.at + first as u32, ..at };
            self.push(Meta { id, at, first: first as u32, len: (end - first) as u32, histograms });
        }
    }

    /// Adds a copy of a series of another table, with another identity.
    pub(crate) fn push_copy(&mut self, id: Identity, row: Row<'_>) {
        let at = self.floats.copy(row.floats);
        let histograms = row.histograms.to_vec();
        self.push(Meta { id, at, first: row.first as u32, len: row.floats.len() as u32, histograms });
    }

    /// Adds the series of another table behind those of this one.
    pub(crate) fn append(&mut self, other: Self) {
        if self.rows.is_empty() {
            *self = other;
            return;
        }
        self.other_bytes += other.other_bytes;
        let shift = self.floats.append(other.floats);
        self.rows.extend(other.rows.into_iter().map(|mut meta| {
            meta.at.block += shift;
            meta
        }));
    }

    /// Sorts the series; those that are equal stay in their order.
    pub(crate) fn sort_by(&mut self, mut compare: impl FnMut(Row<'_>, Row<'_>) -> std::cmp::Ordering) {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|a, b| compare(self.row(*a), self.row(*b)));
        self.reorder(order);
    }

    /// Puts the series in this order, in which each comes once.
    pub(crate) fn reorder(&mut self, order: Vec<usize>) {
        let mut rows: Vec<_> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        self.rows.extend(order.into_iter().filter_map(|at| rows[at].take()));
    }

    /// The same series, those that have the same labels put together.
    ///
    /// A float and a histogram at the same step are one value to Prometheus: the float. It then waits for the histogram to
    /// be taken, and sees none of those behind it.
    ///
    /// # Errors
    /// If two of those have a value of one kind at the same step.
    pub(crate) fn merged(self) -> Result<Self, QueryError> {
        let mut rows: HashMap<Labels, Vec<usize>, RandomState> = HashMap::default();
        let mut order: Vec<Labels> = Vec::new();
        for (at, row) in self.rows().enumerate() {
            let labels = row.id.labels();
            let same = rows.entry(labels.clone()).or_default();
            same.push(at);
            if same.len() == 1 {
                order.push(labels);
            }
        }
        if order.len() == self.len() {
            return Ok(self);
        }
        let mut merged = Self::new();
        for labels in order {
            self.merge_rows(&rows[&labels], &mut merged)?;
        }
        Ok(merged)
    }

    /// Adds a series with the values of several to another table.
    fn merge_rows(&self, rows: &[usize], merged: &mut Self) -> Result<(), QueryError> {
        let [first, rest @ ..] = rows else { return Ok(()) };
        let id = self.row(*first).id.clone();
        if rest.is_empty() {
            merged.push_copy(id, self.row(*first));
            return Ok(());
        }
        let steps = rows.iter().map(|at| self.row(*at).last_step() + 1).max().unwrap_or_default();
        let mut taken = vec![[false; 2]; steps];
        let mut row = merged.start_row(steps);
        for from in rows.iter().map(|at| self.row(*at)) {
            let floats = from.present_floats().map(|(step, _)| (step, 0));
            for (step, kind) in floats.chain(from.histograms.iter().map(|(step, _)| (*step as usize, 1))) {
                if std::mem::replace(&mut taken[step][kind], true) {
                    row.abandon();
                    return Err(same_labels());
                }
            }
            from.present_floats().for_each(|(step, value)| row.set(step, value));
        }
        let end = taken.iter().position(|kinds| *kinds == [true; 2]).unwrap_or(steps);
        for (step, histogram) in rows.iter().flat_map(|at| self.row(*at).histograms) {
            if (*step as usize) < end {
                row.push_histogram(*step as usize, histogram.clone());
            }
        }
        row.histograms.sort_by_key(|(step, _)| *step);
        row.finish(id);
        Ok(())
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        self.floats.size_bytes() + self.rows.capacity() * size_of::<Meta>() + self.other_bytes
    }

    fn push(&mut self, meta: Meta) {
        let histograms = meta.histograms.iter().map(|(_, histogram)| histogram.size_bytes() + 16);
        self.other_bytes += meta.id.size_bytes() + histograms.sum::<usize>();
        self.rows.push(meta);
    }
}

/// A series being written at the end of a table.
#[derive(Debug)]
pub(crate) struct NewRow<'a> {
    table: &'a mut Table,
    at: Place,
    histograms: Vec<HistogramAt>,
}

impl NewRow<'_> {
    /// The floats of all steps.
    pub(crate) fn floats(&mut self) -> &mut [f64] {
        self.table.floats.last_mut(self.at)
    }

    /// Sets the float of a step.
    #[inline]
    pub(crate) fn set(&mut self, step: usize, value: f64) {
        self.floats()[step] = value;
    }

    /// Adds the histogram of a step, which is behind those that have one.
    pub(crate) fn push_histogram(&mut self, step: usize, histogram: Arc<Histogram>) {
        self.histograms.push((step as u32, histogram));
    }

    /// The series as it is now.
    pub(crate) fn as_row<'a>(&'a self, id: &'a Identity) -> Row<'a> {
        Row { id, first: 0, floats: self.table.floats.last(self.at), histograms: &self.histograms }
    }

    /// Ends the series. Without any values it is not added. Whether it was.
    pub(crate) fn finish(self, id: Identity) -> bool {
        let Self { table, at, histograms } = self;
        let (first, end) = present_part(table.floats.last(at));
        let len = end - first;
        table.floats.cut_last(at, first, end);
        let is_empty = len == 0 && histograms.is_empty();
        if !is_empty {
            table.push(Meta { id, at, first: first as u32, len: len as u32, histograms });
        }
        !is_empty
    }

    /// Forgets the series.
    pub(crate) fn abandon(self) {
        self.table.floats.cut_last(self.at, 0, 0);
    }
}

/// Where the first float is that is there, and where the last one ends. Nothing lies between if there is none.
fn present_part(floats: &[f64]) -> (usize, usize) {
    let first = floats.iter().position(|value| is_present(*value)).unwrap_or(floats.len());
    let end = floats.iter().rposition(|value| is_present(*value)).map_or(first, |last| last + 1);
    (first, end)
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    fn id(name: &str) -> Identity {
        Identity::new(Labels::from_pairs([("n", name)]))
    }

    fn push(table: &mut Table, name: &str, floats: &[f64]) -> bool {
        let mut row = table.start_row(floats.len());
        row.floats().copy_from_slice(floats);
        row.finish(id(name))
    }

    #[test]
    fn rows_are_kept_from_their_first_value_to_the_last() {
        let mut table = Table::new();
        assert!(push(&mut table, "a", &[ABSENT, 1.0, ABSENT, 3.0, ABSENT]));
        assert!(!push(&mut table, "b", &[ABSENT; 5]));
        assert!(push(&mut table, "c", &[5.0; 5]));
        assert_eq!((table.len(), table.all_floats().map(<[f64]>::len).sum::<usize>()), (2, 8));
        let row = table.row(0);
        assert_eq!((row.first, row.floats.len(), row.first_step(), row.last_step()), (1, 3, 1, 3));
        assert_eq!(row.present_floats().collect::<Vec<_>>(), [(1, 1.0), (3, 3.0)]);
        assert_eq!([0, 1, 2, 4].map(|step| is_present(row.float(step))), [false, true, false, false]);
        assert_eq!(table.row(1).float(4), 5.0);
    }

    #[test]
    fn rows_stay_what_they_are_in_whichever_block_they_lie() {
        let column = |row: usize, steps: usize| -> Vec<f64> {
            let value = |step: usize| if (step + row).is_multiple_of(7) { ABSENT } else { (row * 1000 + step) as f64 };
            (0..steps).map(value).collect()
        };
        for steps in [1, 63, 64, 241, 8191, 8192, 8193, 11_000] {
            let mut tables = [Table::new(), Table::new()];
            for row in 0..100 {
                let (table, floats) = (&mut tables[row / 60], column(row, steps));
                match row % 3 {
                    0 => drop(push(table, &row.to_string(), &floats)),
                    1 => table.push_column(id(&row.to_string()), floats, Vec::new()),
                    _ => {
                        let name = id(&row.to_string());
                        let copied = Row { id: &name, first: 0, floats: &floats, histograms: &[] };
                        table.push_copy(name.clone(), copied);
                    }
                }
                table.start_row(steps).abandon();
            }
            let [mut table, rest] = tables;
            table.append(rest);
            let mut found = 0;
            for row in table.rows() {
                let number: usize = row.id.value("n").parse().unwrap();
                let expected = column(number, steps);
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                let floats: Vec<f64> = (0..steps).map(|step| row.float(step)).collect();
                assert_eq!(bits(&floats), bits(&expected), "row {number} of {steps} steps");
                found += usize::from(expected.iter().any(|value| is_present(*value)));
            }
            assert_eq!(
                found,
                (0..100).filter(|row| column(*row, steps).iter().any(|value| is_present(*value))).count()
            );
            let needed = found * steps * size_of::<f64>();
            assert!(table.size_bytes() >= needed && table.size_bytes() < 2 * needed + 100_000, "{steps} steps");
        }
    }

    #[test]
    fn tables_are_changed_appended_and_sorted() {
        let mut table = Table::new();
        push(&mut table, "a", &[1.0, 2.0]);
        push(&mut table, "b", &[3.0, 1.0]);
        let mut other = Table::new();
        push(&mut other, "c", &[ABSENT, 9.0]);
        table.append(other);
        table.change(|row| row.floats.iter_mut().filter(|value| **value < 3.0).for_each(|value| *value = ABSENT));
        let named = |table: &Table| table.rows().map(|row| row.id.value("n").to_owned()).collect::<Vec<_>>();
        assert_eq!(named(&table), ["b", "c"]);
        table.sort_by(|a, b| b.id.value("n").cmp(a.id.value("n")));
        assert_eq!(named(&table), ["c", "b"]);
        assert_eq!(table.row(1).float(0), 3.0);
    }
}
