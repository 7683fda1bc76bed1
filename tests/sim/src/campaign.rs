//! Many universes, one after another on each core.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{Ending, Event, Mistake, Plan, live};

/// What a campaign found.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many seeds were lived through.
    pub seeds: u64,
    /// Seeds whose universes violated something, and what.
    pub failures: BTreeMap<u64, Vec<String>>,
    /// How often each event happened.
    pub events: BTreeMap<Event, u64>,
}

/// Lives through a plan. A panic is a violation like others.
pub fn live_or_panic(plan: &Plan, mistake: Mistake) -> Result<Ending, String> {
    catch_unwind(AssertUnwindSafe(|| live(plan, mistake))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panic: {}", text.unwrap_or_default())
    })
}

/// Lives through the universes of `count` seeds from `first` on, on `jobs` threads, and tells of each failure at once. With
/// `stop_early` it ends after the first one.
pub fn run(
    first: u64,
    count: u64,
    jobs: usize,
    mistake: Mistake,
    stop_early: bool,
    tell: impl Fn(u64, &[String]) + Sync,
) -> Tally {
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    let seed = first + seed;
                    let (violations, events) = match live_or_panic(&Plan::from_seed(seed), mistake) {
                        Ok(ending) => (ending.violations, ending.coverage.counts()),
                        Err(panic) => (vec![panic], BTreeMap::new()),
                    };
                    let mut tally = tally.lock();
                    tally.seeds += 1;
                    events.into_iter().for_each(|(event, count)| *tally.events.entry(event).or_default() += count);
                    if !violations.is_empty() {
                        tell(seed, &violations);
                        tally.failures.insert(seed, violations);
                        is_over.fetch_or(stop_early, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    tally.into_inner()
}

/// Drops faults from a plan as long as it still fails.
pub fn shrink(plan: &Plan, mistake: Mistake) -> Plan {
    let fails = |plan: &Plan| live_or_panic(plan, mistake).map_or(true, |ending| !ending.violations.is_empty());
    let mut smallest = plan.clone();
    let mut index = 0;
    while index < smallest.faults.len() {
        let smaller = smallest.without(index);
        if fails(&smaller) {
            smallest = smaller;
        } else {
            index += 1;
        }
    }
    smallest
}
