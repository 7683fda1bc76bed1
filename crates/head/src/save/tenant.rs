//! One tenant of a saved head.

use std::collections::HashMap;
use std::sync::Arc;

use index::{Index, PairId};
use model::{Metadata, TenantId};
use proto::{entry, head};
use stdx::PagedVec;

use super::{Groups, Numbers, damaged, target, tenant_id};
use crate::members::NONE;
use crate::segment::SegmentError;
use crate::target::Families;
use crate::tenant::{Place, TenantHead, labels_of};

/// What targets and series by themselves refer to in their tenant.
pub(super) struct Names {
    /// Where each label pair stands.
    pairs: HashMap<PairId, u32>,
    families: HashMap<*const (Box<str>, Metadata), u32>,
}

impl Names {
    /// Where a pair stands; `NONE` for one that no series has any more, which only a removed member still names.
    pub(super) fn pair(&self, id: PairId) -> u32 {
        self.pairs.get(&id).copied().unwrap_or(NONE)
    }

    pub(super) fn families(&self, families: &Families) -> u32 {
        self.families[&families.as_ptr()]
    }
}

pub(super) fn to_proto(name: &TenantId, tenant: &TenantHead, numbers: &Numbers) -> head::Tenant {
    let mut texts = Vec::new();
    let mut pairs = HashMap::new();
    for (label, values) in tenant.index.labels() {
        for (value, _) in values {
            let id = tenant.index.find(label, value).expect("the index lists what it has");
            pairs.insert(id, (texts.len() / 2) as u32);
            texts.extend([label.to_owned(), value.to_owned()]);
        }
    }
    let mut said = Vec::new();
    let mut families = HashMap::new();
    let layouts = tenant.targets.iter().flatten().flat_map(|target| target.layouts.iter());
    for layout in layouts {
        families.entry(layout.families.as_ptr()).or_insert_with(|| {
            said.push(families_to_proto(&layout.families));
            said.len() as u32 - 1
        });
    }
    let names = Names { pairs, families };
    let targets = (0..).zip(tenant.targets.iter()).filter_map(|(at, target)| Some((at, target.as_ref()?)));
    let loose = (0..).zip(tenant.loose.iter()).filter_map(|(at, loose)| Some((at, loose.as_ref()?)));
    head::Tenant {
        name: name.as_str().to_owned(),
        series_places: tenant.series.len() as u32,
        free_series: tenant.free_series.iter().copied().collect(),
        target_places: tenant.targets.len() as u32,
        free_targets: tenant.free_targets.iter().copied().collect(),
        loose_places: tenant.loose.len() as u32,
        free_loose: tenant.free_loose.iter().copied().collect(),
        pairs: texts,
        families: said,
        targets: targets.map(|(at, target)| target::to_proto(at, target, &names, numbers)).collect(),
        loose: loose.map(|(at, loose)| target::loose_to_proto(at, loose, &names, numbers)).collect(),
        newest_ms: tenant.newest,
        uncut: numbers.get(tenant.uncut.iter().map(|owned| &owned.group)),
    }
}

/// What targets and series by themselves refer to, of a file that is being loaded.
pub(super) struct Loaded<'a> {
    pairs: Vec<PairId>,
    pub(super) families: Vec<Families>,
    pub(super) groups: &'a Groups,
}

impl Loaded<'_> {
    pub(super) fn pair(&self, at: u32) -> PairId {
        self.pairs.get(at as usize).copied().unwrap_or(PairId(NONE))
    }
}

pub(super) fn from_proto(saved: head::Tenant, groups: &Groups) -> Result<(TenantId, TenantHead), SegmentError> {
    let mut tenant = TenantHead {
        series: filled(saved.series_places, Place::Free),
        free_series: saved.free_series.into_iter().collect(),
        targets: filled(saved.target_places, None),
        free_targets: saved.free_targets.into_iter().collect(),
        loose: filled(saved.loose_places, None),
        free_loose: saved.free_loose.into_iter().collect(),
        newest: saved.newest_ms,
        uncut: groups.get(&saved.uncut)?.into_iter().collect(),
        ..TenantHead::default()
    };
    let index = &mut tenant.index;
    let pairs = saved.pairs.chunks_exact(2).map(|pair| index.intern(&pair[0], &pair[1])).collect();
    let families = saved.families.into_iter().map(families_from_proto).collect::<Result<Vec<_>, _>>()?;
    let families = families.iter().map(|said| tenant.families(said)).collect();
    let loaded = Loaded { pairs, families, groups };
    for saved in saved.targets {
        load_target(&mut tenant, saved, &loaded)?;
    }
    for saved in saved.loose {
        load_loose(&mut tenant, saved, &loaded)?;
    }
    Ok((tenant_id(&saved.name)?, tenant))
}

fn load_target(tenant: &mut TenantHead, saved: head::Target, loaded: &Loaded<'_>) -> Result<(), SegmentError> {
    let at = saved.place;
    let target = target::from_proto(saved, loaded)?;
    for (member, series) in (0u32..).zip(target.members.series.iter().copied()).filter(|(_, series)| *series != NONE) {
        take_id(tenant, series, Place::Member { target: at, member })?;
        add_to_index(&mut tenant.index, series, target.members.pairs(member))?;
    }
    tenant.by_target.insert((target.id, target.part), at);
    *tenant.targets.get_mut(at as usize).ok_or_else(|| damaged("a target without a place"))? = Some(Arc::new(target));
    Ok(())
}

fn load_loose(tenant: &mut TenantHead, saved: head::Loose, loaded: &Loaded<'_>) -> Result<(), SegmentError> {
    let at = saved.place;
    let loose = target::loose_from_proto(saved, loaded)?;
    // Those of a target's member have no pairs of their own: labels and place are with the member.
    if !loose.pairs.is_empty() {
        take_id(tenant, loose.series, Place::Loose(at))?;
        add_to_index(&mut tenant.index, loose.series, loose.pairs.iter().copied())?;
        let hash = labels_of(&tenant.index, loose.pairs.iter().copied()).series_hash().0;
        let others = tenant.pushed.get(&hash).into_iter().flat_map(|others| others.iter().copied());
        let all = others.chain([at]).collect();
        tenant.pushed.insert(hash, all);
    }
    *tenant.loose.get_mut(at as usize).ok_or_else(|| damaged("a series without a place"))? = Some(Arc::new(loose));
    Ok(())
}

fn take_id(tenant: &mut TenantHead, series: u32, place: Place) -> Result<(), SegmentError> {
    match tenant.series.get_mut(series as usize) {
        Some(free) if *free == Place::Free => {
            *free = place;
            Ok(())
        }
        _ => Err(damaged(format!("series {series} has two places, or none"))),
    }
}

fn add_to_index(index: &mut Index, series: u32, pairs: impl Iterator<Item = PairId>) -> Result<(), SegmentError> {
    let pairs: Vec<PairId> = pairs.collect();
    if pairs.contains(&PairId(NONE)) {
        return Err(damaged(format!("series {series} has a label that the file does not have")));
    }
    index.add(series, pairs);
    Ok(())
}

fn filled<T: Clone>(count: u32, element: T) -> PagedVec<T> {
    let mut places = PagedVec::new();
    (0..count).for_each(|_| places.push(element.clone()));
    places
}

fn families_to_proto(families: &Families) -> entry::Families {
    let family = |(name, metadata): &(Box<str>, Metadata)| entry::Family {
        name: name.to_string(),
        metric_type: metadata.metric_type.as_str().to_owned(),
        help: metadata.help.to_string(),
        unit: metadata.unit.to_string(),
    };
    entry::Families { families: families.iter().map(family).collect() }
}

fn families_from_proto(saved: entry::Families) -> Result<Vec<(Box<str>, Metadata)>, SegmentError> {
    let family = |family: entry::Family| {
        let metric_type = family.metric_type.parse();
        let metric_type = metric_type.map_err(|()| damaged(format!("{:?} is no metric type", family.metric_type)))?;
        let metadata = Metadata { metric_type, help: family.help.into(), unit: family.unit.into() };
        Ok((family.name.into(), metadata))
    };
    saved.families.into_iter().map(family).collect()
}
