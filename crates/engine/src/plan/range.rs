//! Functions of range vectors.

use promql::Expr;
use promql::ast::{Call, Extension, MatrixSelector, Subquery};
use series::QueryError;

use super::builder::{Builder, Pipe};
use super::{SinkPlan, Source};
use crate::identity::{Identity, Naming};
use crate::ledger::{NodeKind, Relation, ScopeId};
use crate::range::{RangeCall, RangeFunction};
use crate::read::{Reader, Reference};
use crate::scalar::ScalarExpr;

impl Builder {
    pub(super) fn range_function(
        &mut self,
        function: RangeFunction,
        call: &Call,
        scope: ScopeId,
    ) -> Result<Pipe, QueryError> {
        let range =
            call.args.iter().map(Expr::without_parens).find(|arg| arg.value_type() == promql::ValueType::Matrix);
        let pipe = match range {
            Some(Expr::Matrix(matrix)) => self.of_selector(function, call, matrix, scope)?,
            Some(Expr::Subquery(subquery)) => self.of_subquery(function, call, subquery, scope)?,
            _ => {
                return Err(QueryError::Execution(format!("{} was given no range vector", call.function.name)));
            }
        };
        if function == RangeFunction::AbsentOverTime {
            let labels = super::label::labels_of_absent(&call.args);
            let node = self.node(NodeKind::Absence, vec![pipe.node], scope);
            let is_to_drop = self.settings.naming == Naming::Delayed;
            return Ok(self.through(pipe, SinkPlan::Absent(Identity::marked(labels, is_to_drop)), node));
        }
        Ok(pipe)
    }

    fn of_selector(
        &mut self,
        function: RangeFunction,
        call: &Call,
        matrix: &MatrixSelector,
        scope: ScopeId,
    ) -> Result<Pipe, QueryError> {
        if let Some(extension) = matrix.selector.extension {
            check_extension(function, extension, call.function.name)?;
        }
        let (args, nodes) = self.range_args(&call.args, scope)?;
        let range_call = self.range_call(function, matrix, remarked_span(call));
        let node = self.node(NodeKind::Windows, nodes, scope);
        Ok(self.select(&matrix.selector, Reader::Range(range_call), args, node, scope))
    }

    fn of_subquery(
        &mut self,
        function: RangeFunction,
        call: &Call,
        subquery: &Subquery,
        scope: ScopeId,
    ) -> Result<Pipe, QueryError> {
        let grid = self.grid(scope);
        let range = subquery.range.fixed().unwrap_or_default();
        let reference = self.written_reference(&subquery.shift);
        let offset = match reference {
            Reference::Offset(offset) => offset,
            Reference::At(time) => grid.start().saturating_sub(time),
        };
        let relation = Relation::Subquery { offset, range };
        let (stage, subquery_node, steps) = self.subquery(subquery, scope, relation)?;
        let (args, mut nodes): (Vec<ScalarExpr>, _) = self.range_args(&call.args, scope)?;
        nodes.insert(0, subquery_node);
        let node = self.node(NodeKind::SubqueryWindows, nodes, scope);
        let range_call = RangeCall {
            function,
            reference,
            range,
            extension: None,
            lookback: self.settings.lookback,
            span: remarked_span_beside_subquery(call),
            use_start_times: self.looks_at_start_times(function),
            use_types: self.settings.use_types,
        };
        let source = Source::Subquery { stage, steps, call: range_call, args };
        Ok(Pipe::new(source, grid, node))
    }
}

/// What remarks on a function are about: its first argument.
fn remarked_span(call: &Call) -> promql::Span {
    call.args.first().map_or(call.span, |arg| arg.without_parens().span())
}

/// [`remarked_span`] of a function of a subquery. Prometheus forgets where those stand, and points at the start.
fn remarked_span_beside_subquery(call: &Call) -> promql::Span {
    match call.args.first().map(Expr::without_parens) {
        Some(Expr::Subquery(_)) => promql::Span::default(),
        _ => remarked_span(call),
    }
}

fn check_extension(function: RangeFunction, extension: Extension, name: &str) -> Result<(), QueryError> {
    if function.allows(extension) {
        return Ok(());
    }
    let allowed = match extension {
        Extension::Anchored => "changes, delta, increase, rate, resets",
        Extension::Smoothed => "delta, increase, rate",
    };
    let extension = extension.as_str();
    let message = format!("{extension} modifier can only be used with: {allowed} - not with {name}");
    Err(QueryError::Execution(message))
}
