use model::{CUSTOM_BUCKETS_SCHEMA, Span};
use proptest::prelude::*;

use super::*;

/// Everything of a histogram as bits, so that NaN equals itself and 0 differs from −0.
fn bits(histogram: &Histogram) -> impl PartialEq + std::fmt::Debug {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let numbers = [histogram.zero_threshold, histogram.zero_count, histogram.count, histogram.sum];
    (
        (histogram.schema, histogram.counter_reset, bits(&numbers)),
        (histogram.positive_spans.clone(), bits(&histogram.positive_buckets)),
        (histogram.negative_spans.clone(), bits(&histogram.negative_buckets)),
        bits(&histogram.custom_values),
    )
}

/// Checks that the column reads back, and returns how many bytes it takes.
#[track_caller]
fn check(histograms: &[Histogram]) -> usize {
    let mut bytes = Vec::new();
    encode(histograms, &mut bytes).unwrap();
    let mut decoded = Vec::new();
    let rest = decode(&bytes, histograms.len(), &mut decoded).unwrap();
    assert!(rest.is_empty());
    assert_eq!(decoded.len(), histograms.len());
    for (decoded, histogram) in decoded.iter().zip(histograms) {
        assert_eq!(bits(decoded), bits(histogram));
    }
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], histograms.len(), &mut Vec::new()).is_err(), "cut at {length}");
    }
    bytes.len()
}

/// A histogram as it is scraped: whole counts, buckets at `indices`, ascending.
fn scraped(indices: &[i32], counts: &[f64]) -> Histogram {
    let mut end = 0;
    let spans = indices.iter().map(|index| {
        let offset = index - end;
        end = index + 1;
        Span { offset, length: 1 }
    });
    Histogram {
        schema: 3,
        counter_reset: CounterReset::NotReset,
        zero_threshold: 2f64.powi(-128),
        zero_count: 1.0,
        count: 1.0 + counts.iter().sum::<f64>(),
        sum: counts.iter().sum::<f64>() / 8.0,
        positive_spans: spans.collect(),
        positive_buckets: counts.to_vec(),
        negative_spans: Vec::new(),
        negative_buckets: Vec::new(),
        custom_values: Vec::new(),
    }
}

#[test]
fn regular_columns_are_small() {
    assert_eq!(check(&[]), 0);
    let same = vec![scraped(&[-3, 0, 1], &[1.0, 2.0, 3.0]); 128];
    let one = check(&same);
    assert!(one < 40, "{one}");
    // Counts that grow by the same each time cost a header more, not something each time.
    let growing: Vec<_> = (1..129).map(|i| scraped(&[-3, 0, 1], &[1.0, f64::from(i), 3.0 * f64::from(i)])).collect();
    assert!(check(&growing) < one + 20);
}

#[test]
fn new_buckets_go_on_with_the_old_columns() {
    let before: Vec<_> = (0..60).map(|i| scraped(&[0, 2], &[f64::from(i * i % 7), 2.0])).collect();
    let after: Vec<_> = (60..120).map(|i| scraped(&[0, 1, 2], &[f64::from(i * i % 7), 1.0, 2.0])).collect();
    let all = [&before[..], &after].concat();
    assert!(check(&all) < check(&before) + check(&after) - 15);
    // Schemas do not mix.
    let mut coarse = all.clone();
    coarse[70].schema = 2;
    check(&coarse);
}

#[test]
fn odd_histograms_come_back() {
    let mut custom = scraped(&[0, 1, 2], &[0.5, f64::NAN, -1.5]);
    custom.schema = CUSTOM_BUCKETS_SCHEMA;
    custom.custom_values = vec![0.25, 10.0];
    custom.counter_reset = CounterReset::Gauge;
    let mut negative = scraped(&[], &[]);
    negative.negative_spans =
        vec![Span { offset: i32::MIN, length: 0 }, Span { offset: 0, length: 2 }, Span { offset: i32::MAX, length: 1 }];
    negative.negative_buckets = vec![1e300, 0.1 + 0.2, f64::INFINITY];
    let mut nan = scraped(&[5], &[1.0]);
    nan.count = f64::from_bits(0x7ff8_0000_0000_1234);
    nan.zero_threshold = -0.0;
    check(&[custom.clone(), custom, negative, nan]);
}

#[test]
fn contradictions_are_refused() {
    let fine = scraped(&[0], &[1.0]);
    let mut overlap = scraped(&[0, 5], &[1.0, 1.0]);
    overlap.positive_spans[1].offset = -1;
    let mut short = fine.clone();
    short.positive_buckets.clear();
    let mut bytes = vec![7];
    let offset = EncodeError::SpanOffset { side: "positive", span: 2, offset: -1 };
    assert_eq!(encode(&[fine.clone(), overlap], &mut bytes), Err(offset));
    let count = EncodeError::BucketCount { side: "positive", spans: 1, buckets: 0 };
    assert_eq!(encode(&[fine, short], &mut bytes), Err(count));
    assert_eq!(bytes, [7]);
}

#[test]
fn a_few_bytes_can_not_ask_for_much_memory() {
    // 128 rows, schema, threshold, no bounds, no flags, then a span of 2^20 buckets in all rows.
    let bytes = [128, 1, 0, 0, 0, 0, 128, 1, 1, 0, 0x80, 0x80, 0x40, 0];
    let what = "what layouts ask for";
    let error = DecodeError::TooLarge { what, value: 128 * ((1 << 20) + 1), limit: 1 << 22 };
    assert_eq!(decode(&bytes, 128, &mut Vec::new()), Err(error));
    // The same in one row: there are fewer bytes than columns.
    let bytes = [1, 0, 0, 0, 0, 1, 1, 0, 0x80, 0x80, 0x40, 0, 0, 0, 0, 0, 0];
    assert_eq!(decode(&bytes, 1, &mut Vec::new()), Err(DecodeError::Truncated(WHAT)));
    // 128 rows with 2^16 bounds, which are all the same.
    let bytes = [128, 1, 0, 0, 0x80, 0x80, 4, 0, 0];
    let error = DecodeError::TooLarge { what: "a number of bounds", value: 1 << 16, limit: 1 << 15 };
    assert_eq!(decode(&bytes, 128, &mut Vec::new()), Err(error));
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let span = (0..4i32, 0..4u32).prop_map(|(offset, length)| Span { offset, length });
    (prop::collection::vec(span, 0..4), -5..5i32).prop_map(|(mut spans, first)| {
        if let Some(span) = spans.first_mut() {
            span.offset = first;
        }
        spans
    })
}

fn histogram() -> impl Strategy<Value = Histogram> {
    let float = prop_oneof![4 => (0..100i32).prop_map(f64::from), 1 => any::<f64>(), 1 => any::<u64>().prop_map(f64::from_bits)];
    let layout = (-4..9i8, prop::sample::select(RESETS.to_vec()), spans(), spans());
    (layout, prop::collection::vec(float, 40)).prop_map(|((schema, counter_reset, positive, negative), mut floats)| {
        let mut take = |spans: &[Span]| {
            let length: usize = spans.iter().map(|span| span.length as usize).sum();
            floats.drain(..length).collect::<Vec<_>>()
        };
        let positive_buckets = take(&positive);
        let negative_buckets = take(&negative);
        Histogram {
            schema,
            counter_reset,
            zero_threshold: floats[0],
            zero_count: floats[1],
            count: floats[2],
            sum: floats[3],
            positive_spans: positive,
            positive_buckets,
            negative_spans: negative,
            negative_buckets,
            custom_values: floats.split_off(12),
        }
    })
}

proptest! {
    #[test]
    fn any_histograms_read_back(different in prop::collection::vec((histogram(), 1..4usize), 0..8)) {
        check(&different.into_iter().flat_map(|(histogram, times)| vec![histogram; times]).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..80), count in 0..50usize) {
        let _ = decode(&bytes, count, &mut Vec::new());
    }

    #[test]
    fn any_damage_is_borne(
        different in prop::collection::vec(histogram(), 1..4),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut bytes = Vec::new();
        encode(&different, &mut bytes).unwrap();
        *at.get_mut(&mut bytes) = byte;
        let _ = decode(&bytes, different.len(), &mut Vec::new());
    }
}
