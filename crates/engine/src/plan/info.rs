//! `info`

use std::sync::Arc;

use promql::ast::{At, Call};
use promql::{Descend, Expr};
use series::QueryError;

use super::builder::{Builder, Pipe};
use super::{SinkPlan, Source};
use crate::info::Info;
use crate::ledger::{NodeKind, ScopeId};
use crate::read::Reference;

impl Builder {
    pub(super) fn info(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let Some(base_expr) = call.args.first().map(Expr::without_parens) else {
            return Err(QueryError::Execution("info was given no vector".to_owned()));
        };
        let base = self.vector(base_expr, scope)?;
        let matchers =
            call.args.get(1).and_then(|arg| arg.without_parens().selector()).map(|selector| &selector.matchers);
        let reference = self.common_reference(base_expr).unwrap_or(Reference::Offset(0));
        let info = Info::new(matchers.map(Vec::as_slice), reference, self.settings.lookback);
        let info_node = self.node(NodeKind::Selector, Vec::new(), scope);
        let node = self.node(NodeKind::Vector, vec![base.node, info_node], scope);
        let base = self.close(base, SinkPlan::Collect, None);
        let source = Source::Info { base, info: Arc::new(info), node: info_node };
        Ok(Pipe::new(source, self.grid(scope), node))
    }

    /// Whether there is an `info` in an expression whose info series are those of each step, since the selectors of what they
    /// are for do not look at the same time.
    pub(super) fn has_moving_info(&self, expr: &Expr) -> bool {
        let mut has_moving = false;
        expr.walk(&mut |expr, _| {
            if let Expr::Call(call) = expr
                && call.function.name == "info"
            {
                has_moving |= call.args.first().is_some_and(|base| self.common_reference(base).is_none());
            }
            if has_moving { Descend::Stop } else { Descend::Into }
        });
        has_moving
    }

    /// The time that all selectors of an expression look at, if it is the same one.
    fn common_reference(&self, expr: &Expr) -> Option<Reference> {
        let mut found = Vec::new();
        self.references(expr, &mut Vec::new(), &mut found);
        let first = *found.first()?;
        if found.iter().all(|reference| *reference == first) { first } else { None }
    }

    /// Gathers what the vectors that an expression is made of look at; `None` for those made of no selector.
    fn references<'a>(&self, expr: &'a Expr, around: &mut Vec<&'a Expr>, found: &mut Vec<Option<Reference>>) {
        if !matches!(expr.value_type(), promql::ValueType::Vector | promql::ValueType::Matrix) {
            return;
        }
        if let Some(selector) = expr.selector() {
            let mut offset = selector.shift.offset.fixed().unwrap_or_default();
            let mut at = selector.shift.at;
            // Offsets of subqueries around add up until a fixed time makes those further out meaningless.
            for subquery in around.iter().rev().filter(|expr| matches!(expr, Expr::Subquery(_))) {
                let Some(shift) = subquery.shift().filter(|_| at.is_none()) else { break };
                offset += shift.offset.fixed().unwrap_or_default();
                at = shift.at;
            }
            let (start, end) = self.settings.times.bounds();
            found.push(Some(match at {
                None => Reference::Offset(offset),
                Some(At::Time(time)) => Reference::At(time.saturating_sub(offset)),
                Some(At::Start) => Reference::At(start.saturating_sub(offset)),
                Some(At::End) => Reference::At(end.saturating_sub(offset)),
            }));
            return;
        }
        let before = found.len();
        around.push(expr);
        let is_info = matches!(expr, Expr::Call(call) if call.function.name == "info");
        for child in expr.children().take(if is_info { 1 } else { usize::MAX }) {
            self.references(child, around, found);
        }
        around.pop();
        if found.len() == before {
            found.push(None);
        }
    }
}
