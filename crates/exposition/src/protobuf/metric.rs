//! One metric of a family, decoded.

use std::ops::Range;

use model::{ClassicHistogram, ClassicHistogramError, CounterReset, Histogram, NORMAL_NAN, Span, Timestamp};

use super::wire::{Fields, Value, WireError, zigzag};
use crate::item::{RawExemplar, RawLabel};

/// The types of families, as they are numbered in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Summary,
    Untyped,
    Histogram,
    GaugeHistogram,
}

impl Kind {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Counter,
            1 => Self::Gauge,
            2 => Self::Summary,
            3 => Self::Untyped,
            4 => Self::Histogram,
            5 => Self::GaugeHistogram,
            _ => return None,
        })
    }

    /// The field of a metric that holds its value; others mean nothing.
    fn value_field(self) -> u32 {
        match self {
            Self::Gauge => 2,
            Self::Counter => 3,
            Self::Summary => 4,
            Self::Untyped => 5,
            Self::Histogram | Self::GaugeHistogram => 7,
        }
    }
}

/// A metric: its labels and everything its value consists of. Decoded into the same memory again and again.
#[derive(Debug, Default)]
pub(super) struct Metric {
    pub(super) labels: Vec<RawLabel>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) start_timestamp: Option<Timestamp>,
    /// The value of a counter, a gauge or an untyped metric.
    pub(super) value: f64,
    /// How many observations a summary or a histogram has; of a histogram, `count_float` counts if it is not zero.
    count: u64,
    count_float: f64,
    pub(super) sum: f64,
    /// The quantiles of a summary and their values.
    pub(super) quantiles: Vec<(f64, f64)>,
    pub(super) buckets: Vec<Bucket>,
    schema: i64,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    positive: Side,
    negative: Side,
    /// The exemplar of a counter, or those of a native histogram.
    pub(super) exemplars: Vec<RawExemplar>,
    pub(super) exemplar_labels: Vec<RawLabel>,
}

/// A bucket of a classic histogram.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    count: u64,
    count_float: f64,
    pub(super) upper_bound: f64,
    pub(super) exemplar: Option<RawExemplar>,
}

/// The buckets of a native histogram above or below zero.
#[derive(Debug, Default)]
struct Side {
    spans: Vec<Span>,
    /// For an integer histogram: the first count, then how much each differs from the one before.
    deltas: Vec<i64>,
    /// For a float histogram.
    counts: Vec<f64>,
}

impl Side {
    fn clear(&mut self) {
        self.spans.clear();
        self.deltas.clear();
        self.counts.clear();
    }

    fn absolute(&self, is_float: bool) -> Vec<f64> {
        if is_float {
            return self.counts.clone();
        }
        let mut count = 0i64;
        let add = |delta: &i64| {
            count = count.wrapping_add(*delta);
            count as f64
        };
        self.deltas.iter().map(add).collect()
    }

    fn check(&self, name: &str, is_float: bool) -> Result<(), String> {
        let have = if is_float { self.counts.len() } else { self.deltas.len() };
        let required: u64 = self.spans.iter().map(|span| u64::from(span.length)).sum();
        if required == have as u64 {
            Ok(())
        } else {
            Err(format!("{name} side: spans require {required} buckets, have {have}"))
        }
    }
}

fn counter_reset(kind: Kind) -> CounterReset {
    if kind == Kind::GaugeHistogram { CounterReset::Gauge } else { CounterReset::Unknown }
}

/// A value whose NaN is the normal one: whatever a target sends, it is no staleness marker.
pub(super) fn normal(value: f64) -> f64 {
    if value.is_nan() { NORMAL_NAN } else { value }
}

fn either(float: f64, whole: u64) -> f64 {
    if float == 0.0 { whole as f64 } else { float }
}

impl Bucket {
    pub(super) fn count(&self) -> f64 {
        either(self.count_float, self.count)
    }
}

impl Metric {
    pub(super) fn count(&self) -> f64 {
        either(self.count_float, self.count)
    }

    /// Whether a histogram has a native part. One without observations says so by an empty span.
    pub(super) fn is_native(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
    }

    /// The native histogram; an error if its parts do not fit together.
    pub(super) fn histogram(&self, kind: Kind) -> Result<Histogram, String> {
        let is_float = self.count_float > 0.0 || self.zero_count_float > 0.0;
        self.positive.check("positive", is_float)?;
        self.negative.check("negative", is_float)?;
        let schema = i8::try_from(self.schema).map_err(|_| {
            let schema = self.schema;
            format!("histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, got schema {schema}")
        })?;
        let [count, zero_count] = if is_float {
            [self.count_float, self.zero_count_float]
        } else {
            [self.count as f64, self.zero_count as f64]
        };
        let mut histogram = Histogram {
            schema,
            counter_reset: counter_reset(kind),
            zero_threshold: self.zero_threshold,
            zero_count,
            count,
            sum: normal(self.sum),
            positive_spans: self.positive.spans.clone(),
            positive_buckets: self.positive.absolute(is_float),
            negative_spans: self.negative.spans.clone(),
            negative_buckets: self.negative.absolute(is_float),
            custom_values: Vec::new(),
        };
        histogram.compact(0);
        Ok(histogram)
    }

    /// A classic histogram in native form; an error if its buckets contradict each other.
    pub(super) fn converted(&self, kind: Kind) -> Result<Histogram, ClassicHistogramError> {
        let mut classic = ClassicHistogram::default();
        classic.set_count(self.count());
        classic.set_sum(normal(self.sum));
        for bucket in &self.buckets {
            classic.set_bucket(bucket.upper_bound, bucket.count());
        }
        let mut histogram = classic.to_native()?;
        histogram.counter_reset = counter_reset(kind);
        Ok(histogram)
    }

    fn clear(&mut self) {
        self.labels.clear();
        self.quantiles.clear();
        self.buckets.clear();
        self.positive.clear();
        self.negative.clear();
        self.exemplars.clear();
        self.exemplar_labels.clear();
        (self.timestamp, self.start_timestamp) = (None, None);
        (self.count, self.zero_count, self.schema) = (0, 0, 0);
        (self.value, self.sum, self.count_float) = (0.0, 0.0, 0.0);
        (self.zero_threshold, self.zero_count_float) = (0.0, 0.0);
    }

    /// Decodes the metric at this place of the page.
    pub(super) fn decode(&mut self, page: &[u8], place: Range<usize>, kind: Kind) -> Result<(), WireError> {
        self.clear();
        let mut fields = Fields::new(page, place);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.labels.push(label(page, value.bytes()?)?),
                6 => self.timestamp = Some(Timestamp(value.varint()? as i64)).filter(|time| time.0 != 0),
                _ if number == kind.value_field() => self.decode_value(page, value.bytes()?, kind)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn decode_value(&mut self, page: &[u8], place: Range<usize>, kind: Kind) -> Result<(), WireError> {
        let mut fields = Fields::new(page, place);
        while let Some((number, value)) = fields.next()? {
            match (kind, number) {
                (Kind::Counter | Kind::Gauge | Kind::Untyped, 1) => self.value = value.double()?,
                (Kind::Counter, 2) => {
                    let exemplar = self.exemplar(page, value.bytes()?)?;
                    self.exemplars.clear();
                    self.exemplars.push(exemplar);
                }
                (Kind::Counter, 3) | (Kind::Summary, 4) => self.start_timestamp = start_time(page, value.bytes()?)?,
                (Kind::Summary, 1) => self.count = value.varint()?,
                (Kind::Summary, 2) => self.sum = value.double()?,
                (Kind::Summary, 3) => self.quantiles.push(quantile(page, value.bytes()?)?),
                (Kind::Histogram | Kind::GaugeHistogram, _) => self.decode_histogram(page, number, value)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn decode_histogram(&mut self, page: &[u8], number: u32, value: Value) -> Result<(), WireError> {
        match number {
            1 => self.count = value.varint()?,
            2 => self.sum = value.double()?,
            3 => {
                let bucket = self.bucket(page, value.bytes()?)?;
                self.buckets.push(bucket);
            }
            4 => self.count_float = value.double()?,
            5 => self.schema = zigzag(value.varint()?),
            6 => self.zero_threshold = value.double()?,
            7 => self.zero_count = value.varint()?,
            8 => self.zero_count_float = value.double()?,
            9 => self.negative.spans.push(span(page, value.bytes()?)?),
            10 => deltas(page, value, &mut self.negative.deltas)?,
            11 => counts(page, value, &mut self.negative.counts)?,
            12 => self.positive.spans.push(span(page, value.bytes()?)?),
            13 => deltas(page, value, &mut self.positive.deltas)?,
            14 => counts(page, value, &mut self.positive.counts)?,
            15 => self.start_timestamp = start_time(page, value.bytes()?)?,
            16 => {
                let exemplar = self.exemplar(page, value.bytes()?)?;
                self.exemplars.push(exemplar);
            }
            _ => {}
        }
        Ok(())
    }

    fn bucket(&mut self, page: &[u8], place: Range<usize>) -> Result<Bucket, WireError> {
        let mut bucket = Bucket::default();
        let mut fields = Fields::new(page, place);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => bucket.count = value.varint()?,
                2 => bucket.upper_bound = value.double()?,
                3 => bucket.exemplar = Some(self.exemplar(page, value.bytes()?)?),
                4 => bucket.count_float = value.double()?,
                _ => {}
            }
        }
        Ok(bucket)
    }

    fn exemplar(&mut self, page: &[u8], place: Range<usize>) -> Result<RawExemplar, WireError> {
        let first_label = self.exemplar_labels.len();
        let mut observed = 0.0;
        let mut time = None;
        let mut fields = Fields::new(page, place);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.exemplar_labels.push(label(page, value.bytes()?)?),
                2 => observed = value.double()?,
                3 => time = Some(timestamp(page, value.bytes()?)?),
                _ => {}
            }
        }
        Ok(RawExemplar { labels: first_label..self.exemplar_labels.len(), value: observed, timestamp: time })
    }
}

fn label(page: &[u8], place: Range<usize>) -> Result<RawLabel, WireError> {
    let mut label = RawLabel { name: 0..0, value: 0..0 };
    let mut fields = Fields::new(page, place);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => label.name = value.bytes()?,
            2 => label.value = value.bytes()?,
            _ => {}
        }
    }
    Ok(label)
}

fn quantile(page: &[u8], place: Range<usize>) -> Result<(f64, f64), WireError> {
    let mut quantile = (0.0, 0.0);
    let mut fields = Fields::new(page, place);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => quantile.0 = value.double()?,
            2 => quantile.1 = value.double()?,
            _ => {}
        }
    }
    Ok(quantile)
}

fn span(page: &[u8], place: Range<usize>) -> Result<Span, WireError> {
    let mut span = Span { offset: 0, length: 0 };
    let mut fields = Fields::new(page, place);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => span.offset = zigzag(value.varint()? & u64::from(u32::MAX)) as i32,
            2 => span.length = value.varint()? as u32,
            _ => {}
        }
    }
    Ok(span)
}

fn start_time(page: &[u8], place: Range<usize>) -> Result<Option<Timestamp>, WireError> {
    timestamp(page, place).map(|time| Some(time).filter(|time| time.0 != 0))
}

fn timestamp(page: &[u8], place: Range<usize>) -> Result<Timestamp, WireError> {
    let [mut seconds, mut nanos] = [0i64; 2];
    let mut fields = Fields::new(page, place);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => seconds = value.varint()? as i64,
            2 => nanos = i64::from(value.varint()? as i32),
            _ => {}
        }
    }
    Ok(Timestamp(seconds.wrapping_mul(1000).wrapping_add(nanos / 1_000_000)))
}

/// Repeated numbers come one by one or packed into one field.
fn deltas(page: &[u8], value: Value, into: &mut Vec<i64>) -> Result<(), WireError> {
    match value {
        Value::Bytes(place) => {
            let mut packed = Fields::new(page, place);
            while !packed.is_at_end() {
                into.push(zigzag(packed.varint()?));
            }
        }
        single => into.push(zigzag(single.varint()?)),
    }
    Ok(())
}

fn counts(page: &[u8], value: Value, into: &mut Vec<f64>) -> Result<(), WireError> {
    match value {
        Value::Bytes(place) => {
            let mut packed = Fields::new(page, place);
            while !packed.is_at_end() {
                into.push(f64::from_bits(packed.fixed64()?));
            }
        }
        single => into.push(single.double()?),
    }
    Ok(())
}
