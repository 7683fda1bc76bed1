use std::sync::Arc;

use model::{CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram, STALE_NAN, Span, Timestamp};
use proptest::prelude::*;

use super::*;

fn float(time: i64, value: f64) -> Sample {
    Sample { timestamp: Timestamp(time), value: Value::Float(value) }
}

fn histogram(time: i64, histogram: Histogram) -> Sample {
    Sample { timestamp: Timestamp(time), value: Value::Histogram(Arc::new(histogram)) }
}

/// Samples to the bit: NaNs are not equal to themselves otherwise.
fn shown(samples: &[Sample]) -> Vec<String> {
    let shown = samples.iter().map(|sample| match &sample.value {
        Value::Float(value) => format!("{:?} {:x}", sample.timestamp, value.to_bits()),
        Value::Histogram(histogram) => {
            format!("{:?} {:x} {histogram:?}", sample.timestamp, histogram.sum.to_bits())
        }
    });
    shown.collect()
}

fn decoded(chunks: &[Chunk]) -> Vec<Sample> {
    chunks.iter().flat_map(|chunk| decode(chunk.encoding, &chunk.bytes).unwrap()).collect()
}

fn hex(chunk: &Chunk) -> String {
    chunk.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One whose counts are no integers.
fn native(count: f64) -> Histogram {
    Histogram { zero_count: 1.5, ..whole(count) }
}

/// One whose counts are integers, if the count is eight times some.
fn whole(count: f64) -> Histogram {
    Histogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: count / 8.0,
        count,
        sum: count * 2.5,
        positive_spans: vec![Span { offset: -2, length: 1 }, Span { offset: 3, length: 2 }],
        positive_buckets: vec![count / 2.0, count / 4.0, count / 8.0],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        negative_buckets: vec![2.0],
        ..Histogram::default()
    }
}

/// What Prometheus' own `chunkenc` (version 3.15) wrote for the same samples.
#[track_caller]
fn check_bytes(samples: Vec<Sample>, expected: &str) {
    let chunks = encode(samples.clone());
    assert_eq!(chunks.iter().map(hex).collect::<Vec<_>>(), [expected]);
}

#[test]
fn bytes_of_floats_are_those_of_prometheus() {
    let steps = [15_000, 15_000, 15_001, 14_000, 60_000, 300_000, 5_000_000_000, 15_000, 15_000, 1, 2, 3];
    let mut time = 1_700_000_000_000;
    let samples = (0..12).zip(steps).map(|(number, step)| {
        let value = match number {
            5 => STALE_NAN,
            7 | 8 => -1e300,
            _ => f64::from(number) * 1.1,
        };
        time += step;
        float(time - step, value)
    });
    check_bytes(
        samples.collect(),
        concat!(
            "000c80a0abfef96200000000000000009875c5effe333333333333584bfff0003b34bfffffffffffdbc17d7aefffffff",
            "fffff72cec3177ff0cccccccccccf8ea60317dff5333333333332f800000009500af106002f8b6096bb9984fefffffff",
            "ffb57e92260af850a3c11332e547715a60005cccccccccccd800180038ccccccccccd0",
        ),
    );
}

#[test]
fn bytes_of_histograms_are_those_of_prometheus() {
    let samples = vec![
        histogram(1_700_000_000_000, native(8.0)),
        histogram(1_700_000_015_000, native(9.0)),
        histogram(1_700_000_030_001, native(29.0)),
        histogram(1_700_000_045_001, Histogram { sum: STALE_NAN, ..Histogram::default() }),
    ];
    check_bytes(
        samples,
        concat!(
            "000400ff3f50624dd2f1a9fc8ca3694e317f0000c5e7f2b40020100000000000001ffc000000000000201a0000000000",
            "00200800000000000020000000000000001ff800000000000020000000000000007c1d4c6e06dc1ddc0f703dc0d1d62f",
            "da4ac9750dfeb17f84ffffebe13e01ee22fffe2f7fa2200000000002",
        ),
    );
    let samples = vec![
        histogram(1_700_000_000_000, whole(8.0)),
        histogram(1_700_000_015_000, whole(16.0)),
        histogram(1_700_000_030_001, whole(48.0)),
        histogram(1_700_000_045_001, Histogram { sum: STALE_NAN, ..Histogram::default() }),
    ];
    check_bytes(
        samples,
        concat!(
            "000400ff3f50624dd2f1a9fc8ca3694e317f0000c5e7f2b400622280680000000000014b5e5f07531888e90fd2d74731",
            "3d626e337555cc5eff5c000000000004",
        ),
    );
    let custom = Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        counter_reset: CounterReset::Gauge,
        count: 3.0,
        sum: 7.0,
        custom_values: vec![-3.5, 0.005, 1.0, 40_000.0],
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![1.0, 2.0],
        ..Histogram::default()
    };
    check_bytes(
        vec![histogram(-5, custom)],
        "0001c000ee5c645180180000000000016f1f49038e200000000003773200e000000000000462",
    );
    let coarse =
        Histogram { schema: -4, zero_threshold: 2f64.powi(-128), count: 1.0, zero_count: 1.0, ..Histogram::default() };
    check_bytes(vec![histogram(1, coarse)], "00010074de118c400000000000000000");
}

#[test]
fn a_chunk_of_histograms_ends_where_readers_would_take_it_for_something_else() {
    let custom = Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: 3.0,
        custom_values: vec![0.005, 1.0, -3.5, 40_000.0],
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![1.0, 2.0],
        ..Histogram::default()
    };
    let gauge = Histogram { counter_reset: CounterReset::Gauge, ..native(4.0) };
    let stale = Histogram { sum: STALE_NAN, ..Histogram::default() };
    let samples = [
        histogram(0, native(8.0)),
        histogram(10, native(9.0)),
        histogram(20, native(1.0)),
        histogram(30, stale),
        histogram(40, native(2.0)),
        histogram(50, gauge.clone()),
        histogram(60, Histogram { sum: 1.0, ..gauge }),
        float(70, 1.0),
        histogram(80, custom),
        histogram(90, whole(8.0)),
        histogram(100, native(9.0)),
    ];
    let chunks = encode(samples.clone());
    let counts: Vec<usize> = chunks.iter().map(|chunk| decode(chunk.encoding, &chunk.bytes).unwrap().len()).collect();
    assert_eq!(counts, [2, 2, 1, 2, 1, 1, 1, 1]);
    let hints = decoded(&chunks).into_iter().filter_map(|sample| match sample.value {
        Value::Histogram(histogram) if !histogram.is_stale() => Some(histogram.counter_reset),
        _ => None,
    });
    use CounterReset::{Gauge, NotReset, Reset, Unknown};
    assert_eq!(hints.collect::<Vec<_>>(), [Unknown, NotReset, Reset, Unknown, Gauge, Gauge, Unknown, Reset, Unknown]);
    let without_hints = |samples: &[Sample]| {
        let mut samples = samples.to_vec();
        for sample in &mut samples {
            if let Value::Histogram(histogram) = &mut sample.value {
                Arc::make_mut(histogram).counter_reset = Unknown;
            }
        }
        shown(&samples)
    };
    assert_eq!(without_hints(&decoded(&chunks)), without_hints(&samples));
}

proptest! {
    #[test]
    fn floats_come_back(steps in prop::collection::vec((0i64..1 << 40, any::<u64>(), any::<bool>()), 0..300)) {
        let (mut time, mut samples) = (-(1i64 << 41), Vec::new());
        for (step, bits, is_small) in steps {
            time += if is_small { step % 40_000 } else { step };
            samples.push(float(time, if is_small { (bits % 100) as f64 } else { f64::from_bits(bits) }));
        }
        let chunks = encode(samples.clone());
        prop_assert_eq!(shown(&decoded(&chunks)), shown(&samples));
        for chunk in &chunks {
            prop_assert!(chunk.bytes.len() < 4096);
            for end in 0..chunk.bytes.len() {
                prop_assert!(decode(chunk.encoding, &chunk.bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn histograms_come_back(
        counts in prop::collection::vec(([0u64..1 << 53, 0..100, 0..2, 0..1 << 30], any::<bool>(), 0i64..1 << 40), 1..200),
        fraction in prop::sample::select(vec![0.0, 0.5]),
    ) {
        let mut time = -(1i64 << 41);
        let samples = counts.into_iter().map(|([count, zero, one, other], is_gauge, step)| {
            time += step;
            let counter_reset = if is_gauge { CounterReset::Gauge } else { CounterReset::Unknown };
            let buckets = vec![one as f64 + fraction, other as f64, zero as f64];
            let value = Histogram { counter_reset, positive_buckets: buckets, zero_count: zero as f64, ..whole(count as f64) };
            // Two sides and one bucket each that go up and down.
            histogram(time, Histogram { negative_buckets: vec![other as f64], ..value })
        });
        let samples: Vec<Sample> = samples.collect();
        let numbers = |samples: &[Sample]| samples.iter().map(|sample| match &sample.value {
            Value::Float(_) => panic!("a histogram became a float"),
            Value::Histogram(value) => {
                let unmarked = Histogram { counter_reset: CounterReset::Unknown, ..Histogram::clone(value) };
                (sample.timestamp, unmarked)
            }
        }).collect::<Vec<_>>();
        let chunks = encode(samples.clone());
        prop_assert_eq!(numbers(&decoded(&chunks)), numbers(&samples));
        for chunk in chunks.iter().take(3) {
            for end in 0..chunk.bytes.len() {
                prop_assert!(decode(chunk.encoding, &chunk.bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        drop(decode(Encoding::Xor, &bytes));
        drop(decode(Encoding::Histogram, &bytes));
        drop(decode(Encoding::FloatHistogram, &bytes));
    }
}
