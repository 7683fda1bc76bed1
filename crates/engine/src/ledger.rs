//! What the operations of a query count and remark.

use series::QueryError;

use crate::annotation::{Annotations, LastRemarks};
use crate::grid::Grid;
use crate::plan::Plan;
use crate::tally::{Alike, Passage, Reads, Tally};

/// The position of an operation in the order in which Prometheus evaluates them: operands first, left to right.
pub(crate) type NodeId = usize;
/// The position of a scope; those around it come before it.
pub(crate) type ScopeId = usize;

/// An operation, as far as counting goes.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// What it is applied to, in the order of evaluation.
    pub(crate) operands: Vec<NodeId>,
    pub(crate) scope: ScopeId,
}

/// How Prometheus would evaluate an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// Series after series, from storage, a sample for each value.
    Selector,
    /// Series after series, from storage, without being counted: `smoothed`.
    Smoothed,
    /// Series after series, over windows of samples.
    Windows,
    /// Like [`Self::Windows`]; the first operand is a subquery, whose series are held until the end.
    SubqueryWindows,
    /// Step after step, from the vectors of its operands.
    Vector,
    /// Like [`Self::Vector`], from samples of storage, one for each value.
    SampleTimes,
    /// All steps from all series of its operands, that are given up.
    Aggregation,
    /// What is not there of its operand, which stays in memory.
    Absence,
    /// Once, for all steps.
    Invariant,
}

/// Operations that are evaluated at the same steps.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) grid: Grid,
    /// Whether it is a range, even if that has only one step.
    pub(crate) is_range: bool,
    /// Where its results are used; `None` for the query itself.
    pub(crate) outer: Option<(ScopeId, Relation)>,
}

/// How a scope is used in the one around it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation {
    /// Its one step serves all.
    Invariant,
    /// A function looks back at it over a range.
    Subquery { offset: i64, range: i64 },
    /// It is the result of the query.
    Result,
}

/// What an operation counted and remarked.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Its values.
    pub(crate) tally: Tally,
    /// What it had in memory from series to series.
    pub(crate) passage: Passage,
    /// Whether that was the same of all series.
    pub(crate) alike: Alike,
    /// The samples it looked at, if these are not its values.
    pub(crate) reads: Reads,
    pub(crate) annotations: Annotations,
    pub(crate) last_remarks: LastRemarks,
}

impl Record {
    /// Adds what the operation counted and remarked of further series.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.tally.absorb(&other.tally);
        self.passage.then(other.passage);
        self.alike.absorb(other.alike);
        self.reads.absorb(&other.reads);
        self.annotations.absorb(other.annotations);
        self.last_remarks.absorb(other.last_remarks);
    }

    /// # Errors
    /// If this alone is more than a query may have in memory.
    pub(crate) fn check(&self, max_samples: u64) -> Result<(), QueryError> {
        if self.tally.size().max(self.passage.peak) > max_samples { Err(QueryError::TooManySamples) } else { Ok(()) }
    }
}

/// What all operations of a query counted and remarked.
#[derive(Debug)]
pub(crate) struct Ledger {
    records: Vec<Record>,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) peak_samples: u64,
    pub(crate) reads: Reads,
    pub(crate) annotations: Annotations,
}

impl Ledger {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut records: Vec<Record> = plan.nodes.iter().map(|_| Record::default()).collect();
        for node in &plan.scalar_nodes {
            records[*node].tally = Tally::of_scalar(plan.scopes[plan.nodes[*node].scope].grid);
        }
        Self { records }
    }

    /// Adds what operations counted and remarked.
    pub(crate) fn absorb(&mut self, records: Vec<(NodeId, Record)>) {
        for (node, record) in records {
            self.records[node].absorb(record);
        }
    }

    pub(crate) fn settle(self, nodes: &[Node], scopes: &[Scope]) -> Settlement {
        let mut passages: Vec<Passage> = Vec::with_capacity(nodes.len());
        let mut reads: Vec<Reads> = scopes.iter().map(|scope| Reads::none(scope.grid)).collect();
        for (node, record) in nodes.iter().zip(&self.records) {
            passages.push(self.passage(node, record, &passages, scopes));
            match node.kind {
                NodeKind::Selector | NodeKind::SampleTimes => {
                    reads[node.scope].absorb(&Reads::of_values(&record.tally));
                }
                _ => reads[node.scope].absorb(&record.reads),
            }
        }
        for (id, scope) in scopes.iter().enumerate().rev() {
            let Some((outer, relation)) = scope.outer else { continue };
            let inner = std::mem::take(&mut reads[id]);
            hand_over(&inner, scope.grid, relation, &mut reads[outer], scopes[outer].grid);
        }
        let mut annotations = Annotations::default();
        for record in self.records {
            annotations.absorb(record.annotations);
            annotations.add_last(record.last_remarks);
        }
        let peak_samples = passages.last().map_or(0, |passage| passage.peak);
        Settlement { peak_samples, reads: reads.swap_remove(0), annotations }
    }

    /// What is in memory while a node is evaluated, and what remains.
    fn passage(&self, node: &Node, record: &Record, passages: &[Passage], scopes: &[Scope]) -> Passage {
        let mut passage = Passage::default();
        for operand in &node.operands {
            passage.then(passages[*operand]);
        }
        let size = record.tally.size();
        match node.kind {
            NodeKind::Selector => passage.then(Passage { peak: size, rest: size }),
            NodeKind::Smoothed | NodeKind::Windows => passage.then(record.passage),
            NodeKind::SubqueryWindows => {
                passage.then(record.passage);
                let subquery = node.operands.first().map_or(0, |operand| self.records[*operand].tally.size());
                passage.rest = passage.rest.saturating_sub(subquery);
            }
            NodeKind::Vector | NodeKind::SampleTimes => {
                let peak = passage.rest + self.vector_peak(node, record);
                passage = Passage { peak: passage.peak.max(peak), rest: size };
            }
            NodeKind::Aggregation => passage = Passage { peak: passage.peak.max(size), rest: size },
            NodeKind::Absence => {}
            NodeKind::Invariant => {
                let more_steps = scopes[node.scope].grid.len().saturating_sub(1) as u64;
                let once = node.operands.last().map_or(0, |operand| self.records[*operand].tally.size());
                passage.rest += once * more_steps;
                passage.peak = passage.peak.max(passage.rest);
            }
        }
        passage
    }

    /// The most that the vectors of a step and the results of it and of all steps before make together.
    fn vector_peak(&self, node: &Node, record: &Record) -> u64 {
        let mut inputs: Vec<u64> = Vec::new();
        let operands = node.operands.iter().map(|operand| &self.records[*operand]);
        let own_input = (node.kind == NodeKind::SampleTimes).then_some(record);
        for operand in operands.chain(own_input) {
            for (step, count) in operand.tally.counts().enumerate() {
                inputs.resize(inputs.len().max(step + 1), 0);
                inputs[step] += count;
            }
        }
        let mut outputs = record.tally.vector_sizes();
        let (mut before, mut peak) = (0, 0);
        let steps = inputs.len().max(record.tally.counts().count());
        for step in 0..steps {
            let (input, output) = (inputs.get(step).copied().unwrap_or_default(), outputs.next().unwrap_or_default());
            peak = peak.max(before + input + output);
            before += output;
        }
        peak
    }
}

/// Adds the samples that a scope looked at to those of the scope around it.
fn hand_over(inner: &Reads, inner_grid: Grid, relation: Relation, outer: &mut Reads, outer_grid: Grid) {
    let total = |counts: &[u64]| counts.iter().sum::<u64>();
    if outer_grid.is_empty() {
        return;
    }
    match relation {
        Relation::Invariant => {
            let queryable = total(&inner.queryable);
            outer.queryable.iter_mut().for_each(|count| *count += queryable);
            outer.new[0] += total(&inner.new);
        }
        Relation::Result => {
            let last = outer_grid.len() - 1;
            outer.queryable[last] += total(&inner.queryable);
            outer.new[last] += total(&inner.new);
        }
        Relation::Subquery { .. } if outer_grid.len() == 1 => outer.new[0] += total(&inner.new),
        // The windows count what is queryable. What was read counts for the first step whose window has it.
        Relation::Subquery { offset, range } => {
            for (step, count) in inner.new.iter().enumerate() {
                let time = inner_grid.time(step) + offset;
                let after_start = (time - outer_grid.start()).max(0);
                let first = (after_start as u64).div_ceil(outer_grid.step() as u64) as usize;
                let first = first.min(outer_grid.len() - 1);
                if time > outer_grid.time(first) - range {
                    outer.new[first] += count;
                }
            }
        }
    }
}
