//! Delimited messages of `io.prometheus.client`, with native histograms.
//!
//! ```text
//! page    [length: varint] MetricFamily [length: varint] MetricFamily …
//! ```
//!
//! The messages are those of `io/prometheus/client/metrics.proto` in prometheus/client_model. They are decoded by hand, one
//! metric at a time and without copying texts: a generated decoder would build every family in memory first.

mod metric;
mod wire;

use std::ops::Range;
use std::sync::Arc;

use model::{BUCKET_LABEL, Histogram, MetricType, QUANTILE_LABEL, Value, format_float_label, quote_bytes};

use crate::error::ParseError;
use crate::item::{Item, RawExemplar, Sample, Series, text};
use crate::parser::Options;
use metric::{Kind, Metric, normal};
use wire::{Fields, WireError};

/// Reads a page family by family, and gives each as lines of text would: help, unit, type, then the samples of each metric.
pub(crate) struct ProtobufParser<'a> {
    page: &'a [u8],
    options: Options,
    /// Where the next family starts.
    at: usize,
    family: Family<'a>,
    metric: Metric,
    /// The bucket or quantile of the sample that is given next.
    bound: String,
    next: Next,
}

/// A family, all but its metrics.
struct Family<'a> {
    name: Range<usize>,
    help: Range<usize>,
    unit: Range<usize>,
    kind: Kind,
    fields: Fields<'a>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Family,
    Help,
    Unit,
    Type,
    /// The first or only sample of the metric that was decoded last.
    Metric,
    /// Of that metric, the sample with this number: count, sum, then buckets or quantiles.
    Part(usize),
    /// The histogram with custom buckets that the metric was converted to.
    Converted,
    /// The metric after that one.
    FurtherMetric,
}

impl<'a> ProtobufParser<'a> {
    pub(crate) fn new(page: &'a [u8], options: Options) -> Self {
        Self {
            page,
            options,
            at: 0,
            family: Family { name: 0..0, help: 0..0, unit: 0..0, kind: Kind::Untyped, fields: Fields::new(page, 0..0) },
            metric: Metric::default(),
            bound: String::new(),
            next: Next::Family,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Item<'_>>, ParseError> {
        loop {
            match self.next {
                Next::Family => {
                    if !self.next_family()? {
                        return Ok(None);
                    }
                }
                Next::FurtherMetric => {
                    self.next = if self.next_metric()? { Next::Metric } else { Next::Family };
                }
                Next::Help => {
                    self.next = if self.family.unit.is_empty() { Next::Type } else { Next::Unit };
                    return Ok(Some(Item::Help {
                        family: text(self.page, &self.family.name),
                        help: text(self.page, &self.family.help),
                    }));
                }
                Next::Unit => {
                    self.next = Next::Type;
                    return Ok(Some(Item::Unit {
                        family: text(self.page, &self.family.name),
                        unit: text(self.page, &self.family.unit),
                    }));
                }
                Next::Type => {
                    self.next = Next::Metric;
                    return Ok(Some(Item::Type {
                        family: text(self.page, &self.family.name),
                        metric_type: self.metric_type(),
                    }));
                }
                Next::Metric => return self.first_sample().map(|sample| Some(Item::Sample(sample))),
                Next::Part(part) => return Ok(Some(Item::Sample(self.part(part)))),
                Next::Converted => return self.converted().map(|sample| Some(Item::Sample(sample))),
            }
        }
    }

    /// Reads the next family up to and with its first metric; false at the end of the page. One without metrics is skipped.
    fn next_family(&mut self) -> Result<bool, ParseError> {
        loop {
            let mut fields = Fields::new(self.page, self.at..self.page.len());
            if fields.is_at_end() {
                return Ok(false);
            }
            let length = fields
                .varint()
                .ok()
                .filter(|length| *length <= u64::from(u32::MAX))
                .ok_or_else(|| self.error("clientpb: invalid varint encountered".to_owned()))?;
            let (start, have) = (fields.at(), self.page.len() - self.at);
            let required = start - self.at + length as usize;
            if required > have {
                return Err(self.error(format!(
                    "clientpb: insufficient length of buffer, expected at least {required} bytes, got {have} bytes"
                )));
            }
            self.at += required;
            self.read_family(start..self.at)?;
            if self.next_metric()? {
                self.next = Next::Help;
                return Ok(true);
            }
        }
    }

    fn read_family(&mut self, place: Range<usize>) -> Result<(), ParseError> {
        let mut kind = 0;
        (self.family.name, self.family.help, self.family.unit) = (0..0, 0..0, 0..0);
        let mut fields = Fields::new(self.page, place.clone());
        let mut has_metrics = false;
        let mut read = || -> Result<(), WireError> {
            while let Some((number, value)) = fields.next()? {
                match number {
                    1 => self.family.name = value.bytes()?,
                    2 => self.family.help = value.bytes()?,
                    3 => kind = value.varint()?,
                    4 => {
                        value.bytes()?;
                        has_metrics = true;
                    }
                    5 => self.family.unit = value.bytes()?,
                    _ => {}
                }
            }
            Ok(())
        };
        read().map_err(|error| self.error(error.to_string()))?;
        self.family.fields = Fields::new(self.page, place);
        if !has_metrics {
            return Ok(());
        }
        let [name, help] = [&self.family.name, &self.family.help].map(|place| &self.page[place.clone()]);
        if name.is_empty() || std::str::from_utf8(name).is_err() {
            return Err(self.error(format!("invalid metric name: {}", String::from_utf8_lossy(name))));
        }
        let shown_name = quote_bytes(name);
        if std::str::from_utf8(help).is_err() {
            let help = String::from_utf8_lossy(help);
            return Err(self.error(format!("invalid help for metric {shown_name}: {help}")));
        }
        self.family.kind = Kind::from_number(kind)
            .ok_or_else(|| self.error(format!("unknown metric type for metric {shown_name}: {}", kind as i32)))?;
        Ok(())
    }

    /// Decodes the next metric of the family; false if there is none.
    fn next_metric(&mut self) -> Result<bool, ParseError> {
        loop {
            let field = self.family.fields.next();
            let place = match field.map_err(|error| self.error(error.to_string()))? {
                Some((4, wire::Value::Bytes(place))) => place,
                Some(_) => continue,
                None => return Ok(false),
            };
            let decoded = self.metric.decode(self.page, place, self.family.kind);
            decoded.map_err(|error| self.error(error.to_string()))?;
            self.check_labels()?;
            return Ok(true);
        }
    }

    fn check_labels(&self) -> Result<(), ParseError> {
        for label in &self.metric.labels {
            let [name, value] = [&label.name, &label.value].map(|place| &self.page[place.clone()]);
            let (what, wrong) = if std::str::from_utf8(name).is_err() {
                ("name", name)
            } else if std::str::from_utf8(value).is_err() {
                ("value", value)
            } else {
                continue;
            };
            let wrong = String::from_utf8_lossy(wrong);
            return Err(self.error(format!("invalid label {what}: {wrong}")));
        }
        Ok(())
    }

    fn error(&self, message: String) -> ParseError {
        ParseError::new(self.page, self.at, message)
    }

    fn metric_type(&self) -> MetricType {
        match self.family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Summary => MetricType::Summary,
            Kind::Untyped => MetricType::Unknown,
            Kind::Histogram => MetricType::Histogram,
            Kind::GaugeHistogram => MetricType::GaugeHistogram,
        }
    }

    /// The only sample of a simple metric or a native histogram, or the first of the others.
    fn first_sample(&mut self) -> Result<Sample<'_>, ParseError> {
        let kind = self.family.kind;
        match kind {
            Kind::Counter | Kind::Gauge | Kind::Untyped => {
                self.next = Next::FurtherMetric;
                let exemplars = &self.metric.exemplars;
                Ok(self.sample("", None, float(self.metric.value), exemplars))
            }
            Kind::Histogram | Kind::GaugeHistogram if self.is_native() => {
                let keep_classic = self.options.keep_classic_histograms && !self.metric.buckets.is_empty();
                self.next = if keep_classic { Next::Part(0) } else { Next::FurtherMetric };
                let histogram = self.metric.histogram(kind).map_err(|problem| {
                    let name = quote_bytes(&self.page[self.family.name.clone()]);
                    self.error(format!("histogram {name}: {problem}"))
                })?;
                Ok(self.histogram_sample(histogram))
            }
            _ if self.after_parts() == Next::Converted && !self.options.keep_classic_histograms => self.converted(),
            Kind::Summary | Kind::Histogram | Kind::GaugeHistogram => Ok(self.part(0)),
        }
    }

    /// Whether the metric is given as the native histogram that it is.
    fn is_native(&self) -> bool {
        self.metric.is_native() && !self.options.ignore_native_histograms
    }

    /// What comes after the last sample of a summary or a classic histogram.
    fn after_parts(&self) -> Next {
        let is_histogram = matches!(self.family.kind, Kind::Histogram | Kind::GaugeHistogram);
        if is_histogram && self.options.convert_classic_histograms && !self.is_native() {
            Next::Converted
        } else {
            Next::FurtherMetric
        }
    }

    /// A classic histogram in native form.
    fn converted(&mut self) -> Result<Sample<'_>, ParseError> {
        self.next = Next::FurtherMetric;
        let converted = self.metric.converted(self.family.kind);
        let histogram = converted.map_err(|error| self.error(error.to_string()))?;
        Ok(self.histogram_sample(histogram))
    }

    fn histogram_sample(&mut self, histogram: Histogram) -> Sample<'_> {
        self.collect_exemplars();
        let exemplars = &self.metric.exemplars;
        self.sample("", None, Value::Histogram(Arc::new(histogram)), exemplars)
    }

    /// Leaves the exemplars of a native histogram: its own or, if it has none, those of its buckets; only with timestamps.
    fn collect_exemplars(&mut self) {
        let Metric { exemplars, buckets, .. } = &mut self.metric;
        if exemplars.is_empty() {
            exemplars.extend(buckets.iter().filter_map(|bucket| bucket.exemplar.clone()));
        }
        exemplars.retain(|exemplar| exemplar.timestamp.is_some());
    }

    /// One sample of a summary or a classic histogram.
    fn part(&mut self, part: usize) -> Sample<'_> {
        let is_summary = self.family.kind == Kind::Summary;
        let bound_count = if is_summary { self.metric.quantiles.len() } else { self.metric.buckets.len() };
        self.next = Next::Part(part + 1);
        let Some(at) = part.checked_sub(2) else {
            if part == 0 {
                return self.sample("_count", None, float(self.metric.count()), &[]);
            }
            if is_summary && bound_count == 0 {
                self.next = self.after_parts();
            }
            return self.sample("_sum", None, float(self.metric.sum), &[]);
        };
        if let Some((quantile, value)) = self.metric.quantiles.get(at).filter(|_| is_summary) {
            self.bound = format_float_label(*quantile);
            if at + 1 == bound_count {
                self.next = self.after_parts();
            }
            return self.sample("", Some(QUANTILE_LABEL), float(*value), &[]);
        }
        // A histogram always ends with the bucket of everything, which may be left out in the page.
        let bucket = self.metric.buckets.get(at);
        let upper_bound = bucket.map_or(f64::INFINITY, |bucket| bucket.upper_bound);
        self.bound = format_float_label(upper_bound);
        if upper_bound == f64::INFINITY {
            self.next = self.after_parts();
        }
        let (count, exemplar) = match bucket {
            Some(bucket) => (bucket.count(), bucket.exemplar.as_slice()),
            None => (self.metric.count(), &[][..]),
        };
        self.sample("_bucket", Some(BUCKET_LABEL), float(count), exemplar)
    }

    fn sample<'p>(
        &'p self,
        name_suffix: &'static str,
        bound: Option<&'static str>,
        value: Value,
        exemplars: &'p [RawExemplar],
    ) -> Sample<'p> {
        Sample {
            series: Series {
                page: self.page,
                name: self.family.name.clone(),
                name_suffix,
                labels: &self.metric.labels,
                escaped: false,
                bound: bound.map(|label| (label, &*self.bound)),
                family_type: self.metric_type(),
                unit: text(self.page, &self.family.unit),
                tells_type_and_unit: false,
            },
            value,
            timestamp: self.metric.timestamp,
            start_timestamp: self.metric.start_timestamp,
            exemplars,
            exemplar_labels: &self.metric.exemplar_labels,
        }
    }
}

fn float(value: f64) -> Value {
    Value::Float(normal(value))
}

#[cfg(test)]
mod tests;
