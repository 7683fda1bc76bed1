//! Blocks against plain maps.

use std::collections::BTreeSet;
use std::sync::Arc;

use block::{BlockReader, BlockSummary, verify};
use futures::executor::block_on;
use model::{Labels, MatchOp, Matcher, TimeRange, Timestamp};
use proptest::prelude::*;
use series::{Hints, LabelQuery, Queryable};

use crate::source::open;
use crate::world::{NAMES, VALUES, World, read, samples_of, select, world, write};

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    let value = prop_oneof![
        prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        prop::sample::select(vec!["up.*", ".+", ".*", "a|ü", "", "nothing"]).prop_map(str::to_owned),
    ];
    let name = prop::sample::select(NAMES.iter().copied().chain(["other"]).collect::<Vec<_>>());
    (op, name, value).prop_map(|(op, name, value)| Matcher::new(op, name, &value).unwrap())
}

fn range() -> impl Strategy<Value = TimeRange> {
    let some = (-250i64..900, 0i64..300)
        .prop_map(|(start, length)| TimeRange::new(Timestamp(start), Timestamp(start + length)));
    prop_oneof![1 => Just(TimeRange::ALL), 3 => some]
}

/// The series that match and have a chunk whose samples reach into the range.
fn expected<'a>(world: &'a World, matchers: &'a [Matcher], range: TimeRange) -> Vec<&'a Labels> {
    let matches = |labels: &Labels| matchers.iter().all(|matcher| matcher.matches_labels(labels));
    let series = world.iter().filter(|(labels, rows)| {
        matches(labels) && rows.iter().filter_map(|rows| rows.range()).any(|held| held.overlaps(range))
    });
    series.map(|(labels, _)| labels).collect()
}

fn check_select(world: &World, block: &BlockReader, matchers: &[Matcher], range: TimeRange) {
    let expected = expected(world, matchers, range);
    let found = select(block, matchers, range, Hints::default()).unwrap();
    assert_eq!(found.iter().map(|series| &series.labels).collect::<Vec<_>>(), expected);
    for series in &found {
        assert_eq!(read(series, range).unwrap(), samples_of(&world[&series.labels], range), "{}", series.labels);
    }
    let labels_only = Hints { labels_only: true, limit: 3, ..Hints::default() };
    let found = select(block, matchers, range, labels_only).unwrap();
    assert!(found.iter().all(|series| series.chunks.is_empty()));
    assert!(found.iter().map(|series| &series.labels).eq(expected.iter().copied().take(3)));
}

fn check_labels(world: &World, block: &BlockReader, matchers: &[Matcher], limit: usize) {
    let query = LabelQuery { matchers: matchers.into(), range: TimeRange::ALL, limit, limit_bytes: 0 };
    let series = expected(world, matchers, TimeRange::ALL);
    let names: BTreeSet<_> = series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
    check_texts(&block_on(block.label_names(query.clone())).unwrap(), &names, limit);
    for name in NAMES.into_iter().chain(["other"]) {
        let values: BTreeSet<_> = series.iter().filter_map(|labels| labels.get(name)).collect();
        check_texts(&block_on(block.label_values(name, query.clone())).unwrap(), &values, limit);
    }
}

fn check_texts(found: &series::Texts, expected: &BTreeSet<&str>, limit: usize) {
    let limit = if limit == 0 { usize::MAX } else { limit };
    assert!(found.iter().eq(expected.iter().copied().take(limit)));
    assert_eq!(found.is_cut(), expected.len() > limit);
}

fn check_summary(world: &World, summary: &BlockSummary) {
    let chunks = || world.values().flatten().filter(|rows| rows.range().is_some());
    let ranges = chunks().filter_map(|rows| rows.range());
    let none = TimeRange::new(Timestamp(0), Timestamp(0));
    assert_eq!(summary.range, ranges.reduce(TimeRange::union).unwrap_or(none));
    let series = world.values().filter(|rows| rows.iter().any(|rows| rows.range().is_some()));
    assert_eq!(summary.series_count, series.count() as u64);
    assert_eq!(summary.chunk_count, chunks().count() as u64);
    assert_eq!(
        summary.sample_count,
        world.values().map(|rows| samples_of(rows, TimeRange::ALL).len() as u64).sum::<u64>()
    );
}

proptest! {
    #[test]
    fn any_series_read_back(
        world in world(),
        questions in prop::collection::vec((prop::collection::vec(matcher(), 0..3), range()), 1..6),
        limit in 0usize..4,
    ) {
        let (bytes, summary) = write(&world).unwrap();
        check_summary(&world, &summary);
        prop_assert_eq!(summary.size_bytes, bytes.len() as u64);
        let block = open(bytes).unwrap();
        prop_assert_eq!(block_on(verify(&block)).unwrap(), summary);
        check_select(&world, &block, &[], TimeRange::ALL);
        for (matchers, range) in &questions {
            check_select(&world, &block, matchers, *range);
            check_labels(&world, &block, matchers, limit);
        }
    }
}

/// Enough series and texts for several groups, pages of values and batches.
#[test]
fn large_blocks_read_back() {
    let mut world = World::new();
    let times: Vec<i64> = (0..8).map(|row| row * 15_000).collect();
    for at in 0..12_000 {
        let id = format!("{:0>64}", at * 7919 % 12_000);
        let pairs = [("__name__", ["up", "down", "sideways"][at % 3]), ("id", &id), ("shard", &id[62..])];
        let pairs = pairs.into_iter().chain((at % 2 == 0).then_some(("B", "before the name")));
        let cells = (0..8).map(|row| crate::world::Cell::Float((at * row) as f64 / 3.0)).collect();
        world.insert(Labels::from_pairs(pairs), vec![crate::world::Rows { times: times.clone(), cells }]);
    }
    let (bytes, summary) = write(&world).unwrap();
    let block = open(bytes).unwrap();
    assert_eq!(block_on(verify(&block)).unwrap(), summary);
    let up = Matcher::equal("__name__", "up");
    let twelve = Matcher::new(MatchOp::Regex, "id", "0+12..").unwrap();
    for matchers in [vec![], vec![up.clone()], vec![twelve.clone()], vec![up, twelve]] {
        check_select(&world, &block, &matchers, TimeRange::ALL);
        check_labels(&world, &block, &matchers, 0);
        check_labels(&world, &block, &matchers, 5);
    }
}

#[test]
fn budgets_hold() {
    let times = vec![1, 2];
    let cells = vec![crate::world::Cell::Float(0.5); 2];
    let labels = Labels::from_pairs([("__name__", "up")]);
    let world = World::from([(labels, vec![crate::world::Rows { times, cells }])]);
    let block = block_on(BlockReader::open("test", Arc::new(write(&world).unwrap().0))).unwrap();
    let select = series::Select {
        matchers: [Matcher::equal("__name__", "up")].into(),
        range: TimeRange::ALL,
        hints: Hints::default(),
    };
    let budget = series::Budget::new(200);
    let error = block_on(async {
        let mut batches = block.select(select, &budget).await?;
        futures::StreamExt::next(&mut batches).await.transpose().map(drop)
    });
    let what = "{__name__=\"up\"}".to_owned();
    assert_eq!(error, Err(series::QueryError::OverBudget { limit_bytes: 200, what }));
    assert_eq!(budget.used(), 0);
}
