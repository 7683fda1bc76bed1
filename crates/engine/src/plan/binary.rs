//! Operators between vectors, and between vectors and scalars.

use promql::ast::Binary;
use promql::{BinaryOp, ValueType};
use series::QueryError;

use super::builder::{Builder, Pipe};
use super::{SinkPlan, Source};
use crate::join::Join;
use crate::ledger::{NodeKind, ScopeId};
use crate::vector::{RowOp, WithScalar};

impl Builder {
    pub(super) fn binary(&mut self, binary: &Binary, scope: ScopeId) -> Result<Pipe, QueryError> {
        let around = self.around;
        self.around.wants_buckets |= matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        let pipe = self.binary_of(binary, scope);
        self.around = around;
        pipe
    }

    fn binary_of(&mut self, binary: &Binary, scope: ScopeId) -> Result<Pipe, QueryError> {
        match (binary.left.value_type(), binary.right.value_type()) {
            (ValueType::Scalar, _) => {
                let (scalar, scalar_node) = self.scalar(&binary.left, scope)?;
                let pipe = self.vector(&binary.right, scope)?;
                let operands = vec![scalar_node, pipe.node];
                Ok(self.operate(pipe, with_scalar(binary, scalar, true), operands, scope))
            }
            (_, ValueType::Scalar) => {
                let pipe = self.vector(&binary.left, scope)?;
                let pipe = self.settled_before(&binary.right, pipe);
                let (scalar, scalar_node) = self.scalar(&binary.right, scope)?;
                let operands = vec![pipe.node, scalar_node];
                Ok(self.operate(pipe, with_scalar(binary, scalar, false), operands, scope))
            }
            _ => self.join(binary, scope),
        }
    }

    fn join(&mut self, binary: &Binary, scope: ScopeId) -> Result<Pipe, QueryError> {
        let left = self.vector(&binary.left, scope)?;
        let left_node = left.node;
        // Closed first, so that of two failures the one on the left is told, as in Prometheus.
        let left = self.close(left, SinkPlan::Collect, None);
        let right = self.vector(&binary.right, scope)?;
        let node = self.node(NodeKind::Vector, vec![left_node, right.node], scope);
        let join = Join::new(binary);
        let right = self.close(right, SinkPlan::Collect, None);
        let source = Source::Join { left, right, join };
        Ok(Pipe::new(source, self.grid(scope), node))
    }
}

fn with_scalar(binary: &Binary, scalar: crate::scalar::ScalarExpr, is_scalar_left: bool) -> RowOp {
    let (op, returns_bool, span) = (binary.op, binary.returns_bool, binary.span);
    RowOp::WithScalar(WithScalar { op, scalar, is_scalar_left, returns_bool, span })
}
