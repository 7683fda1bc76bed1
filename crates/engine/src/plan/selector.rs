//! Selectors and subqueries.

use model::{TimeRange, Timestamp};
use promql::Span;
use promql::ast::{DurationArg, Extension, MatrixSelector, Subquery, VectorSelector};
use series::{Hints, QueryError};

use super::builder::{Builder, Pipe};
use super::{RawSamples, Selection, SinkPlan, Source};
use crate::grid::Grid;
use crate::ledger::{NodeId, NodeKind, Relation, ScopeId};
use crate::range::{RangeCall, RangeFunction};
use crate::read::{Reader, Reading, Reference};
use crate::scalar::{ScalarExpr, StageId};

impl Builder {
    pub(super) fn instant_selector(&mut self, selector: &VectorSelector, scope: ScopeId) -> Result<Pipe, QueryError> {
        let (reference, lookback) = (self.reference(&selector.shift), self.settings.lookback);
        if selector.extension == Some(Extension::Smoothed) {
            let node = self.node(NodeKind::Smoothed, Vec::new(), scope);
            let reader = Reader::Smoothed { reference, lookback, span: selector.span };
            return Ok(self.select(selector, reader, Vec::new(), node, scope));
        }
        let node = self.node(NodeKind::Selector, Vec::new(), scope);
        let reader = Reader::Instant { reference, lookback, what: Reading::Value };
        Ok(self.select(selector, reader, Vec::new(), node, scope))
    }

    /// The times of samples, or those at which their counters began.
    pub(super) fn sample_times(&mut self, selector: &VectorSelector, what: Reading, scope: ScopeId) -> Pipe {
        let (mut reference, mut lookback) = (self.reference(&selector.shift), self.settings.lookback);
        if let (Reference::At(shifted), Some(offset)) = (reference, selector.shift.offset.fixed()) {
            // Prometheus selects samples of the shifted time, but then forgets the offset and looks at the time of the `@`.
            reference = Reference::At(shifted.saturating_add(offset.min(0)));
            lookback = lookback.saturating_sub(offset.saturating_abs()).max(0);
        }
        let node = self.node(NodeKind::SampleTimes, Vec::new(), scope);
        self.select(selector, Reader::Instant { reference, lookback, what }, Vec::new(), node, scope)
    }

    pub(super) fn select(
        &mut self,
        selector: &VectorSelector,
        reader: Reader,
        args: Vec<ScalarExpr>,
        node: NodeId,
        scope: ScopeId,
    ) -> Pipe {
        let grid = self.grid(scope);
        let range_ms = match &reader {
            Reader::Range(call) => call.range,
            _ => 0,
        };
        let selection = self.selection(selector, reader.time_range(grid), range_ms);
        let only_statistics = self.around.wants_statistics && !self.around.wants_buckets;
        let source = Source::Select { selection, reader, only_statistics, args };
        Pipe::new(source, grid, node)
    }

    /// The number of a question, which may have been asked before.
    fn selection(&mut self, selector: &VectorSelector, (first, last): (i64, i64), range_ms: i64) -> usize {
        let range = TimeRange::inclusive(Timestamp(first), Timestamp(last));
        let known = |selection: &Selection| *selection.matchers == *selector.matchers && selection.range == range;
        if let Some(known) = self.plan.selections.iter().position(known) {
            return known;
        }
        let step_ms = self.settings.times.step_ms();
        let hints = Hints { step_ms, range_ms, function: self.around.function, ..Hints::default() };
        let (matchers, text) = (selector.matchers.clone().into(), selector.to_string());
        self.plan.selections.push(Selection { matchers, range, hints, text });
        self.plan.selections.len() - 1
    }

    /// Plans a range selector outside of any function.
    pub(super) fn raw_samples(&mut self, matrix: &MatrixSelector, scope: ScopeId) -> Result<RawSamples, QueryError> {
        let call = self.range_call(RangeFunction::LastOverTime, matrix, matrix.span);
        let reader = Reader::Range(call.clone());
        let selection = self.selection(&matrix.selector, reader.time_range(self.grid(scope)), call.range);
        Ok(RawSamples { selection, call })
    }

    /// A function of a range selector.
    pub(super) fn range_call(&self, function: RangeFunction, matrix: &MatrixSelector, span: Span) -> RangeCall {
        RangeCall {
            function,
            reference: self.reference(&matrix.selector.shift),
            range: matrix.range.fixed().unwrap_or_default(),
            extension: matrix.selector.extension,
            lookback: self.settings.lookback,
            span,
            use_start_times: self.looks_at_start_times(function),
            use_types: self.settings.use_types,
        }
    }

    /// Plans a subquery. Its stage, what counts its values, and its steps.
    pub(super) fn subquery(
        &mut self,
        subquery: &Subquery,
        scope: ScopeId,
        relation: Relation,
    ) -> Result<(StageId, NodeId, Grid), QueryError> {
        let outer = self.grid(scope);
        let offset = match self.reference(&subquery.shift) {
            Reference::Offset(offset) => offset,
            Reference::At(time) => outer.start().saturating_sub(time),
        };
        let range = subquery.range.fixed().unwrap_or_default();
        let step = subquery.step.as_ref().and_then(DurationArg::fixed).unwrap_or(self.settings.subquery_step).max(1);
        let after = outer.start().saturating_sub(offset).saturating_sub(range);
        // The first multiple of the step behind the start of the range.
        let start = after.div_euclid(step).saturating_add(1).saturating_mul(step);
        let end = outer.end().saturating_sub(offset);
        let grid = Grid::range(start, end, step);
        let inner = self.scope(grid, start < end, (scope, relation));
        let around = self.around;
        // Between its steps resets can be seen by comparing buckets only.
        self.around.wants_buckets = true;
        let pipe = self.vector(&subquery.expr, inner);
        self.around = around;
        let pipe = pipe?;
        let node = pipe.node;
        Ok((self.close(pipe, SinkPlan::Collect, None), node, grid))
    }
}
