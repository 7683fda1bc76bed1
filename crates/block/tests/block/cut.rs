//! What a head cuts becomes a block that says the same.

use std::collections::HashMap;

use block::{BlockSummary, BlockWriter, ChunkRef, Parts, WriteError};
use bytes::Bytes;
use head::{CutContents, Head, HeadLimits, PushedSeries, TimedValue};
use model::{Labels, TenantId, TimeRange};
use series::Hints;

use crate::source::open;
use crate::world::{Cell, read, select};

/// Writes what a cut has of a tenant. Nothing is decoded and nothing is copied but into the block.
fn write_cut(contents: &CutContents) -> Result<(Vec<Bytes>, BlockSummary), WriteError> {
    let mut writer = BlockWriter::new(Parts::new(1 << 20))?;
    let mut known = HashMap::new();
    for series in &contents.series {
        let mut chunks = Vec::with_capacity(series.chunks.len());
        for chunk in &series.chunks {
            let times = match known.get(&chunk.times_id) {
                Some(times) => *times,
                None => *known.entry(chunk.times_id).or_insert(writer.add_times(&chunk.times)?),
            };
            chunks.push(ChunkRef { times, bytes: &chunk.chunk });
        }
        writer.add_series(&series.labels, &chunks)?;
    }
    let (parts, summary) = writer.finish()?;
    Ok((parts.finish(), summary))
}

#[test]
fn cuts_become_blocks() {
    let mut head = Head::new(HeadLimits::default());
    let tenant = TenantId::default();
    let value = |series: i64, row: i64| (series * 31 + row * row % 17) as f64 / 4.0;
    // Of every third series nobody knows when it began; the others begin anew now and then.
    let start = |series: i64, row: i64| if series % 3 == 0 { 0 } else { row / 90 * 90 * 15_000 + series };
    let labels = |series: i64| {
        let instance = format!("host{series}");
        // Their order by metric is not that by labels.
        let pairs = [("__name__", ["up", "down"][series as usize % 2]), ("instance", &instance)];
        Labels::from_pairs(pairs.into_iter().chain((series % 3 == 0).then_some(("DC", "here"))))
    };
    for row in 0..400 {
        let samples = |series| vec![(row * 15_000, TimedValue::Float(value(series, row)))];
        let pushed = (0..12).map(|series| PushedSeries {
            labels: labels(series),
            samples: samples(series),
            starts: vec![start(series, row)],
            exemplars: Vec::new(),
        });
        head.append_pushed(&tenant, &pushed.collect::<Vec<_>>(), None);
    }
    assert!(head.cut(1, 7_200_000));
    let contents = head.view().cut_contents(1).unwrap();
    assert_eq!(contents.len(), 1);
    let (parts, summary) = write_cut(&contents[0]).unwrap();
    assert_eq!((summary.series_count, summary.sample_count), (12, 12 * 400));
    let block = open(parts.concat().into()).unwrap();
    let found = select(&block, &[], TimeRange::ALL, Hints::default()).unwrap();
    assert!(found.is_sorted_by(|a, b| a.labels < b.labels));
    for series in found {
        let number = (0..12).find(|number| labels(*number) == series.labels).unwrap();
        let expected: Vec<_> = (0..400).map(|row| (row * 15_000, Cell::Float(value(number, row)))).collect();
        assert_eq!(read(&series, TimeRange::ALL).unwrap(), expected);
        let mut samples = series::Samples::new();
        series.read(TimeRange::ALL, &mut samples).unwrap();
        let known = (0..400).map(|row| start(number, row)).filter(|_| number % 3 != 0);
        assert_eq!(samples.float_starts, known.collect::<Vec<_>>());
    }
}
