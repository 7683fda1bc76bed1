//! Carrying out a plan.

mod finish;
mod fold;
mod outputs;
mod raw;
mod scan;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::future::{BoxFuture, try_join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use series::{Budget, Charge, Foldings, QueryError, Queryable, Series, SeriesStream};
use stdx::CpuPool;

use crate::ledger::Ledger;
use crate::plan::{Plan, RawSamples, Root, Selection, Source};
use crate::purpose::Purpose;
use crate::result::MatrixSeries;
use crate::scalar::StageId;
use crate::tally::Reads;
use crate::watch::Watch;
use outputs::{Charged, Outputs};
use stage::{Done, ReadyStage};

pub(crate) use finish::{Answer, into_answer};
pub(crate) use fold::Pushing;

/// A plan being carried out.
pub(crate) struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) storage: Arc<dyn Queryable>,
    pub(crate) pool: CpuPool,
    pub(crate) watch: Watch,
    pub(crate) budget: Budget,
    pub(crate) max_samples: u64,
    /// How storage may aggregate; `None`: not at all.
    pub(crate) pushing: Option<Pushing>,
    /// Whether it did.
    pub(crate) pushed: AtomicBool,
}

/// What the plan's root is.
pub(crate) enum RootOutput {
    Table(Charged),
    Scalar(Vec<f64>),
    String(String),
    Samples(Vec<MatrixSeries>),
}

/// What carrying out a plan came to.
pub(crate) struct Carried {
    pub(crate) output: RootOutput,
    pub(crate) ledger: Ledger,
    /// What was read outside of all stages.
    pub(crate) raw_reads: Option<Reads>,
}

/// Stages being carried out, and the number of the first one.
type Running<'a> = BoxFuture<'a, (StageId, Result<Vec<Done>, QueryError>)>;

/// Work under the number of its stage.
fn under<'a>(id: StageId, work: impl Future<Output = Result<Vec<Done>, QueryError>> + Send + 'a) -> Running<'a> {
    work.map(move |outcome| (id, outcome)).boxed()
}

/// Why the evaluation makes no sense, and the stage that found out.
struct Failure {
    stage: StageId,
    error: QueryError,
}

impl Failure {
    /// The failure that Prometheus, which evaluates from left to right, would have met first.
    ///
    /// # Errors
    /// What is no fault of the query, at once.
    fn first(known: Option<Self>, stage: StageId, error: QueryError) -> Result<Self, QueryError> {
        if !matches!(error, QueryError::Execution(_)) {
            return Err(error);
        }
        let new = Self { stage, error };
        Ok(known.filter(|known| known.stage < new.stage).unwrap_or(new))
    }
}

/// The series of a selection.
enum Selected {
    /// For one pass.
    Stream(SeriesStream),
    /// What storage made of them.
    Folded(Option<Foldings>),
    /// For several.
    Kept(Arc<Kept>),
}

/// Series that are kept for several passes, and what they are charged with.
struct Kept {
    batches: Vec<Vec<Series>>,
    _charge: Charge,
}

impl Run {
    /// Carries out all stages, each as soon as those that it needs are done.
    ///
    /// # Errors
    /// If storage fails, a limit is reached, or the evaluation makes no sense.
    pub(crate) async fn carry_out(&self) -> Result<Carried, QueryError> {
        self.check_steps()?;
        let mut ledger = Ledger::new(&self.plan);
        let all = (0..self.plan.selections.len()).map(|selection| self.obtain(selection));
        let selected = try_join_all(all).await?;
        if let Root::Samples(raw) = &self.plan.root {
            return self.carry_out_raw(raw, selected, ledger).await;
        }
        let mut selected = self.keep_shared(selected).await?;
        let mut outputs = Outputs::new(self.plan.stages.len());
        let mut waiting: Vec<StageId> = (0..self.plan.stages.len()).collect();
        let mut failure: Option<Failure> = None;
        while !waiting.is_empty() {
            let is_ready = |stage: &StageId| self.plan.stages[*stage].needs.iter().all(|need| outputs.has(*need));
            let (ready, rest): (Vec<StageId>, Vec<StageId>) = waiting.into_iter().partition(is_ready);
            waiting = rest;
            let mut running = self.start_stages(&ready, &mut outputs, &mut selected)?;
            while let Some((stage, outcome)) = running.next().await {
                match outcome {
                    Ok(all_done) => {
                        for done in all_done {
                            ledger.absorb(done.records);
                            outputs.set(done.stage, done.output, done.charge);
                        }
                    }
                    Err(error) => failure = Some(Failure::first(failure, stage, error)?),
                }
            }
            if let Some(failure) = &failure {
                // What stands further to the left would have failed first, if it fails.
                waiting.retain(|stage| *stage < failure.stage);
            }
        }
        if let Some(failure) = failure {
            return Err(failure.error);
        }
        let output = self.root_output(&mut outputs);
        Ok(Carried { output, ledger, raw_reads: None })
    }

    fn root_output(&self, outputs: &mut Outputs) -> RootOutput {
        match &self.plan.root {
            Root::Vector(stage) | Root::Subquery(stage, _) => RootOutput::Table(outputs.take_table(*stage)),
            Root::String(text) => RootOutput::String(text.clone()),
            Root::Scalar(scalar) => {
                let grid = self.plan.scopes[0].grid;
                let values = scalar.evaluate(grid, &|stage| outputs.scalar(stage));
                RootOutput::Scalar(values.values(grid.len()).collect())
            }
            Root::Samples(_) => RootOutput::Samples(Vec::new()),
        }
    }

    async fn carry_out_raw(
        &self,
        raw: &RawSamples,
        selected: Vec<Selected>,
        ledger: Ledger,
    ) -> Result<Carried, QueryError> {
        let Some(Selected::Stream(stream)) = selected.into_iter().nth(raw.selection) else {
            return Err(QueryError::Execution("a range selector was not selected".to_owned()));
        };
        let (series, reads) = self.raw_samples(raw, stream).await?;
        Ok(Carried { output: RootOutput::Samples(series), ledger, raw_reads: Some(reads) })
    }

    /// Starts stages that need nothing any more, those over the same series together, under the number of the first one.
    fn start_stages(
        &self,
        ready: &[StageId],
        outputs: &mut Outputs,
        selected: &mut [Selected],
    ) -> Result<FuturesUnordered<Running<'_>>, QueryError> {
        let running = FuturesUnordered::new();
        let mut scans: BTreeMap<usize, Vec<ReadyStage>> = BTreeMap::new();
        for id in ready {
            let stage = ReadyStage::new(&self.plan, *id, outputs, &self.budget)?;
            match &self.plan.stages[*id].source {
                Source::Select { selection, .. } => scans.entry(*selection).or_default().push(stage),
                Source::Subquery { stage: from, .. } | Source::Stage(from) => {
                    running.push(under(*id, self.compute(stage, outputs.take_table(*from), None)));
                }
                Source::Join { left, right, .. } => {
                    let (left, right) = (outputs.take_table(*left), outputs.take_table(*right));
                    running.push(under(*id, self.compute(stage, left, Some(right))));
                }
                Source::Vector(_) => running.push(under(*id, self.compute(stage, Charged::default(), None))),
                Source::Info { base, info, node } => {
                    let base = outputs.take_table(*base);
                    running.push(under(*id, self.compute_info(stage, base, info.clone(), *node)));
                }
            }
        }
        for (selection, mut stages) in scans {
            if let Selected::Folded(foldings) = &mut selected[selection] {
                if let (Some(stage), Some(foldings)) = (stages.pop(), foldings.take()) {
                    running.push(under(stage.id(), self.unite(stage, foldings)));
                }
                continue;
            }
            let stream = match &mut selected[selection] {
                Selected::Stream(stream) => std::mem::replace(stream, stream::empty().boxed()),
                Selected::Kept(kept) => {
                    let kept = kept.clone();
                    stream::iter((0..kept.batches.len()).map(move |at| Ok(kept.batches[at].clone()))).boxed()
                }
                Selected::Folded(_) => continue,
            };
            let id = stages.iter().map(ReadyStage::id).min().unwrap_or_default();
            running.push(under(id, self.scan(selection, stages, stream)));
        }
        Ok(running)
    }

    /// Computes a stage from tables.
    async fn compute(
        &self,
        stage: ReadyStage,
        first: Charged,
        second: Option<Charged>,
    ) -> Result<Vec<Done>, QueryError> {
        let mut folding = stage.start_folding(Purpose::Result, &self.budget, &self.watch, self.max_samples)?;
        let watch = self.watch.clone();
        let done = self.pool.run(move || {
            watch.check()?;
            let second = second.unwrap_or_default();
            let piece = stage.piece_of_tables(first.table, second.table, &watch)?;
            folding.fold(piece)?;
            folding.finish()
        });
        Ok(vec![done.await?])
    }

    /// Asks storage a question.
    async fn select(&self, selection: &Selection) -> Result<SeriesStream, QueryError> {
        self.storage.select(selection.question(), &self.budget).await
    }

    /// The series of a selection, or what storage made of them.
    async fn obtain(&self, selection: usize) -> Result<Selected, QueryError> {
        Ok(match self.fold(selection).await? {
            Some(foldings) => Selected::Folded(Some(foldings)),
            None => Selected::Stream(self.select(&self.plan.selections[selection]).await?),
        })
    }

    /// Keeps the series of selections that several stages use at different times.
    async fn keep_shared(&self, all: Vec<Selected>) -> Result<Vec<Selected>, QueryError> {
        let levels = self.levels();
        let mut selected = Vec::with_capacity(all.len());
        for (selection, own) in all.into_iter().enumerate() {
            let Selected::Stream(stream) = own else {
                selected.push(own);
                continue;
            };
            let users = self.plan.stages.iter().enumerate().filter(|(_, stage)| stage.selection() == Some(selection));
            let mut used_at = users.map(|(id, _)| levels[id]);
            let first = used_at.next();
            if used_at.any(|level| Some(level) != first) {
                selected
                    .push(Selected::Kept(Arc::new(self.keep(stream, &self.plan.selections[selection].text).await?)));
            } else {
                selected.push(Selected::Stream(stream));
            }
        }
        Ok(selected)
    }

    async fn keep(&self, mut stream: SeriesStream, text: &str) -> Result<Kept, QueryError> {
        let mut batches = Vec::new();
        let mut charge = self.budget.charge(0, String::new)?;
        while let Some(batch) = stream.try_next().await? {
            let bytes: usize = batch.iter().map(Series::size_bytes).sum();
            charge.grow(bytes as u64, || text.to_owned())?;
            batches.push(batch);
        }
        Ok(Kept { batches, _charge: charge })
    }

    /// How many rounds of stages come before each stage.
    fn levels(&self) -> Vec<usize> {
        let mut levels: Vec<usize> = Vec::with_capacity(self.plan.stages.len());
        for stage in &self.plan.stages {
            let level = stage.needs.iter().map(|need| levels[*need] + 1).max().unwrap_or(0);
            levels.push(level);
        }
        levels
    }

    /// # Errors
    /// If a vector would have more steps than a query may have samples.
    fn check_steps(&self) -> Result<(), QueryError> {
        let most = self.plan.scopes.iter().map(|scope| scope.grid.len()).max().unwrap_or(0);
        if most as u64 > self.max_samples { Err(QueryError::TooManySamples) } else { Ok(()) }
    }
}
