//! What shards have on their disks was written once and is read for ever: a segment, and the rest of a snapshot.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chunk::{Chunk, Markers};
use head::{
    Head, HeadLimits, LayoutChange, LayoutDefinition, Outcome, PARTS_ARE_KEPT, PushedSeries, ScrapeKind, ScrapeRow,
    SegmentFile, TimedValue,
};
use model::{Histogram, Labels, Metadata, MetricType, STALE_NAN, TargetId, TenantId, TimeRange};

const SEGMENT: &str = "v1.seg";
const OPEN: &str = "level-2.head";
const WINDOW_MS: i64 = 1_000;

fn file(name: &str) -> PathBuf {
    PathBuf::from("tests/data").join(name)
}

/// Two series and a histogram; the second series is gone from the tick on at which it says so.
fn scrape(head: &mut Head, target: u128, tick: i64, is_gone: bool) {
    let gauge = Metadata { metric_type: MetricType::Gauge, help: "A gauge.".into(), unit: "".into() };
    let names = if is_gone { vec!["a", "h"] } else { vec!["a", "b", "h"] };
    let instance = target.to_string();
    let definition = LayoutDefinition {
        common: Labels::from_pairs([("instance", instance.as_str()), ("job", "ünï")]),
        series: names.iter().map(|name| Labels::from_pairs([("__name__", *name)])).collect(),
        families: vec![("a".into(), gauge)],
    };
    let mut values: Vec<f64> = vec![tick as f64 / 8.0, 0.0];
    if !is_gone {
        values.insert(1, 1e300);
    }
    let mut row = Vec::new();
    chunk::row::encode(&values, None, None, &mut row);
    let last = names.len() as u32 - 1;
    let row = ScrapeRow {
        target: TargetId(target),
        part: 0,
        parts: 2,
        owner_epoch: 3,
        tick_ms: tick,
        timestamp_ms: tick,
        interval_ms: 10,
        kind: ScrapeKind::Row,
        layout: definition.hash(),
        change: LayoutChange::Defined(definition),
        row: &row,
        reference: 0,
        becomes_reference: true,
        timed: vec![],
        track_timestamps_staleness: false,
        histograms: vec![(
            last,
            Arc::new(Histogram { count: 3.0, zero_count: 3.0, sum: tick as f64, ..Histogram::default() }),
        )],
        starts: vec![(0, 5)],
        exemplars: vec![],
        refuse_new_series: None,
        feature_level: PARTS_ARE_KEPT,
    };
    assert_eq!(head.append_scrape(&TenantId::default(), &row).outcome, Outcome::Stored);
}

/// A head with a segment, and with something of everything that is in none.
fn golden() -> Head {
    let mut head = Head::new(HeadLimits { window_ms: WINDOW_MS, tick_window_ms: 300, ..HeadLimits::default() });
    for at in 0..40 {
        scrape(&mut head, 1, 10 + 10 * at, at > 30);
        scrape(&mut head, 2, 15 + 10 * at, false);
    }
    let pushed = |time: i64| PushedSeries {
        labels: Labels::from_pairs([("__name__", "pushed")]),
        samples: vec![(time, TimedValue::Float(time as f64)), (time + 1, TimedValue::Float(STALE_NAN))],
        starts: vec![7],
        exemplars: vec![],
    };
    head.append_pushed(&TenantId::default(), &[pushed(100)], None);
    assert!(head.cut(1, WINDOW_MS));
    for at in 0..3 {
        scrape(&mut head, 1, WINDOW_MS + 10 * at, at == 2);
    }
    head.append_pushed(&TenantId::default(), &[pushed(WINDOW_MS)], None);
    assert!(head.fence(model::Slot(9), 1));
    head
}

/// The files of a snapshot: the segment's, and that of everything else.
fn save(head: &Head) -> (Vec<u8>, Vec<u8>) {
    let view = head.view();
    let segments: Vec<_> = view.segments().collect();
    assert_eq!(segments.len(), 1);
    let bytes = Bytes::from(segments[0].to_file().concat());
    let file = SegmentFile { name: SEGMENT.to_owned(), size_bytes: bytes.len() as u64, hash: 7 };
    segments[0].saved(file, &bytes);
    (bytes.to_vec(), view.open_file())
}

/// Everything that can be read, as text: a histogram is its sum.
fn samples(head: &Head) -> Vec<String> {
    let mut all = Vec::new();
    for series in head.view().select(&TenantId::default(), &[], TimeRange::ALL).map(Result::unwrap) {
        for one in &series.chunks {
            let mut row_times = Vec::new();
            chunk::times::Times::parse(&one.times).unwrap().0.decode(&mut row_times).unwrap();
            let chunk = Chunk::parse(&one.chunk).unwrap();
            let mut times = Vec::new();
            if chunk.kind() == chunk::Kind::Floats {
                let mut values = Vec::<f64>::new();
                chunk.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
                all.extend(times.iter().zip(values).map(|(time, value)| format!("{} {time} {value}", series.labels)));
            } else {
                let mut values = Vec::<Histogram>::new();
                chunk.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
                let lines = times.iter().zip(values);
                all.extend(lines.map(|(time, value)| format!("{} {time} sum {}", series.labels, value.sum)));
            }
        }
    }
    all
}

#[test]
fn snapshots_of_level_2_read_for_ever() {
    let segment = Bytes::from(fs::read(file(SEGMENT)).unwrap());
    let described = SegmentFile { name: SEGMENT.to_owned(), size_bytes: segment.len() as u64, hash: 7 };
    let loaded = Head::load(&fs::read(file(OPEN)).unwrap(), |name| {
        assert_eq!(name, SEGMENT);
        Ok((described.clone(), segment.clone()))
    });
    let loaded = loaded.unwrap();
    loaded.view().segments().for_each(|segment| segment.verify().unwrap());
    let head = golden();
    let expected = samples(&head);
    assert!(expected.len() > 200, "it has {} samples", expected.len());
    assert_eq!(samples(&loaded), expected);
    save(&head);
    assert_eq!(loaded.view().digest(), head.view().digest());
}

/// Another version of zstd may write other bytes, which is no harm: then `UPDATE_EXPECT=1` writes the files anew, but keep
/// the old ones beside them and read both.
#[test]
fn snapshots_of_level_2_are_what_is_written() {
    let (segment, open) = save(&golden());
    for (name, bytes) in [(SEGMENT, segment), (OPEN, open)] {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(file(name), &bytes).unwrap();
        }
        assert!(fs::read(file(name)).unwrap() == bytes, "{name} has other bytes");
    }
}
