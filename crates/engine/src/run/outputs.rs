//! What stages that are done made.

use series::Charge;

use crate::scalar::StageId;
use crate::sink::Output;
use crate::table::Table;

/// What stages that are done made, and what it is charged with.
pub(super) struct Outputs(Vec<Slot>);

enum Slot {
    Waiting,
    Done {
        output: Output,
        charge: Charge,
    },
    /// It was taken: each table is used once.
    Taken,
}

/// A table, and what it is charged with.
#[derive(Debug, Default)]
pub(crate) struct Charged {
    pub(crate) table: Table,
    pub(crate) _charge: Option<Charge>,
}

impl Outputs {
    pub(super) fn new(stages: usize) -> Self {
        Self((0..stages).map(|_| Slot::Waiting).collect())
    }

    pub(super) fn has(&self, stage: StageId) -> bool {
        !matches!(self.0[stage], Slot::Waiting)
    }

    pub(super) fn set(&mut self, stage: StageId, output: Output, charge: Charge) {
        self.0[stage] = Slot::Done { output, charge };
    }

    /// Takes the table of a stage, which must be done.
    pub(super) fn take_table(&mut self, stage: StageId) -> Charged {
        match std::mem::replace(&mut self.0[stage], Slot::Taken) {
            Slot::Done { output: Output::Table(table), charge } => Charged { table, _charge: Some(charge) },
            Slot::Done { .. } | Slot::Waiting | Slot::Taken => Charged::default(),
        }
    }

    /// The numbers that a stage made.
    pub(super) fn scalar(&self, stage: StageId) -> &[f64] {
        match &self.0[stage] {
            Slot::Done { output: Output::Scalar(values), .. } => values,
            _ => &[],
        }
    }
}
