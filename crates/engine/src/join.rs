//! Operators between vectors.

mod element;
mod match_labels;
mod matching;
mod set;

use promql::ast::{Binary, Cardinality, VectorMatching};
use promql::{BinaryOp, Span};
use series::QueryError;

use crate::grid::Grid;
use crate::identity::Naming;
use crate::ledger::Record;
use crate::table::Table;
use crate::watch::Watch;

/// An operator between vectors, as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    op: BinaryOp,
    matching: VectorMatching,
    returns_bool: bool,
    span: Span,
}

/// What operators between vectors need to know of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinContext<'a> {
    pub(crate) grid: Grid,
    pub(crate) naming: Naming,
    pub(crate) watch: &'a Watch,
}

impl Join {
    pub(crate) fn new(binary: &Binary) -> Self {
        let mut matching = binary.matching.as_deref().cloned().unwrap_or_default();
        if binary.op.is_set() {
            matching.cardinality = Cardinality::ManyToMany;
        }
        Self { op: binary.op, matching, returns_bool: binary.returns_bool, span: binary.span }
    }

    /// What the operator makes of two vectors, at each step by itself.
    ///
    /// # Errors
    /// If it is not clear which series belong to each other. Two results may have the same labels: nobody looked.
    pub(crate) fn apply(
        &self,
        left: Table,
        right: Table,
        context: JoinContext<'_>,
        record: &mut Record,
    ) -> Result<Table, QueryError> {
        if self.op.is_set() {
            return Ok(set::combine(self, left, right, context));
        }
        matching::combine(self, &left, &right, context, &mut record.last_remarks)
    }

    /// Whether results are other metrics than what they are made of.
    pub(crate) fn drops_name(&self) -> bool {
        crate::arithmetic::changes_meaning(self.op) || self.returns_bool
    }
}
