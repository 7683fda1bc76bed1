//! Where the series of a stage end up.

use series::QueryError;

use crate::ledger::Record;
use crate::table::Table;

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
