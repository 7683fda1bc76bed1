use proptest::prelude::*;

use super::*;
use crate::item::Item;

/// Encodes messages: enough of a writer to test the reader with.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(mut self, field: u64, value: u64) -> Self {
        self.push_varint(field << 3);
        self.push_varint(value);
        self
    }

    fn zigzag(self, field: u64, value: i64) -> Self {
        self.varint(field, (value << 1 ^ value >> 63) as u64)
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.push_varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.push_varint(field << 3 | 2);
        self.push_varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn message(self, field: u64, message: Self) -> Self {
        self.bytes(field, &message.0)
    }

    fn label(self, name: &str, value: &str) -> Self {
        self.message(1, Self::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes()))
    }
}

fn message() -> Message {
    Message::default()
}

fn family(name: &str, kind: u64, metrics: Vec<Message>) -> Message {
    let start = message().bytes(1, name.as_bytes()).bytes(2, b"Help.").varint(3, kind);
    metrics.into_iter().fold(start, |family, metric| family.message(4, metric))
}

fn page(families: &[Message]) -> Vec<u8> {
    let mut page = message();
    for family in families {
        page.push_varint(family.0.len() as u64);
        page.0.extend(&family.0);
    }
    page.0
}

/// All entries of a page, a line each.
fn read(page: &[u8], options: Options) -> Vec<String> {
    let mut parser = ProtobufParser::new(page, options);
    let mut lines = Vec::new();
    loop {
        let line = match parser.next() {
            Err(error) => {
                lines.push(error.to_string());
                return lines;
            }
            Ok(None) => return lines,
            Ok(Some(Item::Help { family, help })) => format!("help {family} {help}"),
            Ok(Some(Item::Type { family, metric_type })) => format!("type {family} {metric_type}"),
            Ok(Some(Item::Unit { family, unit })) => format!("unit {family} {unit}"),
            Ok(Some(Item::Comment(comment))) => comment.into_owned(),
            Ok(Some(Item::Sample(sample))) => {
                let mut line = format!("{} {:?}", sample.series.labels(), sample.value);
                for exemplar in sample.exemplars() {
                    line += &format!(" # {} {}", exemplar.labels(), exemplar.value);
                }
                for time in [sample.timestamp, sample.start_timestamp].into_iter().flatten() {
                    line += &format!(" @{time}");
                }
                line
            }
        };
        lines.push(line);
    }
}

#[test]
fn simple_metrics_are_single_samples() {
    let time = message().varint(1, 1600).varint(2, 5_000_000);
    let exemplar = message().label("trace", "x").double(2, 0.5).message(3, time.clone());
    let counter = message().double(1, 3.0).message(2, exemplar).message(3, time);
    let page = page(&[
        family("c_total", 0, vec![message().label("b", "2").label("a", "1\n").message(3, counter)]),
        family("skipped", 1, vec![]),
        family("g.dotted", 1, vec![message().message(2, message().double(1, f64::NAN)).varint(6, 17)])
            .bytes(5, b"bytes"),
        family("u", 3, vec![message(), message().message(5, message().double(1, -1.5))]),
    ]);
    assert_eq!(
        read(&page, Options::default()),
        [
            "help c_total Help.",
            "type c_total counter",
            "c_total{a=\"1\\n\", b=\"2\"} Float(3.0) # {trace=\"x\"} 0.5 @1600005",
            "help g.dotted Help.",
            "unit g.dotted bytes",
            "type g.dotted gauge",
            "{\"g.dotted\"} Float(NaN) @17",
            "help u Help.",
            "type u unknown",
            "u Float(0.0)",
            "u Float(-1.5)",
        ]
    );
}

#[test]
fn summaries_and_classic_histograms_are_many_samples() {
    let quantile = |quantile, value| message().double(1, quantile).double(2, value);
    let summary = message().varint(1, 5).double(2, 7.5).message(3, quantile(0.5, 1.0)).message(3, quantile(1.0, 2.0));
    let bucket = |bound, count| message().varint(1, count).double(2, bound);
    let exemplar = message().double(2, 0.7);
    let histogram = message()
        .varint(1, 9)
        .double(2, 1e3)
        .message(3, bucket(1.0, 4).message(3, exemplar))
        .message(3, message().double(4, 5.5).double(2, 1e6));
    let page = page(&[
        family("s", 2, vec![message().message(4, summary), message().message(4, message().varint(1, 1))]),
        family("h", 4, vec![message().label("x", "y").message(7, histogram)]),
        family("all", 5, vec![message().message(7, message().double(4, 2.5).message(3, bucket(f64::INFINITY, 2)))]),
    ]);
    assert_eq!(
        read(&page, Options::default()),
        [
            "help s Help.",
            "type s summary",
            "s_count Float(5.0)",
            "s_sum Float(7.5)",
            "s{quantile=\"0.5\"} Float(1.0)",
            "s{quantile=\"1.0\"} Float(2.0)",
            "s_count Float(1.0)",
            "s_sum Float(0.0)",
            "help h Help.",
            "type h histogram",
            "h_count{x=\"y\"} Float(9.0)",
            "h_sum{x=\"y\"} Float(1000.0)",
            "h_bucket{le=\"1.0\", x=\"y\"} Float(4.0) # {} 0.7",
            "h_bucket{le=\"1e+06\", x=\"y\"} Float(5.5)",
            "h_bucket{le=\"+Inf\", x=\"y\"} Float(9.0)",
            "help all Help.",
            "type all gaugehistogram",
            "all_count Float(2.5)",
            "all_sum Float(0.0)",
            "all_bucket{le=\"+Inf\"} Float(2.0)",
        ]
    );
}

fn native() -> Message {
    let span = |offset, length| message().zigzag(1, offset).varint(2, length);
    let time = message().varint(1, 1);
    message()
        .varint(1, 6)
        .double(2, 12.0)
        .message(3, message().varint(1, 6).double(2, f64::INFINITY))
        .zigzag(5, 3)
        .double(6, 0.25)
        .varint(7, 1)
        .message(9, span(-2, 1))
        .zigzag(10, 2)
        .message(12, span(0, 2))
        .message(12, span(1, 1))
        .bytes(13, &[2, 1, 4])
        .message(16, message().double(2, 8.0).message(3, time))
        .message(16, message().double(2, 9.0))
}

#[test]
fn native_histograms_are_one_sample() {
    let page = page(&[family("n", 4, vec![message().message(7, native())])]);
    let mut parser = ProtobufParser::new(&page, Options::default());
    let mut found = Vec::new();
    while let Some(item) = parser.next().unwrap() {
        if let Item::Sample(sample) = item {
            let Value::Histogram(histogram) = &sample.value else { panic!("{sample:?}") };
            let observed: Vec<_> = sample.exemplars().map(|exemplar| exemplar.value).collect();
            found.push((sample.series.labels().to_string(), Arc::clone(histogram), observed));
        }
    }
    let [(labels, histogram, exemplars)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((labels.as_str(), &exemplars[..]), ("n", &[8.0][..]));
    assert_eq!((histogram.schema, histogram.count, histogram.sum), (3, 6.0, 12.0));
    assert_eq!((histogram.zero_threshold, histogram.zero_count), (0.25, 1.0));
    // Deltas 1, −1 and 2: the bucket in the middle is empty, and left out.
    assert_eq!((&histogram.positive_buckets[..], &histogram.negative_buckets[..]), (&[1.0, 2.0][..], &[2.0][..]));
    let offsets: Vec<_> = histogram.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!(offsets, [(0, 1), (2, 1)]);
}

#[test]
fn native_histograms_may_be_read_as_classic_ones_too() {
    let page = page(&[family("n", 4, vec![message().message(7, native())])]);
    let count = |options| read(&page, options).len();
    assert_eq!(count(Options::default()), 3);
    let keep = Options { keep_classic_histograms: true, ..Options::default() };
    assert_eq!(count(keep), 6);
    let ignore = Options { ignore_native_histograms: true, ..Options::default() };
    assert_eq!(
        read(&page, ignore)[2..],
        ["n_count Float(6.0)", "n_sum Float(12.0)", "n_bucket{le=\"+Inf\"} Float(6.0)"]
    );
}

#[test]
fn classic_histograms_may_be_converted() {
    let bucket = |bound, count| message().varint(1, count).double(2, bound);
    let classic = |count| message().varint(1, count).double(2, 1.5).message(3, bucket(1.0, 4));
    let page = page(&[family("h", 4, vec![message().message(7, classic(9)), message().message(7, native())])]);
    let options = Options { convert_classic_histograms: true, ..Options::default() };
    let lines = read(&page, options);
    assert_eq!(lines.len(), 4);
    assert!(lines[2].contains("custom_values: [1.0]") && lines[2].contains("positive_buckets: [4.0, 5.0]"));
    assert!(lines[3].contains("schema: 3"));
    let keep = Options { keep_classic_histograms: true, ..options };
    assert_eq!(read(&page, keep).len(), 2 + 4 + 1 + 4);
    let contradiction = self::page(&[family("h", 4, vec![message().message(7, classic(1))])]);
    assert_eq!(read(&contradiction, options).pop().unwrap(), "count is not cumulative: 1 < 4");
}

#[test]
fn mistakes_are_told() {
    let last = |page: &[u8]| read(page, Options::default()).pop().unwrap();
    let gauge = || vec![message()];
    assert_eq!(last(&page(&[family("", 1, gauge())])), "invalid metric name: ");
    assert_eq!(last(&page(&[family("a", 7, gauge())])), "unknown metric type for metric \"a\": 7");
    let bad_label = message().message(1, message().bytes(1, b"x").bytes(2, b"\xff"));
    assert_eq!(last(&page(&[family("a", 1, vec![bad_label])])), "invalid label value: \u{fffd}");
    let spans = message().message(12, message().varint(2, 4_000_000_000));
    assert_eq!(
        last(&page(&[family("a", 4, vec![message().message(7, spans)])])),
        "histogram \"a\": positive side: spans require 4000000000 buckets, have 0"
    );
    assert_eq!(last(b"\x05abc"), "clientpb: insufficient length of buffer, expected at least 6 bytes, got 4 bytes");
    assert_eq!(last(b"\xff\xff\xff\xff\xff\xff"), "clientpb: invalid varint encountered");
}

proptest! {
    #[test]
    fn damaged_pages_do_no_harm(at in 0usize..400, byte: u8, cut in 0usize..400) {
        let mut page = page(&[
            family("n", 4, vec![message().label("a", "b").message(7, native())]),
            family("c", 0, vec![message().message(3, message().double(1, 1.0))]),
        ]);
        page.truncate(cut);
        if let Some(damaged) = page.get_mut(at) {
            *damaged = byte;
        }
        let keep = Options { keep_classic_histograms: true, ..Options::default() };
        prop_assert!(read(&page, keep).len() < 1000);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        read(&bytes, Options::default());
    }
}
