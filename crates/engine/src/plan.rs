//! What is to be done to answer a query.
//!
//! A plan is a list of stages. Each takes series from somewhere, changes them one by one, and ends in a sink that keeps,
//! aggregates or otherwise gathers them. What needs all series of an operand at once, such as an aggregation or a join,
//! starts a new stage; everything else is done on the way.

mod aggregation;
mod binary;
mod builder;
mod call;
mod fold;
mod histogram;
mod info;
mod label;
mod range;
mod scalar;
mod selector;

use std::sync::Arc;

use model::{Matcher, TimeRange};
use series::{Hints, Select};

use crate::aggregate::Aggregate;
use crate::buckets::Buckets;
use crate::grid::Grid;
use crate::identity::{Identity, Naming};
use crate::info::Info;
use crate::join::Join;
use crate::ledger::{Node, NodeId, Scope};
use crate::range::RangeCall;
use crate::read::Reader;
use crate::scalar::{ScalarExpr, StageId};
use crate::vector::RowOp;
use crate::vector::sort::SortBy;

pub(crate) use builder::{Settings, plan};

/// What is to be done to answer a query.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) naming: Naming,
    /// How old the newest sample of a series may be to count, in ms.
    pub(crate) lookback_ms: i64,
    /// What is asked of storage, nothing twice.
    pub(crate) selections: Vec<Selection>,
    /// Each comes after those that it needs.
    pub(crate) stages: Vec<Stage>,
    pub(crate) root: Root,
    pub(crate) nodes: Vec<Node>,
    /// Those of the nodes that are scalars: one value at each step.
    pub(crate) scalar_nodes: Vec<NodeId>,
    pub(crate) scopes: Vec<Scope>,
}

/// What the query is.
#[derive(Debug)]
pub(crate) enum Root {
    /// The table of a stage, over the steps of the query.
    Vector(StageId),
    Scalar(ScalarExpr),
    String(String),
    /// The samples of a range selector.
    Samples(RawSamples),
    /// The table of a stage, over the steps of a subquery.
    Subquery(StageId, Grid),
}

/// A range selector outside of any function.
#[derive(Clone, Debug)]
pub(crate) struct RawSamples {
    pub(crate) selection: usize,
    pub(crate) call: RangeCall,
}

/// A question for storage.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) matchers: Arc<[Matcher]>,
    pub(crate) range: TimeRange,
    pub(crate) hints: Hints,
    /// As it is written.
    pub(crate) text: String,
}

/// Series from somewhere, what is done with each, and what is made of all.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) source: Source,
    /// The steps of the series of the source.
    pub(crate) grid: Grid,
    /// What counts the values of the source, unless that was done before.
    pub(crate) node: Option<NodeId>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) sink: SinkPlan,
    /// The steps of what the sink makes.
    pub(crate) sink_grid: Grid,
    /// What counts the values that the sink makes.
    pub(crate) sink_node: Option<NodeId>,
    /// The stages that must be done before.
    pub(crate) needs: Vec<StageId>,
}

/// Something done with each series of a stage.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) op: RowOp,
    /// The steps of the result.
    pub(crate) grid: Grid,
    /// What counts the values of the result, if that is counted.
    pub(crate) node: Option<NodeId>,
}

/// Where the series of a stage come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Storage. Of histograms mostly everything is read, else only counts and sums.
    Select { selection: usize, reader: Reader, only_statistics: bool, args: Vec<ScalarExpr> },
    /// A range function of a stage's table, whose steps are those of the subquery.
    Subquery { stage: StageId, steps: Grid, call: RangeCall, args: Vec<ScalarExpr> },
    /// The table of a stage.
    Stage(StageId),
    /// The tables of two stages.
    Join { left: StageId, right: StageId, join: Join },
    /// A scalar as a series without labels.
    Vector(ScalarExpr),
    /// The table of a stage, with labels of info metrics, whose samples the node counts.
    Info { base: StageId, info: Arc<Info>, node: NodeId },
}

/// What is made of all series of a stage.
#[derive(Debug)]
pub(crate) enum SinkPlan {
    /// They are kept.
    Collect,
    /// The value of the only series.
    Scalar,
    /// This series where there is no other.
    Absent(Identity),
    Sort(SortBy),
    Aggregate(Box<Aggregate>, Option<ScalarExpr>),
    /// Quantiles or fractions of histograms.
    Buckets(Box<Buckets>, Vec<ScalarExpr>),
}

impl Selection {
    /// As storage is asked it.
    pub(crate) fn question(&self) -> Select {
        let Self { matchers, range, hints, .. } = self.clone();
        Select { matchers, range, hints }
    }
}

impl Source {
    fn needs(&self) -> Vec<StageId> {
        let mut needs = Vec::new();
        match self {
            Self::Select { args, .. } => args.iter().for_each(|arg| arg.needs(&mut needs)),
            Self::Subquery { stage, args, .. } => {
                needs.push(*stage);
                args.iter().for_each(|arg| arg.needs(&mut needs));
            }
            Self::Stage(stage) | Self::Info { base: stage, .. } => needs.push(*stage),
            Self::Join { left, right, .. } => needs.extend([*left, *right]),
            Self::Vector(value) => value.needs(&mut needs),
        }
        needs
    }
}

impl SinkPlan {
    fn needs(&self) -> Vec<StageId> {
        let mut needs = Vec::new();
        match self {
            Self::Collect | Self::Scalar | Self::Absent(_) | Self::Sort(_) => {}
            Self::Aggregate(_, parameter) => parameter.iter().for_each(|scalar| scalar.needs(&mut needs)),
            Self::Buckets(_, scalars) => scalars.iter().for_each(|scalar| scalar.needs(&mut needs)),
        }
        needs
    }
}
