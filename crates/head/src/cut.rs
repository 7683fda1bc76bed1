//! Closing windows, and letting go of what was shipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::head::{CutGroups, Head, HeadLimits};
use crate::members::NONE;
use crate::tenant::{Owned, Owner, Place, TenantHead};

impl Head {
    /// The number of the last cut; 0: none yet.
    pub fn last_cut(&self) -> u64 {
        self.last_cut
    }

    /// Where the last cut ended, in ms.
    pub fn cut_end_ms(&self) -> Option<i64> {
        self.cut_end_ms
    }

    /// The number of the last cut that was shipped; 0: none yet.
    pub fn last_shipped(&self) -> u64 {
        self.last_shipped
    }

    /// Closes everything before `end_ms`: the contents of cut number `cut`. A cut that was made before, or is out of turn,
    /// changes nothing.
    ///
    /// Samples that came late join, whatever their time: blocks may overlap.
    pub fn cut(&mut self, cut: u64, end_ms: i64) -> bool {
        if cut != self.last_cut + 1 || self.cut_end_ms.is_some_and(|last| end_ms < last) {
            return false;
        }
        let mut tenants = Vec::new();
        for tenant in self.tenants.keys().cloned().collect::<Vec<_>>() {
            let limits = self.limits;
            let mut closed = Vec::new();
            let head = Arc::make_mut(self.tenants.get_mut(&tenant).expect("it is one of the keys"));
            head.close_before(end_ms, &limits, &mut closed);
            head.uncut.extend(closed.iter().cloned());
            let (groups, later) = std::mem::take(&mut head.uncut)
                .into_iter()
                .partition::<Vec<_>, _>(|owned| owned.group.range().end().as_ms() <= end_ms);
            head.uncut = later.into_iter().collect();
            for owned in closed {
                self.add_closed(&tenant, owned);
            }
            if !groups.is_empty() {
                tenants.push((tenant, groups.into_iter().collect()));
            }
        }
        self.seal();
        self.cuts.insert(cut, Arc::new(CutGroups { end_ms, tenants }));
        self.last_cut = cut;
        self.cut_end_ms = Some(end_ms);
        true
    }

    /// Notes that the blocks of a cut are in the bucket, and in the catalog from `catalog_version` on; drops data of shipped
    /// cuts that end before `drop_before_ms`. Cuts are shipped in turn; one that was shipped before only drops.
    pub fn shipped(&mut self, cut: u64, catalog_version: u64, drop_before_ms: i64) -> bool {
        if cut > self.last_shipped + 1 || cut > self.last_cut {
            return false;
        }
        self.cuts.remove(&cut);
        self.last_shipped = self.last_shipped.max(cut);
        // What is in no cut yet, or in one that is not shipped, stays whatever its time.
        let unshipped = self.cuts.values().flat_map(|cut| cut.tenants.iter().flat_map(|(_, groups)| groups.iter()));
        let uncut = self.tenants.values().flat_map(|tenant| tenant.uncut.iter());
        let first_needed = unshipped.chain(uncut).map(|owned| owned.group.range().start().as_ms()).min();
        let drop_before = drop_before_ms.min(first_needed.unwrap_or(i64::MAX));
        if drop_before > self.held_from_ms {
            self.drop_before(drop_before);
            self.held_from_ms = drop_before;
            self.held_version = catalog_version;
        }
        true
    }

    fn drop_before(&mut self, end_ms: i64) {
        for tenant in self.tenants.keys().cloned().collect::<Vec<_>>() {
            let head = Arc::make_mut(self.tenants.get_mut(&tenant).expect("it is one of the keys"));
            head.drop_before(end_ms);
            if head.is_empty() {
                self.tenants.remove(&tenant);
            }
        }
        let is_needed = |segment: &Arc<crate::Segment>| segment.ends_after(end_ms);
        self.segments = self.segments.iter().filter(|segment| is_needed(segment)).cloned().collect();
    }
}

impl TenantHead {
    /// Closes the open samples before `end_ms`.
    fn close_before(&mut self, end_ms: i64, limits: &HeadLimits, closed: &mut Vec<Owned>) {
        for at in 0..self.targets.len() {
            let Some(place) = self.targets.get(at).and_then(Option::as_ref) else { continue };
            let is_due = place.open_start().is_some_and(|start| start < end_ms);
            let has_late = place.late.iter().any(|frame| frame.first < end_ms);
            let is_silent = place.last_time.is_none_or(|last| last < end_ms - limits.window_ms)
                && (!place.columns.is_empty() || !place.alive_histograms.is_empty());
            if !is_due && !has_late && !is_silent {
                continue;
            }
            let place = self.targets.get_mut(at).and_then(Option::as_mut).expect("it was there just now");
            let target = Arc::make_mut(place);
            let mut groups = Vec::new();
            if is_due {
                groups.extend(target.close_group());
            }
            groups.extend(target.close_late(end_ms));
            if is_silent {
                target.rest();
            }
            closed.extend(groups.into_iter().map(|group| Owned { owner: Owner::Target(at as u32), group }));
        }
        for at in 0..self.loose.len() {
            let Some(place) = self.loose.get(at).and_then(Option::as_ref) else { continue };
            let is_due = place.open_start().is_some_and(|start| start < end_ms);
            if !is_due && !place.late.iter().any(|sample| sample.time < end_ms) {
                continue;
            }
            let place = self.loose.get_mut(at).and_then(Option::as_mut).expect("it was there just now");
            let loose = Arc::make_mut(place);
            let open = if is_due { loose.close_group() } else { None };
            let groups = open.into_iter().chain(loose.close_late(end_ms));
            closed.extend(groups.map(|group| Owned { owner: Owner::Loose(at as u32), group }));
        }
    }

    /// Drops groups that end before `end_ms`, and series and targets of which nothing is left.
    fn drop_before(&mut self, end_ms: i64) {
        for at in 0..self.loose.len() as u32 {
            self.drop_loose_before(at, end_ms);
        }
        for at in 0..self.targets.len() as u32 {
            self.drop_target_before(at, end_ms);
        }
        let said: BTreeSet<_> = self
            .targets
            .iter()
            .flatten()
            .flat_map(|target| target.layouts.iter().map(|layout| Arc::as_ptr(&layout.families).cast::<()>() as usize))
            .collect();
        self.families = self
            .families
            .iter()
            .filter(|(_, families)| said.contains(&(Arc::as_ptr(families).cast::<()>() as usize)))
            .map(|(hash, families)| (*hash, families.clone()))
            .collect();
    }

    /// Drops the old groups of a series by itself; a pushed series of which nothing is left goes.
    fn drop_loose_before(&mut self, at: u32, end_ms: i64) {
        let Some(place) = self.loose.get_mut(at as usize).and_then(Option::as_mut) else { return };
        if place.groups.iter().any(|group| group.range().end().as_ms() <= end_ms) {
            Arc::make_mut(place).groups.retain(|group| group.range().end().as_ms() > end_ms);
        }
        let is_pushed = !place.pairs.is_empty();
        let is_over = place.groups.is_empty() && place.newest().is_none_or(|newest| newest < end_ms);
        if !is_pushed || !is_over {
            return;
        }
        let loose = place.clone();
        let hash = crate::tenant::labels_of(&self.index, loose.pairs.iter().copied()).series_hash().0;
        self.index.remove(loose.series, loose.pairs.iter().copied());
        self.free_id(loose.series);
        *self.loose.get_mut(at as usize).expect("it was there just now") = None;
        self.free_loose.push_back(at);
        let others: Arc<[u32]> = self
            .pushed
            .get(&hash)
            .into_iter()
            .flat_map(|all| all.iter().copied())
            .filter(|other| *other != at)
            .collect();
        if others.is_empty() {
            self.pushed.remove(&hash)
        } else {
            self.pushed.insert(hash, others)
        };
    }

    /// Drops the old groups of a target, the members of which nothing is left, and the target if it is empty.
    fn drop_target_before(&mut self, at: u32, end_ms: i64) {
        let Some(mut place) = self.targets.get_mut(at as usize).and_then(Option::take) else { return };
        let target = Arc::make_mut(&mut place);
        target.groups.retain(|group| group.range().end().as_ms() > end_ms);
        self.rest_timed(target, end_ms);
        // A group that stays keeps all its series, those too that ended in its part before `end_ms`.
        let first = target.first_time().unwrap_or(i64::MAX);
        let over: Vec<u32> =
            target.members.dormant.iter().filter(|(_, last)| **last < first).map(|(member, _)| *member).collect();
        if !over.is_empty() {
            // Their ids may be given to others, whose counters began at other times.
            let gone: BTreeSet<u32> = over.iter().map(|member| target.members.series[*member as usize]).collect();
            target.starts = target.starts.without(&gone);
            let members = Arc::make_mut(&mut target.members);
            for member in &over {
                let series = members.series[*member as usize];
                self.index.remove(series, members.pairs(*member));
                members.remove(*member);
                self.free_id(series);
            }
            // A layout that names a member which is gone must be said again before it is used.
            let members = target.members.clone();
            let is_whole =
                |slots: &[u32]| slots.iter().all(|member| *member == NONE || members.series[*member as usize] != NONE);
            target.layouts.retain(|layout| is_whole(&layout.slots));
            if target.members.wants_compaction() {
                self.compact_members(at, target);
            }
        }
        let is_over = target.members.series.iter().all(|series| *series == NONE)
            && target.groups.is_empty()
            && target.last_time.is_none_or(|last| last < end_ms);
        if is_over {
            self.by_target.remove(&(target.id, target.part));
            self.free_targets.push_back(at);
        } else {
            *self.targets.get_mut(at as usize).expect("it was there just now") = Some(place);
        }
    }

    /// Members with their own times of which nothing is left rest like others.
    fn rest_timed(&mut self, target: &mut crate::target::Target, end_ms: i64) {
        let over: Vec<(u32, u32)> = target
            .members
            .timed
            .iter()
            .filter(|(_, at)| {
                let loose = self.loose[**at as usize].as_ref();
                loose.is_none_or(|loose| loose.groups.is_empty() && loose.newest().is_none_or(|newest| newest < end_ms))
            })
            .map(|(member, at)| (*member, *at))
            .collect();
        if over.is_empty() {
            return;
        }
        // It may have had rows before it had its own times.
        let last = target.last_time.unwrap_or(i64::MIN);
        let members = Arc::make_mut(&mut target.members);
        for (member, at) in over {
            members.timed.remove(&member);
            target.alive_timed.remove(&member);
            *self.loose.get_mut(at as usize).expect("it was there just now") = None;
            self.free_loose.push_back(at);
            if members.columns[member as usize] == NONE && !target.alive_histograms.contains(&member) {
                members.dormant.entry(member).or_insert(last);
            }
        }
    }

    /// Lets the members that are left move up.
    fn compact_members(&mut self, at: u32, target: &mut crate::target::Target) {
        let moved = Arc::make_mut(&mut target.members).compact();
        let follow = |member: u32| if member == NONE { NONE } else { moved[member as usize] };
        for (member, series) in (0u32..).zip(&target.members.series) {
            *self.series.get_mut(*series as usize).expect("a member's id has a place") =
                Place::Member { target: at, member };
        }
        target.columns.iter_mut().for_each(|member| *member = follow(*member));
        target.alive_histograms = target.alive_histograms.iter().map(|member| follow(*member)).collect();
        target.alive_timed = target.alive_timed.iter().map(|member| follow(*member)).collect();
        for layout in &mut target.layouts {
            let slots = layout.slots.iter().map(|member| follow(*member)).collect();
            Arc::make_mut(layout).slots = slots;
        }
        for row in &mut target.rows {
            if !row.histograms.is_empty() {
                let histograms =
                    row.histograms.iter().map(|(member, value)| (follow(*member), value.clone())).collect();
                Arc::make_mut(row).histograms = histograms;
            }
        }
    }

    fn free_id(&mut self, series: u32) {
        *self.series.get_mut(series as usize).expect("an id has a place") = Place::Free;
        self.free_series.push_back(series);
    }

    fn is_empty(&self) -> bool {
        self.by_target.is_empty() && self.pushed.is_empty() && self.index.is_empty() && self.uncut.is_empty()
    }
}
