//! Remarks on a query: what its users should know beside the answer.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use model::{format_float_digits, format_float_g, quote};
use promql::Span;
use series::NoCounter;

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The answer may not be what was meant.
    Warning,
    /// The answer is fine.
    Info,
}

/// A remark on a query, in Prometheus' words, with the place it is about at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// How much it matters.
    pub severity: Severity,
    /// What it says.
    pub text: String,
}

/// What was done with two histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

/// What is remarked. Names of metrics are given beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Remark {
    InvalidRatio { got: Number, cap: Number },
    InvalidQuantile(Number),
    BadBucketLabel(String),
    MixedFloatsHistograms,
    MixedFloatsHistogramsInAggregation,
    MixedClassicNative,
    NotACounter,
    NotAGauge,
    MixedExponentialCustom,
    IncompatibleBuckets(&'static str),
    ConflictingResets(HistogramOperation),
    IneffectiveSort,
    OverlappingStart,
    MaybeNoCounter,
    MaybeNoCounterType(String),
    ForcedMonotonicity,
    IncompatibleTypes { left: &'static str, op: &'static str, right: &'static str },
    IgnoredInAggregation(&'static str),
    IgnoredInMixedRange,
    NanQuantile,
    SkewedQuantile,
    NanFraction,
    MismatchedBounds(HistogramOperation),
}

/// A float that can be compared: by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(u64);

/// Where counts of classic buckets fell, of which [`Remark::ForcedMonotonicity`] tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForcedMonotonicity {
    pub(crate) time: i64,
    pub(crate) min_bucket: f64,
    pub(crate) max_bucket: f64,
    pub(crate) max_diff: f64,
}

impl ForcedMonotonicity {
    /// Adds what fell at the same time.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.min_bucket = self.min_bucket.min(other.min_bucket);
        self.max_bucket = self.max_bucket.max(other.max_bucket);
        self.max_diff = self.max_diff.max(other.max_diff);
    }
}

/// Remarks, each once, in the order in which they were first made.
#[derive(Debug, Default)]
pub(crate) struct Annotations {
    entries: Vec<Entry>,
    places: HashMap<(Remark, Box<str>), usize, RandomState>,
}

/// There are remarks that can't be put together in parts: their order or their number depends on that of all series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherRemarks;

/// The last remark of an operator at each step: of all that a step gives rise to, Prometheus makes only that one.
#[derive(Debug, Default)]
pub(crate) struct LastRemarks(BTreeMap<usize, (Span, Remark)>);

impl LastRemarks {
    pub(crate) fn set(&mut self, step: usize, span: Span, remark: Remark) {
        self.0.insert(step, (span, remark));
    }

    /// Whether nothing was remarked.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was remarked of later series.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

#[derive(Clone, Debug)]
struct Entry {
    remark: Remark,
    metric: Box<str>,
    /// The place it is about: of equal remarks, that of the last one.
    span: Span,
    count: u64,
    details: Option<Details>,
}

/// What all remarks on falling buckets have together.
#[derive(Clone, Copy, Debug)]
struct Details {
    times: (i64, i64),
    buckets: (f64, f64),
    max_diff: f64,
}

impl Annotations {
    /// Adds a remark about a metric, if it is about one.
    pub(crate) fn add(&mut self, span: Span, remark: Remark, metric: &str) {
        // The same is mostly remarked again and again.
        if let Some(last) = self.entries.last_mut()
            && last.remark == remark
            && *last.metric == *metric
            && last.details.is_none()
        {
            last.repeat(span, 1);
            return;
        }
        self.merge(Entry { remark, metric: metric.into(), span, count: 1, details: None });
    }

    /// Adds [`Remark::ForcedMonotonicity`].
    pub(crate) fn add_forced_monotonicity(&mut self, span: Span, forced: ForcedMonotonicity, metric: &str) {
        let ForcedMonotonicity { time, min_bucket, max_bucket, max_diff } = forced;
        let details = Some(Details { times: (time, time), buckets: (min_bucket, max_bucket), max_diff });
        let remark = Remark::ForcedMonotonicity;
        self.merge(Entry { remark, metric: metric.into(), span, count: 1, details });
    }

    /// Adds remarks that were made after these.
    pub(crate) fn absorb(&mut self, others: Self) {
        for entry in others.entries {
            self.merge(entry);
        }
    }

    /// Adds the last remarks of all steps.
    pub(crate) fn add_last(&mut self, remarks: LastRemarks) {
        remarks.0.into_values().for_each(|(span, remark)| self.add(span, remark, ""));
    }

    /// Whether nothing was remarked.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The only remark, if it is that a metric may be no counter; `Err` if there are others.
    pub(crate) fn only_no_counter(&self) -> Result<Option<NoCounter>, OtherRemarks> {
        match self.entries.as_slice() {
            [] => Ok(None),
            [Entry { remark: Remark::MaybeNoCounter, metric, .. }] => {
                Ok(Some(NoCounter { metric: metric.to_string(), metric_type: None }))
            }
            [Entry { remark: Remark::MaybeNoCounterType(found), metric, .. }] => {
                Ok(Some(NoCounter { metric: metric.to_string(), metric_type: Some(found.clone()) }))
            }
            _ => Err(OtherRemarks),
        }
    }

    /// The texts, for the query `text`.
    pub(crate) fn render(&self, text: &str) -> Vec<Annotation> {
        let render = |entry: &Entry| Annotation { severity: entry.remark.severity(), text: entry.render(text) };
        self.entries.iter().map(render).collect()
    }

    fn merge(&mut self, entry: Entry) {
        let key = (entry.remark.clone(), entry.metric.clone());
        let at = *self.places.entry(key).or_insert(self.entries.len());
        match self.entries.get_mut(at) {
            None => self.entries.push(entry),
            Some(known) => known.absorb(&entry),
        }
    }
}

impl Entry {
    fn absorb(&mut self, other: &Self) {
        match (&mut self.details, &other.details) {
            (Some(own), Some(other_details)) => {
                own.absorb(other_details);
                self.count += other.count;
            }
            _ => self.repeat(other.span, other.count),
        }
    }

    fn repeat(&mut self, span: Span, count: u64) {
        self.count += count;
        // Overlaps tell of the first place, all others of the last.
        if self.remark != Remark::OverlappingStart {
            self.span = span;
        }
    }

    fn render(&self, query: &str) -> String {
        let prefix = match self.remark.severity() {
            Severity::Warning => "PromQL warning",
            Severity::Info => "PromQL info",
        };
        let (message, position) = (self.remark.message(&self.metric), self.span.position(query));
        match (&self.details, &self.remark) {
            (Some(details), _) => format!("{prefix}: {message}, {} ({position})", details.render(self.count)),
            (None, Remark::OverlappingStart) if self.count > 1 => {
                format!("{prefix}: {message} ({} occurrences) ({position})", self.count)
            }
            _ => format!("{prefix}: {message} ({position})"),
        }
    }
}

impl Details {
    fn absorb(&mut self, other: &Self) {
        self.times = (self.times.0.min(other.times.0), self.times.1.max(other.times.1));
        self.buckets = (self.buckets.0.min(other.buckets.0), self.buckets.1.max(other.buckets.1));
        self.max_diff = self.max_diff.max(other.max_diff);
    }

    fn render(&self, count: u64) -> String {
        format!(
            "from buckets {} to {}, with a max diff of {}, over {count} samples from {} to {}",
            format_float_g(self.buckets.0),
            format_float_g(self.buckets.1),
            format_float_digits(self.max_diff, 2),
            crate::date::rfc3339(self.times.0),
            crate::date::rfc3339(self.times.1),
        )
    }
}

impl From<NoCounter> for Remark {
    fn from(no_counter: NoCounter) -> Self {
        no_counter.metric_type.map_or(Self::MaybeNoCounter, Self::MaybeNoCounterType)
    }
}

impl Remark {
    fn severity(&self) -> Severity {
        match self {
            Self::InvalidRatio { .. }
            | Self::InvalidQuantile(_)
            | Self::BadBucketLabel(_)
            | Self::MixedFloatsHistograms
            | Self::MixedFloatsHistogramsInAggregation
            | Self::MixedClassicNative
            | Self::NotACounter
            | Self::NotAGauge
            | Self::MixedExponentialCustom
            | Self::IncompatibleBuckets(_)
            | Self::ConflictingResets(_)
            | Self::IneffectiveSort
            | Self::OverlappingStart => Severity::Warning,
            _ => Severity::Info,
        }
    }

    fn message(&self, metric: &str) -> String {
        let quoted = quote(metric);
        let for_metric = || if metric.is_empty() { String::new() } else { format!(" for metric name {quoted}") };
        match self {
            Self::InvalidRatio { got, cap } => {
                format!("ratio value should be between -1 and 1, got {}, capping to {}", got.text(), cap.text())
            }
            Self::InvalidQuantile(got) => format!("quantile value should be between 0 and 1, got {}", got.text()),
            Self::BadBucketLabel(value) => {
                let value = quote(value);
                format!("bucket label \"le\" is missing or has a malformed value of {value}{}", for_metric())
            }
            Self::MixedFloatsHistograms => {
                format!("encountered a mix of histograms and floats for metric name {quoted}")
            }
            Self::MixedFloatsHistogramsInAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Self::MixedClassicNative => {
                format!("vector contains a mix of classic and native histograms{}", for_metric())
            }
            Self::NotACounter => format!("this native histogram metric is not a counter: {quoted}"),
            Self::NotAGauge => format!("this native histogram metric is not a gauge: {quoted}"),
            Self::MixedExponentialCustom => format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {quoted}"
            ),
            Self::IncompatibleBuckets(op) => format!("incompatible bucket layout encountered for binary operator {op}"),
            Self::ConflictingResets(operation) => {
                format!("conflicting counter resets during histogram {}", operation.as_str())
            }
            Self::IneffectiveSort => {
                "sort is ineffective for range queries since results are always ordered by labels".to_owned()
            }
            Self::OverlappingStart => {
                format!("sample has start time that overlaps with previous sample timestamp for metric {quoted}")
            }
            Self::MaybeNoCounter => {
                format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {quoted}")
            }
            Self::MaybeNoCounterType(found) => format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {quoted}",
                quote(found)
            ),
            Self::ForcedMonotonicity => format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}",
                for_metric()
            ),
            Self::IncompatibleTypes { left, op, right } => {
                format!("incompatible sample types encountered for binary operator \"{op}\": {left} {op} {right}")
            }
            Self::IgnoredInAggregation(op) => format!("ignored histogram in {op} aggregation"),
            Self::IgnoredInMixedRange => {
                format!("ignored histograms in a range containing both floats and histograms for metric name {quoted}")
            }
            Self::NanQuantile => {
                format!("input to histogram_quantile has NaN observations, result is NaN{}", for_metric())
            }
            Self::SkewedQuantile => {
                format!("input to histogram_quantile has NaN observations, result is skewed higher{}", for_metric())
            }
            Self::NanFraction => format!(
                "input to histogram_fraction has NaN observations, which are excluded from all fractions{}",
                for_metric()
            ),
            Self::MismatchedBounds(operation) => {
                format!("mismatched custom buckets were reconciled during {}", operation.as_str())
            }
        }
    }
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

impl Number {
    fn text(self) -> String {
        format_float_g(f64::from_bits(self.0))
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        // However many NaNs there are, users see one.
        Self(if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() })
    }
}
