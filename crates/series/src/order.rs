//! One sample for each time.

use std::cmp::Ordering;
use std::sync::Arc;

use model::{Histogram, is_stale};

use crate::Samples;

/// Sorts samples of several chunks by time, and leaves one for each time: a value rather than a staleness marker, else a
/// float rather than a histogram, else the earlier one.
///
/// Costs little more than a look at every sample if they are a few ascending runs.
pub(crate) fn put_in_order(samples: &mut Samples) {
    sort(&mut samples.float_times, &mut samples.floats, &mut samples.float_starts, float_is_stale);
    sort(&mut samples.histogram_times, &mut samples.histograms, &mut samples.histogram_starts, histogram_is_stale);
    if !samples.floats.is_empty() && !samples.histograms.is_empty() {
        leave_one_kind(samples);
    }
}

fn float_is_stale(value: &f64) -> bool {
    is_stale(*value)
}

fn histogram_is_stale(histogram: &Arc<Histogram>) -> bool {
    is_stale(histogram.sum)
}

/// Sorts one column, and leaves one sample for each time.
fn sort<V: Clone>(times: &mut Vec<i64>, values: &mut Vec<V>, starts: &mut Vec<i64>, stale: fn(&V) -> bool) {
    if times.windows(2).all(|pair| pair[0] < pair[1]) {
        return;
    }
    let keys = times.iter().zip(values.iter()).enumerate();
    let mut order: Vec<_> = keys.map(|(at, (time, value))| (*time, stale(value), at)).collect();
    // The stable sort of std finds runs and merges them: it merges chunks instead of sorting samples.
    order.sort();
    order.dedup_by_key(|(time, _, _)| *time);
    *times = order.iter().map(|(time, _, _)| *time).collect();
    *values = order.iter().map(|(_, _, at)| values[*at].clone()).collect();
    if !starts.is_empty() {
        *starts = order.iter().map(|(_, _, at)| starts[*at]).collect();
    }
}

/// Where both columns have a sample at the same time, leaves one of them. Both are ascending.
fn leave_one_kind(samples: &mut Samples) {
    let [mut float, mut histogram] = [0, 0];
    let [mut lost_floats, mut lost_histograms] = [Vec::new(), Vec::new()];
    while let (Some(time), Some(other)) = (samples.float_times.get(float), samples.histogram_times.get(histogram)) {
        match time.cmp(other) {
            Ordering::Less => float += 1,
            Ordering::Greater => histogram += 1,
            Ordering::Equal => {
                let marker = float_is_stale(&samples.floats[float]);
                if marker && !histogram_is_stale(&samples.histograms[histogram]) {
                    lost_floats.push(float);
                } else {
                    lost_histograms.push(histogram);
                }
                float += 1;
                histogram += 1;
            }
        }
    }
    remove(&lost_floats, &mut samples.float_times, &mut samples.floats, &mut samples.float_starts);
    remove(&lost_histograms, &mut samples.histogram_times, &mut samples.histograms, &mut samples.histogram_starts);
}

/// Removes the samples at these places, which ascend.
fn remove<V>(places: &[usize], times: &mut Vec<i64>, values: &mut Vec<V>, starts: &mut Vec<i64>) {
    remove_from(places, times);
    remove_from(places, values);
    remove_from(places, starts);
}

fn remove_from<T>(places: &[usize], column: &mut Vec<T>) {
    if places.is_empty() {
        return;
    }
    let mut places = places.iter().copied().peekable();
    let mut at = 0;
    column.retain(|_| {
        let lost = places.next_if_eq(&at).is_some();
        at += 1;
        !lost
    });
}
