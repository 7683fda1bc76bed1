//! Sums and means of histograms in a range.

use model::{CounterReset, HistogramSum, IncompatibleSchemas, Merged};

use super::Remarks;
use super::window::{Outcome, Window};
use crate::annotation::{HistogramOperation, Remark};

/// The sum of the histograms.
pub(super) fn sum(window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    let sum = fold(window, remarks, |sum, histogram| sum.add(histogram));
    sum.map_or(Outcome::Nothing, |sum| Outcome::histogram(sum.total()))
}

/// The mean of the histograms.
pub(super) fn avg(window: &Window<'_>, remarks: &mut Remarks<'_>) -> Outcome {
    let mean = fold(window, remarks, |mean, histogram| mean.add_to_mean(histogram));
    mean.map_or(Outcome::Nothing, |mean| Outcome::histogram(mean.mean()))
}

/// Adds the histograms up; `None`, with a remark, if they do not fit each other or there are floats beside them.
fn fold(
    window: &Window<'_>,
    remarks: &mut Remarks<'_>,
    mut add: impl FnMut(&mut HistogramSum, &model::Histogram) -> Result<Merged, IncompatibleSchemas>,
) -> Option<HistogramSum> {
    if !window.floats.is_empty() {
        remarks.add(Remark::MixedFloatsHistograms);
        return None;
    }
    let (first, rest) = window.histograms.values.split_first()?;
    let mut sum = HistogramSum::new((**first).clone());
    let mut has_mismatched_bounds = false;
    for histogram in rest {
        match add(&mut sum, histogram) {
            Ok(merged) => has_mismatched_bounds |= merged.has_mismatched_bounds,
            Err(IncompatibleSchemas) => {
                remarks.add(Remark::MixedExponentialCustom);
                return None;
            }
        }
    }
    let has = |hint| window.histograms.values.iter().any(|histogram| histogram.counter_reset == hint);
    if has(CounterReset::Reset) && has(CounterReset::NotReset) {
        remarks.add_unnamed(Remark::ConflictingResets(HistogramOperation::Aggregation));
    }
    if has_mismatched_bounds {
        remarks.add_unnamed(Remark::MismatchedBounds(HistogramOperation::Aggregation));
    }
    Some(sum)
}
