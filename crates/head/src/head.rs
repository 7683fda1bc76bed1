//! The head of a shard.

use std::sync::Arc;

use imbl::OrdMap;
use model::{Labels, Slot, TenantId};

use crate::exemplars::Exemplars;
use crate::loose::Bounds;
use crate::memory::MemoryUse;
use crate::record::{Answer, Outcome, PushedSeries, ScrapeRow, SentExemplar};
use crate::segment::{Entry, Segment};
use crate::slots::SlotState;
use crate::tenant::{Owned, TenantHead};
use crate::view::HeadView;

/// A segment is sealed when its groups have so many bytes.
const SEGMENT_BYTES: usize = 4 << 20;

/// What a head is bound by. Part of the replicated state, so that all replicas decide alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The length of a block, in ms. Groups never reach across a multiple of it.
    pub window_ms: i64,
    /// How late a tick may come and still be stored, in ms.
    pub tick_window_ms: i64,
    /// How much older than the newest sample a pushed sample may be, in ms.
    pub out_of_order_ms: i64,
    /// How many exemplars are kept, over all tenants; 0: none.
    pub max_exemplars: u64,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { window_ms: 7_200_000, tick_window_ms: 600_000, out_of_order_ms: 0, max_exemplars: 0 }
    }
}

/// The limits, and what else decides about a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) window_ms: i64,
    pub(crate) tick_window_ms: i64,
    out_of_order_ms: i64,
    /// What is older would stand beside data that are in the bucket only, where nobody could tell it from a second value.
    pub(crate) oldest_ms: i64,
}

impl Rules {
    pub(crate) fn bounds(&self, newest: Option<i64>) -> Bounds {
        let before = |ms: i64| newest.map_or(i64::MIN, |newest| newest.saturating_sub(ms)).max(self.oldest_ms);
        let takes_out_of_order = self.out_of_order_ms > 0;
        Bounds {
            oldest_in_order: before(self.window_ms / 2),
            oldest_out_of_order: if takes_out_of_order { before(self.out_of_order_ms) } else { i64::MAX },
            takes_out_of_order,
            window_ms: self.window_ms,
        }
    }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadStats {
    /// Series that have samples, or had some in the window.
    pub series: u64,
    /// Label pairs.
    pub label_pairs: u64,
    /// Groups that were not dropped yet.
    pub groups: u64,
    /// The newest time of any sample, in ms.
    pub newest_ms: Option<i64>,
    /// Cuts that are not shipped yet.
    pub unshipped_cuts: u64,
    /// Exemplars.
    pub exemplars: u64,
}

/// The recent window of one shard: every tenant's series, targets and samples.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub(crate) limits: HeadLimits,
    pub(crate) tenants: OrdMap<TenantId, Arc<TenantHead>>,
    /// Groups that are in no segment yet, in the order in which they were closed.
    pub(crate) unsealed: imbl::Vector<Entry>,
    pub(crate) unsealed_bytes: usize,
    pub(crate) segments: imbl::Vector<Arc<Segment>>,
    /// The number of the next segment.
    pub(crate) next_segment: u64,
    /// The groups of each cut that is not shipped, by tenant.
    pub(crate) cuts: OrdMap<u64, Arc<CutGroups>>,
    pub(crate) last_cut: u64,
    /// The end of the last cut, in ms.
    pub(crate) cut_end_ms: Option<i64>,
    pub(crate) last_shipped: u64,
    /// Samples before this time may have been dropped here, ...
    pub(crate) held_from_ms: i64,
    /// ... because the catalog has them from this version on.
    pub(crate) held_version: u64,
    pub(crate) exemplars: Exemplars,
    /// Slots that were ever given away or taken.
    pub(crate) slots: OrdMap<Slot, SlotState>,
}

/// What a cut has: the groups of each tenant, and where the cut ends.
#[derive(Clone, Debug)]
pub(crate) struct CutGroups {
    pub(crate) end_ms: i64,
    pub(crate) tenants: Vec<(TenantId, imbl::Vector<Owned>)>,
}

impl Head {
    /// A head without anything in it.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, held_from_ms: i64::MIN, ..Self::default() }
    }

    /// What it is bound by.
    pub fn limits(&self) -> HeadLimits {
        self.limits
    }

    /// Binds it otherwise from now on. Exemplars for which there is no more room go at once.
    pub fn set_limits(&mut self, limits: HeadLimits) {
        self.limits = limits;
        self.exemplars.shrink(usize::try_from(limits.max_exemplars).unwrap_or(usize::MAX));
    }

    /// Appends one part of one scrape.
    pub fn append_scrape(&mut self, tenant: &TenantId, row: &ScrapeRow<'_>) -> Answer {
        if !row.parts.is_power_of_two() || row.part >= row.parts {
            return Answer::malformed(format!("part {} of {}", row.part, row.parts));
        }
        if self.gave_target(row) {
            return Answer::of(Outcome::Moved);
        }
        let rules = self.rules();
        let mut answer = self.with_tenant(tenant, |head, closed| head.scrape(row, &rules, closed));
        if answer.outcome == Outcome::Stored && !row.exemplars.is_empty() {
            let head = self.tenants.get(tenant).cloned().unwrap_or_default();
            let sent = row.exemplars.iter().map(|(slot, sent)| (*slot, sent));
            self.keep_exemplars(tenant, sent.collect(), |slot| head.labels_of_slot(row, slot), &mut answer);
        }
        answer
    }

    /// Appends pushed samples. `refuse_new` says why series that are not known yet are refused, if they are. Nothing is appended
    /// if one of the series belongs to a slot that was given away: whoever sent them has to sort them anew.
    pub fn append_pushed(
        &mut self,
        tenant: &TenantId,
        pushed: &[PushedSeries],
        refuse_new: Option<&Arc<str>>,
    ) -> Answer {
        if self.gave_any(tenant, pushed) {
            return Answer::of(Outcome::Moved);
        }
        let rules = self.rules();
        let mut answer = self.with_tenant(tenant, |head, closed| {
            let mut answer = Answer { outcome: Outcome::Stored, ..Answer::default() };
            for series in pushed {
                head.push(series, refuse_new, &rules, closed, &mut answer);
            }
            answer
        });
        let sent: Vec<(u32, &SentExemplar)> =
            (0..).zip(pushed).flat_map(|(at, series)| series.exemplars.iter().map(move |sent| (at, sent))).collect();
        if !sent.is_empty() {
            let head = self.tenants.get(tenant).cloned().unwrap_or_default();
            let labels = |at: u32| Some(pushed[at as usize].labels.clone()).filter(|labels| head.has_pushed(labels));
            self.keep_exemplars(tenant, sent, labels, &mut answer);
        }
        answer
    }

    /// Keeps exemplars of series that have numbers in their record; `labels` says who they are, if they were taken up.
    fn keep_exemplars(
        &mut self,
        tenant: &TenantId,
        mut sent: Vec<(u32, &SentExemplar)>,
        labels: impl Fn(u32) -> Option<Labels>,
        answer: &mut Answer,
    ) {
        if self.limits.max_exemplars == 0 {
            return;
        }
        // A page has those of a histogram in the order of its buckets, which need not be that in which they are taken.
        sent.sort_by(|(at, a), (other, b)| at.cmp(other).then_with(|| a.exemplar.order(&b.exemplar)));
        for of_series in sent.chunk_by(|(at, _), (other, _)| at == other) {
            let Some(labels) = labels(of_series[0].0) else {
                answer.refused_exemplars += of_series.len() as u32;
                continue;
            };
            for (_, sent) in of_series {
                if let Err(why) = self.exemplars.append(tenant, &labels, sent, &self.limits) {
                    answer.refused_exemplars += 1;
                    answer.reason.get_or_insert_with(|| why.into());
                }
            }
        }
    }

    fn rules(&self) -> Rules {
        let HeadLimits { window_ms, tick_window_ms, out_of_order_ms, .. } = self.limits;
        Rules { window_ms, tick_window_ms, out_of_order_ms, oldest_ms: self.held_from_ms }
    }

    pub(crate) fn with_tenant<R>(
        &mut self,
        tenant: &TenantId,
        change: impl FnOnce(&mut TenantHead, &mut Vec<Owned>) -> R,
    ) -> R {
        let mut closed = Vec::new();
        let head = Arc::make_mut(self.tenants.entry(tenant.clone()).or_default());
        let result = change(head, &mut closed);
        head.uncut.extend(closed.iter().cloned());
        for owned in closed {
            self.add_closed(tenant, owned);
        }
        result
    }

    /// Notes a group that was closed, and seals the segment if it is full.
    pub(crate) fn add_closed(&mut self, tenant: &TenantId, owned: Owned) {
        self.unsealed_bytes += owned.group.len_bytes();
        self.unsealed.push_back(Entry { tenant: tenant.clone(), owned });
        if self.unsealed_bytes >= SEGMENT_BYTES {
            self.seal();
        }
    }

    /// Makes a segment of the groups that are in none.
    pub(crate) fn seal(&mut self) {
        if self.unsealed.is_empty() {
            return;
        }
        let entries: Vec<Entry> = std::mem::take(&mut self.unsealed).into_iter().collect();
        self.unsealed_bytes = 0;
        self.segments.push_back(Arc::new(Segment::new(self.next_segment, entries)));
        self.next_segment += 1;
    }

    /// The head as it is now.
    pub fn view(&self) -> HeadView {
        HeadView(self.clone())
    }

    /// How much there is.
    pub fn stats(&self) -> HeadStats {
        let groups = |tenant: &Arc<TenantHead>| {
            let targets = tenant.targets.iter().flatten().map(|target| target.groups.len() as u64);
            let loose = tenant.loose.iter().flatten().map(|loose| loose.groups.len() as u64);
            targets.chain(loose).sum::<u64>()
        };
        HeadStats {
            series: self.tenants.values().map(|tenant| tenant.index.len()).sum(),
            label_pairs: self.tenants.values().map(|tenant| tenant.index.pair_count() as u64).sum(),
            groups: self.tenants.values().map(groups).sum(),
            newest_ms: self.tenants.values().filter_map(|tenant| tenant.newest).max(),
            unshipped_cuts: self.cuts.len() as u64,
            exemplars: self.exemplars.len() as u64,
        }
    }

    /// How many series there are. At no cost.
    pub fn series_count(&self) -> u64 {
        self.tenants.values().map(|tenant| tenant.index.len()).sum()
    }

    /// What it takes in memory. Walks over everything: not for every append.
    pub fn memory(&self) -> MemoryUse {
        let mut used = MemoryUse { exemplars: self.exemplars.size_bytes(), ..MemoryUse::default() };
        for tenant in self.tenants.values() {
            let postings = tenant.index.labels().flat_map(|(_, values)| values.map(|(_, series)| series.size_bytes()));
            used.index += tenant.index.text_bytes() + postings.sum::<usize>();
            used.index += tenant.series.len() * size_of::<crate::tenant::Place>();
            for target in tenant.targets.iter().flatten() {
                used.targets += target.meta_bytes();
                used.samples +=
                    target.sample_bytes + target.groups.iter().map(|group| group.memory_bytes()).sum::<usize>();
            }
            for loose in tenant.loose.iter().flatten() {
                used.targets += size_of::<crate::loose::Loose>() + loose.pairs.len() * 4;
                used.samples +=
                    loose.sample_bytes + loose.groups.iter().map(|group| group.memory_bytes()).sum::<usize>();
            }
        }
        used
    }
}
