//! Classic histograms in text, read as native ones.

use std::ops::Range;
use std::sync::Arc;

use model::{BUCKET_LABEL, ClassicHistogram, Histogram, MetricType, Timestamp, Value};

use crate::entry::{Entry, EntryReader, Metadata, SampleParts};
use crate::error::ParseError;
use crate::float::parse_float;
use crate::item::{Item, RawExemplar, RawLabel, Sample};

/// A parser of text that may turn each run of a classic histogram's samples into one native histogram.
pub(crate) struct HistogramReader<R> {
    reader: R,
    /// `None` where histograms stay what they are.
    conversion: Option<Box<Conversion>>,
}

/// What to do with the samples that a histogram was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classic {
    Keep,
    Drop,
}

struct Conversion {
    classic: Classic,
    /// The family in the last TYPE line.
    family: Range<usize>,
    /// The histogram whose samples are being read.
    collected: Option<Collected>,
    /// What was read and is to be given after a histogram that it ends.
    held: Option<Option<Entry>>,
    /// The histogram that was given last.
    given: Collected,
}

/// A histogram, as far as its samples were read.
#[derive(Default)]
struct Collected {
    histogram: ClassicHistogram,
    /// Its name, its labels without bounds, and the exemplars of all its samples.
    name: Range<usize>,
    labels: Vec<RawLabel>,
    exemplars: Vec<RawExemplar>,
    exemplar_labels: Vec<RawLabel>,
    timestamp: Option<Timestamp>,
    start_timestamp: Option<Timestamp>,
}

/// What a sample tells about a histogram.
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

impl<R: EntryReader> HistogramReader<R> {
    /// With `conversion`, histograms are converted, and their samples kept or dropped.
    pub(crate) fn new(reader: R, conversion: Option<Classic>) -> Self {
        Self {
            reader,
            conversion: conversion.map(|classic| {
                Box::new(Conversion { classic, family: 0..0, collected: None, held: None, given: Collected::default() })
            }),
        }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Item<'_>>, ParseError> {
        let Some(conversion) = &mut self.conversion else {
            let entry = self.reader.advance()?;
            return Ok(entry.map(|entry| self.reader.context().item(entry)));
        };
        loop {
            let entry = match conversion.held.take() {
                Some(held) => held,
                None => self.reader.advance()?,
            };
            if let Some(collected) = conversion.collected.take_if(|collected| !collected.goes_on(&entry, &self.reader))
            {
                conversion.held = Some(entry);
                // What contradicts itself is no histogram: its samples were all there is.
                if let Ok(histogram) = collected.histogram.to_native() {
                    conversion.given = collected;
                    return Ok(Some(Item::Sample(conversion.given.sample(histogram, &self.reader))));
                }
                continue;
            }
            if let Some(Entry::Metadata(Metadata::Type(family))) = &entry {
                conversion.family = family.clone();
            }
            let is_part = matches!(entry, Some(Entry::Sample)) && conversion.collect(&self.reader);
            if is_part && conversion.classic == Classic::Drop {
                continue;
            }
            let mut item = entry.map(|entry| self.reader.context().item(entry));
            if let (true, Some(Item::Sample(sample))) = (is_part, &mut item) {
                // The exemplars are the native histogram's, so that none is stored twice.
                sample.exemplars = &[];
            }
            return Ok(item);
        }
    }
}

impl Conversion {
    /// Adds the sample that was read last to its histogram; false if it is none of one.
    fn collect(&mut self, reader: &impl EntryReader) -> bool {
        let context = reader.context();
        let Some((name, part)) = part(context.page, context.sample, context.metric_type) else {
            return false;
        };
        if context.page[name.clone()] != context.page[self.family.clone()] {
            return false;
        }
        let collected = self.collected.get_or_insert_with(|| Collected {
            name,
            labels: labels_without_bound(context.page, context.sample).cloned().collect(),
            start_timestamp: context.sample.start_timestamp,
            ..Collected::default()
        });
        collected.add(part, context.sample);
        true
    }
}

impl Collected {
    /// Whether what was read last may be about the same histogram.
    fn goes_on(&self, entry: &Option<Entry>, reader: &impl EntryReader) -> bool {
        let context = reader.context();
        let is_sample = matches!(entry, Some(Entry::Sample));
        if !is_sample || context.metric_type != MetricType::Histogram {
            return false;
        }
        let page = context.page;
        let name = context.sample.name.clone().unwrap_or_default();
        let base = [b"_bucket".as_slice(), b"_sum", b"_count"]
            .iter()
            .find_map(|suffix| page[name.clone()].strip_suffix(*suffix));
        let pairs = |labels: &mut dyn Iterator<Item = &RawLabel>| {
            let mut pairs: Vec<_> =
                labels.map(|label| (&page[label.name.clone()], &page[label.value.clone()])).collect();
            pairs.sort_unstable();
            pairs
        };
        base.unwrap_or(&page[name.clone()]) == &page[self.name.clone()]
            && pairs(&mut self.labels.iter()) == pairs(&mut labels_without_bound(page, context.sample))
    }

    fn add(&mut self, part: Part, sample: &SampleParts) {
        match part {
            Part::Bucket(bound) => self.histogram.set_bucket(bound, sample.value),
            Part::Count => self.histogram.set_count(sample.value),
            Part::Sum => self.histogram.set_sum(sample.value),
        }
        self.timestamp = sample.timestamp;
        if let Some(exemplar) = &sample.exemplar {
            let start = self.exemplar_labels.len();
            self.exemplar_labels.extend_from_slice(&sample.exemplar_labels);
            self.exemplars.push(RawExemplar { labels: start..self.exemplar_labels.len(), ..exemplar.clone() });
        }
    }

    fn sample<'p>(&'p self, histogram: Histogram, reader: &'p impl EntryReader) -> Sample<'p> {
        let context = reader.context();
        let mut sample = context.sample.sample(context.page, MetricType::Histogram, &context.unit);
        sample.series.name = self.name.clone();
        sample.series.labels = &self.labels;
        sample.value = Value::Histogram(Arc::new(histogram));
        sample.timestamp = self.timestamp;
        sample.start_timestamp = self.start_timestamp;
        sample.exemplars = &self.exemplars;
        sample.exemplar_labels = &self.exemplar_labels;
        sample
    }
}

/// The name of the histogram that a sample is a part of, and which part it is.
fn part(page: &[u8], sample: &SampleParts, metric_type: MetricType) -> Option<(Range<usize>, Part)> {
    if metric_type != MetricType::Histogram {
        return None;
    }
    let name = sample.name.clone()?;
    let base = |suffix: &[u8]| {
        let base = page[name.clone()].strip_suffix(suffix)?;
        Some(name.start..name.start + base.len())
    };
    if let Some(base) = base(b"_bucket") {
        let bound = sample.labels.iter().find(|label| page[label.name.clone()] == *BUCKET_LABEL.as_bytes())?;
        let bound = parse_float(&page[bound.value.clone()]).ok().filter(|bound| !bound.is_nan())?;
        return Some((base, Part::Bucket(bound)));
    }
    let count = base(b"_count").map(|base| (base, Part::Count));
    count.or_else(|| base(b"_sum").map(|base| (base, Part::Sum)))
}

fn labels_without_bound<'p>(page: &'p [u8], sample: &'p SampleParts) -> impl Iterator<Item = &'p RawLabel> {
    let is_bound = |label: &&RawLabel| page[label.name.clone()] == *BUCKET_LABEL.as_bytes();
    sample.labels.iter().filter(move |label| !is_bound(label))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parser::{Format, Options, Parser};

    /// The entries of a page, a line each, with histograms converted.
    fn read(page: &str, keep_classic_histograms: bool) -> Vec<String> {
        let options = Options {
            convert_classic_histograms: true,
            start_timestamps: true,
            keep_classic_histograms,
            ..Options::default()
        };
        let mut parser = Parser::new(page.as_bytes(), Format::OpenMetrics, options);
        let mut lines = Vec::new();
        while let Ok(Some(item)) = parser.next() {
            let Item::Sample(sample) = item else {
                lines.push("metadata".to_owned());
                continue;
            };
            let mut line = match &sample.value {
                Value::Float(value) => format!("{} {value}", sample.series.labels()),
                Value::Histogram(histogram) => {
                    let Histogram { custom_values, positive_buckets, count, sum, .. } = &**histogram;
                    format!("{} {custom_values:?} {positive_buckets:?} {count} {sum}", sample.series.labels())
                }
            };
            for exemplar in sample.exemplars() {
                line += &format!(" # {}", exemplar.labels());
            }
            if let Some(start) = sample.start_timestamp {
                line += &format!(" since {start}");
            }
            lines.push(line);
        }
        lines
    }

    const PAGE: &str = "# TYPE h histogram\n\
        h_bucket{a=\"1\",le=\"0.5\"} 1 # {t=\"x\"} 0.1\n\
        h_bucket{le=\"+Inf\",a=\"1\"} 3 # {t=\"y\"} 7\n\
        h_count{a=\"1\"} 3\n\
        h_sum{a=\"1\"} 7.5\n\
        h_created{a=\"1\"} 9\n\
        h_count{a=\"2\"} 4\n\
        h_extra 1\n\
        # TYPE g gauge\n\
        g_count 1\n\
        # TYPE bad histogram\n\
        bad_bucket{le=\"1\"} 5\n\
        bad_count 1\n\
        # EOF\n";

    #[test]
    fn runs_of_samples_become_histograms() {
        assert_eq!(
            read(PAGE, false),
            [
                "metadata",
                "h{a=\"1\"} [0.5] [1.0, 2.0] 3 7.5 # {t=\"x\"} # {t=\"y\"} since 9000",
                "h{a=\"2\"} [] [4.0] 4 0",
                "h_extra 1",
                "metadata",
                "g_count 1",
                "metadata",
            ]
        );
    }

    #[test]
    fn samples_may_be_kept() {
        assert_eq!(
            read(PAGE, true),
            [
                "metadata",
                "h_bucket{a=\"1\", le=\"0.5\"} 1 since 9000",
                "h_bucket{a=\"1\", le=\"+Inf\"} 3 since 9000",
                "h_count{a=\"1\"} 3 since 9000",
                "h_sum{a=\"1\"} 7.5 since 9000",
                "h{a=\"1\"} [0.5] [1.0, 2.0] 3 7.5 # {t=\"x\"} # {t=\"y\"} since 9000",
                "h_count{a=\"2\"} 4",
                "h{a=\"2\"} [] [4.0] 4 0",
                "h_extra 1",
                "metadata",
                "g_count 1",
                "metadata",
                "bad_bucket{le=\"1.0\"} 5",
                "bad_count 1",
            ]
        );
    }

    proptest! {
        #[test]
        fn damaged_pages_do_no_harm(at in 0..PAGE.len(), with in "[a-z0-9#{}\"=, \n]{0,4}", keep: bool) {
            let mut page = PAGE.to_owned();
            page.replace_range(at..(at + with.len()).min(PAGE.len()), &with);
            prop_assert!(read(&page, keep).len() <= 20);
        }
    }
}
