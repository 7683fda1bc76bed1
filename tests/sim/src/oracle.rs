//! What a client knows: what it sent, and what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

/// What became of a scrape that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may be stored or not, or come to be.
    Unknown,
    /// It is stored.
    Acknowledged,
}

/// The name of a sample: which target, which of its series, which tick in ms.
pub(crate) type Key = (u32, u32, i64);

/// How many series each target has.
pub const SERIES: u32 = 3;

/// Remembers what clients sent and heard. The value of a sample says whose it is, so that nothing but names is kept.
#[derive(Debug, Default)]
pub struct Oracle(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    fates: BTreeMap<(u32, i64), Fate>,
    /// In the order in which it was heard of.
    acknowledged: Vec<(u32, i64)>,
    /// Scrapes that a shard has said to have stored just then.
    stored: BTreeSet<(u32, i64)>,
}

/// What was acknowledged when something began.
#[derive(Clone, Copy, Debug)]
pub struct Moment(usize);

impl Oracle {
    /// The only value that a sample may have.
    pub(crate) fn value((target, series, tick): Key) -> f64 {
        (tick.rem_euclid(1 << 32) * 1000 + i64::from(target) * 10 + i64::from(series)) as f64
    }

    /// A scrape is about to be sent.
    pub fn send(&self, target: u32, tick: i64) {
        self.0.lock().fates.insert((target, tick), Fate::Unknown);
    }

    /// What became of it is known.
    pub fn hear(&self, target: u32, tick: i64, fate: Fate) {
        let mut known = self.0.lock();
        // Of two scrapers that send the same one may hear nothing.
        if fate == Fate::Unknown && known.fates.get(&(target, tick)) == Some(&Fate::Acknowledged) {
            return;
        }
        known.fates.insert((target, tick), fate);
        if fate == Fate::Acknowledged {
            known.acknowledged.push((target, tick));
        }
    }

    /// A shard says that it stores a scrape, and had not before. `false`: one has said so already.
    pub fn store(&self, target: u32, tick: i64) -> bool {
        self.0.lock().stored.insert((target, tick))
    }

    /// What is acknowledged by now.
    pub fn now(&self) -> Moment {
        Moment(self.0.lock().acknowledged.len())
    }

    /// How many scrapes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.0.lock().acknowledged.len()
    }

    /// The last tick of a target that was acknowledged.
    pub fn last_acknowledged(&self, target: u32) -> Option<i64> {
        self.0.lock().acknowledged.iter().filter(|(of, _)| *of == target).map(|(_, tick)| *tick).max()
    }

    /// Checks that everything that was acknowledged before `moment`, in `[start, end)`, was read.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn all_readable(
        &self,
        moment: Moment,
        (start, end): (i64, i64),
        read: &BTreeMap<Key, f64>,
    ) -> Result<(), String> {
        let known = self.0.lock();
        let before = &known.acknowledged[..moment.0];
        let in_range = before.iter().filter(|(_, tick)| (start..end).contains(tick));
        let keys = in_range.flat_map(|(target, tick)| (0..SERIES).map(|series| (*target, series, *tick)));
        let missing: Vec<Key> = keys.filter(|key| !read.contains_key(key)).collect();
        match missing.first() {
            None => Ok(()),
            Some((target, series, tick)) => Err(format!(
                "{} acknowledged samples can't be read, such as series {series} of target {target} at {tick}; the last is of {}",
                missing.len(),
                missing.last().map_or(0, |(_, _, tick)| *tick)
            )),
        }
    }

    /// Checks that everything that was read was sent, as it was read, and not refused.
    ///
    /// # Errors
    /// What was never sent.
    pub(crate) fn all_sent(&self, read: &BTreeMap<Key, f64>) -> Result<(), String> {
        let known = self.0.lock();
        for (key @ (target, series, tick), value) in read {
            match known.fates.get(&(*target, *tick)) {
                None => {
                    return Err(format!("series {series} of target {target} has a sample at {tick} that nobody sent"));
                }
                Some(_) if *value != Self::value(*key) => {
                    return Err(format!(
                        "series {series} of target {target} has {value} at {tick}, which is not what was sent"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_changed_or_made_up_is_told() {
        let oracle = Oracle::default();
        oracle.send(1, 1000);
        oracle.hear(1, 1000, Fate::Acknowledged);
        oracle.send(1, 2000);
        let moment = oracle.now();
        let read = |ticks: &[i64]| -> BTreeMap<Key, f64> {
            let keys = ticks.iter().flat_map(|tick| (0..SERIES).map(|series| (1, series, *tick)));
            keys.map(|key| (key, Oracle::value(key))).collect()
        };
        let range = (0, 10_000);
        for ticks in [&[1000][..], &[1000, 2000]] {
            oracle.all_readable(moment, range, &read(ticks)).unwrap();
            oracle.all_sent(&read(ticks)).unwrap();
        }
        assert!(oracle.all_readable(moment, range, &read(&[2000])).is_err());
        oracle.all_readable(moment, (1001, 10_000), &read(&[2000])).unwrap();
        assert!(oracle.all_sent(&read(&[3000])).is_err());
        let mut changed = read(&[1000]);
        changed.insert((1, 0, 1000), 7.0);
        assert!(oracle.all_sent(&changed).is_err());
    }
}
