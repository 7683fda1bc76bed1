//! The text format, version 0.0.4.

use std::fmt::Write;

use http::{HeaderMap, header};
use model::{
    BUCKET_LABEL, Histogram, Labels, METRIC_NAME, Sample, Value, format_float_g, is_legacy_label_name,
    is_legacy_metric_name,
};

/// What becomes of names that old versions of the format can't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escaping {
    /// They stay, in quotes.
    AllowUtf8,
    /// What is in the way becomes underscores.
    Underscores,
}

impl Escaping {
    /// What a client wants, by its `Accept`.
    pub(super) fn of_accept(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut parameters = accept.flat_map(|value| value.split([',', ';'])).map(str::trim);
        if parameters.any(|parameter| parameter == "escaping=allow-utf-8") {
            Self::AllowUtf8
        } else {
            Self::Underscores
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8",
            Self::Underscores => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
        }
    }

    fn name(self, name: &str, is_legacy: bool) -> String {
        match self {
            _ if is_legacy => name.to_owned(),
            Self::AllowUtf8 => quoted(name),
            Self::Underscores => underscored(name),
        }
    }
}

const INSTANCE_LABEL: &str = "instance";

/// A page that is being written, metric by metric.
pub(super) struct Page {
    text: String,
    escaping: Escaping,
    /// What series get that lack it, in order of the names.
    added: Vec<(String, String)>,
    /// Of the family that is being written.
    family: Option<(String, Kind)>,
}

/// What samples of one family have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float,
    Histogram,
}

impl Page {
    /// A page on which series get those external labels that they lack.
    ///
    /// They also get an empty `instance`, or whoever scrapes this server would take it for theirs.
    pub(super) fn new(escaping: Escaping, external: &Labels) -> Self {
        let mut added: Vec<_> = external.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if external.get(INSTANCE_LABEL).is_none() {
            added.push((INSTANCE_LABEL.to_owned(), String::new()));
            added.sort_unstable();
        }
        Self { text: String::new(), escaping, added, family: None }
    }

    /// Gives away what has been written.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text).into_bytes()
    }

    /// Adds a sample of a series.
    ///
    /// Native histograms are left out: the format has nothing for them, unless their buckets are listed.
    pub(super) fn write(&mut self, labels: &Labels, sample: &Sample) {
        let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let added = self.added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let added = added.filter(|(name, _)| labels.get(name).is_none());
        let pairs: Vec<String> = own.chain(added).map(|(name, value)| self.pair(name, value)).collect();
        let time = sample.timestamp;
        match &sample.value {
            Value::Float(value) => {
                self.begin_family(labels.metric(), Kind::Float);
                self.line(labels.metric(), "", &pairs, *value, time);
            }
            Value::Histogram(histogram) if histogram.has_custom_buckets() => {
                self.begin_family(labels.metric(), Kind::Histogram);
                self.write_histogram(labels.metric(), pairs, histogram, time);
            }
            Value::Histogram(_) => {}
        }
    }

    fn write_histogram(&mut self, metric: &str, mut pairs: Vec<String>, histogram: &Histogram, time: model::Timestamp) {
        let mut cumulative = 0.0;
        for (bound, count) in histogram.custom_values.iter().zip(bucket_counts(histogram)) {
            cumulative += count;
            pairs.push(self.pair(BUCKET_LABEL, &format_float_g(*bound)));
            self.line(metric, "_bucket", &pairs, cumulative, time);
            pairs.pop();
        }
        pairs.push(self.pair(BUCKET_LABEL, "+Inf"));
        self.line(metric, "_bucket", &pairs, histogram.count, time);
        pairs.pop();
        self.line(metric, "_sum", &pairs, histogram.sum, time);
        self.line(metric, "_count", &pairs, histogram.count, time);
    }

    fn begin_family(&mut self, metric: &str, kind: Kind) {
        if self.family.as_ref().is_some_and(|(name, its_kind)| name == metric && *its_kind == kind) {
            return;
        }
        let name = self.escaping.name(metric, is_legacy_metric_name(metric));
        let type_name = match kind {
            Kind::Float => "untyped",
            Kind::Histogram => "histogram",
        };
        push(&mut self.text, format_args!("# TYPE {name} {type_name}\n"));
        self.family = Some((metric.to_owned(), kind));
    }

    fn line(&mut self, metric: &str, suffix: &str, pairs: &[String], value: f64, time: model::Timestamp) {
        let metric = format!("{metric}{suffix}");
        let is_legacy = is_legacy_metric_name(&metric);
        let name = self.escaping.name(&metric, is_legacy);
        let stands_inside = !is_legacy && self.escaping == Escaping::AllowUtf8;
        let pairs = pairs.join(",");
        let value = format_float_g(value);
        match (stands_inside, pairs.is_empty()) {
            (true, true) => push(&mut self.text, format_args!("{{{name}}} {value} {time}\n")),
            (true, false) => push(&mut self.text, format_args!("{{{name},{pairs}}} {value} {time}\n")),
            (false, true) => push(&mut self.text, format_args!("{name} {value} {time}\n")),
            (false, false) => push(&mut self.text, format_args!("{name}{{{pairs}}} {value} {time}\n")),
        }
    }

    fn pair(&self, name: &str, value: &str) -> String {
        format!("{}={}", self.escaping.name(name, is_legacy_label_name(name)), quoted(value))
    }
}

/// How many observations are in each bucket that has a bound of its own.
fn bucket_counts(histogram: &Histogram) -> Vec<f64> {
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
    counts
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string never fails");
}

/// A text in quotes, with the escapes of the format.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A name with an underscore for each character that is in the way.
fn underscored(name: &str) -> String {
    let is_fine =
        |(at, c): (usize, char)| c == '_' || c == ':' || c.is_ascii_alphabetic() || (c.is_ascii_digit() && at > 0);
    name.char_indices().map(|(at, c)| if is_fine((at, c)) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use model::{CUSTOM_BUCKETS_SCHEMA, Span, Timestamp};

    use super::*;

    fn sample(value: Value) -> Sample {
        Sample { timestamp: Timestamp(1234), value }
    }

    #[test]
    fn names_are_escaped_or_quoted() {
        let labels = Labels::from_pairs([(METRIC_NAME, "a.b"), ("c.d", "e\"\n"), ("job", "f")]);
        let bare = Labels::from_pairs([(METRIC_NAME, "é")]);
        for (escaping, expected) in [
            (
                Escaping::AllowUtf8,
                "# TYPE \"a.b\" untyped\n{\"a.b\",\"c.d\"=\"e\\\"\\n\",job=\"f\",instance=\"\"} 1e+06 1234\n\
                 # TYPE \"é\" untyped\n{\"é\",instance=\"\",job=\"own\"} NaN 1234\n",
            ),
            (
                Escaping::Underscores,
                "# TYPE a_b untyped\na_b{c_d=\"e\\\"\\n\",job=\"f\",instance=\"\"} 1e+06 1234\n\
                 # TYPE _ untyped\n_{instance=\"\",job=\"own\"} NaN 1234\n",
            ),
        ] {
            let mut page = Page::new(escaping, &Labels::from_pairs([("job", "own")]));
            page.write(&labels, &sample(Value::Float(1e6)));
            page.write(&bare, &sample(Value::Float(f64::NAN)));
            assert_eq!(String::from_utf8(page.take()).unwrap(), expected);
        }
    }

    #[test]
    fn listed_buckets_become_a_classic_histogram() {
        let histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 9.0,
            sum: 4.5,
            custom_values: vec![0.5, 1.0, 2.0],
            positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 2 }],
            positive_buckets: vec![2.0, 3.0, 4.0],
            ..Histogram::default()
        };
        let labels = Labels::from_pairs([(METRIC_NAME, "h")]);
        let mut page = Page::new(Escaping::Underscores, &Labels::from_pairs([("instance", "i")]));
        page.write(&labels, &sample(Value::Histogram(histogram.into())));
        page.write(&labels, &sample(Value::Histogram(Histogram::default().into())));
        let expected = "# TYPE h histogram\n\
                        h_bucket{instance=\"i\",le=\"0.5\"} 2 1234\n\
                        h_bucket{instance=\"i\",le=\"1\"} 2 1234\n\
                        h_bucket{instance=\"i\",le=\"2\"} 5 1234\n\
                        h_bucket{instance=\"i\",le=\"+Inf\"} 9 1234\n\
                        h_sum{instance=\"i\"} 4.5 1234\nh_count{instance=\"i\"} 9 1234\n";
        assert_eq!(String::from_utf8(page.take()).unwrap(), expected);
    }
}
