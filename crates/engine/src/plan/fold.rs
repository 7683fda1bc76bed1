//! Which stages can be done where the series are.

use series::Fold;

use super::{Plan, Selection, SinkPlan, Source, Stage};
use crate::read::Reader;
use crate::scalar::StageId;

impl Plan {
    /// The stage to do where the series of a selection are, if it alone uses them and can be put together of parts.
    pub(crate) fn foldable_stage(&self, selection: usize) -> Option<StageId> {
        let of_selection = |stage: &&Stage| stage.selection() == Some(selection);
        let mut users = self.stages.iter().enumerate().filter(|(_, stage)| of_selection(stage));
        match (users.next(), users.next()) {
            (Some((id, stage)), None) => stage.can_be_folded().then_some(id),
            _ => None,
        }
    }

    /// Whether this is the stage that another engine means.
    pub(crate) fn is_fold(&self, id: StageId, fold: &Fold) -> bool {
        let Some(selection) = self.stages.get(id).and_then(Stage::selection) else { return false };
        let Selection { matchers, range, .. } = &self.selections[selection];
        let is_same = *matchers == fold.select.matchers && *range == fold.select.range;
        is_same && self.foldable_stage(selection) == Some(id)
    }
}

impl Stage {
    /// The selection whose series it reads.
    pub(crate) fn selection(&self) -> Option<usize> {
        match self.source {
            Source::Select { selection, .. } => Some(selection),
            _ => None,
        }
    }

    fn can_be_folded(&self) -> bool {
        let is_read = match &self.source {
            // What `smoothed` has in memory is counted in no other way than series after series.
            Source::Select { reader, .. } => !matches!(reader, Reader::Smoothed { .. }),
            _ => false,
        };
        let is_of_parts = match &self.sink {
            SinkPlan::Aggregate(aggregate, _) => aggregate.is_of_parts(),
            _ => false,
        };
        // Each part would make the remark.
        let remarks = self.operations.iter().any(|operation| operation.op.remark().is_some());
        is_read && is_of_parts && !remarks && self.needs.is_empty() && !self.grid.is_empty()
    }
}
