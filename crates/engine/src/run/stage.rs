//! A stage that needs nothing any more.

mod fold;

use std::sync::Arc;

use model::{CounterReset, Histogram};
use series::{Budget, Charge, QueryError, Samples};

use super::outputs::Outputs;
use crate::aggregate::Parameter;
use crate::buckets::BucketsSink;
use crate::grid::Grid;
use crate::identity::{Identity, Naming};
use crate::join::JoinContext;
use crate::ledger::{NodeId, Record};
use crate::plan::{Plan, SinkPlan, Source, Stage};
use crate::purpose::Purpose;
use crate::range::{Frames, RangeCall, RangeFunction};
use crate::read::{ReadContext, Reader, Reading, statistics_of};
use crate::scalar::{Scalar, StageId};
use crate::sink::{Absent, Collect, Output, Sink, Sort, ToScalar};
use crate::table::{Row, Table};
use crate::tally::Tally;
use crate::unique::{Sharing, Unique};
use crate::vector::VectorContext;
use crate::watch::Watch;

/// A stage with the values of all scalars that it depends on.
pub(super) struct ReadyStage {
    plan: Arc<Plan>,
    pub(super) id: StageId,
    source_scalars: Vec<Scalar>,
    /// For each operation.
    operation_scalars: Vec<Vec<Scalar>>,
    sink_scalars: Vec<Scalar>,
    /// For the rows being worked on.
    _charge: Charge,
}

/// Some series of a stage, on the way to the sink.
pub(super) struct Piece {
    pub(super) table: Table,
    /// Of the source, and of each operation.
    pub(super) records: Vec<Record>,
    uniques: Vec<Unique>,
    /// Where windows lie, which is the same for many series.
    frames: Frames,
}

impl Piece {
    /// About how many bytes it takes in memory.
    pub(super) fn size_bytes(&self) -> usize {
        self.table.size_bytes() + self.frames.size_bytes()
    }
}

/// The end of a stage, where its series come together.
pub(super) struct Folding {
    plan: Arc<Plan>,
    stage: StageId,
    sink: Box<dyn Sink>,
    sink_record: Record,
    records: Vec<Record>,
    uniques: Vec<Unique>,
    charge: Charge,
    max_samples: u64,
}

/// What a stage made.
pub(super) struct Done {
    pub(super) stage: StageId,
    pub(super) output: Output,
    pub(super) charge: Charge,
    pub(super) records: Vec<(NodeId, Record)>,
}

impl ReadyStage {
    /// # Errors
    /// If not even a row fits into the budget.
    pub(super) fn new(plan: &Arc<Plan>, id: StageId, outputs: &Outputs, budget: &Budget) -> Result<Self, QueryError> {
        let stage = &plan.stages[id];
        let steps = stage.grid.len().max(stage.sink_grid.len());
        let charge = budget.charge(2 * steps as u64 * size_of::<f64>() as u64, || subject(plan, stage))?;
        let evaluate = |scalar: &crate::scalar::ScalarExpr, grid: Grid| scalar.evaluate(grid, &|id| outputs.scalar(id));
        let source_scalars = match &stage.source {
            Source::Select { args, .. } | Source::Subquery { args, .. } => {
                args.iter().map(|arg| evaluate(arg, stage.grid)).collect()
            }
            Source::Vector(value) => vec![evaluate(value, stage.grid)],
            _ => Vec::new(),
        };
        let operation_scalars = stage.operations.iter().map(|operation| {
            operation.op.scalars().into_iter().map(|scalar| evaluate(scalar, operation.grid)).collect()
        });
        let sink_scalars = match &stage.sink {
            SinkPlan::Aggregate(_, parameter) => {
                parameter.iter().map(|scalar| evaluate(scalar, stage.sink_grid)).collect()
            }
            SinkPlan::Buckets(_, scalars) => scalars.iter().map(|scalar| evaluate(scalar, stage.sink_grid)).collect(),
            _ => Vec::new(),
        };
        let operation_scalars = operation_scalars.collect();
        Ok(Self { plan: plan.clone(), id, source_scalars, operation_scalars, sink_scalars, _charge: charge })
    }

    pub(super) fn id(&self) -> StageId {
        self.id
    }

    fn stage(&self) -> &Stage {
        &self.plan.stages[self.id]
    }

    /// Whether staleness markers bear on what is read of storage.
    pub(super) fn sees_staleness(&self) -> bool {
        match &self.stage().source {
            Source::Select { reader, .. } => reader.sees_staleness(),
            _ => false,
        }
    }

    /// The samples without what is not read of them, if that is more than counts and sums of histograms.
    pub(super) fn reduced(&self, samples: &Samples) -> Option<Samples> {
        match &self.stage().source {
            Source::Select { only_statistics: true, reader, .. } if !samples.histograms.is_empty() => {
                Some(statistics_of(samples, reader, self.stage().grid))
            }
            _ => None,
        }
    }

    /// Whether the values of a piece come to the same if they are aggregated in parts.
    pub(super) fn allows(&self, purpose: Purpose, piece: &Piece) -> bool {
        match &self.stage().sink {
            SinkPlan::Aggregate(aggregate, _) => aggregate.allows(purpose, &piece.table),
            _ => purpose == Purpose::Result,
        }
    }

    pub(super) fn start_piece(&self) -> Piece {
        let count = self.stage().operations.len() + 1;
        let (mut records, mut uniques) = (Vec::new(), Vec::new());
        records.resize_with(count, Record::default);
        uniques.resize_with(count, Unique::default);
        Piece { table: Table::new(), records, uniques, frames: Frames::default() }
    }

    fn read_context(&self, is_storage: bool) -> ReadContext<'_> {
        ReadContext { grid: self.stage().grid, naming: self.plan.naming, args: &self.source_scalars, is_storage }
    }

    /// Reads a series of storage.
    ///
    /// # Errors
    /// If the samples are none that the function can work with.
    pub(super) fn read(&self, id: Identity, samples: &Samples, piece: &mut Piece) -> Result<(), QueryError> {
        match &self.stage().source {
            Source::Select { reader, .. } => {
                let Piece { table, records, frames, .. } = piece;
                reader.read(id, samples, self.read_context(true), frames, table, &mut records[0])
            }
            _ => Ok(()),
        }
    }

    /// The piece that has all series, made of tables.
    ///
    /// # Errors
    /// If that can't be done with these tables.
    pub(super) fn piece_of_tables(&self, first: Table, second: Table, watch: &Watch) -> Result<Piece, QueryError> {
        let mut piece = self.start_piece();
        let stage = self.stage();
        match &stage.source {
            Source::Subquery { steps, call, .. } => self.read_subquery(first, *steps, call, &mut piece, watch)?,
            Source::Join { join, .. } => {
                let (record, unique) = (&mut piece.records[0], &mut piece.uniques[0]);
                let context = JoinContext { grid: stage.grid, naming: self.plan.naming, watch };
                piece.table = join.apply(first, second, context, record)?;
                if join.drops_name() && checks_changed_labels(&self.plan, stage.grid) {
                    unique.see_changed(&piece.table);
                }
            }
            Source::Vector(_) => {
                let mut row = piece.table.start_row(stage.grid.len());
                for (to, value) in row.floats().iter_mut().zip(self.source_scalars[0].values(stage.grid.len())) {
                    *to = value;
                }
                row.finish(Identity::new(model::Labels::empty()));
            }
            Source::Info { info, .. } => {
                piece.table = info.combine(&first, &second, stage.grid)?;
                piece.uniques[0].see_changed(&piece.table);
            }
            Source::Stage(_) | Source::Select { .. } => piece.table = first,
        }
        self.operate(&mut piece);
        Ok(piece)
    }

    fn read_subquery(
        &self,
        table: Table,
        steps: Grid,
        call: &RangeCall,
        piece: &mut Piece,
        watch: &Watch,
    ) -> Result<(), QueryError> {
        let table = table.merged()?;
        let mut samples = Samples::new();
        let Piece { table: results, records, frames, .. } = piece;
        for row in table.rows() {
            watch.check()?;
            to_samples(row, steps, &mut samples);
            call.read(row.id.clone(), &samples, self.read_context(false), frames, results, &mut records[0])?;
        }
        Ok(())
    }

    /// Applies all operations to the series of a piece, and counts the values on the way.
    pub(super) fn operate(&self, piece: &mut Piece) {
        let stage = self.stage();
        if stage.node.is_some() {
            piece.records[0].tally = Tally::of(&piece.table, stage.grid);
        }
        let is_read = matches!(stage.source, Source::Select { .. } | Source::Subquery { .. });
        if is_read && self.source_sharing().is_some() {
            piece.uniques[0].see(&piece.table);
        }
        for (at, operation) in stage.operations.iter().enumerate() {
            let scalars = &self.operation_scalars[at];
            let context = VectorContext { grid: operation.grid, naming: self.plan.naming, scalars };
            let (record, unique) = (&mut piece.records[at + 1], &mut piece.uniques[at + 1]);
            operation.op.apply(&mut piece.table, context, record, unique);
            if operation.node.is_some() {
                record.tally = Tally::of(&piece.table, operation.grid);
            }
        }
    }

    /// Which series of the source may have the same labels; `None` if no two can.
    fn source_sharing(&self) -> Option<Sharing> {
        source_sharing(self.stage(), self.plan.naming)
    }

    /// The sink of the stage.
    ///
    /// # Errors
    /// If nothing more fits into the budget.
    pub(super) fn start_folding(
        &self,
        purpose: Purpose,
        budget: &Budget,
        watch: &Watch,
        max_samples: u64,
    ) -> Result<Folding, QueryError> {
        let stage = self.stage();
        let mut sink_record = Record::default();
        let mut scalars = self.sink_scalars.clone();
        let steps = stage.sink_grid.len();
        let sink: Box<dyn Sink> = match &stage.sink {
            SinkPlan::Collect => Box::new(Collect::default()),
            SinkPlan::Scalar => Box::new(ToScalar::new(steps)),
            SinkPlan::Absent(id) => Box::new(Absent::new(id.clone(), steps)),
            SinkPlan::Sort(by) => Box::new(Sort::new(by.clone())),
            SinkPlan::Aggregate(aggregate, _) => {
                let parameter = Parameter::new(scalars.pop().unwrap_or(Scalar::Constant(0.0)), stage.sink_grid);
                aggregate.sink(parameter, stage.sink_grid, purpose, &mut sink_record)
            }
            SinkPlan::Buckets(call, _) => {
                Box::new(BucketsSink::new((**call).clone(), scalars, stage.sink_grid, watch.clone()))
            }
        };
        let Piece { mut records, uniques, .. } = self.start_piece();
        for (operation, record) in stage.operations.iter().zip(&mut records[1..]) {
            if let Some((span, remark)) = operation.op.remark() {
                record.annotations.add(span, remark.clone(), "");
            }
        }
        let charge = budget.charge(0, String::new)?;
        let (plan, stage) = (self.plan.clone(), self.id);
        Ok(Folding { plan, stage, sink, sink_record, records, uniques, charge, max_samples })
    }
}

impl Folding {
    /// Takes in further series.
    ///
    /// # Errors
    /// If they are too many, or make the query fail.
    pub(super) fn fold(&mut self, piece: Piece) -> Result<(), QueryError> {
        for (own, other) in self.records.iter_mut().zip(piece.records) {
            own.absorb(other);
            own.check(self.max_samples)?;
        }
        for (own, other) in self.uniques.iter_mut().zip(piece.uniques) {
            own.absorb(other);
        }
        self.sink.fold(piece.table, &mut self.sink_record)?;
        let bytes = self.sink.size_bytes() + self.uniques.iter().map(Unique::size_bytes).sum::<usize>();
        self.charge.resize(bytes as u64, || subject(&self.plan, &self.plan.stages[self.stage]))
    }

    /// Makes the result of the stage.
    ///
    /// # Errors
    /// If two series are the same, or the series make the query fail otherwise.
    pub(super) fn finish(mut self) -> Result<Done, QueryError> {
        let stage = &self.plan.stages[self.stage];
        let mut uniques = self.uniques.into_iter();
        if let (Some(unique), Some(sharing)) = (uniques.next(), source_sharing(stage, self.plan.naming)) {
            unique.check(sharing)?;
        }
        for (operation, unique) in stage.operations.iter().zip(uniques) {
            if let Some(sharing) = operation.op.sharing(self.plan.naming) {
                unique.check(sharing)?;
            }
        }
        let output = self.sink.finish(&mut self.sink_record)?;
        if let (SinkPlan::Buckets(..), Output::Table(table)) = (&stage.sink, &output)
            && checks_changed_labels(&self.plan, stage.sink_grid)
        {
            let mut unique = Unique::default();
            unique.see_changed(table);
            unique.check(Sharing::OtherSteps)?;
        }
        let bytes = match &output {
            Output::Table(table) => {
                self.sink_record.tally = Tally::of(table, stage.sink_grid);
                table.size_bytes()
            }
            Output::Scalar(values) => values.len() * size_of::<f64>(),
        };
        self.charge.resize(bytes as u64, || subject(&self.plan, stage))?;
        let nodes = std::iter::once(stage.node).chain(stage.operations.iter().map(|operation| operation.node));
        let mut records: Vec<(NodeId, Record)> =
            nodes.zip(self.records).filter_map(|(node, record)| Some((node?, record))).collect();
        match stage.sink_node {
            Some(node) => records.push((node, self.sink_record)),
            // A sink that is not counted may still remark.
            None => {
                if let Some((_, record)) = records.last_mut() {
                    record.annotations.absorb(self.sink_record.annotations);
                }
            }
        }
        Ok(Done { stage: self.stage, output, charge: self.charge, records })
    }
}

/// Which series of a stage's source may have the same labels; `None` if no two can.
fn source_sharing(stage: &Stage, naming: Naming) -> Option<Sharing> {
    match &stage.source {
        Source::Select { reader: Reader::Range(call), .. } | Source::Subquery { call, .. } => {
            let drops_name = !call.function.keeps_name() && call.function != RangeFunction::AbsentOverTime;
            (naming == Naming::Eager && drops_name).then_some(Sharing::Never)
        }
        Source::Select { reader: Reader::Instant { what: Reading::Time | Reading::StartTime, .. }, .. } => {
            (naming == Naming::Eager).then_some(Sharing::OtherSteps)
        }
        Source::Join { .. } | Source::Info { .. } => Some(Sharing::OtherSteps),
        _ => None,
    }
}

/// Whether results whose labels were changed must differ at once. If names go at the end of an instant query, only then.
fn checks_changed_labels(plan: &Plan, grid: Grid) -> bool {
    plan.naming == Naming::Eager || !grid.is_instant()
}

/// What to say is too big.
fn subject(plan: &Plan, stage: &Stage) -> String {
    match &stage.source {
        Source::Select { selection, .. } => plan.selections[*selection].text.clone(),
        _ => "intermediate results".to_owned(),
    }
}

/// The values of a series as samples. Whether a counter started again is forgotten: between the steps of a subquery there
/// may be samples that it does not see.
fn to_samples(row: Row<'_>, steps: Grid, samples: &mut Samples) {
    samples.clear();
    for (step, value) in row.present_floats() {
        samples.float_times.push(steps.time(step));
        samples.floats.push(value);
    }
    for (step, histogram) in row.histograms {
        samples.histogram_times.push(steps.time(*step as usize));
        samples.histograms.push(match histogram.counter_reset {
            CounterReset::Reset | CounterReset::NotReset => {
                Arc::new(Histogram { counter_reset: CounterReset::Unknown, ..(**histogram).clone() })
            }
            CounterReset::Unknown | CounterReset::Gauge => histogram.clone(),
        });
    }
}
