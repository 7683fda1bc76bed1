//! Scalar expressions.

use promql::ast::Call;
use promql::{Expr, Sign, ValueType};
use series::QueryError;

use super::SinkPlan;
use super::builder::Builder;
use crate::ledger::{NodeId, NodeKind, ScopeId};
use crate::scalar::{ScalarExpr, ScalarOperation};

impl Builder {
    /// Plans a scalar expression. What it is, and what counts it.
    pub(super) fn scalar(&mut self, expr: &Expr, scope: ScopeId) -> Result<(ScalarExpr, NodeId), QueryError> {
        let Some(inner) = self.invariant_scope(expr, scope) else { return self.scalar_at_each_step(expr, scope) };
        let (scalar, node) = self.scalar_at_each_step(expr, inner)?;
        Ok((scalar, self.scalar_node(NodeKind::Invariant, vec![node], scope)))
    }

    fn scalar_at_each_step(&mut self, expr: &Expr, scope: ScopeId) -> Result<(ScalarExpr, NodeId), QueryError> {
        match expr {
            Expr::Number(number) => {
                let node = self.scalar_node(NodeKind::Vector, Vec::new(), scope);
                Ok((ScalarExpr::Constant(number.value), node))
            }
            Expr::Paren(paren) => self.scalar_at_each_step(&paren.expr, scope),
            Expr::Unary(unary) => {
                let (scalar, node) = self.scalar_at_each_step(&unary.expr, scope)?;
                Ok((if unary.sign == Sign::Minus { scalar.negated() } else { scalar }, node))
            }
            Expr::Binary(binary) => {
                let operation = ScalarOperation::Binary(binary.op);
                self.scalar_operation(operation, &binary.left, &binary.right, scope)
            }
            Expr::Call(call) => self.scalar_call(call, scope),
            _ => Err(QueryError::Execution(format!("expected a scalar, got a {}", expr.value_type()))),
        }
    }

    fn scalar_call(&mut self, call: &Call, scope: ScopeId) -> Result<(ScalarExpr, NodeId), QueryError> {
        let scalar = match (call.function.name, call.args.as_slice()) {
            ("time", _) => ScalarExpr::Time,
            ("pi", _) => ScalarExpr::Constant(std::f64::consts::PI),
            ("min_of", [left, right]) => return self.scalar_operation(ScalarOperation::MinOf, left, right, scope),
            ("max_of", [left, right]) => return self.scalar_operation(ScalarOperation::MaxOf, left, right, scope),
            ("scalar", [vector]) if vector.value_type() == ValueType::Vector => {
                let pipe = self.vector(vector.without_parens(), scope)?;
                let operand = pipe.node;
                let stage = self.close(pipe, SinkPlan::Scalar, None);
                let node = self.scalar_node(NodeKind::Vector, vec![operand], scope);
                return Ok((ScalarExpr::Stage(stage), node));
            }
            (name, _) => return Err(QueryError::Execution(format!("{name} is no function that makes a scalar"))),
        };
        Ok((scalar, self.scalar_node(NodeKind::Vector, Vec::new(), scope)))
    }

    fn scalar_operation(
        &mut self,
        operation: ScalarOperation,
        left: &Expr,
        right: &Expr,
        scope: ScopeId,
    ) -> Result<(ScalarExpr, NodeId), QueryError> {
        let (left, left_node) = self.scalar(left, scope)?;
        let (right, right_node) = self.scalar(right, scope)?;
        let node = self.scalar_node(NodeKind::Vector, vec![left_node, right_node], scope);
        Ok((ScalarExpr::operation(operation, left, right), node))
    }

    fn scalar_node(&mut self, kind: NodeKind, operands: Vec<NodeId>, scope: ScopeId) -> NodeId {
        let node = self.node(kind, operands, scope);
        self.plan.scalar_nodes.push(node);
        node
    }
}
