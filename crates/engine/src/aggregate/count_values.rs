//! `count_values`

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::{Labels, LabelsBuilder, format_float};
use promql::ast::Grouping;
use series::QueryError;

use super::groups::{Columns, SortedGrouping};
use crate::identity::Identity;
use crate::ledger::Record;
use crate::sink::{Output, Sink};
use crate::table::{ABSENT, Table};

/// How many series have each value.
pub(super) struct CountValues {
    grouping: SortedGrouping,
    label: String,
    numbers: HashMap<Labels, usize, RandomState>,
    groups: Vec<Labels>,
    counts: Columns,
    label_bytes: usize,
}

impl CountValues {
    pub(super) fn new(grouping: &Grouping, label: &str, steps: usize) -> Self {
        let mut grouping = grouping.clone();
        if !grouping.without {
            grouping.labels.push(label.to_owned());
        }
        Self {
            grouping: SortedGrouping::new(&grouping),
            label: label.to_owned(),
            numbers: HashMap::default(),
            groups: Vec::new(),
            counts: Columns::zero(steps),
            label_bytes: 0,
        }
    }

    /// The number of the group of a series that has this value.
    fn number_of(&mut self, id: &Identity, value: &str) -> usize {
        let mut labels = LabelsBuilder::from(id.labels());
        labels.set(&self.label, value);
        let labels = self.grouping.labels_of(labels.iter());
        *self.numbers.entry(labels).or_insert_with_key(|labels| {
            self.label_bytes += labels.size_bytes();
            self.groups.push(labels.clone());
            self.groups.len() - 1
        })
    }
}

impl Sink for CountValues {
    fn fold(&mut self, table: Table, _record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            // Values mostly stay what they are.
            let mut last: Option<(u64, usize)> = None;
            for (step, value) in row.present_floats() {
                let number = match last {
                    Some((bits, number)) if bits == value.to_bits() => number,
                    _ => self.number_of(row.id, &format_float(value)),
                };
                last = Some((value.to_bits(), number));
                self.counts.of(number)[step] += 1.0;
            }
            for (step, histogram) in row.histograms {
                let number = self.number_of(row.id, &histogram.to_string());
                self.counts.of(number)[*step as usize] += 1.0;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, mut counts, .. } = *self;
        let mut table = Table::new();
        for (number, labels) in groups.into_iter().enumerate() {
            let mut counts = counts.take(number);
            counts.iter_mut().filter(|count| **count == 0.0).for_each(|count| *count = ABSENT);
            table.push_column(Identity::new(labels), counts, Vec::new());
        }
        Ok(Output::Table(table))
    }

    fn size_bytes(&self) -> usize {
        self.label_bytes + self.groups.capacity() * 64 + self.counts.size_bytes()
    }
}
