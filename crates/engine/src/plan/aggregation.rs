//! Aggregations.

use promql::ast::Aggregation;
use promql::{AggregateOp, Expr};
use series::QueryError;

use super::SinkPlan;
use super::builder::{Builder, Pipe};
use crate::aggregate::Aggregate;
use crate::ledger::{NodeKind, ScopeId};

impl Builder {
    pub(super) fn aggregation(&mut self, aggregation: &Aggregation, scope: ScopeId) -> Result<Pipe, QueryError> {
        let param = aggregation.param.as_deref().map(Expr::without_parens);
        let operand = aggregation.expr.without_parens();
        let label = match param {
            Some(Expr::String(label)) => label.value.clone(),
            _ => String::new(),
        };
        // Bytes that are no UTF-8 were replaced when the expression was read; the message has them as they are written.
        if aggregation.op == AggregateOp::CountValues
            && (label.is_empty() || label.contains(char::REPLACEMENT_CHARACTER))
        {
            let written = param.map_or("", |param| param.span().of(&self.text));
            return Err(QueryError::Execution(format!("invalid label name {written}")));
        }
        let mut operands = Vec::new();
        let mut parameter = None;
        if let Some(param) = param.filter(|_| aggregation.op != AggregateOp::CountValues) {
            let (scalar, node) = self.scalar(param, scope)?;
            operands.push(node);
            parameter = Some(scalar);
        }
        let around = self.around;
        self.around.function = aggregation.op.as_str();
        let planned = self.vector(operand, scope);
        self.around = around;
        let pipe = planned?;
        operands.push(pipe.node);
        let aggregate = Aggregate {
            op: aggregation.op,
            grouping: aggregation.grouping.clone(),
            label,
            span: aggregation.span,
            operand_span: operand.span(),
            param_span: param.map_or(aggregation.span, Expr::span),
        };
        let kind = match aggregation.op {
            AggregateOp::CountValues => NodeKind::Vector,
            _ => NodeKind::Aggregation,
        };
        let node = self.node(kind, operands, scope);
        Ok(self.through(pipe, SinkPlan::Aggregate(Box::new(aggregate), parameter), node))
    }
}
