//! Selectors and subqueries.

use model::{TimeRange, Timestamp};
use promql::Span;
use promql::ast::{DurationArg, Extension, MatrixSelector, Subquery, TimeShift, VectorSelector};
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
        let lookback = self.settings.lookback;
        // Prometheus selects samples of the shifted time, but then forgets the offset and looks at the time of the `@`.
        let unshifted = TimeShift { at: selector.shift.at, ..TimeShift::default() };
        let reference = match selector.shift.at {
            Some(_) => self.written_reference(&unshifted),
            None => self.reference(&selector.shift),
        };
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
        let selection = self.selection(selector, &reader, range_ms, grid);
        let only_statistics = self.around.wants_statistics && !self.around.wants_buckets;
        let source = Source::Select { selection, reader, only_statistics, args };
        Pipe::new(source, grid, node)
    }

    /// The number of a question, which may have been asked before.
    fn selection(&mut self, selector: &VectorSelector, reader: &Reader, range_ms: i64, grid: Grid) -> usize {
        let reference = self.written_reference(&selector.shift);
        let (first, last) = reader.time_range(reference, (grid.start(), grid.end()));
        let (earliest, latest) = reader.time_range(reference, self.around.times);
        let (first, last) = (first.max(earliest), last.min(latest));
        let last = last.saturating_add(self.reach_behind(selector, reader));
        let range = TimeRange::inclusive(Timestamp(first), Timestamp(last));
        let known = |selection: &Selection| *selection.matchers == *selector.matchers && selection.range == range;
        // At its only step an instant selector looks at the newest sample up to then.
        let newest_only = grid.len() == 1
            && matches!(reader, Reader::Instant { reference, .. } if reference.time(grid.start()) >= last);
        if let Some(known) = self.plan.selections.iter().position(known) {
            self.plan.selections[known].hints.newest_only &= newest_only;
            return known;
        }
        let step_ms = self.settings.times.step_ms();
        let hints = Hints { step_ms, range_ms, function: self.around.function, newest_only, ..Hints::default() };
        let (matchers, text) = (selector.matchers.clone().into(), selector.to_string());
        self.plan.selections.push(Selection { matchers, range, hints, text });
        self.plan.selections.len() - 1
    }

    /// How much more Prometheus selects behind the time of a `smoothed` selector whose samples' times are wanted, in ms: where
    /// it forgets an offset, it comes upon them.
    fn reach_behind(&self, selector: &VectorSelector, reader: &Reader) -> i64 {
        let is_smoothed = selector.extension == Some(Extension::Smoothed);
        if is_smoothed && matches!(reader, Reader::Instant { .. }) { self.settings.lookback } else { 0 }
    }

    /// Plans a range selector outside of any function.
    pub(super) fn raw_samples(&mut self, matrix: &MatrixSelector, scope: ScopeId) -> Result<RawSamples, QueryError> {
        let call = self.range_call(RangeFunction::LastOverTime, matrix, matrix.span);
        let reader = Reader::Range(call.clone());
        let selection = self.selection(&matrix.selector, &reader, call.range, self.grid(scope));
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
        // Within what is not evaluated at any step, nothing is.
        let end = if outer.is_empty() { start.saturating_sub(1) } else { outer.end().saturating_sub(offset) };
        let grid = Grid::range(start, end, step);
        let inner = self.scope(grid, start < end, (scope, relation));
        let around = self.around;
        // Between its steps resets can be seen by comparing buckets only.
        self.around.wants_buckets = true;
        self.around.times = self.times_within(subquery);
        self.around.drift = self.drift_within(subquery, outer.start(), start);
        let pipe = self.vector(&subquery.expr, inner);
        self.around = around;
        let pipe = pipe?;
        let node = pipe.node;
        Ok((self.close(pipe, SinkPlan::Collect, None), node, grid))
    }

    /// The first and the last time at which values within a subquery are wanted.
    fn times_within(&self, subquery: &Subquery) -> (i64, i64) {
        let reference = self.written_reference(&subquery.shift);
        let range = subquery.range.fixed().unwrap_or_default();
        let (first, last) = self.around.times;
        (reference.time(first).saturating_sub(range), reference.time(last))
    }

    /// How far behind its time an `@` within a subquery looks.
    ///
    /// Prometheus turns an `@` into an offset from the first step, takes offsets of subqueries around as part of it, and
    /// does so anew, without them, for a subquery that starts at another time than what is around it. One that happens to
    /// start at the same time keeps what is meant for the outside.
    fn drift_within(&self, subquery: &Subquery, outer_start: i64, start: i64) -> i64 {
        if start != outer_start {
            return 0;
        }
        match self.written_reference(&subquery.shift) {
            Reference::Offset(offset) => self.around.drift.saturating_add(offset),
            Reference::At(time) => outer_start.saturating_sub(time),
        }
    }
}
