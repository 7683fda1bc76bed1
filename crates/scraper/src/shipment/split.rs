//! A row that was sent in fewer parts than its target has, made into rows of so many parts.

use std::sync::Arc;

use bytes::Bytes;
use model::{Histogram, Labels, Metadata};
use proto::entry::{self, Scrape};

use crate::page::{Definition, Extras, LayoutChange, PartRow, RowStarts};

/// One series of a row, and all that the row says about it.
struct Sample {
    labels: Labels,
    value: f64,
    offset: Option<i64>,
    histogram: Option<Arc<Histogram>>,
    start: Option<i64>,
    exemplars: Vec<entry::Exemplar>,
}

/// The rows that the row of a record comes to when its target has `parts` parts, with the number of each. Every series of
/// the record's part belongs to one of these; what has no value is left out.
pub(super) fn split(scrape: &Scrape, row: &PartRow, parts: u32) -> Vec<(u32, PartRow)> {
    let definition = shard::decode_definition(&row.definition.message).expect("it was encoded by this process");
    let mut samples: Vec<Vec<Sample>> = Vec::new();
    samples.resize_with((parts / scrape.parts) as usize, Vec::new);
    for sample in samples_of(scrape, row) {
        samples[(ring::part_of(&sample.labels, parts) / scrape.parts) as usize].push(sample);
    }
    let tracks = scrape.track_timestamps_staleness;
    let numbered = (scrape.part..).step_by(scrape.parts as usize).zip(samples);
    numbered.map(|(part, samples)| (part, row_of(samples, &definition.families, tracks))).collect()
}

fn samples_of(scrape: &Scrape, row: &PartRow) -> Vec<Sample> {
    let labels = row.definition.series();
    let mut values = vec![0.0; labels.len()];
    let leaning = row.reference.as_ref().map(|reference| &*reference.values);
    let decoded = chunk::row::decode(&scrape.row, leaning, &mut values);
    let (present, _) = decoded.expect("it was encoded by this process, with this reference");
    let mut histograms = Vec::new();
    let column = chunk::histograms::decode(&scrape.histograms, scrape.histogram_slots.len(), &mut histograms);
    column.expect("they were encoded by this process");

    let new =
        |(labels, value)| Sample { labels, value, offset: None, histogram: None, start: None, exemplars: Vec::new() };
    let mut samples: Vec<Sample> = labels.into_iter().zip(values).map(new).collect();
    let offsets = scrape.timed_slots.iter().zip(&scrape.timed_offsets);
    offsets.for_each(|(slot, offset)| samples[*slot as usize].offset = Some(*offset));
    let histograms = scrape.histogram_slots.iter().zip(histograms);
    histograms.for_each(|(slot, histogram)| samples[*slot as usize].histogram = Some(Arc::new(histogram)));
    row.starts.all.iter().for_each(|(slot, start)| samples[*slot as usize].start = Some(*start));
    for exemplar in &scrape.exemplars {
        samples[exemplar.series as usize].exemplars.push(exemplar.clone());
    }
    let is_present = |slot: usize| present.as_ref().is_none_or(|words| words[slot / 64] >> (slot % 64) & 1 == 1);
    samples.into_iter().enumerate().filter(|(slot, _)| is_present(*slot)).map(|(_, sample)| sample).collect()
}

fn row_of(samples: Vec<Sample>, families: &[(Box<str>, Metadata)], tracks: bool) -> PartRow {
    let labels: Vec<&Labels> = samples.iter().map(|sample| &sample.labels).collect();
    let definition = Arc::new(Definition::new(&labels, families));
    // What a histogram's value is means nothing, so that it may as well cost nothing.
    let value = |sample: &Sample| if sample.histogram.is_some() { 0.0 } else { sample.value };
    let values: Vec<f64> = samples.iter().map(value).collect();
    let mut row = Vec::new();
    chunk::row::encode(&values, None, None, &mut row);

    let mut extras = Extras { track_timestamps_staleness: tracks, ..Extras::default() };
    let mut starts = Vec::new();
    for (slot, sample) in (0..).zip(samples) {
        if let Some(offset) = sample.offset {
            extras.timed_slots.push(slot);
            extras.timed_offsets.push(offset);
        }
        if let Some(histogram) = sample.histogram {
            extras.histogram_slots.push(slot);
            extras.histograms.push(histogram);
        }
        starts.extend(sample.start.map(|start| (slot, start)));
        let exemplars = sample.exemplars.into_iter();
        extras.exemplars.extend(exemplars.map(|exemplar| entry::Exemplar { series: slot, ..exemplar }));
    }
    PartRow {
        layout: definition.name,
        change: LayoutChange::Defined,
        row: Bytes::from(row),
        reference: None,
        becomes: None,
        samples: values.len() as u32,
        starts: RowStarts { all: starts.into(), are_told: true, tellings: 0 },
        extras,
        definition,
    }
}
