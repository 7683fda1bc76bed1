//! How often a block is asked for bytes.

use block::BlockReader;
use futures::executor::block_on;
use model::{Labels, MatchOp, Matcher, TimeRange};
use series::{Hints, LabelQuery, QueryError, Queryable};

use crate::source::Counting;
use crate::world::{Cell, Rows, World, select, write};

/// A block whose index is larger than what is read when it is opened.
fn large_world() -> World {
    let mut world = World::new();
    let mut random = fastrand::Rng::with_seed(7);
    for at in 0..20_000 {
        let id = format!("{:032x}", random.u128(..));
        let metric = format!("metric_{}", at % 40);
        let cells = (0..8).map(|_| Cell::Float(random.f64())).collect();
        let rows = Rows { times: (0..8).map(|row| row * 15_000 + at % 16).collect(), cells };
        world.insert(Labels::from_pairs([("__name__", &*metric), ("id", &id)]), vec![rows]);
    }
    world
}

#[test]
fn round_trips_are_few() {
    let source = Counting::new(write(&large_world()).unwrap().0);
    let block = block_on(BlockReader::open("test", source.clone())).unwrap();
    assert_eq!(source.calls().len(), 1, "to open");
    let metric = [Matcher::equal("__name__", "metric_7")];
    let found = select(&block, &metric, TimeRange::ALL, Hints::default()).unwrap();
    assert_eq!(found.len(), 500);
    let cold = source.calls();
    // Index pages and directory; then data and times, which do not wait for each other.
    assert_eq!(cold.len(), 3, "{cold:?}");
    assert_eq!(select(&block, &metric, TimeRange::ALL, Hints::default()).unwrap().len(), 500);
    assert_eq!(source.calls().len(), 2, "the index is known");
    let labels_only = Hints { labels_only: true, ..Hints::default() };
    assert_eq!(select(&block, &metric, TimeRange::ALL, labels_only).unwrap().len(), 500);
    assert_eq!(source.calls().len(), 0, "labels are known");
}

#[test]
fn label_names_take_no_trip_and_values_one() {
    let source = Counting::new(write(&large_world()).unwrap().0);
    let block = block_on(BlockReader::open("test", source.clone())).unwrap();
    source.calls();
    let query = |limit| LabelQuery { matchers: [].into(), range: TimeRange::ALL, limit, limit_bytes: 0 };
    assert_eq!(block_on(block.label_names(query(0))).unwrap(), ["__name__", "id"].into_iter().collect());
    assert_eq!(source.calls().len(), 0);
    assert_eq!(block_on(block.label_values("id", query(0))).unwrap().len(), 20_000);
    let all = source.calls();
    assert_eq!(all.len(), 1);
    assert_eq!(block_on(block.label_values("id", query(5))).unwrap().len(), 5);
    assert!(source.calls()[0].len() < all[0].len(), "only as many pages as needed");
}

#[test]
fn labels_that_are_too_large_are_refused() {
    let block = block_on(BlockReader::open("test", Counting::new(write(&large_world()).unwrap().0))).unwrap();
    let named = Matcher::new(MatchOp::NotEqual, "__name__", "").unwrap();
    for (matchers, selector) in [(vec![], "{}"), (vec![named], "{__name__!=\"\"}")] {
        let query = LabelQuery { matchers: matchers.into(), range: TimeRange::ALL, limit: 0, limit_bytes: 1000 };
        let refused = block_on(block.label_values("id", query.clone())).unwrap_err();
        let what = format!("the labels of {selector}");
        assert_eq!(refused, QueryError::OverBudget { limit_bytes: 1000, what });
        assert_eq!(block_on(block.label_names(query)).unwrap(), ["__name__", "id"].into_iter().collect());
    }
}
