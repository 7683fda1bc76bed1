//! The bytes of every form that columns take, as released: what was written once is read forever, and is written again.
//!
//! A line that changes here breaks every block and log in the world. New forms get new tags and new lines.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use chunk::presence::{Presence, State};
use chunk::times::{self, Times};
use chunk::{Chunk, Samples, floats, histograms, row};
use model::{CounterReset, Histogram, STALE_NAN, Span};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn check_times(times: &[i64], expected: &str) {
    let mut bytes = Vec::new();
    times::encode(times, &mut bytes);
    assert_eq!(hex(&bytes), expected);
    let mut decoded = Vec::new();
    Times::parse(&bytes).unwrap().0.decode(&mut decoded).unwrap();
    assert_eq!(decoded, times);
}

#[test]
fn timestamps() {
    check_times(&[], "0000");
    check_times(&[1_700_000_000_000], "000180a0abfef962");
    check_times(&[1_000, 16_000, 31_000, 46_000], "0004d00f90bf05000000");
    check_times(&[1_000, 16_003, 31_000, 46_001], "0004d00f92bf050002004c");
    check_times(&[i64::MAX, i64::MIN], "0002feffffffffffffffff010201010002");
}

#[track_caller]
fn check_floats(values: &[f64], expected: &str) {
    let mut bytes = Vec::new();
    floats::encode(values, &mut bytes);
    assert_eq!(hex(&bytes), expected);
    let mut decoded = vec![7.0; values.len()];
    floats::decode(&bytes, &mut decoded).unwrap();
    assert!(decoded.iter().map(|value| value.to_bits()).eq(values.iter().map(|value| value.to_bits())));
}

#[test]
fn columns_of_floats() {
    // Constants.
    check_floats(&[1.0, 1.0], "01");
    check_floats(&[-2.25, -2.25], "c2c103");
    check_floats(&[f64::NAN, f64::NAN], "e0000000000000f87f");
    // Plain and with differences.
    check_floats(&[3.0, 1.0, 2.0, 1.0, 3.0, 2.0, 3.0, 1.0, 1.0], "800202122600");
    check_floats(&[0.01, 0.05, 0.10, 0.14, 0.18, 0.23, 0.27, 0.32, 0.36], "8241480852");
    // With a divisor.
    check_floats(&[0.0, 12_288.0, 4096.0, 8192.0, 12_288.0, 0.0], "8082010080209c03");
    // With patches, without and with a sign.
    let quiet = |odd: f64| (0..40).map(|i| if i == 30 { odd } else { f64::from(i % 2) }).collect::<Vec<_>>();
    check_floats(&quiet(1e6), "8081020001131e1fa107aaaaaaaaaa");
    let mut both = quiet(1e6);
    both[9] = -1e6;
    check_floats(&both, "80820203029389071ea1ff083deeeeeaeeeeeeeeeeeeee");
    // With corrections: products, a sum, and a NaN among numbers.
    check_floats(&[0.001 * 2010.0, 0.001 * 2011.0, 0.001 * 2012.0, 0.001 * 2013.0, 0.001 * 2014.0], "a340bc1f02010011");
    check_floats(&[0.1 + 0.2, 0.7, 0.8, 0.9, 1.0], "a10306607d010001");
    check_floats(
        &[1.0, f64::NAN, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0],
        "a0421a005855558101008080808080808084400200",
    );
    // Bits.
    check_floats(
        &[2f64.sqrt(), 3f64.sqrt(), 5f64.sqrt()],
        "e1c002d0d2bfb9f3ddf1818001bac3c89d90f78a0501310120976631201701",
    );
    check_floats(&[f64::MAX, -0.0, STALE_NAN], "e18202feffffffffffffefff01013201ffffffffffff0334");
}

#[test]
fn presence() {
    let check = |runs: &[(State, usize)], expected: &str| {
        let mut presence = Presence::default();
        runs.iter().for_each(|(state, rows)| presence.push(*state, *rows));
        let mut bytes = Vec::new();
        presence.encode(&mut bytes);
        assert_eq!(hex(&bytes), expected);
        assert_eq!(Presence::decode(&bytes, presence.rows()).unwrap().0, presence);
    };
    check(&[(State::Present, 9)], "00");
    check(&[(State::Present, 100), (State::Stale, 1), (State::Absent, 27)], "01038c030269");
    check(&[(State::Stale, 1), (State::Present, 1), (State::Absent, 2), (State::Present, 1)], "025200");
}

#[track_caller]
fn check_row(values: &[f64], present: Option<&[u64]>, reference: Option<&[f64]>, expected: &str) {
    let mut bytes = Vec::new();
    row::encode(values, present, reference, &mut bytes);
    assert_eq!(hex(&bytes), expected);
    let mut decoded = vec![7.0; values.len()];
    let (decoded_present, _) = row::decode(&bytes, reference, &mut decoded).unwrap();
    assert_eq!(decoded_present.as_deref(), present);
    assert!(decoded.iter().map(|value| value.to_bits()).eq(values.iter().map(|value| value.to_bits())));
}

#[test]
fn rows() {
    // Whole numbers, decimals, pages and kibibytes, one with a correction, and no decimals.
    let first = [1.0, 0.0, 12.25, 8_349_069_312.0, 3_145_728.0, 0.000_012_345, 0.1 + 0.2, 2f64.sqrt(), f64::NAN, -0.0];
    check_row(
        &first,
        None,
        None,
        "00fd03212e2399fe6649e33300e64972601e9f61f09a77fecc3c41ed7ff0000000000000f0fff0ffffffffffffffff",
    );
    let second = [1.0, 2.0, 12.5, 8_349_073_408.0, 3_146_752.0, 0.000_012_355, 0.3, 3f64.sqrt(), f64::NAN, 0.0];
    check_row(&second, None, Some(&first), "02fe02411e61fe21ee219e421100ac1b223b90bba201");
    // Absent ones as runs, then as bits.
    check_row(&[1.0, 0.0, 0.0, 0.0, 4.0], Some(&[0b10001]), None, "010011112181");
    let pattern: Vec<_> = (0..24).map(|i| f64::from(i % 2)).collect();
    check_row(&pattern, Some(&[0xaa_aaaa]), None, "0100aaaaaaaaaaaa212121212121212121212121");
}

#[test]
fn columns_of_histograms() {
    let mut first = Histogram {
        schema: 3,
        counter_reset: CounterReset::Unknown,
        zero_threshold: 0.0,
        zero_count: 1.0,
        count: 7.0,
        sum: 12.5,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 1, length: 1 }],
        positive_buckets: vec![1.0, 2.0, 3.0],
        negative_spans: Vec::new(),
        negative_buckets: Vec::new(),
        custom_values: Vec::new(),
    };
    let mut second = first.clone();
    second.counter_reset = CounterReset::NotReset;
    second.positive_spans = vec![Span { offset: -2, length: 4 }];
    second.positive_buckets = vec![1.0, 2.0, 1.0, 4.0];
    second.count = 9.0;
    let mut third = first.clone();
    third.schema = -53;
    third.zero_count = 0.0;
    third.custom_values = vec![0.5, 2.5];
    first.negative_spans = vec![Span { offset: 0, length: 1 }];
    first.negative_buckets = vec![0.5];
    let column = [first, second, third];
    let mut bytes = Vec::new();
    histograms::encode(&column, &mut bytes).unwrap();
    assert_eq!(
        hex(&bytes),
        "020300000001020302020101000101010304008101000202c1fa01018081010e020201020180010602c10a01cb00028181010a140200010203020201000000c1fa010007010203"
    );
    let mut decoded = Vec::new();
    histograms::decode(&bytes, column.len(), &mut decoded).unwrap();
    assert_eq!(decoded, column);
}

#[test]
fn chunks() {
    let check = |rows: &[Option<f64>], expected: &str| {
        let mut samples = Samples::default();
        rows.iter().for_each(|row| samples.push(*row));
        let mut bytes = Vec::new();
        samples.encode(&mut bytes);
        assert_eq!(hex(&bytes), expected);
        let mut decoded = Samples::<f64>::default();
        decoded.extend(&Chunk::parse(&bytes).unwrap()).unwrap();
        let mut again = Vec::new();
        decoded.encode(&mut again);
        assert_eq!(again, bytes);
    };
    check(&[Some(1.0); 128], "017f01");
    check(&[Some(1.0), None, Some(2.5), Some(STALE_NAN)], "81030284818101140f02");
    let mut started = Samples::default();
    (0..128).for_each(|_| started.push_started(Some(1.0), 1_700_000_000_000));
    let mut bytes = Vec::new();
    started.encode(&mut bytes);
    assert_eq!(hex(&bytes), "417f000180a0abfef96201");
    let mut restarted = Samples::default();
    for (value, start) in [(Some(1.0), 0), (None, 0), (Some(2.5), 7), (Some(STALE_NAN), 0), (Some(3.0), 7)] {
        restarted.push_started(value, start);
    }
    let mut bytes = Vec::new();
    restarted.encode(&mut bytes);
    assert_eq!(hex(&bytes), "c1040284000002000e000000000081830114051801");
    let mut empty = Samples::<Histogram>::default();
    empty.push(None);
    let mut bytes = Vec::new();
    empty.encode(&mut bytes).unwrap();
    assert_eq!(hex(&bytes), "82000201");
}
