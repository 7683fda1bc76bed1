//! Samples that a script loads.

use std::collections::BTreeMap;

use model::{Histogram, IncompatibleSchemas, Labels, Sample, Timestamp, Value};
use promql::Sign;
use promql::series_notation::{Item, Point, Series, StartItem, StartTimes};
use series::Samples;

use crate::LoadedSeries;

/// Samples to be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Those of each series.
    pub(crate) series: Vec<LoadedSeries>,
    /// Whether classic histograms become native ones as well.
    pub(crate) with_native: bool,
}

/// More points than any test needs: a short item can stand for billions.
pub(super) const MAX_POINTS: usize = 10_000_000;

/// The points of a series, one after the other.
pub(super) fn expand(items: &[Item]) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    for item in items {
        if item.count() > (MAX_POINTS - points.len()) as u64 {
            return Err(format!("a series has more than {MAX_POINTS} points"));
        }
        for point in item.points(combine) {
            points.push(point.map_err(|_| "histograms of a series do not fit each other".to_owned())?);
        }
    }
    Ok(points)
}

fn combine(histogram: &Histogram, sign: Sign, change: &Histogram) -> Result<Histogram, IncompatibleSchemas> {
    let mut result = histogram.clone();
    match sign {
        Sign::Plus => result.add(change)?,
        Sign::Minus => result.subtract(change)?,
    };
    Ok(result)
}

/// The samples of a series whose points are so many ms apart.
pub(super) fn samples(series: &Series, starts: Option<&StartTimes>, interval: i64) -> Result<Samples, String> {
    let points = expand(&series.items)?;
    let starts = match starts {
        Some(starts) => expand_starts(&starts.items, points.len())?,
        None => vec![None; points.len()],
    };
    let mut samples = Samples::new();
    for (at, (point, start)) in points.into_iter().zip(starts).enumerate() {
        let time = at as i64 * interval;
        let value = match point {
            Point::Missing => continue,
            Point::Float(value) => Value::Float(value),
            Point::Histogram { histogram, .. } => Value::Histogram((*histogram).into()),
        };
        let start = start.map_or(0, |start| time + start);
        samples.push(&Sample { timestamp: Timestamp(time), value }, start);
    }
    Ok(samples)
}

/// When the counter of each point began, relative to its time.
fn expand_starts(items: &[StartItem], count: usize) -> Result<Vec<Option<i64>>, String> {
    let mut starts = Vec::with_capacity(count);
    for item in items {
        match *item {
            StartItem::Missing { count } => starts.extend((0..count.min(MAX_POINTS as u64)).map(|_| None)),
            StartItem::Relative { first_ms, change_ms, count } => {
                let count = count.min(MAX_POINTS as u64) as i64;
                starts.extend((0..count).map(|at| Some(first_ms + at * change_ms)));
            }
        }
    }
    if starts.len() != count {
        return Err(format!("{} start timestamps for {count} points", starts.len()));
    }
    Ok(starts)
}

/// One series for each label set: of several the last one.
pub(super) fn deduplicate(series: Vec<LoadedSeries>) -> Vec<LoadedSeries> {
    let mut last: BTreeMap<Labels, LoadedSeries> = BTreeMap::new();
    for series in series {
        last.insert(series.labels.clone(), series);
    }
    last.into_values().collect()
}
