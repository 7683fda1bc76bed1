//! `stddev` and `stdvar`.

use promql::Span;
use series::QueryError;

use super::groups::{Columns, Groups};
use crate::annotation::Remark;
use crate::ledger::Record;
use crate::sink::{Output, Sink};
use crate::table::{ABSENT, Table};

/// How far floats lie from their mean, by Welford's algorithm.
pub(super) struct Spread {
    groups: Groups,
    counts: Columns,
    means: Columns,
    squares: Columns,
    op: &'static str,
    span: Span,
}

impl Spread {
    pub(super) fn new(groups: Groups, op: &'static str, span: Span) -> Self {
        let columns = || Columns::zero(groups.steps());
        let (counts, means, squares) = (columns(), columns(), columns());
        Self { groups, counts, means, squares, op, span }
    }
}

impl Sink for Spread {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            if !row.histograms.is_empty() {
                record.annotations.add(self.span, Remark::IgnoredInAggregation(self.op), "");
            }
            let group = self.groups.number_of(row);
            let (counts, means, squares) = (self.counts.of(group), self.means.of(group), self.squares.of(group));
            for (step, value) in row.present_floats() {
                let (count, mean, square) = (&mut counts[step], &mut means[step], &mut squares[step]);
                *count += 1.0;
                if *count == 1.0 {
                    *mean = value;
                    *square = if value.is_finite() { 0.0 } else { f64::NAN };
                } else {
                    let delta = value - *mean;
                    *mean += delta / *count;
                    *square += delta * (value - *mean);
                }
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, mut counts, mut squares, op, .. } = *self;
        let is_root = op == "stddev";
        Ok(Output::Table(groups.into_table(|group| {
            let mut values = squares.take(group);
            for (value, count) in values.iter_mut().zip(counts.take(group)) {
                let variance = *value / count;
                *value = match count > 0.0 {
                    true if is_root => variance.sqrt(),
                    true => variance,
                    false => ABSENT,
                };
            }
            values
        })))
    }

    fn size_bytes(&self) -> usize {
        let columns = self.counts.size_bytes() + self.means.size_bytes() + self.squares.size_bytes();
        self.groups.size_bytes() + columns
    }
}
