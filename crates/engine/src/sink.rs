//! Where the series of a stage end up.

use series::{FoldedGroup, QueryError};

use crate::identity::Identity;
use crate::ledger::Record;
use crate::table::{ABSENT, Table};
use crate::vector::sort::SortBy;

/// Takes in all series of a stage, table by table, in their order, and makes its result of them.
pub(crate) trait Sink: Send {
    /// Takes in further series.
    ///
    /// # Errors
    /// If they make the query fail.
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError>;

    /// The result.
    ///
    /// # Errors
    /// As [`Self::fold`].
    fn finish(self: Box<Self>, record: &mut Record) -> Result<Output, QueryError>;

    /// How many groups of series there are so far, if series are put together.
    fn group_count(&self) -> usize {
        0
    }

    /// What was taken in so far, for another sink of the kind to [take in](Self::fold_group). `None`: that can't be told.
    fn into_groups(self: Box<Self>) -> Option<Vec<FoldedGroup>> {
        None
    }

    /// Takes in what another sink of the kind took in, whose groups come in the order of their first series. Whether its
    /// columns are those of this kind.
    fn fold_group(&mut self, _group: FoldedGroup) -> bool {
        false
    }

    /// About how many bytes is held meanwhile.
    fn size_bytes(&self) -> usize;
}

/// The result of a stage.
#[derive(Debug)]
pub(crate) enum Output {
    Table(Table),
    /// A scalar: one number for each step.
    Scalar(Vec<f64>),
}

/// Keeps the series as they are.
#[derive(Debug, Default)]
pub(crate) struct Collect(Table);

impl Sink for Collect {
    fn fold(&mut self, table: Table, _record: &mut Record) -> Result<(), QueryError> {
        self.0.append(table);
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        Ok(Output::Table(self.0))
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// Sorts the series.
pub(crate) struct Sort {
    by: SortBy,
    table: Table,
}

impl Sort {
    pub(crate) fn new(by: SortBy) -> Self {
        Self { by, table: Table::new() }
    }
}

impl Sink for Sort {
    fn fold(&mut self, table: Table, _record: &mut Record) -> Result<(), QueryError> {
        self.table.append(table);
        Ok(())
    }

    fn finish(mut self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        self.by.sort(&mut self.table);
        Ok(Output::Table(self.table))
    }

    fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }
}

/// The float of the only series that has one at a step; NaN if none has or several have.
pub(crate) struct ToScalar {
    values: Vec<f64>,
    counts: Vec<u32>,
}

impl ToScalar {
    pub(crate) fn new(steps: usize) -> Self {
        Self { values: vec![f64::NAN; steps], counts: vec![0; steps] }
    }
}

impl Sink for ToScalar {
    fn fold(&mut self, table: Table, _record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            for (step, value) in row.present_floats() {
                self.counts[step] = self.counts[step].saturating_add(1);
                self.values[step] = if self.counts[step] == 1 { value } else { f64::NAN };
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        Ok(Output::Scalar(self.values))
    }

    fn size_bytes(&self) -> usize {
        self.values.len() * size_of::<(f64, u32)>()
    }
}

/// A series where there is no other.
pub(crate) struct Absent {
    id: Identity,
    /// 1, or [`ABSENT`] where a series has a value.
    values: Vec<f64>,
}

impl Absent {
    pub(crate) fn new(id: Identity, steps: usize) -> Self {
        Self { id, values: vec![1.0; steps] }
    }
}

impl Sink for Absent {
    fn fold(&mut self, table: Table, _record: &mut Record) -> Result<(), QueryError> {
        for row in table.rows() {
            row.present_steps().for_each(|step| self.values[step] = ABSENT);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let mut table = Table::new();
        let mut row = table.start_row(self.values.len());
        row.floats().copy_from_slice(&self.values);
        row.finish(self.id);
        Ok(Output::Table(table))
    }

    fn size_bytes(&self) -> usize {
        self.values.len() * size_of::<f64>()
    }
}
