//! How what travels is taken in.

use std::collections::HashMap;
use std::sync::Arc;

use index::PairId;
use model::Labels;

use super::{TravellingSeries, TravellingTarget};
use crate::starts::Starts;
use crate::target::Target;
use crate::tenant::{Owned, Owner, TenantHead};

impl TenantHead {
    /// Goes on with a target where its last owner left off. What was left here of an earlier time at which it was this head's
    /// own stays readable, and decides nothing any more.
    pub(crate) fn adopt_target(&mut self, incoming: TravellingTarget, closed: &mut Vec<Owned>) {
        let key = (incoming.id, incoming.part);
        let known = self.by_target.get(&key).copied();
        let taken = known.and_then(|at| self.targets.get_mut(at as usize)).and_then(Option::take);
        let at = known.unwrap_or_else(|| self.target_place());
        let mut place = taken.unwrap_or_else(|| Arc::new(Target::new(incoming.id, incoming.part, incoming.parts)));
        let target = Arc::make_mut(&mut place);
        closed.extend(target.close_group().map(|group| Owned { owner: Owner::Target(at), group }));
        target.rest();
        // Senders say again what rows look like, and with it when counters began: what was known here may be old.
        target.layouts.clear();
        (target.starts, target.starts_tick) = (Starts::default(), None);
        if incoming.parts < target.parts {
            // The last owner had forgotten: what is stored from here on is in as many parts as this head remembers.
            target.parts_since = incoming.ticks.newest().map(|newest| newest + 1);
        } else {
            (target.parts, target.parts_since) = (incoming.parts, incoming.parts_since);
        }
        target.owner_epoch = target.owner_epoch.max(incoming.owner_epoch);
        target.interval_ms = incoming.interval_ms;
        target.ended = incoming.ended;
        target.ticks = incoming.ticks.clone();
        target.last_time = target.last_time.max(incoming.last_time);
        self.adopt_members(target, at, incoming);
        self.by_target.insert(key, at);
        *self.targets.get_mut(at as usize).expect("the place exists") = Some(place);
    }

    /// Makes the series that the newest row had members that are alive, and gives those with their own times their last sample.
    fn adopt_members(&mut self, target: &mut Target, at: u32, incoming: TravellingTarget) {
        let TravellingTarget { alive, alive_histograms, timed, .. } = incoming;
        let all = || alive.iter().chain(&alive_histograms).chain(timed.iter().map(|series| &series.labels));
        let common = common_of(all());
        let shared: Vec<&str> = common.iter().map(|(name, _)| name).collect();
        let mut members: HashMap<Labels, u32> = HashMap::new();
        let old = target.members.clone();
        let by_labels = old.by_labels();
        for labels in all() {
            let pairs: Option<Vec<PairId>> = labels.iter().map(|(name, value)| self.index.find(name, value)).collect();
            let found = pairs.and_then(|pairs| by_labels.find(&pairs));
            let new = || self.new_member(target, at, &common, &labels.without(&shared));
            members.entry(labels.clone()).or_insert_with(|| found.unwrap_or_else(new));
        }
        for labels in &alive {
            let column = target.column_of(members[labels]);
            target.alive.insert(column as usize);
        }
        for labels in &alive_histograms {
            let member = members[labels];
            Arc::make_mut(&mut target.members).dormant.remove(&member);
            target.alive_histograms.insert(member);
        }
        for series in timed {
            let member = members[&series.labels];
            let at = self.timed_place(target, member);
            self.adopt_last(at, &series);
            if series.is_alive {
                target.alive_timed.insert(member);
            }
        }
    }

    /// Goes on with a pushed series where its last owner left off.
    pub(crate) fn adopt_pushed(&mut self, series: TravellingSeries) {
        let at = self.find_pushed(&series.labels).unwrap_or_else(|| self.add_pushed(&series.labels));
        self.adopt_last(at, &series);
    }

    fn adopt_last(&mut self, at: u32, series: &TravellingSeries) {
        let place = self.loose.get_mut(at as usize).and_then(Option::as_mut).expect("a series by itself is there");
        let newest = place.last.as_ref().map(|last| last.time);
        if series.last.as_ref().map(|last| last.time) > newest {
            Arc::make_mut(place).last.clone_from(&series.last);
        }
    }
}

/// The labels that all of these have: kept once for all.
fn common_of<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = all.next() else { return Labels::empty() };
    let mut common: Vec<(&str, &str)> = first.iter().collect();
    for labels in all {
        common.retain(|(name, value)| labels.get(name) == Some(value));
    }
    Labels::from_pairs(common)
}
