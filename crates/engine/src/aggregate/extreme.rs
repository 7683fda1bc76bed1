//! `min`, `max`, `count` and `group`.

use promql::Span;
use series::{FoldedGroup, QueryError};

use super::groups::{Columns, Groups};
use crate::annotation::Remark;
use crate::ledger::Record;
use crate::sink::{Output, Sink};
use crate::table::{ABSENT, Table, is_present};

/// The smallest or the largest float; NaN only if there is nothing else.
pub(super) struct Extreme<const IS_LARGEST: bool> {
    groups: Groups,
    values: Columns,
    span: Span,
}

impl<const IS_LARGEST: bool> Extreme<IS_LARGEST> {
    pub(super) fn new(groups: Groups, span: Span) -> Self {
        let values = Columns::absent(groups.steps());
        Self { groups, values, span }
    }

    /// Takes in floats of a group, from a step on.
    fn take_in(&mut self, group: usize, first: usize, floats: &[f64]) {
        for (value, extreme) in floats.iter().zip(&mut self.values.of(group)[first..first + floats.len()]) {
            let beats = if IS_LARGEST { *extreme < *value } else { *extreme > *value };
            // What is absent is NaN as well.
            let is_beaten = beats || extreme.is_nan();
            *extreme = if is_present(*value) && is_beaten { *value } else { *extreme };
        }
    }
}

impl<const IS_LARGEST: bool> Sink for Extreme<IS_LARGEST> {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            if !row.histograms.is_empty() {
                let op = if IS_LARGEST { "max" } else { "min" };
                record.annotations.add(self.span, Remark::IgnoredInAggregation(op), "");
            }
            let group = self.groups.number_of(row);
            self.take_in(group, row.first, row.floats);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, mut values, .. } = *self;
        Ok(Output::Table(groups.into_table(|group| values.take(group))))
    }

    fn group_count(&self) -> usize {
        self.groups.len()
    }

    fn into_groups(self: Box<Self>) -> Option<Vec<FoldedGroup>> {
        let Self { groups, mut values, .. } = *self;
        groups.into_folded(|group| vec![values.take(group)])
    }

    fn fold_group(&mut self, mut group: FoldedGroup) -> bool {
        let number = self.groups.number_of_folded(&group);
        let [values] = group.columns.as_mut_slice() else { return false };
        let (first, values) = (group.first_step as usize, std::mem::take(values));
        if self.values.get(number).is_none() {
            self.values.set(number, first, values);
        } else {
            self.take_in(number, first, &values);
        }
        true
    }

    fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.values.size_bytes()
    }
}

/// How many values there are, or only that there are some.
pub(super) struct Count {
    groups: Groups,
    counts: Columns,
    is_group: bool,
}

impl Count {
    pub(super) fn new(groups: Groups, is_group: bool) -> Self {
        let counts = Columns::zero(groups.steps());
        Self { groups, counts, is_group }
    }
}

impl Sink for Count {
    fn fold(&mut self, table: Table, _record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            let group = self.groups.number_of(row);
            let counts = self.counts.of(group);
            for (value, count) in row.floats.iter().zip(&mut counts[row.first..]) {
                *count += if is_present(*value) { 1.0 } else { 0.0 };
            }
            for (step, _) in row.histograms {
                counts[*step as usize] += 1.0;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, mut counts, is_group } = *self;
        Ok(Output::Table(groups.into_table(|group| {
            let mut counts = counts.take(group);
            for count in &mut counts {
                *count = match *count > 0.0 {
                    true if is_group => 1.0,
                    true => *count,
                    false => ABSENT,
                };
            }
            counts
        })))
    }

    fn group_count(&self) -> usize {
        self.groups.len()
    }

    fn into_groups(self: Box<Self>) -> Option<Vec<FoldedGroup>> {
        let Self { groups, mut counts, .. } = *self;
        let marked = |count: f64| if count > 0.0 { count } else { ABSENT };
        groups.into_folded(|group| vec![counts.take(group).into_iter().map(marked).collect()])
    }

    fn fold_group(&mut self, group: FoldedGroup) -> bool {
        let [others] = group.columns.as_slice() else { return false };
        let number = self.groups.number_of_folded(&group);
        for (count, other) in self.counts.of(number)[group.first_step as usize..].iter_mut().zip(others) {
            *count += if is_present(*other) { *other } else { 0.0 };
        }
        true
    }

    fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.counts.size_bytes()
    }
}
