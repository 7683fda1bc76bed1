//! Damaged blocks are noticed.

use std::sync::Arc;

use block::{BlockReader, ByteRanges, damaged_pages, verify};
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::BoxFuture;
use model::{Labels, TimeRange};
use series::{Hints, LabelQuery, QueryError, Queryable};

use crate::source::open;
use crate::world::{Cell, Rows, World, read, select, write};

fn small_world() -> World {
    let mut world = World::new();
    for at in 0..20i64 {
        let (instance, metric) = (format!("host{}:9100", at % 4), format!("metric_{}", at / 4));
        let labels = Labels::from_pairs([("__name__", &*metric), ("instance", &instance), ("job", "node")]);
        let rows = |start: i64| Rows {
            times: (0..6).map(|row| start + row * 15_000 + at % 4).collect(),
            cells: (0..6).map(|row| if row == at % 5 { Cell::Stale } else { Cell::Float((row * at) as f64) }).collect(),
        };
        world.insert(labels, vec![rows(0), rows(90_000)]);
    }
    world
}

#[test]
fn every_damaged_page_is_named() {
    let (bytes, _) = write(&small_world()).unwrap();
    assert_eq!(block_on(damaged_pages(&open(bytes.clone()).unwrap())).unwrap(), []);
    let footer = bytes.len() - 64;
    let mut damaged = bytes.to_vec();
    (8..footer).step_by(40).for_each(|at| damaged[at] ^= 1);
    let Ok(block) = open(Bytes::from(damaged)) else { return };
    let faults = block_on(damaged_pages(&block)).unwrap();
    assert!(faults.len() > 1 && faults.is_sorted_by_key(|fault| fault.range.start), "{faults:?}");
}

/// All that a block says, without what looks at everything.
fn everything(bytes: &Bytes) -> Result<Vec<String>, QueryError> {
    let block = open(bytes.clone())?;
    let query = || LabelQuery { matchers: [].into(), range: TimeRange::ALL, limit: 0, limit_bytes: 0 };
    let mut said = Vec::new();
    for name in block_on(block.label_names(query()))?.iter() {
        said.push(name.to_owned());
        said.extend(block_on(block.label_values(name, query()))?.iter().map(str::to_owned));
    }
    for series in select(&block, &[], TimeRange::ALL, Hints::default())? {
        said.push(format!("{} {:?}", series.labels, read(&series, TimeRange::ALL)?));
    }
    Ok(said)
}

#[test]
fn each_flipped_bit_is_noticed() {
    let (bytes, _) = write(&small_world()).unwrap();
    let expected = everything(&bytes).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for at in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1 << random.u8(..8);
        let damaged = Bytes::from(damaged);
        let verified = open(damaged.clone()).and_then(|block| block_on(verify(&block)));
        assert!(matches!(verified, Err(QueryError::Corrupt(_))), "byte {at}: {verified:?}");
        match everything(&damaged) {
            Ok(said) => assert_eq!(said, expected, "byte {at}"),
            Err(error) => assert!(matches!(error, QueryError::Corrupt(_)), "byte {at}: {error}"),
        }
    }
}

#[test]
fn each_truncation_is_noticed() {
    let (bytes, _) = write(&small_world()).unwrap();
    for length in 0..bytes.len() {
        let opened = open(bytes.slice(..length)).map(drop);
        assert!(matches!(opened, Err(QueryError::Corrupt(_))), "{length} bytes: {opened:?}");
    }
}

#[test]
fn messages_say_what_is_damaged() {
    let (bytes, _) = write(&small_world()).unwrap();
    let mut damaged = bytes.to_vec();
    damaged[8] ^= 1;
    let error = everything(&damaged.into()).unwrap_err().to_string();
    assert!(error.starts_with("block test: data page 0 of group 0 at byte 8: the checksum is "), "{error}");
}

/// A source that gives other bytes at first.
struct Recovering {
    bytes: Bytes,
    damaged: std::sync::atomic::AtomicBool,
    short: bool,
}

impl ByteRanges for Recovering {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, ranges: Vec<std::ops::Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, QueryError>> {
        let damaged = self.damaged.load(std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            let mut all = self.bytes.read(ranges).await?;
            for bytes in all.iter_mut().filter(|_| damaged) {
                let mut other = bytes.to_vec();
                let last = other.pop().unwrap_or_default();
                if !self.short {
                    other.push(last ^ 1);
                }
                *bytes = other.into();
            }
            Ok(all)
        })
    }

    fn discard(&self, _range: std::ops::Range<u64>) {
        self.damaged.store(false, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn damage_on_the_way_is_read_again() {
    let (bytes, _) = write(&small_world()).unwrap();
    let source = Recovering { bytes, damaged: true.into(), short: false };
    assert!(block_on(BlockReader::open("test", Arc::new(source))).is_ok());
}

#[test]
fn short_answers_are_no_damage() {
    let (bytes, _) = write(&small_world()).unwrap();
    let source = Recovering { bytes, damaged: true.into(), short: true };
    let opened = block_on(BlockReader::open("test", Arc::new(source))).map(drop);
    assert!(matches!(opened, Err(QueryError::Unavailable(_))), "{opened:?}");
}
