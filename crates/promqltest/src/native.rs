//! Classic histograms as native ones with custom buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BUCKET_LABEL, ClassicHistogram, Labels, LabelsBuilder, METRIC_NAME, Sample, Timestamp, Value};
use series::Samples;

use crate::LoadedSeries;

/// The native form of all classic histograms among these series.
///
/// # Errors
/// If the samples of one contradict each other.
pub(crate) fn native_histograms(series: &[LoadedSeries]) -> Result<Vec<LoadedSeries>, String> {
    let mut classic: BTreeMap<Labels, BTreeMap<i64, ClassicHistogram>> = BTreeMap::new();
    for LoadedSeries { labels, samples } in series {
        let Some((base, part)) = part_of(labels) else { continue };
        let histograms = classic.entry(base).or_default();
        for (time, value) in samples.float_times.iter().zip(&samples.floats) {
            let histogram = histograms.entry(*time).or_default();
            match part {
                Part::Bucket(upper) => histogram.set_bucket(upper, *value),
                Part::Count => histogram.set_count(*value),
                Part::Sum => histogram.set_sum(*value),
            }
        }
    }
    classic.into_iter().map(|(labels, histograms)| to_native(labels, &histograms)).collect()
}

#[derive(Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// Which part of which histogram a series is.
fn part_of(labels: &Labels) -> Option<(Labels, Part)> {
    let name = labels.metric();
    let (base, part) = if let Some(base) = name.strip_suffix("_bucket") {
        let upper: f64 = labels.get(BUCKET_LABEL)?.parse().ok()?;
        (base, Part::Bucket(Some(upper).filter(|upper| !upper.is_nan())?))
    } else if let Some(base) = name.strip_suffix("_count") {
        (base, Part::Count)
    } else {
        (name.strip_suffix("_sum")?, Part::Sum)
    };
    let mut labels = LabelsBuilder::from(labels.clone());
    labels.set(METRIC_NAME, base).remove(BUCKET_LABEL);
    Some((labels.build(), part))
}

fn to_native(labels: Labels, histograms: &BTreeMap<i64, ClassicHistogram>) -> Result<LoadedSeries, String> {
    let mut samples = Samples::new();
    for (time, histogram) in histograms {
        let native = histogram.to_native().map_err(|error| format!("{labels} at {time} ms: {error}"))?;
        let value = Value::Histogram(Arc::new(native));
        samples.push(&Sample { timestamp: Timestamp(*time), value }, 0);
    }
    Ok(LoadedSeries { labels, samples })
}
