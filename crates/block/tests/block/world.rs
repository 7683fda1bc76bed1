//! Series as plain maps, and the blocks that are made of them.

use std::collections::BTreeMap;

use block::{BlockSummary, BlockWriter, ChunkRef, TimesRef, WriteError};
use bytes::Bytes;
use chunk::{Presence, State};
use futures::executor::block_on;
use futures::stream::TryStreamExt;
use model::{CounterReset, Histogram, Labels, Matcher, Span, TimeRange, is_stale};
use proptest::prelude::*;
use series::{Budget, Hints, QueryError, Queryable, Samples, Select, Series};

/// What a row has for a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Absent,
    Stale,
    Float(f64),
    Histogram(Histogram),
}

/// Rows of a series, and when they are. All values are of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) times: Vec<i64>,
    pub(crate) cells: Vec<Cell>,
}

/// Series with their chunks.
pub(crate) type World = BTreeMap<Labels, Vec<Rows>>;

impl Rows {
    /// The times of the first and the last sample; `None` if there is none.
    pub(crate) fn range(&self) -> Option<TimeRange> {
        let mut held = self.times.iter().zip(&self.cells).filter(|(_, cell)| **cell != Cell::Absent);
        let first = *held.next()?.0;
        let last = held.next_back().map_or(first, |(time, _)| *time);
        Some(TimeRange::inclusive(model::Timestamp(first), model::Timestamp(last)))
    }

    fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let mut presence = Presence::default();
        let (mut floats, mut histograms) = (Vec::new(), Vec::<Histogram>::new());
        for cell in &self.cells {
            let state = match cell {
                Cell::Absent => State::Absent,
                Cell::Stale => State::Stale,
                Cell::Float(value) => {
                    floats.push(*value);
                    State::Present
                }
                Cell::Histogram(histogram) => {
                    histograms.push(histogram.clone());
                    State::Present
                }
            };
            presence.push(state, 1);
        }
        let [mut times, mut bytes] = [Vec::new(), Vec::new()];
        chunk::times::encode(&self.times, &mut times);
        if histograms.is_empty() {
            chunk::encode_floats(&presence, &floats, &mut bytes);
        } else {
            chunk::encode_histograms(&presence, &histograms, &mut bytes).unwrap();
        }
        (times, bytes)
    }
}

/// The block of these series.
pub(crate) fn write(world: &World) -> Result<(Bytes, BlockSummary), WriteError> {
    let mut series: Vec<_> = world.iter().collect();
    series.sort_by_key(|(labels, _)| (labels.metric().to_owned(), (*labels).clone()));
    let mut writer = BlockWriter::new(Vec::new())?;
    for (labels, chunks) in series {
        let encoded: Vec<_> = chunks.iter().map(Rows::encode).collect();
        let refs: Vec<TimesRef> = encoded.iter().map(|(times, _)| writer.add_times(times)).collect::<Result<_, _>>()?;
        let chunks = refs.iter().zip(&encoded).map(|(times, (_, bytes))| ChunkRef { times: *times, bytes });
        writer.add_series(labels, &chunks.collect::<Vec<_>>())?;
    }
    let (bytes, summary) = writer.finish()?;
    Ok((bytes.into(), summary))
}

/// The samples of a series in a range: time, and what is there. Markers of both kinds are one.
pub(crate) fn samples_of(rows: &[Rows], range: TimeRange) -> Vec<(i64, Cell)> {
    let all = rows.iter().flat_map(|rows| rows.times.iter().zip(&rows.cells));
    let held = all.filter(|(time, cell)| range.contains(model::Timestamp(**time)) && **cell != Cell::Absent);
    held.map(|(time, cell)| (*time, cell.clone())).collect()
}

/// The samples of a series that was read.
pub(crate) fn read(series: &Series, range: TimeRange) -> Result<Vec<(i64, Cell)>, QueryError> {
    let mut samples = Samples::default();
    series.read(range, &mut samples)?;
    let float = |value: &f64| if is_stale(*value) { Cell::Stale } else { Cell::Float(*value) };
    let floats = samples.float_times.iter().copied().zip(samples.floats.iter().map(float));
    let histograms = samples.histograms.iter().map(|histogram| match is_stale(histogram.sum) {
        true => Cell::Stale,
        // Reading finds out about resets; whether rightly is tested where that is done.
        false => Cell::Histogram(Histogram { counter_reset: CounterReset::Unknown, ..Histogram::clone(histogram) }),
    });
    let mut all: Vec<_> = floats.chain(samples.histogram_times.iter().copied().zip(histograms)).collect();
    all.sort_by_key(|(time, _)| *time);
    Ok(all)
}

/// The series that a block has.
pub(crate) fn select(
    block: &impl Queryable,
    matchers: &[Matcher],
    range: TimeRange,
    hints: Hints,
) -> Result<Vec<Series>, QueryError> {
    let budget = Budget::unlimited();
    let select = Select { matchers: matchers.into(), range, hints };
    let batches: Vec<Vec<Series>> = block_on(async { block.select(select, &budget).await?.try_collect().await })?;
    assert_eq!(budget.used(), 0);
    Ok(batches.into_iter().flatten().collect())
}

/// The label names of random series; `A` sorts before `__name__`.
pub(crate) const NAMES: [&str; 5] = ["A", "__name__", "job", "zone", "ünï"];
/// Their values.
pub(crate) const VALUES: [&str; 5] = ["", "a", "up", "up_total", "ü"];

pub(crate) fn labels() -> impl Strategy<Value = Labels> {
    let value = || prop::sample::select(&VALUES[..]);
    [value(), value(), value(), value(), value()].prop_map(|values| Labels::from_pairs(NAMES.into_iter().zip(values)))
}

fn histogram() -> impl Strategy<Value = Histogram> {
    (0u8..4, 1u8..9).prop_map(|(schema, count)| {
        let count = f64::from(count);
        histogram_of(schema as i8, count, Span { offset: i32::from(schema), length: 1 }, vec![count])
    })
}

pub(crate) fn histogram_of(schema: i8, count: f64, span: Span, positive_buckets: Vec<f64>) -> Histogram {
    Histogram {
        schema,
        counter_reset: CounterReset::Unknown,
        zero_threshold: 0.0,
        zero_count: 0.0,
        count,
        sum: count / 8.0,
        positive_spans: vec![span],
        positive_buckets,
        negative_spans: Vec::new(),
        negative_buckets: Vec::new(),
        custom_values: Vec::new(),
    }
}

/// So many rows of one kind.
fn cells(rows: usize) -> impl Strategy<Value = Vec<Cell>> {
    let float = prop_oneof![
        1 => Just(Cell::Absent),
        1 => Just(Cell::Stale),
        4 => (-999i32..999).prop_map(|value| Cell::Float(f64::from(value) / 100.0)),
    ];
    let histogram = prop_oneof![
        1 => Just(Cell::Absent),
        1 => Just(Cell::Stale),
        2 => histogram().prop_map(Cell::Histogram),
    ];
    prop_oneof![
        3 => prop::collection::vec(float, rows),
        1 => prop::collection::vec(histogram, rows),
        1 => Just(vec![Cell::Absent; rows]),
    ]
}

/// The columns of times of a target, which follow each other.
fn columns() -> impl Strategy<Value = Vec<Vec<i64>>> {
    let gaps = prop::collection::vec(prop::collection::vec(1i64..40, 1..9), 1..4);
    (-200i64..200, gaps).prop_map(|(start, gaps)| {
        let mut time = start;
        let next = |gap: i64| {
            time += gap;
            time
        };
        let mut next = next;
        gaps.into_iter().map(|column| column.into_iter().map(&mut next).collect()).collect()
    })
}

/// Targets with their series, of which each may lack some of the columns.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let series = (labels(), any::<prop::sample::Index>(), any::<u8>());
    (prop::collection::vec(columns(), 1..4), prop::collection::vec(series, 0..30))
        .prop_flat_map(|(targets, series)| {
            let rows = series.into_iter().map(move |(labels, target, lacking)| {
                let columns = target.get(&targets).clone();
                let columns = columns.into_iter().enumerate().filter(move |(at, _)| lacking >> at & 3 != 3);
                let rows = columns
                    .map(|(_, times)| cells(times.len()).prop_map(move |cells| Rows { times: times.clone(), cells }));
                (Just(labels), rows.collect::<Vec<_>>())
            });
            rows.collect::<Vec<_>>()
        })
        .prop_map(|series| series.into_iter().collect())
}
