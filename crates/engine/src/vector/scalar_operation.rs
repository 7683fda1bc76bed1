//! Operators between a vector and a scalar.

use std::sync::Arc;

use model::Histogram;
use promql::{BinaryOp, Span};

use crate::annotation::{LastRemarks, Remark};
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
        let remarks = &mut record.last_remarks;
        table.change(|mut row| {
            self.apply_to_floats(&mut row, scalar, remarks);
            self.apply_to_histograms(&mut row, scalar, remarks);
            if self.drops_name() {
                row.id.drop_name(naming);
            }
        });
    }

    /// That the operator has no use for values of this kind.
    fn incompatible(&self, kind: &'static str) -> Remark {
        let (left, right) = if self.is_scalar_left { ("float", kind) } else { (kind, "float") };
        Remark::IncompatibleTypes { left, op: self.op.as_str(), right }
    }

    fn apply_to_floats(&self, row: &mut RowMut<'_>, scalar: &Scalar, remarks: &mut LastRemarks) {
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
                return;
            }
            self.change_floats(row, scalar, |vector, scalar| {
                if self.is_scalar_left { compute(scalar, vector) } else { compute(vector, scalar) }
            });
            return;
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
            return;
        }
        for (at, value) in row.floats.iter_mut().enumerate().filter(|(_, value)| is_present(**value)) {
            remarks.set(row.first + at, self.span, self.incompatible("float"));
            *value = ABSENT;
        }
    }

    fn change_floats(&self, row: &mut RowMut<'_>, scalar: &Scalar, change: impl Fn(f64, f64) -> f64) {
        for (at, value) in row.floats.iter_mut().enumerate() {
            if is_present(*value) {
                *value = change(*value, scalar.at(row.first + at));
            }
        }
    }

    fn apply_to_histograms(&self, row: &mut RowMut<'_>, scalar: &Scalar, remarks: &mut LastRemarks) {
        let change: fn(&mut Histogram, f64) = match (self.op, self.is_scalar_left) {
            (BinaryOp::Mul, _) => scale,
            (BinaryOp::Div, false) => |histogram, divisor| {
                histogram.divide(divisor);
                histogram.compact(0);
            },
            (BinaryOp::TrimUpper, false) => Histogram::keep_below,
            (BinaryOp::TrimLower, false) => Histogram::keep_above,
            _ => {
                for (step, _) in row.histograms.drain(..) {
                    remarks.set(step as usize, self.span, self.incompatible("histogram"));
                }
                return;
            }
        };
        for (step, histogram) in row.histograms.iter_mut() {
            change(Arc::make_mut(histogram), scalar.at(*step as usize));
        }
    }
}

fn scale(histogram: &mut Histogram, factor: f64) {
    histogram.multiply(factor);
    histogram.compact(0);
}
