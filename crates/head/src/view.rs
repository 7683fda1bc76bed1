//! A head as it was at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use model::{Exemplar, Labels, Matcher, Metadata, TenantId, TimeRange};

use crate::head::{Head, HeadLimits, HeadStats};
use crate::memory::MemoryUse;
use crate::segment::{Segment, SegmentError};
use crate::select::Selected;

/// A head as it was at one moment. It stays as it is while the head goes on.
#[derive(Clone, Debug)]
pub struct HeadView(pub(crate) Head);

/// What a cut has of one tenant.
#[derive(Clone, Debug)]
pub struct CutContents {
    /// Whose data it is.
    pub tenant: TenantId,
    /// Where the cut ends, in ms.
    pub end_ms: i64,
    /// Its series, by metric and then by labels.
    pub series: Vec<Selected>,
}

impl HeadView {
    /// What the head is bound by.
    pub fn limits(&self) -> HeadLimits {
        self.0.limits
    }

    /// How much there is.
    pub fn stats(&self) -> HeadStats {
        self.0.stats()
    }

    /// How many series there are. At no cost.
    pub fn series_count(&self) -> u64 {
        self.0.series_count()
    }

    /// What the head takes in memory.
    pub fn memory(&self) -> MemoryUse {
        self.0.memory()
    }

    /// The tenants that have something here.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.0.tenants.keys()
    }

    /// Samples before this time, in ms, may have been dropped here, because the catalog has their blocks from the version on
    /// that comes with it.
    pub fn held_from(&self) -> (i64, u64) {
        (self.0.held_from_ms, self.0.held_version)
    }

    /// The cuts that are not shipped yet, ascending, each with its end in ms.
    pub fn unshipped_cuts(&self) -> impl Iterator<Item = (u64, i64)> {
        self.0.cuts.iter().map(|(cut, groups)| (*cut, groups.end_ms))
    }

    /// The number of the last cut, and of the last one that was shipped.
    pub fn last_cuts(&self) -> (u64, u64) {
        (self.0.last_cut, self.0.last_shipped)
    }

    /// Where the last cut ended, in ms.
    pub fn cut_end_ms(&self) -> Option<i64> {
        self.0.cut_end_ms
    }

    /// Whether anything is open that a cut at `end_ms` would close.
    pub fn has_open_before(&self, end_ms: i64) -> bool {
        self.0.tenants.values().any(|tenant| {
            let targets = tenant.targets.iter().flatten();
            let loose = tenant.loose.iter().flatten();
            targets
                .filter_map(|target| target.open_start())
                .chain(loose.filter_map(|loose| loose.open_start()))
                .any(|start| start < end_ms)
                || tenant.uncut.iter().any(|owned| owned.group.range().start().as_ms() < end_ms)
        })
    }

    /// Whether there is any group that ends before `end_ms`.
    pub fn has_closed_before(&self, end_ms: i64) -> bool {
        let ends = |group: &std::sync::Arc<crate::group::Group>| group.range().end().as_ms() <= end_ms;
        self.0.tenants.values().any(|tenant| {
            tenant.targets.iter().flatten().any(|target| target.groups.iter().any(ends))
                || tenant.loose.iter().flatten().any(|loose| loose.groups.iter().any(ends))
        })
    }

    /// The segments, ascending.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.0.segments.iter()
    }

    /// What a cut has, tenant by tenant; empty if there is no such cut, or if it was shipped.
    ///
    /// # Errors
    /// If a group is damaged.
    pub fn cut_contents(&self, cut: u64) -> Result<Vec<CutContents>, SegmentError> {
        let Some(groups) = self.0.cuts.get(&cut) else { return Ok(Vec::new()) };
        let contents = groups.tenants.iter().map(|(tenant, owned)| {
            let Some(head) = self.0.tenants.get(tenant) else {
                return Err(SegmentError::Damaged(format!("cut {cut} has groups of tenant {tenant}, which is gone")));
            };
            let series = crate::select::series_of_groups(head, owned.iter())?;
            Ok(CutContents { tenant: tenant.clone(), end_ms: groups.end_ms, series })
        });
        contents.collect()
    }

    /// What the newest pages of a tenant's targets say about metric families: each family once for each thing that is said.
    pub fn metadata(&self, tenant: &TenantId, metric: Option<&str>) -> BTreeMap<Box<str>, BTreeSet<Metadata>> {
        let mut said: BTreeMap<Box<str>, BTreeSet<Metadata>> = BTreeMap::new();
        let Some(head) = self.0.tenants.get(tenant) else { return said };
        let mut seen = BTreeSet::new();
        for target in head.targets.iter().flatten() {
            // What was given away its new owner speaks for.
            if target.ended || self.0.gave(ring::slot_of_target(target.id, target.part)) {
                continue;
            }
            let Some(layout) = target.layouts.last() else { continue };
            if !seen.insert(Arc::as_ptr(&layout.families).cast::<()>() as usize) {
                continue;
            }
            let wanted = layout.families.iter().filter(|(name, _)| metric.is_none_or(|metric| metric == &**name));
            for (name, metadata) in wanted {
                said.entry(name.clone()).or_default().insert(metadata.clone());
            }
        }
        said
    }

    /// The exemplars of a tenant at these times (in ms, both ends belong to them) whose series pass all matchers of one of the
    /// selectors: by series, sorted by labels, and each in order of time. Looks at all exemplars of the tenant.
    pub fn exemplars(
        &self,
        tenant: &TenantId,
        selectors: &[Vec<Matcher>],
        times_ms: RangeInclusive<i64>,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        self.0.exemplars.select(tenant, selectors, times_ms)
    }

    /// The range of times that samples of this view can have, as far as is known without looking.
    pub fn time_range(&self) -> TimeRange {
        let newest = self.0.tenants.values().filter_map(|tenant| tenant.newest).max();
        newest.map_or(TimeRange::new(model::Timestamp(0), model::Timestamp(0)), |newest| {
            TimeRange::inclusive(model::Timestamp(self.0.held_from_ms), model::Timestamp(newest))
        })
    }
}
