//! Records of an entry to what the head takes.

use std::sync::Arc;

use head::{LayoutChange, PushedSeries, ScrapeKind, ScrapeRow, SentExemplar, TimedValue};
use model::{Exemplar, Histogram, Labels, LabelsBuilder, LayoutHash, TargetId, Timestamp};
use proto::entry;

use crate::definition::decode_definition;

/// What is wrong with a record, in words.
pub(crate) type Malformed = String;

/// A scrape as the head takes it.
pub(crate) fn scrape<'a>(
    scrape: &'a entry::Scrape,
    refuse_new_series: Option<Arc<str>>,
    feature_level: u32,
) -> Result<ScrapeRow<'a>, Malformed> {
    let kind = match scrape.kind() {
        entry::ScrapeKind::Row => ScrapeKind::Row,
        entry::ScrapeKind::Final => ScrapeKind::Final,
    };
    Ok(ScrapeRow {
        target: TargetId(id(&scrape.target_id, "the target's id")?),
        part: scrape.part,
        parts: scrape.parts,
        owner_epoch: scrape.owner_epoch,
        tick_ms: scrape.tick_ms,
        timestamp_ms: scrape.timestamp_ms,
        interval_ms: scrape.interval_ms,
        kind,
        // A final record has no row, and needs no layout.
        layout: if scrape.layout.is_empty() {
            LayoutHash(0)
        } else {
            LayoutHash(id(&scrape.layout, "the layout's name")?)
        },
        change: change(scrape)?,
        row: &scrape.row,
        reference: scrape.reference,
        becomes_reference: scrape.becomes_reference,
        timed: by_slot(&scrape.timed_slots, scrape.timed_offsets.iter().copied(), "timed slots")?,
        track_timestamps_staleness: scrape.track_timestamps_staleness,
        histograms: histograms(scrape)?,
        starts: starts(scrape)?,
        exemplars: exemplars(&scrape.exemplars)?,
        refuse_new_series,
        feature_level,
    })
}

fn change(scrape: &entry::Scrape) -> Result<LayoutChange, Malformed> {
    match (&scrape.definition, &scrape.delta) {
        (Some(_), Some(_)) => Err("it has a definition and a delta".to_owned()),
        (Some(definition), None) => {
            decode_definition(definition).map(LayoutChange::Defined).map_err(|error| error.to_string())
        }
        (None, Some(delta)) => {
            let appended = delta.appended.as_ref().map_or_else(|| Ok(Default::default()), decode_definition);
            Ok(LayoutChange::Delta {
                base: LayoutHash(id(&delta.base, "the base of a layout")?),
                removed: delta.removed_slots.clone(),
                appended: appended.map_err(|error| error.to_string())?,
            })
        }
        (None, None) => Ok(LayoutChange::Known),
    }
}

fn histograms(scrape: &entry::Scrape) -> Result<Vec<(u32, Arc<Histogram>)>, Malformed> {
    let column = histogram_column(&scrape.histograms, scrape.histogram_slots.len())?;
    by_slot(&scrape.histogram_slots, column.into_iter().map(Arc::new), "histograms")
}

fn starts(scrape: &entry::Scrape) -> Result<Vec<(u32, i64)>, Malformed> {
    let starts = scrape.start_ages.iter().map(|age| scrape.timestamp_ms.saturating_sub(*age));
    by_slot(&scrape.start_slots, starts, "starts")
}

/// Exemplars, and the number of the series that each one is of.
fn exemplars(exemplars: &[entry::Exemplar]) -> Result<Vec<(u32, SentExemplar)>, Malformed> {
    let exemplar = |exemplar: &entry::Exemplar| {
        let labels = Labels::from_canonical_bytes(&exemplar.labels).ok_or("the labels of an exemplar")?;
        let timestamp = Timestamp(exemplar.timestamp_ms);
        let sent = Exemplar { labels, value: exemplar.value, timestamp };
        Ok((exemplar.series, SentExemplar { exemplar: sent, is_timed: !exemplar.untimed }))
    };
    exemplars.iter().map(exemplar).collect()
}

fn histogram_column(bytes: &[u8], count: usize) -> Result<Vec<Histogram>, Malformed> {
    let mut column = Vec::new();
    let rest = chunk::histograms::decode(bytes, count, &mut column).map_err(|error| format!("histograms: {error}"))?;
    if rest.is_empty() { Ok(column) } else { Err("histograms are followed by bytes that are not theirs".to_owned()) }
}

fn by_slot<T>(slots: &[u32], values: impl ExactSizeIterator<Item = T>, what: &str) -> Result<Vec<(u32, T)>, Malformed> {
    if slots.len() != values.len() {
        return Err(format!("{} slots for {} {what}", slots.len(), values.len()));
    }
    Ok(slots.iter().copied().zip(values).collect())
}

/// Pushed samples as the head takes them.
pub fn decode_samples(samples: &entry::Samples) -> Result<Vec<PushedSeries>, Malformed> {
    let definition = samples.series.as_ref().ok_or("samples of no series")?;
    let definition = decode_definition(definition).map_err(|error| error.to_string())?;
    let float_count = total(&samples.float_counts, definition.series.len(), "floats")?;
    let histogram_count = total(&samples.histogram_counts, definition.series.len(), "histograms")?;
    let float_times = times(&samples.float_times, float_count)?;
    let histogram_times = times(&samples.histogram_times, histogram_count)?;
    let mut floats = vec![0.0; float_count];
    chunk::floats::decode(&samples.float_values, &mut floats).map_err(|error| format!("values: {error}"))?;
    let histograms = histogram_column(&samples.histograms, histogram_count)?;
    let mut floats = float_times.into_iter().zip(floats.into_iter().map(TimedValue::Float));
    let histograms = histograms.into_iter().map(|histogram| TimedValue::Histogram(Arc::new(histogram)));
    let mut histograms = histogram_times.into_iter().zip(histograms);
    let starts = match samples.start_times.is_empty() {
        true => Vec::new(),
        false => times(&samples.start_times, float_count + histogram_count)?,
    };
    let (float_starts, histogram_starts) = starts.split_at(float_count.min(starts.len()));
    let (mut float_starts, mut histogram_starts) = (float_starts.iter().copied(), histogram_starts.iter().copied());
    let counts = counts(&samples.float_counts).zip(counts(&samples.histogram_counts));
    let series = definition.series.iter().zip(counts).map(|(labels, (float_count, histogram_count))| {
        let floats = floats.by_ref().take(float_count);
        let samples = floats.chain(histograms.by_ref().take(histogram_count));
        let starts = float_starts.by_ref().take(float_count).chain(histogram_starts.by_ref().take(histogram_count));
        PushedSeries {
            labels: joined(&definition.common, labels),
            samples: samples.collect(),
            starts: starts.collect(),
            exemplars: Vec::new(),
        }
    });
    let mut series: Vec<PushedSeries> = series.collect();
    for (of, exemplar) in exemplars(&samples.exemplars)? {
        let series =
            series.get_mut(of as usize).ok_or_else(|| format!("an exemplar of series {of}, which it lacks"))?;
        series.exemplars.push(exemplar);
    }
    Ok(series)
}

/// A series that has no count has none.
fn counts(counts: &[u32]) -> impl Iterator<Item = usize> + '_ {
    counts.iter().map(|count| *count as usize).chain(std::iter::repeat(0))
}

fn total(counts: &[u32], series: usize, what: &str) -> Result<usize, Malformed> {
    let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    if counts.len() > series || total > chunk::MAX_ROWS as u64 {
        return Err(format!("{total} {what} of {} series", counts.len()));
    }
    Ok(total as usize)
}

fn times(bytes: &[u8], count: usize) -> Result<Vec<i64>, Malformed> {
    if count == 0 && bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut times = Vec::new();
    let (column, rest) = chunk::times::Times::parse(bytes).map_err(|error| format!("times: {error}"))?;
    if column.count() != count || !rest.is_empty() {
        return Err(format!("{} times for {count} samples", column.count()));
    }
    column.decode(&mut times).map_err(|error| format!("times: {error}"))?;
    Ok(times)
}

fn joined(common: &Labels, own: &Labels) -> Labels {
    if common.is_empty() {
        return own.clone();
    }
    let mut labels = LabelsBuilder::from(common.clone());
    for (name, value) in own.iter() {
        labels.set(name, value);
    }
    labels.build()
}

fn id(bytes: &[u8], what: &str) -> Result<u128, Malformed> {
    let bytes = bytes.try_into().map_err(|_| format!("{what} has {} bytes instead of 16", bytes.len()))?;
    Ok(u128::from_be_bytes(bytes))
}
