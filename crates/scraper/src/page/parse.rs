//! The slow way to read a page: everything that it says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use exposition::{Item, Parser, Sample};
use model::{Histogram, Labels, Metadata, Timestamp, Value};

use super::attach::attach;
use super::{Counts, NumberedExemplar, Numbers, Page, PageError, buckets, float_of};

/// How many buckets, spans and bounds a histogram may have together: what a shard takes.
const MAX_HISTOGRAM_CELLS: usize = 16_384;

/// Everything that a page says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The series that are to be stored and the numbers of their samples, in the page's order. None comes twice.
    pub(super) series: Vec<(Labels, u32)>,
    /// The families that the page describes.
    pub(super) families: Vec<(Box<str>, Metadata)>,
    pub(super) counts: Counts,
    values: Vec<f64>,
    timestamps: Vec<Option<Timestamp>>,
    histograms: Vec<Option<Arc<Histogram>>>,
    starts: Vec<Option<Timestamp>>,
    exemplars: Vec<NumberedExemplar>,
}

impl Parsed {
    pub(super) fn numbers(&self) -> Numbers<'_> {
        Numbers {
            values: &self.values,
            timestamps: &self.timestamps,
            histograms: &self.histograms,
            starts: Some(&self.starts),
            exemplars: &self.exemplars,
        }
    }

    fn push_numbers(&mut self, sample: &Sample<'_>, honor_timestamps: bool) {
        let number = self.values.len() as u32;
        self.values.push(float_of(&sample.value));
        let histogram = match &sample.value {
            Value::Histogram(histogram) => Some(histogram.clone()),
            Value::Float(_) => None,
        };
        push_sparse(&mut self.timestamps, number, sample.timestamp.filter(|_| honor_timestamps));
        push_sparse(&mut self.starts, number, sample.start_timestamp);
        let is_histogram = histogram.is_some();
        push_sparse(&mut self.histograms, number, histogram);
        // Without a time of its own, an exemplar of a native histogram could not be told from its repetition.
        let exemplars = sample.exemplars().filter(|exemplar| exemplar.timestamp.is_some() || !is_histogram);
        self.exemplars.extend(exemplars.map(|exemplar| NumberedExemplar {
            sample: number,
            labels: exemplar.labels(),
            value: exemplar.value,
            timestamp: exemplar.timestamp,
        }));
    }
}

/// Puts an item in its place in a list that is empty as long as there is none.
fn push_sparse<T: Clone>(list: &mut Vec<Option<T>>, number: u32, item: Option<T>) {
    if item.is_some() || !list.is_empty() {
        list.resize(number as usize, None);
        list.push(item);
    }
}

/// Reads a whole page.
///
/// # Errors
/// If nothing of it is to be stored. The counts are those up to where it was read.
pub(super) fn parse(page: Page<'_>) -> Result<Parsed, (Counts, PageError)> {
    let mut reading =
        Reading { page, parsed: Parsed::default(), families: HashMap::new(), exceeded: None, stored: 0, cells: 0 };
    let mut seen: HashSet<Labels> = HashSet::new();
    let mut parser = Parser::new(page.body, page.format, page.target.options);
    loop {
        let item = match parser.next() {
            Ok(Some(item)) => item,
            Ok(None) => break,
            Err(error) => return Err((reading.parsed.counts, error.into())),
        };
        let read = match item {
            Item::Sample(mut sample) => {
                if page.job.type_and_unit_labels {
                    sample.series.tell_type_and_unit();
                }
                reading.sample(&sample, &mut seen)
            }
            Item::Comment(_) => Ok(()),
            metadata => {
                reading.metadata(metadata);
                Ok(())
            }
        };
        if let Err(error) = read {
            return Err((reading.parsed.counts, error));
        }
    }
    match reading.exceeded {
        None => Ok(reading.parsed),
        Some(error) => Err((reading.parsed.counts, error)),
    }
}

struct Reading<'a> {
    page: Page<'a>,
    parsed: Parsed,
    /// Places of families by name.
    families: HashMap<Box<str>, usize>,
    /// A limit that was exceeded. The page is read on, so that what is reported is how large it is.
    exceeded: Option<PageError>,
    /// How many samples count for the limit.
    stored: u64,
    /// Of all histograms.
    cells: usize,
}

impl Reading<'_> {
    fn sample(&mut self, sample: &Sample<'_>, seen: &mut HashSet<Labels>) -> Result<(), PageError> {
        let Page { job, target, .. } = self.page;
        let number = self.parsed.values.len() as u32;
        self.parsed.counts.scraped += 1;
        self.parsed.push_numbers(sample, job.honor_timestamps);
        let Some(labels) = attach(&sample.series, job, target)? else { return Ok(()) };
        self.parsed.counts.post_relabel += 1;
        if !seen.insert(labels.clone()) {
            self.parsed.counts.duplicates += 1;
            return Ok(());
        }
        self.check_histogram(number)?;
        self.stored += 1;
        if job.limits.samples > 0 && self.stored > job.limits.samples {
            // This error matters more than that of a single histogram.
            self.exceeded = Some(PageError::SampleLimit);
        }
        self.parsed.series.push((labels, number));
        Ok(())
    }

    /// Reduces a histogram to what the job allows, and refuses one that no shard would take.
    fn check_histogram(&mut self, number: u32) -> Result<(), PageError> {
        let job = self.page.job;
        let Some(Some(histogram)) = self.parsed.histograms.get_mut(number as usize) else { return Ok(()) };
        let finest = buckets::finest_schema(job.histograms.min_bucket_factor);
        let limit = job.limits.histogram_buckets;
        let count = (histogram.positive_buckets.len() + histogram.negative_buckets.len()) as u64;
        if histogram.schema > finest {
            buckets::coarsen(Arc::make_mut(histogram), finest);
        }
        if limit > 0 && count > limit && !buckets::limit(Arc::make_mut(histogram), limit) {
            self.exceeded.get_or_insert(PageError::BucketLimit);
        }
        self.cells += cells(histogram);
        if cells(histogram) > MAX_HISTOGRAM_CELLS || self.cells > chunk::histograms::MAX_CELLS {
            return Err(PageError::Histogram(format!("histograms with {} buckets are too large", self.cells)));
        }
        let checked = chunk::histograms::encode(&[&**histogram], &mut Vec::new());
        checked.map_err(|error| PageError::Histogram(error.to_string()))
    }

    fn metadata(&mut self, item: Item<'_>) {
        match item {
            Item::Type { family, metric_type } => self.family(&family).metric_type = metric_type,
            Item::Help { family, help } => self.family(&family).help = (*help).into(),
            Item::Unit { family, unit } => self.family(&family).unit = (*unit).into(),
            Item::Comment(_) | Item::Sample(_) => {}
        }
    }

    fn family(&mut self, name: &str) -> &mut Metadata {
        let families = &mut self.parsed.families;
        let at = match self.families.get(name) {
            Some(at) => *at,
            None => {
                families.push((name.into(), Metadata::default()));
                self.families.insert(name.into(), families.len() - 1);
                families.len() - 1
            }
        };
        &mut families[at].1
    }
}

fn cells(histogram: &Histogram) -> usize {
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len();
    spans + buckets + histogram.custom_values.len()
}
