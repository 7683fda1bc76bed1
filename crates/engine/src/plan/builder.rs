//! From an expression to a plan.

use promql::Expr;
use promql::ast::{At, TimeShift};
use series::QueryError;

use super::{Operation, Plan, Root, SinkPlan, Source, Stage};
use crate::grid::Grid;
use crate::identity::Naming;
use crate::ledger::{Node, NodeId, NodeKind, Relation, Scope, ScopeId};
use crate::query::QueryTimes;
use crate::range::RangeFunction;
use crate::read::Reference;
use crate::scalar::{ScalarExpr, StageId};
use crate::vector::RowOp;

/// What planning needs to know beside the expression. Times are in ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) times: QueryTimes,
    pub(crate) lookback: i64,
    pub(crate) subquery_step: i64,
    pub(crate) naming: Naming,
    pub(crate) use_start_times: bool,
    pub(crate) use_types: bool,
}

/// Makes a plan of an expression, written as `text`, whose durations are all computed.
///
/// # Errors
/// If a function is given what it can't work with.
pub(crate) fn plan(expr: &Expr, text: &str, settings: Settings) -> Result<Plan, QueryError> {
    let grid = match settings.times {
        QueryTimes::Instant(at) => Grid::instant(at),
        QueryTimes::Range { start, end, step } => Grid::range(start, end, step),
    };
    let plan = Plan {
        naming: settings.naming,
        lookback_ms: settings.lookback,
        selections: Vec::new(),
        stages: Vec::new(),
        root: Root::String(String::new()),
        nodes: Vec::new(),
        scalar_nodes: Vec::new(),
        scopes: vec![Scope { grid, is_range: settings.times.is_range(), outer: None }],
    };
    let around = Around { times: settings.times.bounds(), ..Around::default() };
    let mut builder = Builder { settings, text: text.to_owned(), plan, around };
    builder.plan.root = builder.root(expr)?;
    Ok(builder.plan)
}

pub(super) struct Builder {
    pub(super) settings: Settings,
    /// The query as it is written.
    pub(super) text: String,
    pub(super) plan: Plan,
    pub(super) around: Around,
}

/// What is around the expression that is being planned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// The innermost function or aggregation.
    pub(super) function: &'static str,
    /// Whether there is a function that needs no more of histograms than their counts and sums.
    pub(super) wants_statistics: bool,
    /// Whether there is something that needs the buckets of histograms.
    pub(super) wants_buckets: bool,
    /// The first and the last time at which anybody wants to know a value: steps beyond, which a subquery with an `@` has in
    /// a range query, find no samples.
    pub(super) times: (i64, i64),
    /// How far behind their time selectors and subqueries with an `@` look; see [`Builder::drift_within`].
    pub(super) drift: i64,
}

/// The scope of the query itself.
const QUERY: ScopeId = 0;

/// A stage that has no sink yet.
pub(super) struct Pipe {
    /// Boxed, so that a thousand nested operators fit on a stack.
    pub(super) source: Box<Source>,
    pub(super) grid: Grid,
    pub(super) source_node: Option<NodeId>,
    pub(super) operations: Vec<Operation>,
    /// What counts the values that come out.
    pub(super) node: NodeId,
}

impl Pipe {
    /// Series from somewhere, whose values `node` counts.
    pub(super) fn new(source: Source, grid: Grid, node: NodeId) -> Self {
        Self { source: Box::new(source), grid, source_node: Some(node), operations: Vec::new(), node }
    }

    /// The steps of what comes out.
    fn end_grid(&self) -> Grid {
        self.operations.last().map_or(self.grid, |operation| operation.grid)
    }
}

impl Builder {
    fn root(&mut self, expr: &Expr) -> Result<Root, QueryError> {
        match expr.without_parens() {
            Expr::String(string) => return Ok(Root::String(string.value.clone())),
            Expr::Matrix(matrix) => return self.raw_samples(matrix, QUERY).map(Root::Samples),
            Expr::Subquery(subquery) => {
                let (stage, _, grid) = self.subquery(subquery, QUERY, Relation::Result)?;
                return Ok(Root::Subquery(stage, grid));
            }
            _ => {}
        }
        if expr.value_type() == promql::ValueType::Scalar {
            return Ok(Root::Scalar(self.scalar(expr, QUERY)?.0));
        }
        let pipe = self.vector(expr, QUERY)?;
        Ok(Root::Vector(self.close(pipe, SinkPlan::Collect, None)))
    }

    /// Plans an expression that is an instant vector.
    ///
    /// One whose value does not depend on the step is evaluated once.
    pub(super) fn vector(&mut self, expr: &Expr, scope: ScopeId) -> Result<Pipe, QueryError> {
        let Some(inner) = self.invariant_scope(expr, scope) else { return self.vector_at_each_step(expr, scope) };
        let mut pipe = self.vector_at_each_step(expr, inner)?;
        let node = self.node(NodeKind::Invariant, vec![pipe.node], scope);
        pipe.operations.push(Operation { op: RowOp::Repeat, grid: self.grid(scope), node: Some(node) });
        pipe.node = node;
        Ok(pipe)
    }

    fn vector_at_each_step(&mut self, expr: &Expr, scope: ScopeId) -> Result<Pipe, QueryError> {
        match expr {
            Expr::Vector(selector) => self.instant_selector(selector, scope),
            Expr::Call(call) => self.call(call, scope),
            Expr::Aggregation(aggregation) => self.aggregation(aggregation, scope),
            Expr::Binary(binary) => self.binary(binary, scope),
            Expr::Unary(unary) => {
                let mut pipe = self.vector_at_each_step(&unary.expr, scope)?;
                if unary.sign == promql::Sign::Minus {
                    let grid = self.grid(scope);
                    pipe.operations.push(Operation { op: RowOp::Negate, grid, node: None });
                }
                Ok(pipe)
            }
            Expr::Paren(paren) => self.vector_at_each_step(&paren.expr, scope),
            Expr::Number(_) | Expr::String(_) | Expr::Matrix(_) | Expr::Subquery(_) => {
                Err(QueryError::Execution(format!("expected an instant vector, got a {}", expr.value_type())))
            }
        }
    }

    /// The scope in which an expression is evaluated once instead of at each step of `scope`, if it can be.
    pub(super) fn invariant_scope(&mut self, expr: &Expr, scope: ScopeId) -> Option<ScopeId> {
        let grid = self.grid(scope);
        let is_literal = matches!(expr.without_parens(), Expr::Number(_) | Expr::String(_));
        if !self.is_range(scope) || is_literal || !expr.is_step_invariant() || self.has_moving_info(expr) {
            return None;
        }
        Some(self.scope(grid.first(), false, (scope, Relation::Invariant)))
    }

    pub(super) fn scope(&mut self, grid: Grid, is_range: bool, outer: (ScopeId, Relation)) -> ScopeId {
        self.plan.scopes.push(Scope { grid, is_range, outer: Some(outer) });
        self.plan.scopes.len() - 1
    }

    pub(super) fn grid(&self, scope: ScopeId) -> Grid {
        self.plan.scopes[scope].grid
    }

    /// Whether a scope is a range, even if that is shorter than a step.
    pub(super) fn is_range(&self, scope: ScopeId) -> bool {
        self.plan.scopes[scope].is_range
    }

    pub(super) fn node(&mut self, kind: NodeKind, operands: Vec<NodeId>, scope: ScopeId) -> NodeId {
        self.plan.nodes.push(Node { kind, operands, scope });
        self.plan.nodes.len() - 1
    }

    /// Ends a stage with a sink.
    pub(super) fn close(&mut self, pipe: Pipe, sink: SinkPlan, sink_node: Option<NodeId>) -> StageId {
        let sink_grid = pipe.end_grid();
        let mut needs = pipe.source.needs();
        pipe.operations.iter().for_each(|operation| operation.op.needs(&mut needs));
        needs.extend(sink.needs());
        self.plan.stages.push(Stage {
            source: *pipe.source,
            grid: pipe.grid,
            node: pipe.source_node,
            operations: pipe.operations,
            sink,
            sink_grid,
            sink_node,
            needs,
        });
        self.plan.stages.len() - 1
    }

    /// Ends a stage with a sink, and starts the next one with what the sink makes.
    pub(super) fn through(&mut self, pipe: Pipe, sink: SinkPlan, node: NodeId) -> Pipe {
        let grid = pipe.end_grid();
        let counted_by = (node != pipe.node).then_some(node);
        let stage = self.close(pipe, sink, counted_by);
        Pipe { source_node: None, ..Pipe::new(Source::Stage(stage), grid, node) }
    }

    /// What an operation is applied to, ended if it may fail before a scalar to the right of it does: of two failures the one
    /// on the left is told, as in Prometheus.
    pub(super) fn settled_before(&mut self, scalar: &Expr, pipe: Pipe) -> Pipe {
        let may_fail = matches!(*pipe.source, Source::Join { .. } | Source::Subquery { .. } | Source::Info { .. });
        if !may_fail || matches!(scalar.without_parens(), Expr::Number(_)) {
            return pipe;
        }
        let node = pipe.node;
        self.through(pipe, SinkPlan::Collect, node)
    }

    /// Adds an operation that counts its values. `operands` are what it is applied to, in the order of evaluation.
    pub(super) fn operate(&mut self, mut pipe: Pipe, op: RowOp, operands: Vec<NodeId>, scope: ScopeId) -> Pipe {
        let node = self.node(NodeKind::Vector, operands, scope);
        pipe.operations.push(Operation { op, grid: self.grid(scope), node: Some(node) });
        pipe.node = node;
        pipe
    }

    /// Which time a selector or a subquery looks at.
    pub(super) fn reference(&self, shift: &TimeShift) -> Reference {
        match self.written_reference(shift) {
            Reference::At(time) => Reference::At(time.saturating_add(self.around.drift)),
            offset => offset,
        }
    }

    /// Which time a selector or a subquery says that it looks at. Samples are selected for this one.
    pub(super) fn written_reference(&self, shift: &TimeShift) -> Reference {
        let offset = shift.offset.fixed().unwrap_or_default();
        let (start, end) = self.settings.times.bounds();
        match shift.at {
            None => Reference::Offset(offset),
            Some(At::Time(time)) => Reference::At(time.saturating_sub(offset)),
            Some(At::Start) => Reference::At(start.saturating_sub(offset)),
            Some(At::End) => Reference::At(end.saturating_sub(offset)),
        }
    }

    /// Plans the arguments of a range function beside the range.
    pub(super) fn range_args(
        &mut self,
        args: &[Expr],
        scope: ScopeId,
    ) -> Result<(Vec<ScalarExpr>, Vec<NodeId>), QueryError> {
        let scalars = args.iter().filter(|arg| arg.value_type() == promql::ValueType::Scalar);
        let scalars: Vec<_> = scalars.map(|arg| self.scalar(arg, scope)).collect::<Result<_, _>>()?;
        Ok(scalars.into_iter().unzip())
    }

    /// Whether a range function looks at the times at which counters began.
    pub(super) fn looks_at_start_times(&self, function: RangeFunction) -> bool {
        self.settings.use_start_times && function.looks_at_start_times()
    }
}
