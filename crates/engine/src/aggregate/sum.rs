//! `sum`

use model::{HistogramSum, add_compensated};
use promql::Span;
use series::{FoldedGroup, QueryError};

use super::groups::{Columns, Groups};
use super::mean::HistogramColumns;
use crate::ledger::Record;
use crate::sink::{Output, Sink};
use crate::table::{Table, is_present};

/// Adds up floats, or histograms, losing little to rounding. Series are added in their order, so that every bit is the same
/// each time.
pub(super) struct Sum {
    groups: Groups,
    sums: Columns,
    /// What rounding lost. A group of one series has none.
    compensations: Columns,
    histograms: HistogramColumns,
}

impl Sum {
    pub(super) fn new(groups: Groups, span: Span) -> Self {
        let steps = groups.steps();
        let histograms = HistogramColumns::new(span, |sum, histogram| sum.add(histogram), HistogramSum::total);
        Self { groups, sums: Columns::absent(steps), compensations: Columns::zero(steps), histograms }
    }
}

impl Sink for Sum {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            let group = self.groups.number_of(row);
            let steps = row.first..row.first + row.floats.len();
            if self.sums.get(group).is_none() {
                self.sums.of(group)[steps].copy_from_slice(row.floats);
                self.histograms.fold(group, row, |_| false, &mut record.annotations);
                continue;
            }
            let sums = &mut self.sums.of(group)[steps.clone()];
            let compensations = &mut self.compensations.of(group)[steps];
            if self.histograms.has_broken(group) {
                let floats = row.present_floats().filter(|(step, _)| !self.histograms.is_broken(group, *step));
                for (step, value) in floats {
                    let at = step - row.first;
                    (sums[at], compensations[at]) = added(value, sums[at], compensations[at]);
                }
            } else {
                add_column(row.floats, sums, compensations);
            }
            let sums = &self.sums;
            self.histograms.fold(group, row, |step| is_present(sums.at(group, step)), &mut record.annotations);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, mut sums, mut compensations, mut histograms } = *self;
        Ok(Output::Table(groups.into_table_with(|group| {
            let mut totals = sums.take(group);
            match compensations.take_seen(group) {
                Some(compensations) => {
                    totals.iter_mut().zip(compensations).for_each(|(total, lost)| add_lost(total, lost))
                }
                // A sum of nothing but -0 is 0.
                None => totals.iter_mut().for_each(|total| add_lost(total, 0.0)),
            }
            let histograms = histograms.finish(group, &mut totals, &mut record.annotations);
            (totals, histograms)
        })))
    }

    fn group_count(&self) -> usize {
        self.groups.len()
    }

    fn into_groups(self: Box<Self>) -> Option<Vec<FoldedGroup>> {
        let Self { groups, mut sums, mut compensations, .. } = *self;
        groups.into_folded(|group| vec![sums.take(group), compensations.take_seen(group).unwrap_or_default()])
    }

    fn fold_group(&mut self, mut group: FoldedGroup) -> bool {
        let number = self.groups.number_of_folded(&group);
        let [others, lost] = group.columns.as_mut_slice() else { return false };
        let (others, lost) = (std::mem::take(others), std::mem::take(lost));
        let steps = group.first_step as usize..group.first_step as usize + others.len();
        if self.sums.get(number).is_none() {
            self.sums.set(number, steps.start, others);
            if !lost.is_empty() {
                self.compensations.set(number, steps.start, lost);
            }
            return true;
        }
        let own = self.sums.of(number)[steps.clone()].iter_mut().zip(&mut self.compensations.of(number)[steps]);
        let lost = lost.into_iter().chain(std::iter::repeat(0.0));
        for ((sum, compensation), (other, lost)) in own.zip(others.into_iter().zip(lost)) {
            if is_present(other) {
                (*sum, *compensation) = added(other, *sum, *compensation);
                *compensation += lost;
            }
        }
        true
    }

    fn size_bytes(&self) -> usize {
        let columns = self.sums.size_bytes() + self.compensations.size_bytes();
        self.groups.size_bytes() + columns + self.histograms.size_bytes()
    }
}

/// Adds a column of floats to sums, step by step, where there is a float.
fn add_column(floats: &[f64], sums: &mut [f64], compensations: &mut [f64]) {
    for ((value, sum), compensation) in floats.iter().zip(sums).zip(compensations) {
        let (new_sum, new_compensation) = added(*value, *sum, *compensation);
        // Selecting instead of branching keeps whole columns in vector registers.
        *sum = if is_present(*value) { new_sum } else { *sum };
        *compensation = if is_present(*value) { new_compensation } else { *compensation };
    }
}

/// Adds what rounding lost of a sum, if there is one.
fn add_lost(sum: &mut f64, lost: f64) {
    if is_present(*sum) {
        *sum += lost;
    }
}

/// The sum with a further value, which may be the first one.
#[inline]
fn added(value: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let (new_sum, new_compensation) = add_compensated(value, sum, compensation);
    if is_present(sum) { (new_sum, new_compensation) } else { (value, 0.0) }
}
