//! What was written once is read forever.

use std::fs;
use std::path::PathBuf;

use block::verify;
use futures::executor::block_on;
use model::{Labels, Span, TimeRange};
use series::Hints;

use crate::source::open;
use crate::world::{Cell, Rows, World, histogram_of, read, samples_of, select, write};

fn golden_world() -> World {
    let histogram = histogram_of(3, 3.0, Span { offset: -2, length: 2 }, vec![1.0, 2.0]);
    let floats = |values: [f64; 3]| values.map(Cell::Float).to_vec();
    let [first, second] = [[1_000, 16_000, 31_000], [46_000, 61_003, 76_000]].map(|times| times.to_vec());
    let rows = |times: &[i64], cells| Rows { times: times.to_vec(), cells };
    let series = [
        (
            vec![("__name__", "up"), ("job", "node")],
            vec![rows(&first, floats([1.0; 3])), rows(&second, vec![Cell::Float(1.0), Cell::Stale, Cell::Absent])],
        ),
        (vec![("__name__", "seconds"), ("job", "node")], vec![rows(&second, floats([0.25, 0.5, 1.75]))]),
        (
            vec![("__name__", "sizes"), ("job", "ünï")],
            vec![rows(&first, vec![Cell::Absent, Cell::Histogram(histogram), Cell::Stale])],
        ),
        (vec![("DC", "before the name"), ("__name__", "up")], vec![rows(&first, floats([0.0, 1.0, -1.5e300]))]),
    ];
    series.into_iter().map(|(labels, rows)| (Labels::from_pairs(labels), rows)).collect()
}

fn golden_file() -> PathBuf {
    PathBuf::from("tests/data/v1.block")
}

#[test]
fn version_1_reads_forever() {
    let world = golden_world();
    let block = open(fs::read(golden_file()).unwrap().into()).unwrap();
    block_on(verify(&block)).unwrap();
    let found = select(&block, &[], TimeRange::ALL, Hints::default()).unwrap();
    assert!(found.iter().map(|series| &series.labels).eq(world.keys()));
    for series in found {
        assert_eq!(read(&series, TimeRange::ALL).unwrap(), samples_of(&world[&series.labels], TimeRange::ALL));
    }
}

/// Another version of zstd may write other bytes, which is no harm: then `UPDATE_EXPECT=1` writes the file anew, but keep
/// the old one beside it and read both.
#[test]
fn version_1_is_what_is_written() {
    let (bytes, _) = write(&golden_world()).unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(golden_file(), &bytes).unwrap();
    }
    assert!(fs::read(golden_file()).unwrap() == bytes, "tests/data/v1.block has other bytes");
}
