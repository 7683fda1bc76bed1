//! Chunks of all kinds read as one map of times.

use std::collections::BTreeMap;

use model::{CounterReset, Histogram, STALE_NAN, Value, is_stale};
use proptest::prelude::*;

use super::*;

/// What a row holds: nothing, a staleness marker or a number.
#[derive(Clone, Copy, Debug)]
enum Row {
    Absent,
    Stale,
    Number(i8),
}

#[derive(Clone, Debug)]
struct Rows {
    kind: Kind,
    encoded: bool,
    rows: BTreeMap<i64, Row>,
}

fn histogram(sum: f64) -> Histogram {
    Histogram {
        schema: 0,
        counter_reset: CounterReset::Unknown,
        zero_threshold: 0.0,
        zero_count: 0.0,
        count: 0.0,
        sum,
        positive_spans: Vec::new(),
        positive_buckets: Vec::new(),
        negative_spans: Vec::new(),
        negative_buckets: Vec::new(),
        custom_values: Vec::new(),
    }
}

fn number(row: Row) -> Option<f64> {
    match row {
        Row::Absent => None,
        Row::Stale => Some(STALE_NAN),
        Row::Number(number) => Some(f64::from(number)),
    }
}

/// When the counter of a value began: some of them nobody knows.
fn began(value: f64) -> i64 {
    if is_stale(value) { 0 } else { (value as i64).rem_euclid(3) }
}

impl Rows {
    fn chunk(&self) -> Chunk {
        if self.encoded && !self.rows.is_empty() { self.encode() } else { self.decoded() }
    }

    fn decoded(&self) -> Chunk {
        let mut samples = Samples::new();
        for (time, value) in self.rows.iter().filter_map(|(time, row)| Some((*time, number(*row)?))) {
            let start = began(value);
            let value = match self.kind {
                Kind::Floats => Value::Float(value),
                Kind::Histograms => Value::Histogram(Arc::new(histogram(value))),
            };
            samples.push(&model::Sample { timestamp: Timestamp(time), value }, start);
        }
        Chunk::Samples(Arc::new(samples))
    }

    fn encode(&self) -> Chunk {
        let mut times = Vec::new();
        chunk::times::encode(&self.rows.keys().copied().collect::<Vec<_>>(), &mut times);
        let mut bytes = Vec::new();
        match self.kind {
            Kind::Floats => {
                let mut samples = chunk::Samples::default();
                let rows = self.rows.values().map(|row| number(*row));
                rows.for_each(|value| samples.push_started(value, value.map_or(0, began)));
                samples.encode(&mut bytes);
            }
            Kind::Histograms => {
                let mut samples = chunk::Samples::default();
                let rows = self.rows.values().map(|row| number(*row));
                rows.for_each(|value| samples.push_started(value.map(histogram), value.map_or(0, began)));
                samples.encode(&mut bytes).unwrap();
            }
        }
        Chunk::Encoded { times: Arc::new(Times::new(times.into())), bytes: bytes.into() }
    }
}

/// The kind of a sample and the bits of its number.
type Read = BTreeMap<i64, (Kind, u64)>;

fn read(chunks: Vec<Chunk>, range: TimeRange) -> Read {
    let mut samples = Samples::new();
    Series { labels: Labels::empty(), chunks }.read(range, &mut samples).unwrap();
    let ascending = |times: &[i64]| times.is_sorted_by(|a, b| a < b);
    assert!(ascending(&samples.float_times) && ascending(&samples.histogram_times));
    let count = samples.len();
    let read: Read = samples
        .iter()
        .map(|sample| match sample.value {
            Value::Float(value) => (sample.timestamp.as_ms(), (Kind::Floats, value.to_bits())),
            Value::Histogram(value) => (sample.timestamp.as_ms(), (Kind::Histograms, value.sum.to_bits())),
        })
        .collect();
    assert_eq!(read.len(), count, "a time comes once");
    let float_starts: Vec<i64> = samples.floats.iter().map(|value| began(*value)).collect();
    let histogram_starts: Vec<i64> = samples.histograms.iter().map(|histogram| began(histogram.sum)).collect();
    for (starts, expected) in [(samples.float_starts, float_starts), (samples.histogram_starts, histogram_starts)] {
        let are_unknown = starts.is_empty() && expected.iter().all(|start| *start == 0);
        assert!(are_unknown || starts == expected, "{starts:?} for {expected:?}");
    }
    read
}

/// What [`Series::read`] promises, said one sample at a time.
fn expected(chunks: &[Rows], range: TimeRange) -> Read {
    let mut best: BTreeMap<i64, (bool, Kind, f64)> = BTreeMap::new();
    for (kind, chunk) in
        [Kind::Floats, Kind::Histograms].into_iter().flat_map(|kind| chunks.iter().map(move |c| (kind, c)))
    {
        for (time, row) in chunk.rows.iter().filter(|_| chunk.kind == kind) {
            let Some(value) = number(*row).filter(|_| range.contains(Timestamp(*time))) else { continue };
            let candidate = (is_stale(value), kind, value);
            let known = best.entry(*time).or_insert(candidate);
            if known.0 && !candidate.0 {
                *known = candidate;
            }
        }
    }
    best.into_iter().map(|(time, (_, kind, value))| (time, (kind, value.to_bits()))).collect()
}

fn rows() -> impl Strategy<Value = Rows> {
    let row = prop_oneof![Just(Row::Absent), Just(Row::Stale), any::<i8>().prop_map(Row::Number)];
    let rows = (0i64..60, prop::collection::vec((1i64..4, row), 0..20)).prop_map(|(start, rows)| {
        let mut time = start;
        rows.into_iter()
            .map(|(step, row)| {
                time += step;
                (time, row)
            })
            .collect()
    });
    let kinds = prop::sample::select(vec![Kind::Floats, Kind::Floats, Kind::Histograms]);
    (kinds, any::<bool>(), rows).prop_map(|(kind, encoded, rows)| Rows { kind, encoded, rows })
}

fn floats(points: &[(i64, f64)]) -> Chunk {
    let (float_times, floats) = points.iter().copied().unzip();
    Chunk::Samples(Arc::new(Samples { float_times, floats, ..Samples::new() }))
}

#[test]
fn starts_stay_beside_their_samples() {
    let with_starts = |points: &[(i64, f64)], start| {
        let Chunk::Samples(samples) = floats(points) else { unreachable!("it was just made") };
        let float_starts = vec![start; points.len()];
        Chunk::Samples(Arc::new(Samples { float_starts, ..Samples::clone(&samples) }))
    };
    let encoded = Rows { kind: Kind::Floats, encoded: true, rows: [(3, Row::Number(3)), (6, Row::Number(7))].into() };
    let chunks = vec![with_starts(&[(4, 4.0), (5, 5.0)], 2), encoded.chunk(), with_starts(&[(5, -5.0)], 1)];
    let mut samples = Samples::new();
    Series { labels: Labels::empty(), chunks }.read(TimeRange::ALL, &mut samples).unwrap();
    assert_eq!((samples.float_times, samples.floats), (vec![3, 4, 5, 6], vec![3.0, 4.0, 5.0, 7.0]));
    assert_eq!(samples.float_starts, [0, 2, 2, 1]);
}

#[test]
fn a_value_beats_a_marker_and_a_float_a_histogram() {
    let row = |kind, row| Rows { kind, encoded: true, rows: [(1, row)].into() };
    let [marker, float] = [Row::Stale, Row::Number(1)].map(|value| row(Kind::Floats, value).chunk());
    let [histogram_marker, histogram] = [Row::Stale, Row::Number(2)].map(|value| row(Kind::Histograms, value).chunk());
    let check = |chunks: [&Chunk; 2], kind, value: f64| {
        let read = read(chunks.map(Clone::clone).to_vec(), TimeRange::ALL);
        assert_eq!(read, Read::from([(1, (kind, value.to_bits()))]));
    };
    check([&marker, &float], Kind::Floats, 1.0);
    check([&histogram, &float], Kind::Floats, 1.0);
    check([&marker, &histogram], Kind::Histograms, 2.0);
    check([&histogram_marker, &marker], Kind::Floats, STALE_NAN);
}

#[test]
fn damaged_chunks_are_told() {
    let rows = Rows { kind: Kind::Floats, encoded: true, rows: [(1, Row::Number(1)), (2, Row::Number(5))].into() };
    let Chunk::Encoded { times, bytes } = rows.chunk() else { unreachable!("it was just encoded") };
    let fails = |times: Arc<Times>, bytes: Bytes| {
        let series = Series { labels: Labels::empty(), chunks: vec![Chunk::Encoded { times, bytes }] };
        matches!(series.read(TimeRange::ALL, &mut Samples::new()), Err(QueryError::Corrupt(_)))
    };
    assert!(!fails(times.clone(), bytes.clone()));
    assert!(fails(times, bytes.slice(..bytes.len() - 1)));
    assert!(fails(Arc::new(Times::new(Bytes::from_static(&[0, 1, 2]))), bytes));
}

proptest! {
    #[test]
    fn chunks_are_one_map_of_times(chunks in prop::collection::vec(rows(), 0..6), start in 0i64..80, length in 0i64..80) {
        let range = TimeRange::new(Timestamp(start), Timestamp(start + length));
        for range in [range, TimeRange::ALL] {
            prop_assert_eq!(read(chunks.iter().map(Rows::chunk).collect(), range), expected(&chunks, range));
        }
    }

    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..60), times in prop::collection::vec(any::<u8>(), 0..30)) {
        let times = Arc::new(Times::new(times.into()));
        let series = Series { labels: Labels::empty(), chunks: vec![Chunk::Encoded { times, bytes: bytes.into() }] };
        let _ = series.read(TimeRange::ALL, &mut Samples::new());
    }
}

#[test]
fn histograms_learn_of_resets_from_those_before_the_range() {
    let counts = [1.0, 2.0, 1.0, 3.0];
    let mut rows = chunk::Samples::default();
    counts.into_iter().for_each(|count| rows.push(Some(Histogram { count, ..histogram(count) })));
    let mut bytes = Vec::new();
    rows.encode(&mut bytes).unwrap();
    let mut encoded = Vec::new();
    chunk::times::encode(&[10, 20, 30, 40], &mut encoded);
    let times = Arc::new(Times::new(encoded.into()));
    let series = Series { labels: Labels::default(), chunks: vec![Chunk::Encoded { times, bytes: bytes.into() }] };
    let mut samples = Samples::new();
    series.read(TimeRange::inclusive(Timestamp(20), Timestamp(40)), &mut samples).unwrap();
    let resets: Vec<CounterReset> = samples.histograms.iter().map(|histogram| histogram.counter_reset).collect();
    assert_eq!(resets, [CounterReset::NotReset, CounterReset::Unknown, CounterReset::NotReset]);
}
