//! Aggregation where the series are.

use model::Labels;

use crate::{Charge, Select};

/// A question for groups of series instead of the series themselves: an aggregation that is part of a query.
#[derive(Clone, Debug)]
pub struct Fold {
    /// The series that are aggregated.
    pub select: Select,
    /// The query, and which part of it is meant.
    pub query: FoldQuery,
}

/// What an engine must know to evaluate part of a query like the one that asks: all that this one was told.
///
/// The text is sent instead of a plan since PromQL, unlike plans, stays what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldQuery {
    /// The whole query.
    pub text: String,
    /// The time of the first step, in ms.
    pub start_ms: i64,
    /// The time that no step is after, in ms.
    pub end_ms: i64,
    /// The time between two steps, in ms; 0 for an instant query, whose only step is the first.
    pub step_ms: i64,
    /// How old the newest sample of a series may be to count, in ms.
    pub lookback_ms: i64,
    /// The step of subqueries that have none of their own, in ms.
    pub subquery_step_ms: i64,
    /// How long the query may take in all, in ms.
    pub timeout_ms: u64,
    /// How many samples it may hold at once, counted as Prometheus counts them.
    pub max_samples: u64,
    /// What is on beside the stable language, by the names of Prometheus' feature flags.
    pub features: Vec<String>,
    /// Which part of it: the position of a stage of its plan.
    pub stage: u32,
}

/// What several parts of storage made of their series.
#[derive(Debug)]
pub struct Foldings {
    /// What each made of its own.
    pub parts: Vec<Folded>,
    /// What they are charged with.
    pub charge: Charge,
}

/// What one part of storage made of its series, to be put together with what others made of theirs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// The groups, in the order of their first series.
    pub groups: Vec<FoldedGroup>,
    /// [`Labels::series_hash`] of all series that had samples, ascending. What two parts both have can't be put together.
    pub series: Vec<u64>,
    /// The metric's name, type and unit, if it matters that all series have the same.
    pub metadata: Option<[String; 3]>,
    /// What was counted: of the source, and of each operation behind it.
    pub counts: Vec<FoldedCounts>,
    /// What is to be remarked, if anything is: that a metric may be no counter.
    pub remark: Option<NoCounter>,
}

/// Some series together.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedGroup {
    /// The labels of its first series, as they are stored: by them groups are put in order.
    pub labels: Labels,
    /// What became of the name among them.
    pub name: FoldedName,
    /// The step of the first value.
    pub first_step: u32,
    /// What the aggregation keeps, step by step: sums and their compensations, or the like. All are of one length, but one
    /// that has zeros only may be empty; the first one has staleness markers where there is no value.
    pub columns: Vec<Vec<f64>>,
}

/// What becomes of the name of an aggregated series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldedName {
    /// It stays.
    Kept,
    /// It goes at the end of the query.
    ToDrop,
    /// It is gone, as if the labels did not have it.
    Gone,
}

/// What one operation counted, as Prometheus counts samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoldedCounts {
    /// How many values there are at each step, minus those at the step before.
    pub changes: Vec<i64>,
    /// How many values there are.
    pub size: u64,
    /// The most samples that were in memory at once, series after series.
    pub peak: u64,
    /// The samples that stayed there.
    pub rest: u64,
    /// How many series had any, if all of them had the same peak and rest; else 0.
    pub alike: u64,
    /// The samples that were looked at, by step.
    pub queryable: Vec<u64>,
    /// Those of them that no earlier step looked at.
    pub new: Vec<u64>,
}

/// A rate was taken of a metric that may be no counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCounter {
    /// Its name.
    pub metric: String,
    /// What its label `__type__` says, if that is what was looked at.
    pub metric_type: Option<String>,
}

impl Folded {
    /// About how many bytes it takes in memory.
    pub fn size_bytes(&self) -> usize {
        let groups = self.groups.iter().map(FoldedGroup::size_bytes);
        let counts = self.counts.iter().map(|counts| 8 * (counts.changes.len() + 2 * counts.new.len()));
        groups.sum::<usize>() + counts.sum::<usize>() + 8 * self.series.len() + size_of::<Self>()
    }
}

impl FoldedGroup {
    /// About how many bytes it takes in memory.
    pub fn size_bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.len() * size_of::<f64>() + size_of::<Vec<f64>>());
        self.labels.size_bytes() + columns.sum::<usize>() + size_of::<Self>()
    }
}
