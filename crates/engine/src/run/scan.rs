//! Reading series of storage, for all stages that want them.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use model::TimeRange;
use series::{Budget, Charge, Folded, QueryError, Samples, Series, SeriesStream};

use super::Run;
use super::outputs::Charged;
use super::stage::{Done, Folding, Piece, ReadyStage};
use crate::grid::Grid;
use crate::identity::{Identity, Naming};
use crate::info::Info;
use crate::ledger::{NodeId, Record};
use crate::plan::Selection;
use crate::purpose::Purpose;
use crate::range::Frames;
use crate::read::{ReadContext, remove_stale};
use crate::table::Table;
use crate::tally::Tally;
use crate::watch::Watch;

/// How many series are worked on at a time: some milliseconds of work.
const PIECE_SERIES: usize = 256;
/// How many pieces may be worked on at once, or wait to be taken in.
const PIECES_AHEAD: usize = 8;

/// Stages over the same series.
struct Scan {
    stages: Vec<ReadyStage>,
    selection: Selection,
    watch: Watch,
    budget: Budget,
    purpose: Purpose,
}

/// What all stages make of some series, and what that is charged with.
struct Evaluated {
    pieces: Vec<Piece>,
    /// The hashes of the series, if they are a part.
    hashes: Vec<u64>,
    /// Whether the values come to the same if they are aggregated in parts.
    is_of_parts: bool,
    _charge: Charge,
}

/// What all stages made of all series.
pub(super) struct Gathered {
    foldings: Vec<Folding>,
    /// The hashes of the series, if they are a part.
    hashes: Vec<u64>,
    /// What those are charged with.
    charge: Charge,
}

impl Gathered {
    /// What the only stage made, to be put together with what others made of their series. `None`: that can't be done.
    pub(super) fn into_folded(mut self) -> Result<Option<Folded>, QueryError> {
        self.hashes.sort_unstable();
        let folded = self.foldings.pop().map_or(Ok(None), |folding| folding.into_folded(self.hashes));
        drop(self.charge);
        folded
    }
}

impl Run {
    /// Reads each series once for all stages. Pieces are worked on at the same time, but taken in in their order, so that
    /// results do not depend on how many threads there are.
    pub(super) async fn scan(
        &self,
        selection: usize,
        stages: Vec<ReadyStage>,
        series: SeriesStream,
    ) -> Result<Vec<Done>, QueryError> {
        match self.gather(selection, stages, series, Purpose::Result).await? {
            Some(Gathered { foldings, .. }) => {
                self.pool.run(move || foldings.into_iter().map(Folding::finish).collect()).await
            }
            None => Ok(Vec::new()),
        }
    }

    /// Reads each series once for all stages, up to their ends. `None`: what comes of the series can't be a part.
    pub(super) async fn gather(
        &self,
        selection: usize,
        stages: Vec<ReadyStage>,
        series: SeriesStream,
        purpose: Purpose,
    ) -> Result<Option<Gathered>, QueryError> {
        let mut foldings: Vec<Folding> = Vec::with_capacity(stages.len());
        for stage in &stages {
            foldings.push(stage.start_folding(purpose, &self.budget, &self.watch, self.max_samples)?);
        }
        let selection = self.plan.selections[selection].clone();
        let text = selection.text.clone();
        let scan = Scan { stages, selection, watch: self.watch.clone(), budget: self.budget.clone(), purpose };
        let scan = Arc::new(scan);
        let (mut hashes, mut charge) = (Vec::new(), self.budget.charge(0, String::new)?);
        let pieces = series.map_ok(|batch| stream::iter(split(batch).into_iter().map(Ok))).try_flatten();
        let mut evaluated = pieces
            .map(|piece: Result<Vec<Series>, QueryError>| {
                let scan = scan.clone();
                async move {
                    let piece = piece?;
                    self.pool.run(move || scan.evaluate(&piece)).await
                }
            })
            .buffered(PIECES_AHEAD);
        while let Some(evaluated) = evaluated.next().await {
            let mut evaluated = evaluated?;
            if !evaluated.is_of_parts {
                return Ok(None);
            }
            hashes.append(&mut evaluated.hashes);
            charge.resize(hashes.capacity() as u64 * size_of::<u64>() as u64, || text.clone())?;
            foldings = self.pool.run(move || fold(foldings, evaluated)).await?;
            let is_told = purpose == Purpose::Part && hashes.len() >= PIECE_SERIES;
            if is_told && !foldings.iter().all(|folding| folding.pays(hashes.len())) {
                return Ok(None);
            }
        }
        Ok(Some(Gathered { foldings, hashes, charge }))
    }

    /// Computes a stage that adds labels of info metrics, which can be selected only now.
    pub(super) async fn compute_info(
        &self,
        stage: ReadyStage,
        base: Charged,
        info: Arc<Info>,
        node: NodeId,
    ) -> Result<Vec<Done>, QueryError> {
        let grid = self.plan.stages[stage.id].grid;
        let mut table = Table::new();
        let mut charge = self.budget.charge(0, String::new)?;
        for selection in info.selections(&base.table, grid) {
            let mut series = self.select(&selection).await?;
            let read = InfoRead { info: info.clone(), range: selection.range, grid, watch: self.watch.clone() };
            let read = Arc::new(read);
            while let Some(batch) = series.try_next().await? {
                let read = read.clone();
                table = self.pool.run(move || read.add(table, &batch)).await?;
                charge.resize(table.size_bytes() as u64, || selection.text.clone())?;
            }
        }
        let counted = Record { tally: Tally::of(&table, grid), ..Record::default() };
        let mut done = self.compute(stage, base, Some(Charged { table, _charge: Some(charge) })).await?;
        if let Some(done) = done.first_mut() {
            done.records.push((node, counted));
        }
        Ok(done)
    }
}

/// What reading info series needs to know.
struct InfoRead {
    info: Arc<Info>,
    range: TimeRange,
    grid: Grid,
    watch: Watch,
}

impl InfoRead {
    /// Adds info series to a table.
    fn add(&self, mut table: Table, batch: &[Series]) -> Result<Table, QueryError> {
        let mut samples = Samples::new();
        let mut record = Record::default();
        // Names stay, since they tell info metrics apart.
        let context = ReadContext { grid: self.grid, naming: Naming::Delayed, args: &[], is_storage: true };
        let mut frames = Frames::default();
        for series in batch {
            self.watch.check()?;
            series.read(self.range, &mut samples)?;
            let id = Identity::new(series.labels.clone());
            self.info.reader().read(id, &samples, context, &mut frames, &mut table, &mut record)?;
        }
        Ok(table)
    }
}

impl Scan {
    /// What each stage makes of these series.
    fn evaluate(&self, piece: &[Series]) -> Result<Evaluated, QueryError> {
        let mut pieces: Vec<Piece> = self.stages.iter().map(ReadyStage::start_piece).collect();
        let mut samples = Samples::new();
        let mut charge = self.budget.charge(0, String::new)?;
        let (mut hashes, mut is_of_parts) = (Vec::new(), true);
        for series in piece {
            self.watch.check()?;
            series.read(self.selection.range, &mut samples)?;
            if samples.is_empty() {
                continue;
            }
            if self.purpose == Purpose::Part {
                hashes.push(series.labels.series_hash().0);
            }
            for sees_staleness in [true, false] {
                if !sees_staleness {
                    remove_stale(&mut samples);
                }
                for (stage, piece) in self.stages.iter().zip(&mut pieces) {
                    if stage.sees_staleness() != sees_staleness {
                        continue;
                    }
                    let id = Identity::new(series.labels.clone());
                    match stage.reduced(&samples) {
                        Some(reduced) => stage.read(id, &reduced, piece)?,
                        None => stage.read(id, &samples, piece)?,
                    }
                }
            }
            let bytes = samples.size_bytes() + pieces.iter().map(Piece::size_bytes).sum::<usize>();
            charge.resize(bytes as u64, || self.selection.text.clone())?;
        }
        for (stage, piece) in self.stages.iter().zip(&mut pieces) {
            self.watch.check()?;
            stage.operate(piece);
            is_of_parts &= stage.allows(self.purpose, piece);
        }
        Ok(Evaluated { pieces, hashes, is_of_parts, _charge: charge })
    }
}

fn fold(mut foldings: Vec<Folding>, evaluated: Evaluated) -> Result<Vec<Folding>, QueryError> {
    for (folding, piece) in foldings.iter_mut().zip(evaluated.pieces) {
        folding.fold(piece)?;
    }
    Ok(foldings)
}

/// Splits a batch into pieces.
fn split(mut batch: Vec<Series>) -> Vec<Vec<Series>> {
    let mut pieces = Vec::with_capacity(batch.len().div_ceil(PIECE_SERIES));
    while batch.len() > PIECE_SERIES {
        let rest = batch.split_off(PIECE_SERIES);
        pieces.push(std::mem::replace(&mut batch, rest));
    }
    if !batch.is_empty() {
        pieces.push(batch);
    }
    pieces
}
