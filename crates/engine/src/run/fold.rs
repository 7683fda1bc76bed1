//! Stages that are done where the series are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use series::{Fold, FoldQuery, Folded, Foldings, QueryError};

use super::Run;
use super::outputs::Outputs;
use super::stage::{Done, ReadyStage};
use crate::PushDown;
use crate::plan::Plan;
use crate::purpose::Purpose;
use crate::scalar::StageId;
use crate::tally::Alike;

/// How storage may aggregate.
pub(crate) struct Pushing {
    /// What it must know.
    pub(crate) query: FoldQuery,
    pub(crate) allowed: PushDown,
}

impl Run {
    /// Lets storage do the stage of a selection, if there is only one and both can.
    pub(super) async fn fold(&self, selection: usize) -> Result<Option<Foldings>, QueryError> {
        let Some(Pushing { query, allowed }) = &self.pushing else { return Ok(None) };
        let Some(stage) = self.plan.foldable_stage(selection) else { return Ok(None) };
        let query = FoldQuery { stage: stage as u32, ..query.clone() };
        let select = self.plan.selections[selection].question();
        let Some(foldings) = self.storage.fold(Fold { select, query }, &self.budget).await? else { return Ok(None) };
        let (plan, allowed) = (self.plan.clone(), *allowed);
        let (fits, foldings) = self.pool.run(move || (fits(&plan, stage, &foldings.parts, allowed), foldings)).await;
        if fits {
            self.pushed.store(true, Ordering::Relaxed);
        }
        Ok(fits.then_some(foldings))
    }

    /// Puts together what storage made of the series of a stage.
    pub(super) async fn unite(&self, stage: ReadyStage, foldings: Foldings) -> Result<Vec<Done>, QueryError> {
        let mut folding = stage.start_folding(Purpose::Result, &self.budget, &self.watch, self.max_samples)?;
        let done = self.pool.run(move || {
            let Foldings { parts, charge } = foldings;
            folding.unite(parts)?;
            drop(charge);
            folding.finish()
        });
        Ok(vec![done.await?])
    }

    /// Does a stage over some of its series, which others put together with the rest. `None`: that can't be done.
    ///
    /// # Errors
    /// As [`Run::carry_out`].
    pub(crate) async fn fold_here(&self, id: StageId) -> Result<Option<Folded>, QueryError> {
        self.check_steps()?;
        let Some(selection) = self.plan.stages[id].selection() else { return Ok(None) };
        let stage = ReadyStage::new(&self.plan, id, &Outputs::new(self.plan.stages.len()), &self.budget)?;
        let series = self.select(&self.plan.selections[selection]).await?;
        let Some(gathered) = self.gather(selection, vec![stage], series, Purpose::Part).await? else { return Ok(None) };
        self.pool.run(move || gathered.into_folded()).await
    }
}

/// Whether parts of a stage can be put together, and come to what would come of all series together.
fn fits(plan: &Arc<Plan>, id: StageId, parts: &[Folded], allowed: PushDown) -> bool {
    let stage = &plan.stages[id];
    let (steps, operations) = (stage.grid.len().max(stage.sink_grid.len()), stage.operations.len());
    parts.iter().all(|part| is_sound(part, stage.sink_grid.len(), steps) && part.counts.len() == operations + 1)
        && are_alike(parts.iter().filter_map(|part| part.metadata.as_ref()))
        && are_alike(parts.iter().filter_map(|part| part.remark.as_ref()))
        && are_different(parts)
        && (allowed == PushDown::Uncounted || have_exact_peaks(parts, operations + 1))
}

/// More samples than any query has: beyond that, counts make no sense, and their sums might not fit.
const MOST_SAMPLES: u64 = 1 << 48;

/// Whether a part is of so many steps and has counts that make sense: it comes from elsewhere.
fn is_sound(part: &Folded, sink_steps: usize, steps: usize) -> bool {
    let groups = part.groups.iter().all(|group| {
        let len = group.columns.first().map_or(0, Vec::len);
        let end = (group.first_step as usize).saturating_add(len);
        end <= sink_steps && group.columns.iter().all(|column| column.len() == len || column.is_empty())
    });
    let counts = part.counts.iter().all(|counts| {
        let [size, peak, rest, alike] = [counts.size, counts.peak, counts.rest, counts.alike];
        let changes = counts.changes.iter().map(|change| change.unsigned_abs());
        let reads = counts.queryable.iter().chain(&counts.new).copied();
        counts.changes.len() <= steps + 1
            && counts.queryable.len() <= steps
            && counts.new.len() <= steps
            && [size, peak, rest, alike].into_iter().chain(changes).chain(reads).all(|count| count < MOST_SAMPLES)
    });
    groups && counts
}

fn are_alike<'a, T: PartialEq + 'a>(mut all: impl Iterator<Item = &'a T>) -> bool {
    let first = all.next();
    all.all(|other| Some(other) == first)
}

/// Whether no series is in two parts, whose samples would have to be put together first. Two series of the same hash are taken
/// for one.
fn are_different(parts: &[Folded]) -> bool {
    let mut all: Vec<u64> = parts.iter().flat_map(|part| part.series.iter().copied()).collect();
    // The stable sort finds the ascending runs that these are.
    all.sort();
    all.windows(2).all(|pair| pair[0] != pair[1])
}

/// Whether the most samples that were in memory at once do not depend on the order of the series.
fn have_exact_peaks(parts: &[Folded], operations: usize) -> bool {
    (0..operations).all(|at| {
        let mut alike = Alike::None;
        parts.iter().for_each(|part| alike.absorb(Alike::of(&part.counts[at])));
        alike != Alike::Not
    })
}
