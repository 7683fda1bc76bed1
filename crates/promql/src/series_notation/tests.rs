use std::convert::Infallible;

use model::{CUSTOM_BUCKETS_SCHEMA, CounterReset, Span};
use proptest::prelude::*;

use super::*;

/// The points of a line, with sums instead of histograms.
fn points(line: &str) -> String {
    let add = |a: &Histogram, sign: Sign, b: &Histogram| {
        let sum = a.sum + sign.apply(b.sum);
        Ok::<_, Infallible>(Histogram { sum, ..a.clone() })
    };
    let series = parse_series(line).unwrap();
    let shown = series.items.iter().flat_map(|item| item.points(add)).map(|point| match point.unwrap() {
        Point::Missing => "_".to_owned(),
        Point::Float(value) if model::is_stale(value) => "stale".to_owned(),
        Point::Float(value) => value.to_string(),
        Point::Histogram { histogram, .. } => format!("h{}", histogram.sum),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn items_stand_for_points() {
    for (line, expected) in [
        ("a", ""),
        ("a  ", ""),
        ("a _ _x3", "_ _ _ _"),
        ("a 1 -2.5 +3 1e3 .5 1_0", "1 -2.5 3 1000 0.5 10"),
        ("a Inf -Inf NaN +inf", "inf -inf NaN inf"),
        ("a stale 5x2", "stale 5 5 5"),
        ("a 1+2x3\t1-2x3", "1 3 5 7 1 -1 -3 -5"),
        ("a -1-1x1 0x3 1e+1x1", "-1 -2 0 0 0 0 10 10"),
        ("a 010", "8"),
        ("a {{}} {{ }} {{sum:3}}x1", "h0 h0 h3 h3"),
        ("a {{sum:1}}+{{sum:2}}x2 {{sum:1}}-{{sum:2}}x1", "h1 h3 h5 h1 h-1"),
    ] {
        assert_eq!(points(line), expected, "{line}");
    }
}

#[test]
fn labels_are_written_like_selectors() {
    for (line, labels) in [
        ("up 1", "up"),
        ("up{} 1", "up"),
        ("{} 1", "{}"),
        ("sum{by=\"x\",} 1", "sum{by=\"x\"}"),
        ("a:b{a=\"b\",c='d'} 1", "a:b{a=\"b\", c=\"d\"}"),
        ("{__name__=\"x\", a=`b c`} 1", "x{a=\"b c\"}"),
        ("{\"a.b\", \"c.d\"=\"e\"} 1", "{\"a.b\", \"c.d\"=\"e\"}"),
    ] {
        assert_eq!(parse_series(line).unwrap().labels.to_string(), labels, "{line}");
    }
}

#[test]
fn histograms_have_all_their_parts() {
    let line = "a {{schema:-53 SUM:-1.5 count:Inf custom_values:[5 10.5] buckets:[1 -2 3 ] offset:-1}}";
    let Item::Histogram { first, is_hint_given, .. } = &parse_series(line).unwrap().items[0] else {
        panic!("is a histogram");
    };
    assert_eq!((first.schema, first.sum, first.count), (CUSTOM_BUCKETS_SCHEMA, -1.5, f64::INFINITY));
    assert_eq!(first.custom_values, [5.0, 10.5]);
    assert_eq!(first.positive_spans, [Span { offset: -1, length: 3 }]);
    assert_eq!(first.positive_buckets, [1.0, -2.0, 3.0]);
    assert!(!is_hint_given);

    let line = "a {{z_bucket:2 z_bucket_w:0.5 n_buckets:[4] n_offset:3 counter_reset_hint:Gauge }}";
    let Item::Histogram { first, is_hint_given, .. } = &parse_series(line).unwrap().items[0] else {
        panic!("is a histogram");
    };
    assert_eq!((first.zero_count, first.zero_threshold), (2.0, 0.5));
    assert_eq!(first.negative_spans, [Span { offset: 3, length: 1 }]);
    assert_eq!(first.negative_buckets, [4.0]);
    assert_eq!((first.counter_reset, *is_hint_given), (CounterReset::Gauge, true));
}

#[test]
fn faults_are_shown_with_their_place() {
    for (line, message) in [
        ("a{b=1} 1", "1:5: parse error: unexpected character inside braces: '1'"),
        ("a{b!=\"1\"} 1", "1:4: parse error: unexpected <op:!=> in label set, expected \"=\""),
        ("a{b=\"1\"}1", "1:9: parse error: unexpected \"1\" in series values, expected a blank"),
        ("a 1x", "1:5: parse error: unexpected end of input in series values, expected number"),
        (
            "a 1x1.5",
            "1:5: parse error: invalid repetition in series values: parsing \"1.5\": invalid digit found in string",
        ),
        (
            "a 1+2",
            "1:6: parse error: unexpected end of input in series values, expected \"x\" and a number of repetitions",
        ),
        ("a stalex2", "1:3: parse error: unexpected \"s\" in series values, expected number or \"stale\""),
        ("a 1.2.3", "1:3: parse error: error parsing number: strconv.ParseFloat: parsing \"1.2.3\": invalid syntax"),
        ("a {{sum}}", "1:5: parse error: missing `:` for histogram descriptor"),
        ("a {{sum:1 sum:2}}", "1:11: parse error: duplicate key \"sum\" in histogram"),
        ("a {{schema:400}}", "1:5: parse error: 400 is out of range"),
        (
            "a {{schema:1}}+{{schema:0}}x2",
            "1:5: parse error: error combining histograms: cannot merge from schema 0 to 1",
        ),
    ] {
        assert_eq!(parse_series(line).unwrap_err().to_string(), message, "{line}");
    }
}

#[test]
fn start_times_are_relative_to_the_points() {
    assert_eq!(parse_start_times("a{b=\"c d\"} 1"), Ok(None));
    let times = parse_start_times("a{b=\"c d\"}@st _ _x2 -30s 0 1ms-1mx2 -1h1mx3").unwrap().unwrap();
    assert_eq!(times.labels.to_string(), "a{b=\"c d\"}");
    let relative = |first_ms, change_ms, count| StartItem::Relative { first_ms, change_ms, count };
    assert_eq!(
        times.items,
        [
            StartItem::Missing { count: 1 },
            StartItem::Missing { count: 2 },
            relative(-30_000, 0, 1),
            relative(0, 0, 1),
            relative(1, -60_000, 3),
            relative(-3_660_000, 0, 4),
        ]
    );
    assert!(parse_start_times("a@st 1").is_err());
    assert!(parse_start_times("a@st1m").is_err());
}

#[test]
fn a_short_item_with_billions_of_points_costs_nothing() {
    let series = parse_series("a 1x18446744073709551615").unwrap();
    assert_eq!(series.items[0].count(), u64::MAX);
    let never = |_: &Histogram, _: Sign, _: &Histogram| Err(());
    assert_eq!(series.items[0].points(never).take(3).count(), 3);
}

proptest! {
    #[test]
    fn any_line_is_a_series_or_an_error(line in "[a{}\"= ]{0,6}([ _x0-9.+-]|\\{\\{|\\}\\}|sum:|buckets:\\[|\\]|stale|Inf|é){0,20}") {
        let _ = parse_series(&line);
        let _ = parse_start_times(&line);
    }

    #[test]
    fn what_is_written_is_read(
        values in prop::collection::vec((any::<f64>(), prop::option::of(0..9u64)), 0..9),
    ) {
        let mut line = "a".to_owned();
        for (value, repetition) in &values {
            // Words such as NaN cannot be repeated.
            match repetition {
                Some(more) if value.is_finite() => line += &format!(" {value:?}x{more}"),
                _ => line += &format!(" {value:?}"),
            }
        }
        let items = parse_series(&line).unwrap().items;
        prop_assert_eq!(items.len(), values.len());
        for (item, (value, repetition)) in items.iter().zip(values) {
            let count = repetition.filter(|_| value.is_finite()).map_or(1, |more| more + 1);
            let Item::Float { first, change: None, count: read } = *item else {
                return Err(TestCaseError::fail("is no constant float"));
            };
            prop_assert!(read == count && (first == value || first.is_nan() && value.is_nan()));
        }
    }
}
