//! Samples as families, one after the other.

use model::{Labels, METRIC_NAME, Sample, Value};

use super::protobuf::Messages;
use super::text::Text;
use crate::format::{Encoding, Format};

const INSTANCE_LABEL: &str = "instance";

/// A page that is being written, metric by metric.
pub(super) struct Page {
    /// What series get that lack it, in order of the names.
    added: Vec<(String, String)>,
    /// Of the family that is being written.
    family: Option<(String, Kind)>,
    written: Written,
}

enum Written {
    Text(Text),
    Messages(Messages),
}

/// What samples of one family have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Untyped,
    Histogram,
    GaugeHistogram,
}

/// The names and values of a series' labels.
pub(super) type Pairs<'a> = Vec<(&'a str, &'a str)>;

impl Page {
    /// A page on which series get those external labels that they lack.
    ///
    /// They also get an empty `instance`, or whoever scrapes this server would take it for theirs.
    pub(super) fn new(format: Format, external: &Labels) -> Self {
        let mut added: Vec<_> = external.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if external.get(INSTANCE_LABEL).is_none() {
            added.push((INSTANCE_LABEL.to_owned(), String::new()));
            added.sort_unstable();
        }
        let written = match format.encoding {
            Encoding::Protobuf => Written::Messages(Messages::new(format.escaping)),
            // Nobody is offered OpenMetrics here: Prometheus does not either.
            Encoding::Text | Encoding::OpenMetrics => Written::Text(Text::new(format.escaping)),
        };
        Self { added, family: None, written }
    }

    /// Gives away what has been written: whole families only, if they are messages.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match &mut self.written {
            Written::Text(text) => text.take(),
            Written::Messages(messages) => messages.take(),
        }
    }

    /// Ends the last family.
    pub(super) fn finish(&mut self) {
        if let Written::Messages(messages) = &mut self.written {
            messages.end_family();
        }
    }

    /// Adds a sample of a series.
    ///
    /// Native histograms are left out of text, which has nothing for them, unless their buckets are listed.
    pub(super) fn write(&mut self, labels: &Labels, sample: &Sample) {
        let kind = match &sample.value {
            Value::Float(_) => Kind::Untyped,
            Value::Histogram(histogram)
                if !histogram.has_custom_buckets() && matches!(self.written, Written::Text(_)) =>
            {
                return;
            }
            Value::Histogram(histogram) if histogram.counter_reset == model::CounterReset::Gauge => {
                Kind::GaugeHistogram
            }
            Value::Histogram(_) => Kind::Histogram,
        };
        let metric = labels.metric();
        let is_same = self.family.as_ref().is_some_and(|family| (family.0.as_str(), family.1) == (metric, kind));
        if !is_same {
            match &mut self.written {
                Written::Text(text) => text.begin_family(metric, kind),
                Written::Messages(messages) => messages.begin_family(metric, kind),
            }
            self.family = Some((metric.to_owned(), kind));
        }
        let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let added = self.added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Pairs<'_> = own.chain(added.filter(|(name, _)| labels.get(name).is_none())).collect();
        match &mut self.written {
            Written::Text(text) => text.write(metric, &pairs, sample),
            Written::Messages(messages) => messages.write(&pairs, sample),
        }
    }
}

/// How many observations lie in the buckets of a histogram up to each bound that it lists.
pub(super) fn cumulative_counts(histogram: &model::Histogram) -> Vec<f64> {
    let mut counts = vec![0.0; histogram.custom_values.len()];
    let mut values = histogram.positive_buckets.iter();
    let mut at = 0i64;
    for span in &histogram.positive_spans {
        at += i64::from(span.offset);
        for value in values.by_ref().take(span.length as usize) {
            if let Some(count) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
                *count = *value;
            }
            at += 1;
        }
    }
    let mut sum = 0.0;
    for count in &mut counts {
        sum += *count;
        *count = sum;
    }
    counts
}

#[cfg(test)]
mod tests {
    use exposition::{EscapingScheme, Item, Options, Parser};
    use model::{CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram, Span, Timestamp};

    use super::*;

    fn write(encoding: Encoding, escaping: EscapingScheme, external: Labels, samples: &[(&Labels, Value)]) -> Vec<u8> {
        let mut page = Page::new(Format { encoding, escaping }, &external);
        for (labels, value) in samples {
            page.write(labels, &Sample { timestamp: Timestamp(1234), value: value.clone() });
        }
        page.finish();
        page.take()
    }

    fn listed() -> Histogram {
        Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 9.0,
            sum: 4.5,
            custom_values: vec![0.5, 1.0, 2.0],
            positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 2 }],
            positive_buckets: vec![2.0, 3.0, 4.0],
            ..Histogram::default()
        }
    }

    fn native() -> Histogram {
        Histogram {
            schema: 3,
            zero_threshold: 0.001,
            zero_count: 1.5,
            count: 9.5,
            sum: -4.5,
            positive_spans: vec![Span { offset: -2, length: 1 }, Span { offset: 3, length: 1 }],
            positive_buckets: vec![2.0, 3.0],
            negative_spans: vec![Span { offset: 1, length: 1 }],
            negative_buckets: vec![3.0],
            ..Histogram::default()
        }
    }

    #[test]
    fn names_are_escaped_or_quoted() {
        let labels = Labels::from_pairs([(METRIC_NAME, "a.b"), ("c.d", "e\"\n"), ("job", "f")]);
        let bare = Labels::from_pairs([(METRIC_NAME, "é")]);
        for (escaping, expected) in [
            (
                EscapingScheme::AllowUtf8,
                "# TYPE \"a.b\" untyped\n{\"a.b\",\"c.d\"=\"e\\\"\\n\",job=\"f\",instance=\"\"} 1e+06 1234\n\
                 # TYPE \"é\" untyped\n{\"é\",instance=\"\",job=\"own\"} 0 1234\n",
            ),
            (
                EscapingScheme::Underscores,
                "# TYPE a_b untyped\na_b{c_d=\"e\\\"\\n\",job=\"f\",instance=\"\"} 1e+06 1234\n\
                 # TYPE _ untyped\n_{instance=\"\",job=\"own\"} 0 1234\n",
            ),
        ] {
            let samples = [(&labels, Value::Float(1e6)), (&bare, Value::Float(-0.0))];
            let page = write(Encoding::Text, escaping, Labels::from_pairs([("job", "own")]), &samples);
            assert_eq!(String::from_utf8(page).unwrap(), expected);
        }
    }

    #[test]
    fn listed_buckets_become_a_classic_histogram() {
        let labels = Labels::from_pairs([(METRIC_NAME, "h")]);
        let samples = [(&labels, Value::Histogram(listed().into())), (&labels, Value::Histogram(native().into()))];
        let external = Labels::from_pairs([("instance", "i")]);
        let page = write(Encoding::Text, EscapingScheme::Underscores, external, &samples);
        let expected = "# TYPE h histogram\n\
                        h_bucket{instance=\"i\",le=\"0.5\"} 2 1234\n\
                        h_bucket{instance=\"i\",le=\"1\"} 2 1234\n\
                        h_bucket{instance=\"i\",le=\"2\"} 5 1234\n\
                        h_bucket{instance=\"i\",le=\"+Inf\"} 9 1234\n\
                        h_sum{instance=\"i\"} 4.5 1234\nh_count{instance=\"i\"} 9 1234\n";
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }

    #[test]
    fn messages_hold_native_histograms() {
        let labels = Labels::from_pairs([(METRIC_NAME, "h"), ("job", "f")]);
        let gauge = Histogram { counter_reset: CounterReset::Gauge, ..native() };
        let samples = [
            (&labels, Value::Float(1.5)),
            (&labels, Value::Histogram(native().into())),
            (&labels, Value::Histogram(gauge.clone().into())),
            (&labels, Value::Histogram(listed().into())),
        ];
        let page = write(Encoding::Protobuf, EscapingScheme::AllowUtf8, Labels::empty(), &samples);
        let mut parser = Parser::new(&page, exposition::Format::Protobuf, Options::default());
        let mut read = Vec::new();
        while let Some(item) = parser.next().unwrap() {
            if let Item::Sample(sample) = item {
                assert_eq!(sample.timestamp, Some(Timestamp(1234)));
                read.push(format!("{} {:?}", sample.series.labels(), sample.value));
            }
        }
        for (read, (_, value)) in read.iter().zip(&samples[..3]) {
            assert_eq!(*read, format!("h{{job=\"f\"}} {value:?}"));
        }
        assert!(read[3..].iter().any(|bucket| bucket.contains("le=\"2.0\"")), "{read:#?}");
    }
}
