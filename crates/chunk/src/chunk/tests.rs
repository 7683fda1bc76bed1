use proptest::prelude::*;

use super::*;
use crate::Samples;

/// What a row is to be: a value, a marker or nothing.
type Row = Option<f64>;

fn encoded(rows: &[Row]) -> Vec<u8> {
    let mut samples = Samples::default();
    rows.iter().for_each(|row| samples.push(*row));
    let mut bytes = Vec::new();
    samples.encode(&mut bytes);
    bytes
}

/// What `read_into` gives for `[start, end)` of rows at 10, 20, 30, …
fn read(bytes: &[u8], start: i64, end: i64, markers: Markers) -> Vec<(i64, u64)> {
    let chunk = Chunk::parse(bytes).unwrap();
    let times: Vec<_> = (1..=chunk.presence().rows() as i64).map(|row| 10 * row).collect();
    let (mut out_times, mut out_values) = (vec![7], vec![7.0]);
    let range = TimeRange::new(Timestamp(start), Timestamp(end));
    chunk.read_into(&times, range, markers, &mut out_times, &mut out_values).unwrap();
    assert_eq!((out_times[0], out_values[0], out_values.len()), (7, 7.0, out_times.len()));
    out_times.into_iter().zip(out_values.into_iter().map(f64::to_bits)).skip(1).collect()
}

#[test]
fn constant_chunks_take_three_bytes() {
    assert_eq!(encoded(&[Some(1.0); 128]), [1, 127, 1]);
    assert_eq!(encoded(&[Some(-2.5); 128]), [1, 127, 0xc1, 49]);
    // A series that ended, and whose target was scraped on.
    let ended = [vec![Some(1.0); 100], vec![Some(STALE_NAN)], vec![None; 27]].concat();
    assert_eq!(encoded(&ended).len(), 9);
}

#[test]
fn chunks_of_another_kind_are_refused() {
    let bytes = encoded(&[Some(1.0)]);
    let chunk = Chunk::parse(&bytes).unwrap();
    let error = chunk.values(&mut Vec::<Histogram>::new()).unwrap_err();
    assert_eq!(error.to_string(), "chunk holds floats, wanted histograms");
    assert!(Samples::<Histogram>::default().extend(&chunk).is_err());
    let error = chunk.read_into(&[], TimeRange::ALL, Markers::Skip, &mut Vec::new(), &mut Vec::<f64>::new());
    assert_eq!(error.unwrap_err().to_string(), "a chunk's number of rows is 1, expected 0");
    assert!(matches!(Chunk::parse(&[3, 0, 0]), Err(DecodeError::UnknownTag { what: "chunk", tag: 3 })));
}

#[test]
fn bytes_after_the_values_are_refused() {
    let mut bytes = encoded(&[Some(1.0), Some(2.0)]);
    bytes.push(0);
    let error = Chunk::parse(&bytes).unwrap().values(&mut Vec::<f64>::new()).unwrap_err();
    assert_eq!(error.to_string(), "chunk is followed by 1 bytes that are not its own");
}

#[test]
fn histograms_and_their_markers_are_kept_apart() {
    let mut histogram = <Histogram as crate::value::sealed::Value>::marker();
    histogram.sum = 1.5;
    let mut stale = histogram.clone();
    stale.sum = STALE_NAN;
    let mut samples = Samples::default();
    for row in [Some(histogram.clone()), Some(stale), None, Some(histogram.clone())] {
        samples.push(row);
    }
    let mut bytes = Vec::new();
    samples.encode(&mut bytes).unwrap();
    let chunk = Chunk::parse(&bytes).unwrap();
    assert_eq!(chunk.kind(), Kind::Histograms);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    chunk.read_into(&[1, 2, 3, 4], TimeRange::ALL, Markers::Skip, &mut times, &mut values).unwrap();
    assert_eq!((times, values), (vec![1, 4], vec![histogram.clone(), histogram]));
    let mut kept = Vec::<Histogram>::new();
    chunk.read_into(&[1, 2, 3, 4], TimeRange::ALL, Markers::Keep, &mut Vec::new(), &mut kept).unwrap();
    assert!(model::is_stale(kept[1].sum) && kept.len() == 3);
    assert!(chunk.last_float().is_err());
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![
        4 => (0..100u32).prop_map(f64::from),
        2 => (0..1_000_000u32).prop_map(|n| f64::from(n) * 0.001),
        1 => any::<u64>().prop_map(f64::from_bits),
    ];
    let row = prop_oneof![8 => value.prop_map(Some), 1 => Just(None), 1 => Just(Some(STALE_NAN))];
    let runs = prop::collection::vec((row.clone(), 1..20usize), 1..20);
    let runs = runs.prop_map(|runs| runs.into_iter().flat_map(|(row, times)| vec![row; times]).collect());
    prop_oneof![runs, prop::collection::vec(row, 1..200)]
}

proptest! {
    #[test]
    fn any_range_of_any_rows_reads_back(rows in rows(), start in 0..2000i64, length in 0..2500i64) {
        let bytes = encoded(&rows);
        let all: Vec<_> = (1..).map(|row| 10 * row).zip(&rows).filter_map(|(t, row)| Some((t, (*row)?.to_bits()))).collect();
        let within: Vec<_> = all.iter().copied().filter(|(t, _)| (start..start + length).contains(t)).collect();
        prop_assert_eq!(read(&bytes, start, start + length, Markers::Keep), within.clone());
        let live = |sample: &(i64, u64)| sample.1 != STALE_NAN.to_bits();
        let live: Vec<_> = within.into_iter().filter(live).collect();
        prop_assert_eq!(read(&bytes, start, start + length, Markers::Skip), live);
        let last = Chunk::parse(&bytes).unwrap().last_float().unwrap();
        prop_assert_eq!(last.map(|(row, value)| (10 * (row as i64 + 1), value.to_bits())), all.last().copied());
    }

    #[test]
    fn merged_chunks_are_the_chunk_of_all_rows(rows in rows(), length in 1..50usize) {
        let frames: Vec<_> = rows.chunks(length).map(encoded).collect();
        let mut merged = Samples::<f64>::default();
        for frame in &frames {
            merged.extend(&Chunk::parse(frame).unwrap()).unwrap();
        }
        let mut bytes = Vec::new();
        merged.encode(&mut bytes);
        prop_assert_eq!(merged.rows(), rows.len());
        prop_assert_eq!(bytes, encoded(&rows));
    }

    #[test]
    fn starts_of_any_range_read_back(
        rows in prop::collection::vec((prop::option::of(0..9u32), 0..3i64), 1..60),
        parts in 1..20usize,
        start in 0..700i64,
        length in 0..700i64,
    ) {
        // Of every kind of row one: a marker is what would be the value 8.
        let rows: Vec<(Row, i64)> = rows
            .into_iter()
            .map(|(value, began)| (value.map(|value| if value == 8 { STALE_NAN } else { f64::from(value) }), began))
            .collect();
        let push = |samples: &mut Samples<f64>, rows: &[(Row, i64)]| {
            rows.iter().for_each(|(row, began)| samples.push_started(*row, *began));
        };
        let mut merged = Samples::<f64>::default();
        for part in rows.chunks(parts) {
            let (mut samples, mut bytes) = (Samples::default(), Vec::new());
            push(&mut samples, part);
            samples.encode(&mut bytes);
            merged.extend(&Chunk::parse(&bytes).unwrap()).unwrap();
        }
        let (mut all, mut bytes, mut merged_bytes) = (Samples::default(), Vec::new(), Vec::new());
        push(&mut all, &rows);
        all.encode(&mut bytes);
        merged.encode(&mut merged_bytes);
        prop_assert_eq!(&merged_bytes, &bytes);
        let chunk = Chunk::parse(&bytes).unwrap();
        let times: Vec<i64> = (1..=rows.len() as i64).map(|row| 10 * row).collect();
        let range = TimeRange::new(Timestamp(start), Timestamp(start + length));
        for markers in [Markers::Keep, Markers::Skip] {
            let (mut read_times, mut starts) = (Vec::new(), vec![7]);
            chunk.read_into(&times, range, markers, &mut read_times, &mut Vec::<f64>::new()).unwrap();
            chunk.read_starts_into(&times, range, markers, &mut starts).unwrap();
            let of = |time: &i64| match rows[(*time / 10 - 1) as usize] {
                (Some(value), began) if !model::is_stale(value) => began,
                _ => 0,
            };
            let expected: Vec<i64> = read_times.iter().map(of).collect();
            let known = rows.iter().any(|(row, began)| *began != 0 && row.is_some_and(|value| !model::is_stale(value)));
            prop_assert_eq!(&starts[1..], if known { &expected[..] } else { &[] });
        }
        for length in 0..bytes.len() {
            let values = Chunk::parse(&bytes[..length]).and_then(|chunk| chunk.values(&mut Vec::<f64>::new()));
            prop_assert!(values.is_err(), "cut at {}", length);
        }
    }

    #[test]
    fn cut_chunks_are_refused(rows in rows()) {
        let bytes = encoded(&rows);
        for length in 0..bytes.len() {
            let values = Chunk::parse(&bytes[..length]).and_then(|chunk| chunk.values(&mut Vec::<f64>::new()));
            prop_assert!(values.is_err(), "cut at {}", length);
        }
    }

    #[test]
    fn any_bytes_are_borne(kind in prop::sample::select(vec![1u8, 2, 0x81, 0x82, 0x41, 0x42, 0xc1, 0xc2]), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let bytes = [&[kind], &bytes[..]].concat();
        let Ok(chunk) = Chunk::parse(&bytes) else { return Ok(()) };
        let last = chunk.last_float();
        prop_assert!(chunk.starts().are_unknown() || chunk.starts().values() == chunk.presence().values());
        let (mut values, mut histograms) = (Vec::<f64>::new(), Vec::<Histogram>::new());
        if chunk.values(&mut values).is_ok() {
            prop_assert_eq!(values.len(), chunk.presence().values());
            prop_assert!(last.is_ok());
        }
        let decoded = chunk.values(&mut histograms);
        prop_assert_eq!(histograms.len(), if decoded.is_ok() { chunk.presence().values() } else { 0 });
    }
}
