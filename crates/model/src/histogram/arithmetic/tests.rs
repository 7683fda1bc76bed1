use proptest::prelude::*;

use crate::{CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram, HistogramSum, Span};

fn spans(pairs: &[(i32, u32)]) -> Vec<Span> {
    pairs.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
}

fn exponential(schema: i8, spans_: &[(i32, u32)], buckets: &[f64]) -> Histogram {
    let count = buckets.iter().sum();
    Histogram {
        schema,
        count,
        positive_spans: spans(spans_),
        positive_buckets: buckets.to_vec(),
        ..Histogram::default()
    }
}

fn custom(bounds: &[f64], buckets: &[f64]) -> Histogram {
    let custom_values = bounds.to_vec();
    Histogram { custom_values, ..exponential(CUSTOM_BUCKETS_SCHEMA, &[(0, buckets.len() as u32)], buckets) }
}

#[track_caller]
fn check_sum(a: &Histogram, b: &Histogram, expected: &str) {
    let mut plain = a.clone();
    plain.add(b).unwrap();
    plain.compact(0);
    assert_eq!(plain.notation(), expected);
    let mut compensated = HistogramSum::new(a.clone());
    compensated.add(b).unwrap();
    let mut compensated = compensated.total();
    compensated.compact(0);
    assert!(compensated.equals(&plain), "{compensated} {plain}");
}

#[test]
fn the_coarser_schema_remains() {
    let fine = exponential(1, &[(0, 3), (1, 1)], &[1.0, 2.0, 4.0, 8.0]);
    let coarse = exponential(0, &[(1, 1)], &[16.0]);
    check_sum(&fine, &coarse, "{{count:31 buckets:[1 22 8]}}");
    check_sum(&coarse, &fine, "{{count:31 buckets:[1 22 8]}}");
}

#[test]
fn zero_buckets_become_as_wide_as_the_wider_one_and_end_where_buckets_end() {
    let narrow = Histogram { zero_threshold: 0.5, zero_count: 1.0, ..exponential(0, &[(0, 3)], &[2.0, 4.0, 8.0]) };
    let wide = Histogram { zero_threshold: 1.5, zero_count: 16.0, ..exponential(0, &[(3, 1)], &[32.0]) };
    check_sum(&narrow, &wide, "{{count:46 z_bucket:23 z_bucket_w:2 offset:2 buckets:[8 32]}}");
    check_sum(&wide, &narrow, "{{count:46 z_bucket:23 z_bucket_w:2 offset:2 buckets:[8 32]}}");
}

#[test]
fn common_custom_bounds_remain() {
    let a = custom(&[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0, 8.0]);
    let b = custom(&[2.0, 3.0, 5.0], &[16.0, 32.0, 64.0, 128.0]);
    check_sum(&a, &b, "{{schema:-53 count:255 custom_values:[2 3] buckets:[19 36 200]}}");
    assert!(a.clone().add(&b).unwrap().has_mismatched_bounds);
    assert!(a.clone().add(&exponential(0, &[], &[])).is_err());
}

#[test]
fn hints_are_merged() {
    use CounterReset::{Gauge, NotReset, Reset, Unknown};
    for (a, b, merged, conflict) in [
        (Reset, Reset, Reset, false),
        (Reset, NotReset, Unknown, true),
        (NotReset, Unknown, Unknown, false),
        (Unknown, Gauge, Gauge, false),
        (Gauge, Reset, Gauge, false),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            let mut histogram = Histogram { counter_reset: a, ..Histogram::default() };
            let outcome = histogram.add(&Histogram { counter_reset: b, ..Histogram::default() }).unwrap();
            assert_eq!((histogram.counter_reset, outcome.has_conflicting_resets), (merged, conflict));
        }
    }
}

#[test]
fn means_survive_sums_that_overflow() {
    let large = Histogram { sum: 1.5e308, ..exponential(0, &[(0, 1)], &[1.0]) };
    let mut mean = HistogramSum::new(large.clone());
    for _ in 0..3 {
        mean.add_to_mean(&large).unwrap();
    }
    let mean = mean.mean();
    assert!((mean.sum / 1.5e308 - 1.0).abs() < 1e-15);
    assert_eq!((mean.count, mean.positive_buckets), (1.0, vec![1.0]));
}

#[test]
fn what_is_added_and_divided_by_zero_is_not_lost() {
    let mut histogram = exponential(0, &[(0, 1)], &[1.0]);
    histogram.divide(0.0);
    assert_eq!((histogram.count, histogram.sum.is_nan(), histogram.positive_spans), (f64::INFINITY, true, vec![]));
    let mut histogram = exponential(0, &[(0, 1)], &[1.0]);
    histogram.multiply(-2.0);
    assert_eq!((histogram.count, histogram.counter_reset), (-2.0, CounterReset::Gauge));
}

#[test]
fn resets_are_seen_in_counts_layouts_and_hints() {
    let before = exponential(0, &[(0, 2)], &[1.0, 2.0]);
    for (now, expected) in [
        (exponential(0, &[(0, 2)], &[1.0, 2.0]), false),
        (exponential(0, &[(0, 3)], &[1.0, 2.0, 1.0]), false),
        (exponential(0, &[(0, 1), (1, 1)], &[1.0, 9.0]), true),
        (exponential(0, &[(0, 2)], &[0.5, 9.0]), true),
        (exponential(-1, &[(0, 2)], &[1.0, 2.0]), false),
        (exponential(1, &[(0, 4)], &[1.0, 2.0, 3.0, 4.0]), true),
        (Histogram { zero_threshold: 1.0, zero_count: 1.0, ..exponential(0, &[(1, 1)], &[2.0]) }, true),
        (Histogram { zero_threshold: 1.0, zero_count: 1.0, count: 3.0, ..exponential(0, &[(1, 1)], &[2.0]) }, false),
        (Histogram { zero_threshold: 0.75, zero_count: 9.0, count: 9.0, ..exponential(0, &[(1, 1)], &[2.0]) }, true),
        (Histogram { counter_reset: CounterReset::NotReset, ..exponential(0, &[], &[]) }, false),
        (Histogram { counter_reset: CounterReset::Reset, ..before.clone() }, true),
        (custom(&[1.0], &[9.0]), true),
    ] {
        assert_eq!(now.is_reset_after(&before), expected, "{now}");
    }
    let before = custom(&[1.0, 2.0], &[1.0, 2.0, 3.0]);
    assert!(!custom(&[2.0], &[3.0, 3.0]).is_reset_after(&before));
    assert!(custom(&[2.0], &[2.0, 4.0]).is_reset_after(&before));
}

prop_compose! {
    fn any_histogram()(
        schema in -4i8..=8,
        // Where a bucket ends in every schema: elsewhere Prometheus counts some observations twice, and so do we.
        zero_threshold in prop::sample::select(vec![0.0, 1.0 / 65536.0, 1.0]),
        zero_count in 0u8..9,
        positive in prop::collection::vec((0i32..4, prop::collection::vec(0u8..9, 0..4)), 0..4),
        negative in prop::collection::vec((0i32..4, prop::collection::vec(0u8..9, 0..4)), 0..4),
        first in -6i32..6,
    ) -> Histogram {
        let side = |runs: Vec<(i32, Vec<u8>)>| {
            let mut spans: Vec<_> =
                runs.iter().map(|(offset, run)| Span { offset: *offset, length: run.len() as u32 }).collect();
            if let Some(span) = spans.first_mut() {
                span.offset = first;
            }
            (spans, runs.into_iter().flat_map(|(_, run)| run).map(f64::from).collect::<Vec<f64>>())
        };
        let (positive_spans, positive_buckets) = side(positive);
        let (negative_spans, negative_buckets) = side(negative);
        let zero_count = f64::from(zero_count);
        let count = zero_count + positive_buckets.iter().chain(&negative_buckets).sum::<f64>();
        let mut histogram = Histogram {
            schema, zero_count, count, positive_spans, positive_buckets, negative_spans, negative_buckets,
            ..Histogram::default()
        };
        // No bucket may lie within the zero bucket.
        histogram.add(&Histogram { schema, zero_threshold, ..Histogram::default() }).unwrap();
        histogram
    }
}

fn in_buckets(histogram: &Histogram) -> f64 {
    histogram.zero_count + histogram.positive_buckets.iter().chain(&histogram.negative_buckets).sum::<f64>()
}

proptest! {
    #[test]
    fn no_observation_is_lost(a in any_histogram(), b in any_histogram()) {
        let mut sum = a.clone();
        sum.add(&b).unwrap();
        prop_assert_eq!(sum.validate_integers(), Ok(()));
        prop_assert_eq!(sum.schema, a.schema.min(b.schema));
        let mut compensated = HistogramSum::new(a.clone());
        compensated.add(&b).unwrap();
        prop_assert!(compensated.total().equals(&sum));
        // Adding a histogram never looks like a reset, and taking it away again leaves as much as there was.
        prop_assert!(!sum.is_reset_after(&a) || sum.schema > a.schema);
        sum.subtract(&b).unwrap();
        prop_assert_eq!((sum.count, in_buckets(&sum)), (a.count, in_buckets(&a)));
    }

    #[test]
    fn compact_histograms_are_the_same(histogram in any_histogram(), max_empty in 0u32..5) {
        let shown = |histogram: &Histogram| histogram.buckets().filter(|bucket| bucket.count != 0.0).collect::<Vec<_>>();
        let mut compact = histogram.clone();
        compact.compact(max_empty);
        prop_assert_eq!(compact.validate(), Ok(()));
        prop_assert_eq!(shown(&compact), shown(&histogram));
        let again = compact.clone();
        compact.compact(max_empty);
        prop_assert_eq!(again, compact);
    }

    #[test]
    fn quantiles_ascend_and_fractions_undo_them(mut histogram in any_histogram(), q in 0.0f64..1.0) {
        prop_assume!(histogram.count > 0.0);
        histogram.sum = 1.0;
        let value = histogram.quantile(q).value;
        prop_assert!(histogram.quantile((q + 0.1).min(1.0)).value >= value);
        let (fraction, has_nans) = histogram.fraction(f64::NEG_INFINITY, value);
        prop_assert!(!has_nans && fraction <= 1.0);
        prop_assert!((fraction - q).abs() < 1e-9 || value == 0.0 || q == 0.0, "{} {}", fraction, q);
    }

    #[test]
    fn what_is_below_and_above_a_value_is_all(histogram in any_histogram(), value in -9.0f64..9.0) {
        let (mut below, mut above) = (histogram.clone(), histogram.clone());
        below.keep_below(value);
        above.keep_above(value);
        prop_assert!((in_buckets(&below) + in_buckets(&above) - in_buckets(&histogram)).abs() < 1e-9);
    }

    #[test]
    fn histograms_that_make_no_sense_do_no_harm(mut a in any_histogram(), b in any_histogram(), schema in any::<i8>()) {
        a.schema = schema;
        a.positive_buckets.push(1.0);
        a.negative_buckets.pop();
        let _ = (a.clone().add(&b), b.clone().subtract(&a), a.is_reset_after(&b), b.is_reset_after(&a));
        let _ = (a.quantile(0.5), a.fraction(-1.0, 1.0), a.to_string(), a.notation(), a.validate());
        let mut sum = HistogramSum::new(a.clone());
        let _ = (sum.add(&b), sum.clone().add_to_mean(&a), sum.total());
        a.keep_below(1.0);
        a.compact(1);
    }
}
