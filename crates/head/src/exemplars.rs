//! The newest exemplars of a shard, up to a limit.
//!
//! What is kept and what is refused is what Prometheus decides (`CircularExemplarStorage` of 3.15): one ring over all series,
//! from which those go first that came first, whatever their times.

use std::ops::RangeInclusive;

use imbl::OrdMap;
use model::{Exemplar, Labels, Matcher, TenantId, prometheus_hash};

use crate::head::HeadLimits;
use crate::record::SentExemplar;

/// Why an exemplar was refused. Prometheus' words.
const TOO_LONG: &str = "label length for exemplar exceeds maximum of 128 UTF-8 characters";
const OUT_OF_ORDER: &str = "out of order exemplar";

/// The exemplars of all series of a shard. Copies share what they have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exemplars {
    /// By tenant, series and time.
    kept: OrdMap<Key, Kept>,
    /// Their keys in the order in which they came.
    queue: imbl::Vector<Key>,
    /// The number of the next one.
    next: u64,
    bytes: usize,
}

/// What a snapshot keeps of all exemplars.
#[derive(Debug, PartialEq)]
pub(crate) struct Saved<'a> {
    /// Sorted.
    pub(crate) series: Vec<(&'a TenantId, &'a Labels)>,
    /// In the order in which they came, each with the place of its series.
    pub(crate) exemplars: Vec<(u32, SentExemplar)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    tenant: TenantId,
    series: Labels,
    time: i64,
    /// Rises with every exemplar: of those at one time, the one that came last is the newest.
    number: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    labels: Labels,
    value: f64,
    is_timed: bool,
}

impl Kept {
    /// Whether it is the exemplar that was sent. Where neither has a time of its own, times say nothing.
    fn is(&self, time: i64, sent: &SentExemplar) -> bool {
        let is_timed = self.is_timed || sent.is_timed;
        self.labels == sent.exemplar.labels
            && (!is_timed || time == sent.exemplar.timestamp.as_ms())
            && self.value == sent.exemplar.value
    }
}

impl Exemplars {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The bytes they take, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an exemplar of a series, unless it is known. With a limit of 0 nothing is kept, nor refused.
    ///
    /// # Errors
    /// Why it is refused, in Prometheus' words.
    pub(crate) fn append(
        &mut self,
        tenant: &TenantId,
        series: &Labels,
        sent: &SentExemplar,
        limits: &HeadLimits,
    ) -> Result<(), &'static str> {
        let Some(room) = usize::try_from(limits.max_exemplars).unwrap_or(usize::MAX).checked_sub(1) else {
            return Ok(());
        };
        if Exemplar::labels_are_too_long(&sent.exemplar.labels) {
            return Err(TOO_LONG);
        }
        let time = sent.exemplar.timestamp.as_ms();
        let all = i64::MIN..=i64::MAX;
        let series = match self.of_series(tenant, series, all).next_back() {
            None => series.clone(),
            Some((newest, kept)) => {
                if kept.is(newest.time, sent) {
                    return Ok(());
                }
                let mut others = self.of_series(tenant, series, time..=time);
                if is_out_of_order(newest.time, kept, sent, limits.out_of_order_ms) {
                    // Records come twice when their answer is lost, and then are no news.
                    return if others.any(|(key, kept)| kept.is(key.time, sent)) { Ok(()) } else { Err(OUT_OF_ORDER) };
                }
                if time < newest.time && others.next().is_some() {
                    // Taken for the same one, as Prometheus does.
                    return Ok(());
                }
                newest.series.clone()
            }
        };
        self.shrink(room);
        self.keep(Key { tenant: tenant.clone(), series, time, number: self.next }, sent);
        Ok(())
    }

    fn keep(&mut self, key: Key, sent: &SentExemplar) {
        let kept = Kept { labels: sent.exemplar.labels.clone(), value: sent.exemplar.value, is_timed: sent.is_timed };
        if !self.has_series(&key) {
            self.bytes += key.series.size_bytes();
        }
        self.bytes += entry_bytes(&kept);
        self.next = key.number + 1;
        self.queue.push_back(key.clone());
        self.kept.insert(key, kept);
    }

    /// Lets those go that came first, until there are no more than `most`.
    pub(crate) fn shrink(&mut self, most: usize) {
        while self.queue.len() > most {
            let Some(key) = self.queue.pop_front() else { return };
            if let Some(kept) = self.kept.remove(&key) {
                self.bytes -= entry_bytes(&kept);
            }
            if !self.has_series(&key) {
                self.bytes -= key.series.size_bytes();
            }
        }
    }

    fn has_series(&self, key: &Key) -> bool {
        self.of_series(&key.tenant, &key.series, i64::MIN..=i64::MAX).next().is_some()
    }

    /// The exemplars of a series at these times, in order of time and then of their coming.
    fn of_series(
        &self,
        tenant: &TenantId,
        series: &Labels,
        times: RangeInclusive<i64>,
    ) -> impl DoubleEndedIterator<Item = (&Key, &Kept)> {
        let key = |time, number| Key { tenant: tenant.clone(), series: series.clone(), time, number };
        self.kept.range(key(*times.start(), 0)..=key(*times.end(), u64::MAX))
    }

    /// The exemplars of a tenant at these times whose series pass all matchers of one of the selectors: by series, sorted by
    /// labels, and each in order of time. Looks at all exemplars of the tenant.
    pub(crate) fn select(
        &self,
        tenant: &TenantId,
        selectors: &[Vec<Matcher>],
        times: RangeInclusive<i64>,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        let first = Key { tenant: tenant.clone(), series: Labels::empty(), time: i64::MIN, number: 0 };
        let mut found: Vec<(Labels, Vec<Exemplar>)> = Vec::new();
        let mut last: Option<(&Labels, bool)> = None;
        for (key, kept) in self.kept.range(first..).take_while(|(key, _)| key.tenant == *tenant) {
            let is_wanted = match last {
                Some((series, is_wanted)) if *series == key.series => is_wanted,
                _ => selectors.iter().any(|all| all.iter().all(|matcher| matcher.matches_labels(&key.series))),
            };
            last = Some((&key.series, is_wanted));
            if !is_wanted || !times.contains(&key.time) {
                continue;
            }
            if found.last().is_none_or(|(series, _)| *series != key.series) {
                found.push((key.series.clone(), Vec::new()));
            }
            let timestamp = model::Timestamp(key.time);
            let exemplar = Exemplar { labels: kept.labels.clone(), value: kept.value, timestamp };
            found.last_mut().expect("it was pushed just now").1.push(exemplar);
        }
        found
    }

    /// What a snapshot keeps of them.
    pub(crate) fn to_saved(&self) -> Saved<'_> {
        let mut series: Vec<(&TenantId, &Labels)> = self.kept.keys().map(|key| (&key.tenant, &key.series)).collect();
        series.dedup();
        let exemplars = self.queue.iter().map(|key| {
            let at = series.binary_search(&(&key.tenant, &key.series)).expect("every exemplar is one of a series");
            let kept = &self.kept[key];
            let timestamp = model::Timestamp(key.time);
            let exemplar = Exemplar { labels: kept.labels.clone(), value: kept.value, timestamp };
            (at as u32, SentExemplar { exemplar, is_timed: kept.is_timed })
        });
        let exemplars = exemplars.collect();
        Saved { series, exemplars }
    }

    /// Takes back what was saved, in the same order.
    pub(crate) fn put_saved(&mut self, tenant: &TenantId, series: &Labels, saved: &SentExemplar) {
        let time = saved.exemplar.timestamp.as_ms();
        self.keep(Key { tenant: tenant.clone(), series: series.clone(), time, number: self.next }, saved);
    }
}

/// What an exemplar takes, its series not counted: it, and its key twice.
fn entry_bytes(kept: &Kept) -> usize {
    kept.labels.size_bytes() + size_of::<Kept>() + 2 * size_of::<Key>()
}

/// Whether an exemplar must not come after the newest one of its series. Of exemplars at one time those with larger values
/// come later; of equal values those whose labels have the larger hash: so Prometheus knows twice the same without a search.
fn is_out_of_order(newest_time: i64, newest: &Kept, sent: &SentExemplar, out_of_order_ms: i64) -> bool {
    let (time, value) = (sent.exemplar.timestamp.as_ms(), sent.exemplar.value);
    if time != newest_time {
        return time < newest_time && time <= newest_time.saturating_sub(out_of_order_ms.max(0));
    }
    value < newest.value
        || (value == newest.value && prometheus_hash(&sent.exemplar.labels) < prometheus_hash(&newest.labels))
}

#[cfg(test)]
mod tests;
