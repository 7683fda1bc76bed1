//! What is done with each series of an instant vector by itself.

mod labels;
mod scalar_operation;
pub(crate) mod sort;

use std::sync::Arc;

use model::{CompensatedSum, Histogram};
use promql::Span;

use crate::annotation::Remark;
use crate::arithmetic::{MathFunction, max, min, round};
use crate::date::DatePart;
use crate::grid::Grid;
use crate::identity::{Identity, Naming};
use crate::ledger::Record;
use crate::scalar::{Scalar, ScalarExpr, StageId, seconds};
use crate::table::{ABSENT, RowMut, Table, is_present};
use crate::unique::{Sharing, Unique};

pub(crate) use labels::{LabelJoin, LabelReplace};
pub(crate) use scalar_operation::WithScalar;

/// An operation on each series of an instant vector.
#[derive(Clone, Debug)]
pub(crate) enum RowOp {
    /// A function of one float.
    Math(MathFunction),
    /// `round`
    Round(ScalarExpr),
    /// `clamp` and the like: the least and the largest value.
    Clamp(ScalarExpr, ScalarExpr),
    /// A part of the date that a value is.
    Date(DatePart),
    /// The time of the step: `timestamp` of anything but a selector.
    Time,
    /// No result: `start_timestamp` of anything but a selector.
    Nothing,
    /// The unary minus.
    Negate,
    /// A number that tells of a histogram.
    Histogram(HistogramFunction),
    /// An operator between a vector and a scalar.
    WithScalar(WithScalar),
    LabelReplace(Arc<LabelReplace>),
    LabelJoin(Arc<LabelJoin>),
    /// Nothing is changed, except that histograms may go. A remark is made whatever comes.
    Pass {
        only_floats: bool,
        remark: Option<(Span, Remark)>,
    },
    /// The one step there is, at every step.
    Repeat,
}

/// A number that tells of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistogramFunction {
    Count,
    Sum,
    Avg,
    Stddev,
    Stdvar,
}

/// What operations need to know of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VectorContext<'a> {
    /// The steps of the result.
    pub(crate) grid: Grid,
    pub(crate) naming: Naming,
    /// The values of [`RowOp::scalars`].
    pub(crate) scalars: &'a [Scalar],
}

impl HistogramFunction {
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "histogram_count" => Self::Count,
            "histogram_sum" => Self::Sum,
            "histogram_avg" => Self::Avg,
            "histogram_stddev" => Self::Stddev,
            "histogram_stdvar" => Self::Stdvar,
            _ => return None,
        })
    }

    fn apply(self, histogram: &Histogram) -> f64 {
        match self {
            Self::Count => histogram.count,
            Self::Sum => histogram.sum,
            Self::Avg => histogram.sum / histogram.count,
            Self::Stddev => variance(histogram).sqrt(),
            Self::Stdvar => variance(histogram),
        }
    }
}

/// The variance of the observations, were they all in the middle of their buckets: the arithmetic one of custom buckets, the
/// geometric one of others, 0 for the zero bucket.
fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut squares = CompensatedSum::default();
    for bucket in histogram.buckets().filter(|bucket| bucket.count != 0.0) {
        let middle = if histogram.has_custom_buckets() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.upper * bucket.lower).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        };
        let delta = middle - mean;
        squares.add(bucket.count * delta * delta);
    }
    squares.total() / histogram.count
}

impl RowOp {
    /// The scalars that it depends on.
    pub(crate) fn scalars(&self) -> Vec<&ScalarExpr> {
        match self {
            Self::Round(scalar) => vec![scalar],
            Self::Clamp(least, largest) => vec![least, largest],
            Self::WithScalar(operation) => vec![&operation.scalar],
            _ => Vec::new(),
        }
    }

    /// The stages that must be done before.
    pub(crate) fn needs(&self, needs: &mut Vec<StageId>) {
        self.scalars().into_iter().for_each(|scalar| scalar.needs(needs));
    }

    /// What is remarked even if there are no series.
    pub(crate) fn remark(&self) -> Option<(Span, &Remark)> {
        match self {
            Self::Pass { remark: Some((span, remark)), .. } => Some((*span, remark)),
            _ => None,
        }
    }

    /// Whether two series may become the same, which series that were there before may then be the same as, and when that is
    /// no error.
    pub(crate) fn sharing(&self, naming: Naming) -> Option<Sharing> {
        match self {
            Self::LabelReplace(_) | Self::LabelJoin(_) => Some(Sharing::OtherStepsOrKind),
            Self::Nothing | Self::Pass { .. } | Self::Repeat => None,
            Self::WithScalar(operation) if !operation.drops_name() => None,
            Self::Negate => (naming == Naming::Eager).then_some(Sharing::OtherStepsOrKind),
            _ => (naming == Naming::Eager).then_some(Sharing::OtherSteps),
        }
    }

    /// Applies the operation to all series.
    pub(crate) fn apply(
        &self,
        table: &mut Table,
        context: VectorContext<'_>,
        record: &mut Record,
        unique: &mut Unique,
    ) {
        let VectorContext { grid, naming, scalars } = context;
        let scalar = |at: usize| scalars.get(at).unwrap_or(&Scalar::Constant(f64::NAN));
        match self {
            Self::Math(function) => map(table, naming, |_, value| function.apply(value)),
            Self::Round(_) => map(table, naming, |step, value| round(value, scalar(0).at(step))),
            Self::Clamp(..) => map(table, naming, |step, value| {
                let (least, largest) = (scalar(0).at(step), scalar(1).at(step));
                if largest < least { ABSENT } else { max(least, min(largest, value)) }
            }),
            Self::Date(part) => map(table, naming, |_, value| part.of_seconds(value)),
            Self::Time => times(table, grid, naming),
            Self::Nothing => *table = Table::new(),
            Self::Negate => negate(table, naming),
            Self::Histogram(function) => histogram_numbers(table, *function, grid, naming),
            Self::WithScalar(operation) => operation.apply(table, scalar(0), naming, record),
            Self::LabelReplace(operation) => operation.apply(table),
            Self::LabelJoin(operation) => operation.apply(table),
            Self::Pass { only_floats, .. } => {
                if *only_floats {
                    table.change(|row| row.histograms.clear());
                }
            }
            Self::Repeat => *table = repeat(table, grid),
        }
        match (self, self.sharing(naming)) {
            (_, None) => {}
            // These made labels anew, which tell no more what they were before.
            (Self::LabelReplace(_) | Self::LabelJoin(_) | Self::Histogram(_), Some(_)) => unique.see_changed(table),
            (_, Some(_)) => unique.see(table),
        }
    }
}

/// Changes all floats; histograms go. Those that become [`ABSENT`] go as well.
fn map(table: &mut Table, naming: Naming, change: impl Fn(usize, f64) -> f64) {
    table.change(|row| {
        row.histograms.clear();
        row.id.drop_name(naming);
        for (at, value) in row.floats.iter_mut().enumerate() {
            if is_present(*value) {
                *value = change(row.first + at, *value);
            }
        }
    });
}

fn negate(table: &mut Table, naming: Naming) {
    table.change(|row: RowMut<'_>| {
        row.id.drop_name(naming);
        for value in row.floats.iter_mut().filter(|value| is_present(**value)) {
            *value = -*value;
        }
        for (_, histogram) in row.histograms {
            Arc::make_mut(histogram).multiply(-1.0);
        }
    });
}

/// New series with a float at each step at which the old ones have any value.
fn rebuild(table: &mut Table, grid: Grid, mut change: impl FnMut(crate::table::Row<'_>, &mut [f64]) -> Identity) {
    let mut changed = Table::new();
    for row in table.rows() {
        let mut new = changed.start_row(grid.len());
        let id = change(row, new.floats());
        new.finish(id);
    }
    *table = changed;
}

fn times(table: &mut Table, grid: Grid, naming: Naming) {
    rebuild(table, grid, |row, floats| {
        row.present_steps().for_each(|step| floats[step] = seconds(grid.time(step)));
        let mut id = row.id.clone();
        id.drop_name(naming);
        id
    });
}

fn histogram_numbers(table: &mut Table, function: HistogramFunction, grid: Grid, naming: Naming) {
    rebuild(table, grid, |row, floats| {
        for (step, histogram) in row.histograms {
            floats[*step as usize] = function.apply(histogram);
        }
        match naming {
            Naming::Eager => row.id.without_metric(),
            Naming::Delayed => {
                let mut id = row.id.clone();
                id.drop_name(naming);
                id
            }
        }
    });
}

fn repeat(table: &Table, grid: Grid) -> Table {
    let mut repeated = Table::new();
    for row in table.rows() {
        let mut new = repeated.start_row(grid.len());
        if let Some((_, value)) = row.present_floats().next() {
            new.floats().fill(value);
        } else if let Some((_, histogram)) = row.histograms.first() {
            (0..grid.len()).for_each(|step| new.push_histogram(step, histogram.clone()));
        }
        new.finish(row.id.clone());
    }
    repeated
}
