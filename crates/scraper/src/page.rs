//! From a target's page to rows of values.
//!
//! What a page says but for its numbers seldom changes. The full parser reads it once: names, labels, relabelling and limits
//! come to a layout, the ordered series of the target, and to where on the page the value of each of them stands. As long
//! as the page keeps its shape, only its numbers are read, and put in their places.

mod attach;
mod buckets;
mod definition;
mod parse;
mod part;
mod report;
mod row;

use std::collections::HashSet;
use std::sync::Arc;

use exposition::{Format, PageReader, ParseError, Shape};
use model::{Labels, Timestamp, Value};
use xxhash_rust::xxh3::Xxh3;

pub(crate) use definition::{Definition, LayoutChange};
pub(crate) use part::{Part, PartRow, Settled};
pub(crate) use report::{Report, Stamp};
pub(crate) use row::{Extras, RowStarts};

use crate::job::Job;
use crate::status::{Families, Health};
use crate::target::Target;
use parse::{Parsed, parse};
use report::report_series;

/// A part of a target with more series than this is split.
const MAX_PART_SERIES: usize = 8192;
/// Samples that are further in the future than this are left out.
const MAX_AHEAD_MS: i64 = 10 * 60 * 1000;

/// What it takes to read pages: memory to work in, which may serve one target after the other.
#[derive(Debug)]
pub(crate) struct Tools {
    reader: PageReader,
    scratch: row::Scratch,
}

/// How many samples there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// On the page.
    pub(crate) scraped: u32,
    /// After relabelling.
    pub(crate) post_relabel: u32,
    /// Of series that were not on the last page that could be read.
    pub(crate) added: u32,
    /// Left out because their series has a sample already.
    pub(crate) duplicates: u32,
    /// Left out because their time is far in the future.
    pub(crate) out_of_bounds: u32,
}

/// Why a page is worth nothing. The messages are Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    #[error("{0}")]
    Parse(#[from] ParseError),
    #[error("missing metric name (__name__ label)")]
    NoName,
    #[error("invalid metric name or label names: {0}")]
    InvalidNames(Labels),
    #[error("label name \"{0}\" is not unique: invalid sample")]
    RepeatedLabel(String),
    #[error("{0}")]
    LabelLimit(String),
    #[error("sample limit exceeded")]
    SampleLimit,
    #[error("histogram bucket limit exceeded")]
    BucketLimit,
    #[error("{0}")]
    Histogram(String),
}

/// The numbers of a page, by the number of their sample. What no sample of the page has is an empty slice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers<'a> {
    /// Of histograms, any.
    values: &'a [f64],
    timestamps: &'a [Option<Timestamp>],
    histograms: &'a [Option<Arc<model::Histogram>>],
    /// When counters began; `None`: as on the page before, for lines that say it are no numbers to skim.
    starts: Option<&'a [Option<Timestamp>]>,
    exemplars: &'a [NumberedExemplar],
}

/// An exemplar and the number of its sample.
#[derive(Clone, Debug)]
struct NumberedExemplar {
    sample: u32,
    labels: Labels,
    value: f64,
    timestamp: Option<Timestamp>,
}

/// What is known of a target's pages.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Of the last page that could be read, if pages like it can be skimmed.
    shape: Option<(Format, Shape)>,
    counts: Counts,
    /// Of the series of that page and their places on it, and of what it says about families.
    series_hash: u128,
    families_hash: u128,
    /// What the last page that described any says about its families.
    families: Families,
    /// How the last page was read.
    way: &'static str,
    parts: Vec<Part>,
    /// How many parts the target has at least, by what shards have said.
    known_parts: u32,
    /// Whether layouts name series that are gone and are of other parts: only one row of each does.
    names_gone: bool,
    most: MostSeries,
}

/// A part with more series is split.
#[derive(Clone, Copy, Debug)]
struct MostSeries(usize);

impl Default for MostSeries {
    fn default() -> Self {
        Self(MAX_PART_SERIES)
    }
}

impl Tools {
    /// Tools that understand the shapes of other ones with the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { reader: PageReader::new(seed), scratch: row::Scratch::default() }
    }
}

/// A page and how to read it.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) format: Format,
    pub(crate) job: &'a Job,
    pub(crate) target: &'a Target,
}

impl Pages {
    /// Of a target whose parts have no more series than this.
    #[cfg(test)]
    pub(crate) fn with_part_series(most: usize) -> Self {
        Self { most: MostSeries(most), ..Self::default() }
    }

    /// How pages are read has changed: the next one is read as if it were the first.
    pub(crate) fn forget_shape(&mut self) {
        self.shape = None;
    }

    /// What the last page that described any says about its families.
    pub(crate) fn families(&self) -> &Families {
        &self.families
    }

    /// How the last page that could be read was: in words for a metric.
    pub(crate) fn last_way(&self) -> &'static str {
        self.way
    }

    /// How many parts the target has, as far as is known; 0: it was never scraped.
    pub(crate) fn part_count(&self) -> u32 {
        if self.parts.is_empty() { 0 } else { self.known_parts.max(self.parts.len() as u32) }
    }

    /// Whether all parts of a tick may be sent at once: nobody can have stored it in fewer.
    pub(crate) fn are_told(&self, tick_ms: i64) -> bool {
        let parts = self.parts.len();
        // Those from which others were split off.
        self.parts[..parts / 2].iter().all(|part| part.told().is_some_and(|told| told.keeps(parts as u32, tick_ms)))
    }

    /// Takes note of what became of a part of a scrape.
    pub(crate) fn settle(&mut self, part: u32, settled: &Settled) {
        if let Some(part) = self.parts.get_mut(part as usize) {
            part.settle(settled);
        }
        self.known_parts = self.known_parts.max(settled.told.map_or(0, |told| told.parts));
        if self.known_parts as usize > self.parts.len() {
            // The next page is placed anew.
            self.forget_shape();
        }
    }

    /// The rows of a scrape: of a page, or of none if it failed or was empty. `report` is asked for what the scrape says
    /// about itself, once the page is read.
    pub(crate) fn rows(
        &mut self,
        page: Page<'_>,
        stamp: Stamp,
        tools: &mut Tools,
        report: impl FnOnce(Counts, Health) -> Report,
    ) -> (Vec<PartRow>, Counts, Result<(), PageError>) {
        if page.body.is_empty() {
            self.way = "empty";
            let counts = Counts::default();
            let report = report(counts, Health::Up);
            return (self.empty_rows(page.job, page.target, &report, tools), counts, Ok(()));
        }
        let Tools { reader, scratch } = tools;
        if let Some((_, shape)) = self.shape.filter(|(format, _)| *format == page.format)
            && let Some(columns) = reader.read(page.body, &shape)
        {
            let exemplars = columns.exemplars().map(|(sample, exemplar)| NumberedExemplar {
                sample: sample as u32,
                labels: exemplar.labels(),
                value: exemplar.value,
                timestamp: exemplar.timestamp,
            });
            let exemplars: Vec<_> = exemplars.collect();
            let timestamps = if page.job.honor_timestamps { columns.timestamps() } else { &[] };
            let numbers = Numbers { values: columns.values(), timestamps, exemplars: &exemplars, ..Numbers::default() };
            self.way = "skimmed";
            let counts = self.counts;
            let report = report(counts, Health::Up);
            return self.full_rows(page.job, numbers, counts, stamp, &report, scratch);
        }
        match parse(page) {
            Ok(parsed) => {
                self.way = "parsed";
                self.shape = shape_of(reader, page);
                let counts = self.learn(page, &parsed);
                let numbers = parsed.numbers();
                let report = report(counts, Health::Up);
                self.full_rows(page.job, numbers, counts, stamp, &report, scratch)
            }
            Err((counts, error)) => {
                let report = report(counts, Health::Down);
                (self.empty_rows(page.job, page.target, &report, tools), counts, Err(error))
            }
        }
    }

    /// The rows of a scrape that brought nothing but what it says about itself.
    pub(crate) fn empty_rows(
        &mut self,
        job: &Job,
        target: &Target,
        report: &Report,
        tools: &mut Tools,
    ) -> Vec<PartRow> {
        if self.parts.is_empty() {
            self.place(job, target, &Parsed::default());
        }
        self.parts.iter_mut().map(|part| part.empty_row(report, &mut tools.scratch)).collect()
    }

    fn full_rows(
        &mut self,
        job: &Job,
        numbers: Numbers<'_>,
        mut counts: Counts,
        stamp: Stamp,
        report: &Report,
        scratch: &mut row::Scratch,
    ) -> (Vec<PartRow>, Counts, Result<(), PageError>) {
        let track = job.track_timestamps_staleness;
        let mut rows = Vec::with_capacity(self.parts.len());
        for part in &mut self.parts {
            let (row, out_of_bounds) = part.full_row(&numbers, report, stamp, track, scratch);
            counts.out_of_bounds += out_of_bounds;
            rows.push(row);
        }
        (rows, counts, Ok(()))
    }

    /// Takes up what a page says but for its numbers.
    fn learn(&mut self, page: Page<'_>, parsed: &Parsed) -> Counts {
        let hash = series_hash(page.job, parsed);
        // Pages that cannot be skimmed have the same series as before, too, more often than not.
        let is_placed = !self.parts.is_empty() && !self.has_grown() && !self.names_gone;
        let is_as_before = hash == self.series_hash && is_placed;
        let added = if is_as_before { 0 } else { self.place(page.job, page.target, parsed) };
        self.series_hash = hash;
        self.counts = Counts { added: 0, ..parsed.counts };
        Counts { added, ..self.counts }
    }

    fn has_grown(&self) -> bool {
        self.parts.len() < self.known_parts as usize
    }

    /// Gives each series its part and slot. Returns how many were not on the last page.
    fn place(&mut self, job: &Job, target: &Target, parsed: &Parsed) -> u32 {
        let report = report_series(&target.labels, job.extra_scrape_metrics);
        let count = parsed.series.len() + report.len();
        let old_parts = self.parts.len();
        let mut parts = old_parts.max(self.known_parts as usize).max(1);
        while count > parts * self.most.0 {
            parts *= 2;
        }
        let was_split = old_parts > 0 && parts > old_parts;
        let named_gone = std::mem::take(&mut self.names_gone);
        let last: Vec<Vec<Labels>> =
            if was_split { self.parts.iter().map(Part::on_page).collect() } else { Vec::new() };
        // What was split off somewhere else has gone on there, and is not missed here.
        let is_first = !self.has_grown();
        self.parts.resize_with(parts, Part::default);
        let families_hash = definition::families_hash(&parsed.families);
        let has_new_families = families_hash != self.families_hash && !parsed.series.is_empty();
        if has_new_families {
            self.families_hash = families_hash;
            self.families = parsed.families.as_slice().into();
        }
        let mut placed: Vec<part::Placing<'_>> =
            vec![part::Placing { is_exact: was_split || named_gone, ..part::Placing::default() }; parts];
        for (labels, sample) in &parsed.series {
            placed[ring::part_of(labels, parts as u32) as usize].page.push((labels, *sample));
        }
        for (series, labels) in &report {
            placed[ring::part_of(labels, parts as u32) as usize].report.push((labels, *series));
        }
        let now: HashSet<&Labels> =
            if was_split { parsed.series.iter().map(|(labels, _)| labels).collect() } else { HashSet::new() };
        for (placing, last) in placed.iter_mut().zip(&last).filter(|_| is_first) {
            placing.gone = last.iter().filter(|labels| !now.contains(labels)).collect();
            self.names_gone |= !placing.gone.is_empty();
        }
        if self.names_gone {
            self.forget_shape();
        }
        let families = &parsed.families;
        let placing = self.parts.iter_mut().zip(placed);
        let added = placing.map(|(part, placing)| part.place(&placing, families, has_new_families)).sum();
        if was_split {
            // Those that have moved are not new.
            let before: HashSet<&Labels> = last.iter().flatten().collect();
            return parsed.series.iter().filter(|(labels, _)| !before.contains(labels)).count() as u32;
        }
        added
    }
}

/// The shape of a page, if others like it can be skimmed.
fn shape_of(reader: &mut PageReader, page: Page<'_>) -> Option<(Format, Shape)> {
    // The parser has read the page just now: it is no error.
    let shape = reader.shape(page.body, page.format, page.target.options).ok().flatten();
    shape.map(|shape| (page.format, shape))
}

/// A hash of everything that places depend on, for one target.
fn series_hash(job: &Job, parsed: &Parsed) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&[u8::from(job.extra_scrape_metrics)]);
    hash.update(&definition::families_hash(&parsed.families).to_le_bytes());
    for (labels, sample) in &parsed.series {
        hash.update(&sample.to_le_bytes());
        hash.update(&(labels.size_bytes() as u64).to_le_bytes());
        hash.update(labels.canonical_bytes());
    }
    hash.digest128()
}

/// The number of a sample's value; of a histogram, any.
fn float_of(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Histogram(_) => 0.0,
    }
}

#[cfg(test)]
mod tests;
