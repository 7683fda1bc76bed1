//! What an operator makes of two values.

use std::sync::Arc;

use model::{CounterReset, Histogram, IncompatibleSchemas, Merged};
use promql::BinaryOp;

use crate::annotation::{HistogramOperation, Remark};
use crate::arithmetic::{arithmetic, comparison};
use crate::table::{ABSENT, Row, is_present};

/// A value of a series at a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

/// What comes of two values.
#[derive(Debug)]
pub(super) enum Combined {
    Float(f64),
    Histogram(Arc<Histogram>),
    /// A comparison does not hold.
    Filtered,
    /// The operator has no use for such values: it is as if they had not met.
    Nothing,
}

impl<'a> Element<'a> {
    /// The value of a series at a step.
    #[inline]
    pub(super) fn at(row: Row<'a>, step: usize) -> Option<Self> {
        let float = row.float(step);
        if is_present(float) {
            return Some(Self::Float(float));
        }
        if row.histograms.is_empty() {
            return None;
        }
        row.histogram(step).map(Self::Histogram)
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Applies an operator to two values. What is to be remarked comes second.
pub(super) fn combine(op: BinaryOp, left: Element<'_>, right: Element<'_>) -> (Combined, Option<Remark>) {
    use Element::{Float, Histogram};
    match (left, right) {
        (Float(left_value), Float(right_value)) => {
            if let Some(compute) = arithmetic(op) {
                return (Combined::Float(compute(left_value, right_value)), None);
            }
            if let Some(compare) = comparison(op) {
                let holds = compare(left_value, right_value);
                return (if holds { Combined::Float(left_value) } else { Combined::Filtered }, None);
            }
            incompatible(op, left, right)
        }
        (Float(factor), Histogram(histogram)) if op == BinaryOp::Mul => (scaled(histogram, factor), None),
        (Histogram(histogram), Float(value)) => match op {
            BinaryOp::Mul => (scaled(histogram, value), None),
            BinaryOp::Div => (changed(histogram, |histogram| histogram.divide(value), true), None),
            BinaryOp::TrimUpper => (changed(histogram, |histogram| histogram.keep_below(value), false), None),
            BinaryOp::TrimLower => (changed(histogram, |histogram| histogram.keep_above(value), false), None),
            _ => incompatible(op, left, right),
        },
        (Histogram(left_value), Histogram(right_value)) => match op {
            BinaryOp::Add | BinaryOp::Sub => sum(op, left_value, right_value),
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let holds = left_value.equals(right_value) == (op == BinaryOp::Equal);
                (if holds { Combined::Histogram(left_value.clone()) } else { Combined::Filtered }, None)
            }
            _ => incompatible(op, left, right),
        },
        _ => incompatible(op, left, right),
    }
}

fn incompatible(op: BinaryOp, left: Element<'_>, right: Element<'_>) -> (Combined, Option<Remark>) {
    let remark = Remark::IncompatibleTypes { left: left.kind(), op: op.as_str(), right: right.kind() };
    (Combined::Nothing, Some(remark))
}

fn scaled(histogram: &Histogram, factor: f64) -> Combined {
    changed(histogram, |histogram| histogram.multiply(factor), true)
}

fn changed(histogram: &Histogram, change: impl Fn(&mut Histogram), compacts: bool) -> Combined {
    let mut histogram = histogram.clone();
    change(&mut histogram);
    if compacts {
        histogram.compact(0);
    }
    Combined::Histogram(Arc::new(histogram))
}

fn sum(op: BinaryOp, left: &Histogram, right: &Histogram) -> (Combined, Option<Remark>) {
    let mut result = left.clone();
    let (merged, operation) = if op == BinaryOp::Add {
        (result.add(right), HistogramOperation::Addition)
    } else {
        (result.subtract(right), HistogramOperation::Subtraction)
    };
    match merged {
        Err(IncompatibleSchemas) => (Combined::Nothing, Some(Remark::IncompatibleBuckets(op.as_str()))),
        // Prometheus drops the result along with the remark.
        Ok(Merged { has_conflicting_resets: true, .. }) => {
            (Combined::Nothing, Some(Remark::ConflictingResets(operation)))
        }
        Ok(Merged { has_mismatched_bounds, .. }) => {
            if op == BinaryOp::Sub {
                result.counter_reset = CounterReset::Gauge;
            }
            result.compact(0);
            let remark = has_mismatched_bounds.then_some(Remark::MismatchedBounds(operation));
            (Combined::Histogram(Arc::new(result)), remark)
        }
    }
}

impl Combined {
    /// The answer of an operator with `bool`; [`ABSENT`] if there is none.
    pub(super) fn to_bool(&self) -> f64 {
        match self {
            Self::Float(_) | Self::Histogram(_) => 1.0,
            Self::Filtered => 0.0,
            Self::Nothing => ABSENT,
        }
    }
}
