//! Scalar expressions: one number at each step.

use promql::BinaryOp;

use crate::arithmetic::{max, min, scalar_operation};
use crate::grid::Grid;

/// The position of a stage in the plan.
pub(crate) type StageId = usize;

/// A scalar expression. What does not need samples is computed as far as it can be when it is made.
#[derive(Clone, Debug)]
pub(crate) enum ScalarExpr {
    /// The same at each step.
    Constant(f64),
    /// The time of the step, in seconds.
    Time,
    /// What a stage ends with.
    Stage(StageId),
    /// Made of others.
    Operation(ScalarOperation, Box<(Self, Self)>),
}

/// What makes one scalar of two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScalarOperation {
    Binary(BinaryOp),
    MinOf,
    MaxOf,
}

/// The values of a scalar expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// The same at each step.
    Constant(f64),
    /// One for each step.
    Steps(Vec<f64>),
}

impl ScalarExpr {
    pub(crate) fn operation(operation: ScalarOperation, left: Self, right: Self) -> Self {
        match (&left, &right) {
            (Self::Constant(left), Self::Constant(right)) => Self::Constant(operation.apply(*left, *right)),
            _ => Self::Operation(operation, Box::new((left, right))),
        }
    }

    pub(crate) fn negated(self) -> Self {
        // −0 − x would be 0 for 0: a product has the right sign.
        Self::operation(ScalarOperation::Binary(BinaryOp::Mul), Self::Constant(-1.0), self)
    }

    /// The stages that must be done before.
    pub(crate) fn needs(&self, needs: &mut Vec<StageId>) {
        match self {
            Self::Constant(_) | Self::Time => {}
            Self::Stage(stage) => needs.push(*stage),
            Self::Operation(_, operands) => {
                operands.0.needs(needs);
                operands.1.needs(needs);
            }
        }
    }

    /// The values over a grid. `results` knows those of stages; a single one holds for all steps.
    pub(crate) fn evaluate<'a>(&self, grid: Grid, results: &impl Fn(StageId) -> &'a [f64]) -> Scalar {
        match self {
            Self::Constant(value) => Scalar::Constant(*value),
            Self::Time => Scalar::Steps(grid.times().map(seconds).collect()),
            Self::Stage(stage) => match results(*stage) {
                [value] => Scalar::Constant(*value),
                values => Scalar::Steps(values.to_vec()),
            },
            Self::Operation(operation, operands) => {
                let (left, right) = (operands.0.evaluate(grid, results), operands.1.evaluate(grid, results));
                match (&left, &right) {
                    (Scalar::Constant(left), Scalar::Constant(right)) => {
                        Scalar::Constant(operation.apply(*left, *right))
                    }
                    _ => Scalar::Steps(
                        (0..grid.len()).map(|step| operation.apply(left.at(step), right.at(step))).collect(),
                    ),
                }
            }
        }
    }
}

impl ScalarOperation {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Binary(op) => scalar_operation(op, left, right),
            Self::MinOf => min(left, right),
            Self::MaxOf => max(left, right),
        }
    }
}

impl Scalar {
    #[inline]
    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    /// All values over so many steps.
    pub(crate) fn values(&self, steps: usize) -> impl Iterator<Item = f64> + '_ {
        (0..steps).map(|step| self.at(step))
    }
}

/// Milliseconds in seconds, as queries see times.
pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_computed_over_steps() {
        let grid = Grid::range(1000, 3000, 1000);
        let results = |stage: StageId| -> &[f64] { if stage == 0 { &[7.0] } else { &[1.0, 2.0, f64::NAN] } };
        let add = |left, right| ScalarExpr::operation(ScalarOperation::Binary(BinaryOp::Add), left, right);
        let constant = ScalarExpr::Constant(0.5);
        let sum = add(add(constant.clone(), constant.negated()), ScalarExpr::Time);
        assert_eq!(sum.evaluate(grid, &results), Scalar::Steps(vec![1.0, 2.0, 3.0]));
        let largest = ScalarExpr::operation(ScalarOperation::MaxOf, ScalarExpr::Stage(0), ScalarExpr::Constant(8.0));
        assert_eq!(largest.evaluate(grid, &results), Scalar::Constant(8.0));
        let mut needs = Vec::new();
        add(ScalarExpr::Stage(0), ScalarExpr::Stage(1)).needs(&mut needs);
        assert_eq!(needs, [0, 1]);
    }
}
