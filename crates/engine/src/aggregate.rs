//! Aggregations over groups of series.

mod count_values;
mod extreme;
mod groups;
mod limit;
mod mean;
mod quantile;
mod spread;
mod sum;
mod top;

use model::format_float_g;
use promql::ast::Grouping;
use promql::{AggregateOp, Span};
use series::QueryError;

use crate::annotation::Remark;
use crate::arithmetic::{max, min};
use crate::grid::Grid;
use crate::ledger::Record;
use crate::purpose::Purpose;
use crate::scalar::Scalar;
use crate::sink::{Output, Sink};
use crate::table::Table;

pub(crate) use groups::Groups;

/// An aggregation, as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) grouping: Grouping,
    /// The label that `count_values` sets.
    pub(crate) label: String,
    /// Where the aggregation, the aggregated expression and the parameter stand.
    pub(crate) span: Span,
    pub(crate) operand_span: Span,
    pub(crate) param_span: Span,
}

/// The parameter of an aggregation over all steps.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    values: Scalar,
    least: f64,
    largest: f64,
    has_nan: bool,
}

impl Parameter {
    pub(crate) fn new(values: Scalar, grid: Grid) -> Self {
        let (mut least, mut largest, mut has_nan) = match values {
            Scalar::Constant(value) if !grid.is_empty() => (value, value, value.is_nan()),
            Scalar::Constant(_) | Scalar::Steps(_) => (f64::MAX, f64::MIN, false),
        };
        if let Scalar::Steps(_) = values {
            for value in values.values(grid.len()) {
                (least, largest) = (min(least, value), max(largest, value));
                has_nan |= value.is_nan();
            }
        }
        Self { values, least, largest, has_nan }
    }

    fn at(&self, step: usize) -> f64 {
        self.values.at(step)
    }

    /// How many series of each group are wanted; `None` if none ever.
    fn counts(&self, grid: Grid) -> Result<Option<Vec<usize>>, QueryError> {
        // What fits into 64 bits with a sign.
        const LEAST: f64 = i64::MIN as f64;
        const LARGEST: f64 = 9_223_372_036_854_774_784.0;
        if self.largest < 1.0 {
            return Ok(None);
        }
        let refused = if self.has_nan {
            Some("Parameter value is NaN".to_owned())
        } else if self.least <= LEAST {
            Some(format!("Scalar value {} underflows int64", format_float_g(self.least)))
        } else if self.largest >= LARGEST {
            Some(format!("Scalar value {} overflows int64", format_float_g(self.largest)))
        } else {
            None
        };
        match refused {
            Some(message) => Err(QueryError::Execution(message)),
            None => Ok(Some(self.values.values(grid.len()).map(|count| count as usize).collect())),
        }
    }
}

impl Aggregate {
    /// Whether groups of some series can be put together with groups of others. What those of histograms depend on is the
    /// order of the series, and the like.
    pub(crate) fn is_of_parts(&self) -> bool {
        use AggregateOp as A;
        matches!(self.op, A::Sum | A::Avg | A::Min | A::Max | A::Count | A::Group)
    }

    /// Whether these values come to the same in parts, whatever the order of the series.
    pub(crate) fn allows(&self, purpose: Purpose, table: &Table) -> bool {
        let sums = matches!(self.op, AggregateOp::Sum | AggregateOp::Avg);
        purpose == Purpose::Result
            || table.has_only_floats() && (!sums || table.all_floats().all(|floats| purpose.allows(floats)))
    }

    /// The sink that aggregates. Remarks on the parameter.
    ///
    /// If that makes no sense, the sink fails in the end: what is wrong with the operand is told first.
    pub(crate) fn sink(
        &self,
        parameter: Parameter,
        grid: Grid,
        purpose: Purpose,
        record: &mut Record,
    ) -> Box<dyn Sink> {
        self.sink_for(parameter, grid, purpose, record).unwrap_or_else(|error| Box::new(Refused(error)))
    }

    fn sink_for(
        &self,
        parameter: Parameter,
        grid: Grid,
        purpose: Purpose,
        record: &mut Record,
    ) -> Result<Box<dyn Sink>, QueryError> {
        let mut groups = Groups::new(&self.grouping, grid.len());
        if purpose == Purpose::Part {
            groups = groups.keep_firsts();
        }
        let operand = self.operand_span;
        Ok(match self.op {
            AggregateOp::Sum => Box::new(sum::Sum::new(groups, operand)),
            AggregateOp::Avg => Box::new(mean::Avg::new(groups, operand)),
            AggregateOp::Min => Box::new(extreme::Extreme::<false>::new(groups, operand)),
            AggregateOp::Max => Box::new(extreme::Extreme::<true>::new(groups, operand)),
            AggregateOp::Count => Box::new(extreme::Count::new(groups, false)),
            AggregateOp::Group => Box::new(extreme::Count::new(groups, true)),
            AggregateOp::Stddev => Box::new(spread::Spread::new(groups, "stddev", operand)),
            AggregateOp::Stdvar => Box::new(spread::Spread::new(groups, "stdvar", operand)),
            AggregateOp::Quantile => {
                self.remark_quantile(&parameter, record);
                Box::new(quantile::Quantile::new(groups, parameter, operand))
            }
            AggregateOp::Topk | AggregateOp::Bottomk => {
                let counts = parameter.counts(grid)?;
                Box::new(top::Top::new(groups, self.op, counts, self.span))
            }
            AggregateOp::Limitk => Box::new(limit::Limit::new(groups, parameter.counts(grid)?)),
            AggregateOp::CountValues => {
                Box::new(count_values::CountValues::new(&self.grouping, &self.label, grid.len()))
            }
            AggregateOp::LimitRatio => {
                self.remark_ratio(&parameter, record)?;
                Box::new(limit::LimitRatio::new(groups, parameter.values))
            }
        })
    }

    fn remark_quantile(&self, parameter: &Parameter, record: &mut Record) {
        let nan = parameter.has_nan.then_some(f64::NAN);
        let above = (parameter.largest > 1.0).then_some(parameter.largest);
        let below = (parameter.least < 0.0).then_some(parameter.least);
        for quantile in [nan, above, below].into_iter().flatten() {
            record.annotations.add(self.param_span, Remark::InvalidQuantile(quantile.into()), "");
        }
    }

    fn remark_ratio(&self, parameter: &Parameter, record: &mut Record) -> Result<(), QueryError> {
        if parameter.has_nan {
            return Err(QueryError::Execution("Ratio value is NaN".to_owned()));
        }
        let above = (parameter.largest > 1.0).then_some((parameter.largest, 1.0));
        let below = (parameter.least < -1.0).then_some((parameter.least, -1.0));
        for (got, cap) in [above, below].into_iter().flatten() {
            let remark = Remark::InvalidRatio { got: got.into(), cap: cap.into() };
            record.annotations.add(self.param_span, remark, "");
        }
        Ok(())
    }
}

/// An aggregation whose parameter makes no sense.
struct Refused(QueryError);

impl Sink for Refused {
    fn fold(&mut self, _table: Table, _record: &mut Record) -> Result<(), QueryError> {
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        Err(self.0)
    }

    fn size_bytes(&self) -> usize {
        0
    }
}
