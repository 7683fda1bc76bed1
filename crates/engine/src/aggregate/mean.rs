//! `avg`, and histograms in `sum` and `avg`.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{CounterReset, Histogram, HistogramSum, IncompatibleSchemas, Merged};
use promql::Span;
use series::{FoldedGroup, QueryError};

use super::groups::{Columns, Groups};
use crate::annotation::{Annotations, HistogramOperation, Remark};
use crate::ledger::Record;
use crate::mean::Mean;
use crate::sink::{Output, Sink};
use crate::table::{ABSENT, HistogramAt, Row, Table, is_present};

/// Averages floats, or histograms.
pub(super) struct Avg {
    groups: Groups,
    means: Columns<Option<Mean>>,
    histograms: HistogramColumns,
}

impl Avg {
    pub(super) fn new(groups: Groups, span: Span) -> Self {
        let histograms = HistogramColumns::new(span, |mean, histogram| mean.add_to_mean(histogram), HistogramSum::mean);
        let means = Columns::of_empty(groups.steps(), None);
        Self { groups, means, histograms }
    }
}

impl Sink for Avg {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            let group = self.groups.number_of(row);
            let means = self.means.of(group);
            let has_broken = self.histograms.has_broken(group);
            for (step, value) in row.present_floats() {
                if has_broken && self.histograms.is_broken(group, step) {
                    continue;
                }
                match &mut means[step] {
                    Some(mean) => mean.add(value),
                    mean => *mean = Some(Mean::of(value)),
                }
            }
            self.histograms.fold(group, row, |step| means[step].is_some(), &mut record.annotations);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, mut means, mut histograms } = *self;
        Ok(Output::Table(groups.into_table_with(|group| {
            let mut floats: Vec<f64> =
                means.take(group).into_iter().map(|mean| mean.map_or(ABSENT, Mean::value)).collect();
            let histograms = histograms.finish(group, &mut floats, &mut record.annotations);
            (floats, histograms)
        })))
    }

    fn group_count(&self) -> usize {
        self.groups.len()
    }

    fn into_groups(self: Box<Self>) -> Option<Vec<FoldedGroup>> {
        let Self { groups, mut means, .. } = *self;
        groups.into_folded(|group| {
            let means = means.take(group);
            let column =
                |of: fn(&Mean) -> f64, none: f64| means.iter().map(|mean| mean.as_ref().map_or(none, of)).collect();
            vec![column(Mean::sum, ABSENT), column(Mean::compensation, 0.0), column(Mean::count, 0.0)]
        })
    }

    fn fold_group(&mut self, group: FoldedGroup) -> bool {
        let [sums, compensations, counts] = group.columns.as_slice() else { return false };
        if counts.len() != sums.len() {
            return false;
        }
        let number = self.groups.number_of_folded(&group);
        let means = &mut self.means.of(number)[group.first_step as usize..];
        let compensations = compensations.iter().chain(std::iter::repeat(&0.0));
        for (mean, (sum, (compensation, count))) in means.iter_mut().zip(sums.iter().zip(compensations.zip(counts))) {
            if is_present(*sum) {
                let other = Mean::of_sum(*sum, *compensation, *count);
                match mean {
                    Some(mean) => mean.absorb(other),
                    None => *mean = Some(other),
                }
            }
        }
        true
    }

    fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.means.size_bytes() + self.histograms.size_bytes()
    }
}

/// Adds a histogram to a sum or a mean.
type AddHistogram = fn(&mut HistogramSum, &Histogram) -> Result<Merged, IncompatibleSchemas>;

/// Sums or means of histograms, for the groups and steps that have some.
pub(super) struct HistogramColumns {
    span: Span,
    add: AddHistogram,
    result: fn(HistogramSum) -> Histogram,
    groups: BTreeMap<usize, Cells>,
    bytes: usize,
}

#[derive(Default)]
struct Cells {
    /// By step.
    cells: BTreeMap<usize, Cell>,
    /// Whether some of them are broken.
    has_broken: bool,
}

enum Cell {
    Sum {
        sum: Box<HistogramSum>,
        has_reset: bool,
        has_no_reset: bool,
    },
    /// There were floats before: there will be no result.
    Mixed,
    /// The histograms do not fit each other: there will be no result, and whatever comes does not matter any more.
    Broken,
}

impl HistogramColumns {
    pub(super) fn new(span: Span, add: AddHistogram, result: fn(HistogramSum) -> Histogram) -> Self {
        Self { span, add, result, groups: BTreeMap::new(), bytes: 0 }
    }

    /// Whether a group has steps that take in nothing any more.
    pub(super) fn has_broken(&self, group: usize) -> bool {
        !self.groups.is_empty() && self.groups.get(&group).is_some_and(|cells| cells.has_broken)
    }

    pub(super) fn is_broken(&self, group: usize, step: usize) -> bool {
        let cell = self.groups.get(&group).and_then(|cells| cells.cells.get(&step));
        matches!(cell, Some(Cell::Broken))
    }

    /// Takes in the histograms of a series. `has_float` tells which steps had a float before.
    pub(super) fn fold(
        &mut self,
        group: usize,
        row: Row<'_>,
        has_float: impl Fn(usize) -> bool,
        annotations: &mut Annotations,
    ) {
        if row.histograms.is_empty() {
            return;
        }
        let cells = self.groups.entry(group).or_default();
        for (step, histogram) in row.histograms {
            let step = *step as usize;
            match cells.cells.get_mut(&step) {
                None => {
                    self.bytes += 2 * histogram.size_bytes();
                    cells.cells.insert(step, Cell::first(histogram, has_float(step)));
                }
                Some(Cell::Mixed | Cell::Broken) => {}
                Some(cell) => {
                    cell.add(self.add, histogram, (self.span, row.id.metric()), annotations);
                    cells.has_broken |= matches!(cell, Cell::Broken);
                }
            }
        }
    }

    /// The results of a group that has these floats. Where there are floats as well, there is none of either kind.
    pub(super) fn finish(
        &mut self,
        group: usize,
        floats: &mut [f64],
        annotations: &mut Annotations,
    ) -> Vec<HistogramAt> {
        let mut histograms = Vec::new();
        let Some(cells) = self.groups.remove(&group) else { return histograms };
        for (step, cell) in cells.cells {
            if is_present(floats[step]) {
                annotations.add(self.span, Remark::MixedFloatsHistogramsInAggregation, "");
                floats[step] = ABSENT;
                continue;
            }
            if let Cell::Sum { sum, has_reset, has_no_reset } = cell {
                if has_reset && has_no_reset {
                    annotations.add(self.span, Remark::ConflictingResets(HistogramOperation::Aggregation), "");
                }
                let mut result = (self.result)(*sum);
                result.compact(0);
                histograms.push((step as u32, Arc::new(result)));
            }
        }
        histograms
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes
    }
}

impl Cell {
    fn first(histogram: &Histogram, has_float: bool) -> Self {
        if has_float {
            return Self::Mixed;
        }
        let has_reset = histogram.counter_reset == CounterReset::Reset;
        let has_no_reset = histogram.counter_reset == CounterReset::NotReset;
        Self::Sum { sum: Box::new(HistogramSum::new(histogram.clone())), has_reset, has_no_reset }
    }

    fn add(
        &mut self,
        add: AddHistogram,
        histogram: &Histogram,
        (span, metric): (Span, &str),
        annotations: &mut Annotations,
    ) {
        let Self::Sum { sum, has_reset, has_no_reset } = self else { return };
        *has_reset |= histogram.counter_reset == CounterReset::Reset;
        *has_no_reset |= histogram.counter_reset == CounterReset::NotReset;
        match add(sum, histogram) {
            Ok(merged) if merged.has_mismatched_bounds => {
                annotations.add(span, Remark::MismatchedBounds(HistogramOperation::Aggregation), "");
            }
            Ok(_) => {}
            Err(IncompatibleSchemas) => {
                annotations.add(span, Remark::MixedExponentialCustom, metric);
                *self = Self::Broken;
            }
        }
    }
}
