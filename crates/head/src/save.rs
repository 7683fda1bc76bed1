//! A head as a file, and back.
//!
//! A snapshot is the segment files, which never change, and one file with everything else: what is open, and which series,
//! layouts and ticks there are. Loading it gives the same head: ids and the order of free places decide what later entries
//! do, so they are kept.

mod target;
mod tenant;

pub(crate) use target::{ticks_from_proto, ticks_to_proto, timed_from_proto, timed_to_proto};

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use model::{Exemplar, Labels, TenantId, Timestamp};
use prost::Message;
use proto::{entry, head};
use xxhash_rust::xxh3::xxh3_128;

use crate::exemplars::{Exemplars, Saved};
use crate::group::{Group, range_of};
use crate::head::{CutGroups, Head, HeadLimits};
use crate::record::SentExemplar;
use crate::segment::{Entry, Segment, SegmentError, SegmentFile};
use crate::slots;
use crate::tenant::{Owned, Owner, TenantHead};
use crate::view::HeadView;

/// How hard the file is compressed: it is written once and read at most once.
const LEVEL: i32 = 1;

fn damaged(what: impl Into<String>) -> SegmentError {
    SegmentError::Damaged(what.into())
}

/// Where each group stands, in the order of segments and then of groups that are in none.
#[derive(Default)]
struct Numbers(HashMap<*const Group, u64>);

impl Numbers {
    fn of(head: &Head) -> Self {
        let sealed = head.segments.iter().flat_map(|segment| segment.entries.iter());
        let all = sealed.chain(head.unsealed.iter());
        Self((0..).zip(all).map(|(number, entry)| (Arc::as_ptr(&entry.owned.group), number)).collect())
    }

    fn get<'a>(&self, groups: impl IntoIterator<Item = &'a Arc<Group>>) -> Vec<u64> {
        let number = |group| self.0.get(&Arc::as_ptr(group)).copied();
        groups
            .into_iter()
            .map(|group| number(group).expect("a group that is held is in a segment or unsealed"))
            .collect()
    }
}

/// The groups of a file that is being loaded, by number.
struct Groups(Vec<Owned>);

impl Groups {
    fn get(&self, numbers: &[u64]) -> Result<Vec<Owned>, SegmentError> {
        let one = |number: &u64| usize::try_from(*number).ok().and_then(|number| self.0.get(number)).cloned();
        let found: Option<Vec<Owned>> = numbers.iter().map(one).collect();
        found.ok_or_else(|| damaged("it names a group that no segment has"))
    }
}

impl HeadView {
    /// The file of everything that is in no segment, compressed. All segments must have been saved before.
    ///
    /// # Panics
    /// If a segment was not saved.
    pub fn open_file(&self) -> Vec<u8> {
        let file = |segment: &Segment| {
            segment.file().expect("segments are saved before the file that names them").name.clone()
        };
        let bytes = to_proto(&self.0, file).encode_to_vec();
        zstd::encode_all(&bytes[..], LEVEL).expect("memory takes all that is written")
    }

    /// A hash of the whole state: replicas that have applied the same entries have the same one. Takes a walk over the head,
    /// and as much memory for a moment as its open part.
    pub fn digest(&self) -> u128 {
        let directory = |segment: &Segment| format!("{:032x}", xxh3_128(&segment.directory()));
        xxh3_128(&to_proto(&self.0, directory).encode_to_vec())
    }
}

impl Head {
    /// Loads a head. `segment` gives the segment file of a name and its bytes; they are verified when they are read.
    ///
    /// # Errors
    /// If a file is missing or is not what was saved.
    pub fn load(
        open_file: &[u8],
        mut segment: impl FnMut(&str) -> Result<(SegmentFile, Bytes), SegmentError>,
    ) -> Result<Self, SegmentError> {
        let bytes = zstd::decode_all(open_file).map_err(|error| damaged(error.to_string()))?;
        let saved = head::Head::decode(&bytes[..]).map_err(|error| damaged(error.to_string()))?;
        let segments = saved.segments.iter().map(|saved| {
            let (file, bytes) = segment(&saved.file)?;
            Segment::open(saved.number, file, &bytes).map(Arc::new)
        });
        let segments = segments.collect::<Result<imbl::Vector<_>, _>>()?;
        from_proto(saved, segments)
    }
}

/// `file` names the file of a segment.
fn to_proto(head: &Head, file: impl Fn(&Segment) -> String) -> head::Head {
    let numbers = Numbers::of(head);
    let segments = head.segments.iter().map(|segment| head::Segment { number: segment.number(), file: file(segment) });
    let cuts = head.cuts.iter().map(|(cut, groups)| {
        let tenants = groups.tenants.iter().map(|(tenant, owned)| head::TenantGroups {
            tenant: tenant.as_str().to_owned(),
            groups: numbers.get(owned.iter().map(|owned| &owned.group)),
        });
        head::CutGroups { cut: *cut, end_ms: groups.end_ms, tenants: tenants.collect() }
    });
    head::Head {
        limits: Some(entry::Limits {
            block_window_ms: head.limits.window_ms,
            tick_window_ms: head.limits.tick_window_ms,
            out_of_order_window_ms: head.limits.out_of_order_ms,
            max_exemplars: head.limits.max_exemplars,
        }),
        segments: segments.collect(),
        unsealed: head.unsealed.iter().map(unsealed_to_proto).collect(),
        next_segment: head.next_segment,
        tenants: head.tenants.iter().map(|(name, tenant)| tenant::to_proto(name, tenant, &numbers)).collect(),
        cuts: cuts.collect(),
        last_cut: head.last_cut,
        cut_end_ms: head.cut_end_ms,
        last_shipped: head.last_shipped,
        held_from_ms: head.held_from_ms,
        held_version: head.held_version,
        exemplars: Some(exemplars_to_proto(&head.exemplars)),
        slots: head.slots.iter().map(slots::to_proto).collect(),
    }
}

fn from_proto(saved: head::Head, segments: imbl::Vector<Arc<Segment>>) -> Result<Head, SegmentError> {
    let unsealed = saved.unsealed.into_iter().map(unsealed_from_proto).collect::<Result<imbl::Vector<_>, _>>()?;
    let sealed = segments.iter().flat_map(|segment| segment.entries.iter());
    let groups = Groups(sealed.chain(unsealed.iter()).map(|entry| entry.owned.clone()).collect());
    let mut tenants = imbl::OrdMap::new();
    for tenant in saved.tenants {
        let (name, tenant): (TenantId, TenantHead) = tenant::from_proto(tenant, &groups)?;
        tenants.insert(name, Arc::new(tenant));
    }
    let mut cuts = imbl::OrdMap::new();
    for cut in saved.cuts {
        let tenants = cut
            .tenants
            .iter()
            .map(|tenant| Ok((tenant_id(&tenant.tenant)?, groups.get(&tenant.groups)?.into_iter().collect())));
        let tenants = tenants.collect::<Result<Vec<_>, SegmentError>>()?;
        cuts.insert(cut.cut, Arc::new(CutGroups { end_ms: cut.end_ms, tenants }));
    }
    let limits = saved.limits.ok_or_else(|| damaged("it has no limits"))?;
    Ok(Head {
        limits: HeadLimits {
            window_ms: limits.block_window_ms,
            tick_window_ms: limits.tick_window_ms,
            out_of_order_ms: limits.out_of_order_window_ms,
            max_exemplars: limits.max_exemplars,
        },
        tenants,
        unsealed_bytes: unsealed.iter().map(|entry| entry.owned.group.len_bytes()).sum(),
        unsealed,
        segments,
        next_segment: saved.next_segment,
        cuts,
        last_cut: saved.last_cut,
        cut_end_ms: saved.cut_end_ms,
        last_shipped: saved.last_shipped,
        held_from_ms: saved.held_from_ms,
        held_version: saved.held_version,
        exemplars: exemplars_from_proto(saved.exemplars.unwrap_or_default())?,
        slots: saved.slots.iter().map(slots::from_proto).collect::<Result<_, _>>()?,
    })
}

fn exemplars_to_proto(exemplars: &Exemplars) -> head::Exemplars {
    let Saved { series, exemplars } = exemplars.to_saved();
    let series = series.into_iter().map(|(tenant, labels)| head::ExemplarSeries {
        tenant: tenant.as_str().to_owned(),
        labels: Bytes::copy_from_slice(labels.canonical_bytes()),
    });
    let exemplars = exemplars.into_iter().map(|(series, sent)| entry::Exemplar {
        series,
        labels: Bytes::copy_from_slice(sent.exemplar.labels.canonical_bytes()),
        value: sent.exemplar.value,
        timestamp_ms: sent.exemplar.timestamp.as_ms(),
        untimed: !sent.is_timed,
    });
    head::Exemplars { series: series.collect(), exemplars: exemplars.collect() }
}

fn exemplars_from_proto(saved: head::Exemplars) -> Result<Exemplars, SegmentError> {
    let labels = |bytes: &[u8]| Labels::from_canonical_bytes(bytes).ok_or_else(|| damaged("the labels of an exemplar"));
    let series = saved.series.iter().map(|series| Ok((tenant_id(&series.tenant)?, labels(&series.labels)?)));
    let series = series.collect::<Result<Vec<_>, SegmentError>>()?;
    let mut exemplars = Exemplars::default();
    for exemplar in saved.exemplars {
        let of = series.get(exemplar.series as usize).ok_or_else(|| damaged("an exemplar of no series"))?;
        let timestamp = Timestamp(exemplar.timestamp_ms);
        let sent = SentExemplar {
            exemplar: Exemplar { labels: labels(&exemplar.labels)?, value: exemplar.value, timestamp },
            is_timed: !exemplar.untimed,
        };
        exemplars.put_saved(&of.0, &of.1, &sent);
    }
    Ok(exemplars)
}

pub(crate) fn tenant_id(name: &str) -> Result<TenantId, SegmentError> {
    TenantId::new(name).ok_or_else(|| damaged(format!("{name:?} is no name of a tenant")))
}

fn unsealed_to_proto(entry: &Entry) -> head::Unsealed {
    let Entry { tenant, owned: Owned { owner, group } } = entry;
    let (first_ms, last_ms) = group.bounds();
    head::Unsealed {
        tenant: tenant.as_str().to_owned(),
        owner: owner.number(),
        piece: group.raw_bytes(),
        first_ms,
        last_ms,
        rows: group.rows,
        series: group.series,
    }
}

fn unsealed_from_proto(saved: head::Unsealed) -> Result<Entry, SegmentError> {
    let owner = Owner::from_number(saved.owner).ok_or_else(|| damaged("a group of nobody"))?;
    let group = Group::new(saved.piece, range_of(saved.first_ms, saved.last_ms), saved.rows, saved.series);
    Ok(Entry { tenant: tenant_id(&saved.tenant)?, owned: Owned { owner, group } })
}
