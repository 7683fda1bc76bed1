//! Operators between a vector and a scalar.

use std::sync::Arc;

use model::Histogram;
use promql::{BinaryOp, Span};

use crate::annotation::Remark;
use crate::arithmetic::{arithmetic, changes_meaning, comparison};
use crate::identity::Naming;
use crate::ledger::Record;
use crate::scalar::{Scalar, ScalarExpr};
use crate::table::{ABSENT, RowMut, Table, is_present};

/// An operator between a vector and a scalar.
#[derive(Clone, Debug)]
pub(crate) struct WithScalar {
    pub(crate) op: BinaryOp,
    pub(crate) scalar: ScalarExpr,
    /// Whether the scalar stands before the operator.
    pub(crate) is_scalar_left: bool,
    pub(crate) returns_bool: bool,
    pub(crate) span: Span,
}

impl WithScalar {
    pub(super) fn drops_name(&self) -> bool {
        changes_meaning(self.op) || self.returns_bool
    }

    pub(super) fn apply(&self, table: &mut Table, scalar: &Scalar, naming: Naming, record: &mut Record) {
        let mut has_wrong_floats = false;
        let mut has_wrong_histograms = false;
        table.change(|mut row| {
            has_wrong_floats |= self.apply_to_floats(&mut row, scalar);
            has_wrong_histograms |= self.apply_to_histograms(&mut row, scalar);
            if self.drops_name() {
                row.id.drop_name(naming);
            }
        });
        let op = self.op.as_str();
        for (is_wrong, kind) in [(has_wrong_floats, "float"), (has_wrong_histograms, "histogram")] {
            let (left, right) = if self.is_scalar_left { ("float", kind) } else { (kind, "float") };
            if is_wrong {
                record.annotations.add(self.span, Remark::IncompatibleTypes { left, op, right }, "");
            }
        }
    }

    /// Whether there are floats and the operator has no use for them.
    fn apply_to_floats(&self, row: &mut RowMut<'_>, scalar: &Scalar) -> bool {
        if let Some(compute) = arithmetic(self.op) {
            // A constant on the side where it mostly stands: one loop without decisions.
            if let (BinaryOp::Mul | BinaryOp::Div, Scalar::Constant(constant), false) =
                (self.op, scalar, self.is_scalar_left)
            {
                let is_product = self.op == BinaryOp::Mul;
                for value in row.floats.iter_mut() {
                    let result = if is_product { *value * constant } else { *value / constant };
                    *value = if is_present(*value) { result } else { ABSENT };
                }
                return false;
            }
            self.change_floats(row, scalar, |vector, scalar| {
                if self.is_scalar_left { compute(scalar, vector) } else { compute(vector, scalar) }
            });
            return false;
        }
        if let Some(compare) = comparison(self.op) {
            self.change_floats(row, scalar, |vector, scalar| {
                let holds = if self.is_scalar_left { compare(scalar, vector) } else { compare(vector, scalar) };
                match (self.returns_bool, holds) {
                    (true, _) => f64::from(u8::from(holds)),
                    (false, true) => vector,
                    (false, false) => ABSENT,
                }
            });
            return false;
        }
        let has_floats = row.floats.iter().any(|value| is_present(*value));
        row.floats.fill(ABSENT);
        has_floats
    }

    fn change_floats(&self, row: &mut RowMut<'_>, scalar: &Scalar, change: impl Fn(f64, f64) -> f64) {
        for (at, value) in row.floats.iter_mut().enumerate() {
            if is_present(*value) {
                *value = change(*value, scalar.at(row.first + at));
            }
        }
    }

    /// Whether there are histograms and the operator has no use for them.
    fn apply_to_histograms(&self, row: &mut RowMut<'_>, scalar: &Scalar) -> bool {
        let change: fn(&mut Histogram, f64) = match (self.op, self.is_scalar_left) {
            (BinaryOp::Mul, _) => scale,
            (BinaryOp::Div, false) => |histogram, divisor| {
                histogram.divide(divisor);
                histogram.compact(0);
            },
            (BinaryOp::TrimUpper, false) => Histogram::keep_below,
            (BinaryOp::TrimLower, false) => Histogram::keep_above,
            _ => {
                let has_histograms = !row.histograms.is_empty();
                row.histograms.clear();
                return has_histograms;
            }
        };
        for (step, histogram) in row.histograms.iter_mut() {
            change(Arc::make_mut(histogram), scalar.at(*step as usize));
        }
        false
    }
}

fn scale(histogram: &mut Histogram, factor: f64) {
    histogram.multiply(factor);
    histogram.compact(0);
}
