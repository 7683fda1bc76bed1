//! Functions of histograms, classic and native ones.

use promql::Expr;
use promql::ast::Call;
use series::QueryError;

use super::SinkPlan;
use super::builder::{Builder, Pipe};
use super::label::text_of;
use crate::buckets::{Buckets, BucketsFunction};
use crate::ledger::{NodeKind, ScopeId};

impl Builder {
    /// `histogram_quantile`, `histogram_quantiles` or `histogram_fraction`.
    pub(super) fn histogram_function(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let (function, vector_at) = match call.function.name {
            "histogram_quantile" => (BucketsFunction::Quantile, 1),
            "histogram_fraction" => (BucketsFunction::Fraction, 2),
            _ => (BucketsFunction::Quantiles { label: call.args.get(1).map_or("", text_of).to_owned() }, 0),
        };
        let mut scalars = Vec::new();
        let mut scalar_spans = Vec::new();
        let mut operands = Vec::new();
        let mut vector = None;
        for (at, arg) in call.args.iter().map(Expr::without_parens).enumerate() {
            if at == vector_at {
                let pipe = self.vector(arg, scope)?;
                operands.push(pipe.node);
                vector = Some((pipe, arg.span()));
            } else if !matches!(arg, Expr::String(_)) {
                let (scalar, node) = self.scalar(arg, scope)?;
                operands.push(node);
                scalars.push(scalar);
                scalar_spans.push(arg.span());
            }
        }
        let Some((pipe, span)) = vector else {
            return Err(QueryError::Execution(format!("{} was given no vector", call.function.name)));
        };
        let buckets = Buckets { function, span, scalar_spans, naming: self.settings.naming };
        let node = self.node(NodeKind::Vector, operands, scope);
        Ok(self.through(pipe, SinkPlan::Buckets(Box::new(buckets), scalars), node))
    }
}
