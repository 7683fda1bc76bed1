//! What a shard takes in, slot by slot, as far as its leader sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Slot, TargetId};
use parking_lot::Mutex;
use proto::entry;
use proto::entry::record::Record as Body;
use proto::meta as wire;
use tokio::time::Instant;

/// What came in so long ago counts for a third of what comes in now.
const MEMORY: Duration = Duration::from_secs(60);
/// How many slots a report names.
const HOTTEST: usize = 8;
/// Samples per second below which a slot is forgotten.
const NOTHING: f64 = 0.01;

/// Samples per second of a shard and of its slots. Pushed samples count for the shard alone: a record of them has several slots.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<Measured>);

#[derive(Debug, Default)]
struct Measured {
    /// Since when `counts` are counted.
    since: Option<Instant>,
    /// Of the slots; `None`: of no slot of its own.
    counts: BTreeMap<Option<Slot>, u64>,
    rates: BTreeMap<Option<Slot>, f64>,
}

/// The slot of a record; `None`: it has several.
pub(crate) fn slot_of(record: &entry::Record) -> Option<Slot> {
    let Some(Body::Scrape(scrape)) = &record.record else { return None };
    let id = scrape.target_id[..].try_into().ok()?;
    Some(ring::slot_of_target(TargetId(u128::from_be_bytes(id)), scrape.part))
}

impl Loads {
    /// So many samples were stored.
    pub(crate) fn count(&self, slots: &[Option<Slot>], answers: &[entry::RecordAnswer]) {
        let mut measured = self.0.lock();
        for (slot, answer) in slots.iter().zip(answers) {
            *measured.counts.entry(*slot).or_default() += u64::from(answer.stored);
        }
    }

    /// Nothing is known any more: somebody else leads.
    pub(crate) fn forget(&self) {
        *self.0.lock() = Measured::default();
    }

    /// Samples per second, of all and of the slots that have most.
    pub(crate) fn report(&self, now: Instant) -> (f64, Vec<wire::SlotLoad>) {
        let mut measured = self.0.lock();
        measured.take_counts(now);
        let all = measured.rates.values().sum();
        let mut slots: Vec<(Slot, f64)> =
            measured.rates.iter().filter_map(|(slot, rate)| Some(((*slot)?, *rate))).collect();
        slots.sort_by(|(a, a_rate), (b, b_rate)| b_rate.total_cmp(a_rate).then(a.cmp(b)));
        slots.truncate(HOTTEST);
        let slots = slots.into_iter();
        (all, slots.map(|(slot, rate)| wire::SlotLoad { slot: slot.0.into(), samples_per_second: rate }).collect())
    }
}

impl Measured {
    fn take_counts(&mut self, now: Instant) {
        let Some(since) = self.since.replace(now) else { return self.counts.clear() };
        let seconds = now.duration_since(since).as_secs_f64();
        if seconds == 0.0 {
            self.since = Some(since);
            return;
        }
        let kept = (-seconds / MEMORY.as_secs_f64()).exp();
        self.rates.values_mut().for_each(|rate| *rate *= kept);
        for (slot, count) in std::mem::take(&mut self.counts) {
            *self.rates.entry(slot).or_default() += (1.0 - kept) * count as f64 / seconds;
        }
        self.rates.retain(|_, rate| *rate >= NOTHING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_what_comes_in_and_the_hottest_slots_come_first() {
        let loads = Loads::default();
        let start = stdx::Clock::system().now();
        let stored = |stored| entry::RecordAnswer { stored, ..Default::default() };
        let second = |number: u32| start + Duration::from_secs(number.into());
        loads.report(start);
        for number in 1..=600 {
            let slots: Vec<Option<Slot>> = (0..20).map(|slot| Some(Slot(slot))).chain([None]).collect();
            let answers: Vec<_> = (0..20).map(|slot| stored(slot * 10)).chain([stored(100)]).collect();
            loads.count(&slots, &answers);
            loads.report(second(number));
        }
        let (all, hottest) = loads.report(second(601));
        // The last second was silent.
        assert!((all - 2000.0).abs() < 40.0, "{all}");
        assert_eq!(hottest.iter().map(|load| load.slot).collect::<Vec<_>>(), (12..20).rev().collect::<Vec<_>>());
        assert!((hottest[0].samples_per_second - 190.0).abs() < 4.0);
        assert!(loads.report(second(10_000)).1.is_empty());
        loads.forget();
        assert_eq!(loads.report(second(10_001)).0, 0.0);
    }
}
