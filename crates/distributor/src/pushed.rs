//! Pushed samples to records.

use std::collections::BTreeMap;

use chunk::EncodeError;
use chunk::histograms::MAX_CELLS;
use chunk::{MAX_ROWS, floats, histograms, times};
use head::{LayoutDefinition, TimedValue};
use model::{Histogram, Labels, Sample, ShardId, TenantId, Timestamp, Value};
use proto::entry;
use ring::ShardMap;
use series::Samples;

/// Samples of one series that were not scraped.
#[derive(Clone, Debug)]
pub struct PushedSeries {
    /// Who it is.
    pub labels: Labels,
    /// Its samples.
    pub samples: Samples,
}

/// A record and how many samples it has.
pub(crate) type Counted = (entry::Record, u32);

/// Encodes series that belong to one shard: in one record if they fit, else in several, each series' samples in order.
///
/// # Errors
/// If a histogram contradicts itself.
pub(crate) fn records<'a>(
    tenant: &TenantId,
    series: impl Iterator<Item = &'a PushedSeries>,
) -> Result<Vec<Counted>, EncodeError> {
    let mut records = Vec::new();
    let mut gathering = Gathering::default();
    for PushedSeries { labels, samples } in series {
        gathering.begin(labels);
        for (sample, start_ms) in samples.iter_with_starts() {
            if !gathering.has_room_for(&sample.value) {
                records.push(std::mem::take(&mut gathering).record(tenant)?);
                gathering.begin(labels);
            }
            gathering.samples.push(&sample, start_ms);
            gathering.note(&sample.value);
        }
    }
    if !gathering.samples.is_empty() {
        records.push(gathering.record(tenant)?);
    }
    Ok(records)
}

/// The series of a record, in records of the shards that they belong to by this map.
///
/// # Errors
/// In words, if the record makes no sense.
pub(crate) fn sorted(
    tenant: &str,
    samples: &entry::Samples,
    map: &ShardMap,
) -> Result<Vec<(ShardId, Counted)>, String> {
    let tenant = TenantId::new(tenant).ok_or_else(|| format!("{tenant:?} is no name of a tenant"))?;
    let mut by_shard: BTreeMap<ShardId, Vec<PushedSeries>> = BTreeMap::new();
    for series in shard::decode_samples(samples)? {
        let shard = map.shard_of(ring::slot_of_series(&tenant, &series.labels));
        by_shard.entry(shard).or_default().push(series_of(series));
    }
    let mut all = Vec::new();
    for (shard, series) in by_shard {
        let encoded = records(&tenant, series.iter()).map_err(|error| error.to_string())?;
        all.extend(encoded.into_iter().map(|counted| (shard, counted)));
    }
    Ok(all)
}

/// A series as it was before it was encoded. Pushed records have no exemplars.
fn series_of(series: head::PushedSeries) -> PushedSeries {
    let mut samples = Samples::default();
    let starts = series.starts.into_iter().chain(std::iter::repeat(0));
    for ((time, value), start_ms) in series.samples.into_iter().zip(starts) {
        let value = match value {
            TimedValue::Float(value) => Value::Float(value),
            TimedValue::Histogram(histogram) => Value::Histogram(histogram),
        };
        samples.push(&Sample { timestamp: Timestamp(time), value }, start_ms);
    }
    PushedSeries { labels: series.labels, samples }
}

/// What goes into one record. The columns of all series lie one behind the other.
#[derive(Default)]
struct Gathering {
    series: Vec<Labels>,
    float_counts: Vec<u32>,
    histogram_counts: Vec<u32>,
    samples: Samples,
    cells: usize,
}

impl Gathering {
    fn begin(&mut self, labels: &Labels) {
        self.series.push(labels.clone());
        self.float_counts.push(0);
        self.histogram_counts.push(0);
    }

    fn has_room_for(&self, value: &Value) -> bool {
        match value {
            Value::Float(_) => self.samples.len() < MAX_ROWS,
            // The first one always fits, or no record ever could take it.
            Value::Histogram(histogram) => {
                self.samples.len() < MAX_ROWS
                    && (self.samples.histograms.is_empty() || self.cells + cells_of(histogram) <= MAX_CELLS)
            }
        }
    }

    /// Counts a sample of the series that began last.
    fn note(&mut self, value: &Value) {
        let counts = match value {
            Value::Float(_) => &mut self.float_counts,
            Value::Histogram(histogram) => {
                self.cells += cells_of(histogram);
                &mut self.histogram_counts
            }
        };
        *counts.last_mut().expect("a series began before its samples") += 1;
    }

    fn record(self, tenant: &TenantId) -> Result<Counted, EncodeError> {
        let Self { series, float_counts, histogram_counts, samples, .. } = self;
        let definition = LayoutDefinition { common: Labels::default(), series, families: Vec::new() };
        let mut values = Vec::new();
        floats::encode(&samples.floats, &mut values);
        let histogram_values: Vec<&Histogram> = samples.histograms.iter().map(AsRef::as_ref).collect();
        let mut histogram_column = Vec::new();
        histograms::encode(&histogram_values, &mut histogram_column)?;
        let record = entry::Samples {
            series: Some(shard::encode_definition(&definition)),
            float_counts,
            float_times: column(&samples.float_times),
            float_values: values.into(),
            histogram_counts,
            histogram_times: column(&samples.histogram_times),
            histograms: histogram_column.into(),
            exemplars: Vec::new(),
            start_times: starts(&samples),
        };
        let count = samples.len() as u32;
        let record = Some(entry::record::Record::Samples(record));
        Ok((entry::Record { tenant: tenant.as_str().to_owned(), record, verdict: None }, count))
    }
}

fn cells_of(histogram: &Histogram) -> usize {
    histogram.positive_buckets.len()
        + histogram.negative_buckets.len()
        + histogram.positive_spans.len()
        + histogram.negative_spans.len()
        + histogram.custom_values.len()
}

/// A column of times; nothing for no times.
fn column(times: &[i64]) -> bytes::Bytes {
    let mut column = Vec::new();
    if !times.is_empty() {
        times::encode(times, &mut column);
    }
    column.into()
}

/// When each float's counter began, then each histogram's; nothing if it is known of none.
fn starts(samples: &Samples) -> bytes::Bytes {
    if samples.float_starts.is_empty() && samples.histogram_starts.is_empty() {
        return bytes::Bytes::new();
    }
    let mut starts = samples.float_starts.clone();
    starts.resize(samples.floats.len(), 0);
    starts.extend(&samples.histogram_starts);
    starts.resize(samples.len(), 0);
    column(&starts)
}
