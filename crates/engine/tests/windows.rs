//! Windows that move with the steps, against looking at every window anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Engine, EngineOptions, QueryRequest, Value};
use model::{Labels, STALE_NAN, is_stale};
use promqltest::MemoryStorage;
use proptest::prelude::*;
use series::Samples;
use stdx::{Clock, CpuPool};

/// A function by its name, and what it makes of a window.
type Named = (&'static str, fn(&[f64]) -> f64);

const FUNCTIONS: [Named; 5] = [
    ("max_over_time", |window| window.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    ("min_over_time", |window| window.iter().copied().fold(f64::INFINITY, f64::min)),
    ("count_over_time", |window| window.len() as f64),
    ("last_over_time", |window| window[window.len() - 1]),
    ("changes", |window| window.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64),
];

fn run(samples: &BTreeMap<i64, f64>, query: String, start: i64, end: i64, step: i64) -> BTreeMap<i64, f64> {
    let mut stored = Samples::new();
    (stored.float_times, stored.floats) = samples.iter().map(|(time, value)| (*time, *value)).unzip();
    let mut storage = MemoryStorage::default();
    storage.add(Labels::from_pairs([("__name__", "x")]), stored);
    let engine = Engine::new(EngineOptions::default(), Clock::system(), CpuPool::inline());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("start a runtime");
    let query = engine.prepare(QueryRequest::range(query, start, end, step)).expect("the query makes sense");
    let result = runtime.block_on(engine.run(query, Arc::new(storage))).expect("the query has an answer");
    let Value::Matrix(matrix) = result.value else { panic!("a range query answers a matrix") };
    matrix.iter().flat_map(|series| series.floats).collect()
}

proptest! {
    #[test]
    fn windows_are_left_open_and_see_no_markers(
        samples in prop::collection::btree_map(0i64..300, prop_oneof![4 => (-5i8..5).prop_map(f64::from), 1 => Just(STALE_NAN)], 0..80),
        range in 1i64..120,
        start in -50i64..200,
        step in 1i64..90,
        offset in -40i64..40,
    ) {
        let end = start + 250;
        for (function, expected) in FUNCTIONS {
            let query = format!("{function}(x[{range}ms] offset {offset}ms)");
            let mut steps = BTreeMap::new();
            for time in (start..=end).step_by(step as usize) {
                let window = (time - offset - range + 1)..=(time - offset);
                let values: Vec<f64> = samples.range(window).map(|(_, value)| *value).filter(|value| !is_stale(*value)).collect();
                if !values.is_empty() {
                    steps.insert(time, expected(&values));
                }
            }
            prop_assert_eq!(run(&samples, query, start, end, step), steps, "{}", function);
        }
    }

    #[test]
    fn the_newest_sample_counts_unless_it_is_a_marker(
        samples in prop::collection::btree_map(0i64..2000, prop_oneof![4 => (-5i8..5).prop_map(f64::from), 1 => Just(STALE_NAN)], 0..20),
        start in -500i64..2000,
        step in 1i64..900,
    ) {
        // Lookback is five minutes, so that these samples stay as long as there is no newer one.
        let mut steps = BTreeMap::new();
        for time in (start..=start + 2000).step_by(step as usize) {
            let newest = samples.range(..=time).next_back().map(|(_, value)| *value);
            steps.extend(newest.filter(|value| !is_stale(*value)).map(|value| (time, value)));
        }
        prop_assert_eq!(run(&samples, "x".to_owned(), start, start + 2000, step), steps);
    }
}
