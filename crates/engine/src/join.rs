//! Operators between vectors.

mod element;
mod match_labels;
mod matching;
mod set;

use promql::ast::{Binary, Cardinality, VectorMatching};
use promql::{BinaryOp, Span};
use series::QueryError;

use crate::annotation::Annotations;
use crate::grid::Grid;
use crate::identity::Naming;
use crate::ledger::Record;
use crate::table::Table;
use crate::unique::Unique;

/// An operator between vectors, as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    op: BinaryOp,
    matching: VectorMatching,
    returns_bool: bool,
    span: Span,
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
    /// If it is not clear which series belong to each other, or two results have the same labels.
    pub(crate) fn apply(
        &self,
        left: Table,
        right: Table,
        grid: Grid,
        naming: Naming,
        record: &mut Record,
        unique: &mut Unique,
    ) -> Result<Table, QueryError> {
        if self.op.is_set() {
            return Ok(set::combine(self, left, right, grid));
        }
        let table = matching::combine(self, &left, &right, grid, naming, &mut record.annotations)?;
        if self.drops_name() {
            unique.see_changed(&table);
        }
        Ok(table)
    }

    fn drops_name(&self) -> bool {
        crate::arithmetic::changes_meaning(self.op) || self.returns_bool
    }
}

/// The last remark at each step: of all that a step gives rise to, Prometheus makes only that one.
#[derive(Debug, Default)]
struct LastRemarks(std::collections::BTreeMap<usize, crate::annotation::Remark>);

impl LastRemarks {
    fn set(&mut self, step: usize, remark: crate::annotation::Remark) {
        self.0.insert(step, remark);
    }

    fn add_to(self, annotations: &mut Annotations, span: Span) {
        self.0.into_values().for_each(|remark| annotations.add(span, remark, ""));
    }
}
