//! The series of one target.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

use index::{Index, PairId};
use model::Labels;
use proto::head;
use xxhash_rust::xxh3::xxh3_64;

/// No number: for a member without a column, a slot without a member.
pub(crate) const NONE: u32 = u32::MAX;

/// The series of one target, past ones included as long as the head has samples of them.
///
/// A struct of arrays: a member is a position. Labels that all series of a page share are kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// The id of each member in its head; `NONE` for one that was removed.
    pub(crate) series: Vec<u32>,
    /// The float column of each member in the target's rows; `NONE` if it has none now.
    pub(crate) columns: Vec<u32>,
    /// Sets of label pairs that many members share.
    bases: Vec<Vec<PairId>>,
    /// Which of them each member has.
    base_of: Vec<u16>,
    /// The other label pairs of all members, one member after another.
    pairs: Vec<PairId>,
    /// Where each member's end.
    ends: Vec<u32>,
    /// For members that have their own times: where their samples are.
    pub(crate) timed: BTreeMap<u32, u32>,
    /// Members that are not on the page any more, and the time after which they have no samples here.
    pub(crate) dormant: BTreeMap<u32, i64>,
}

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// The label pairs of a member, in no order.
    pub(crate) fn pairs(&self, member: u32) -> impl Iterator<Item = PairId> + '_ {
        let at = member as usize;
        self.bases[usize::from(self.base_of[at])].iter().chain(self.own_pairs(at)).copied()
    }

    fn own_pairs(&self, at: usize) -> &[PairId] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.pairs[start as usize..self.ends[at] as usize]
    }

    /// The labels of a member.
    pub(crate) fn labels(&self, member: u32, index: &Index) -> Labels {
        let mut pairs: Vec<(&str, &str)> =
            self.pairs(member).map(|id| index.pair(id)).map(|pair| (&*pair.name, &*pair.value)).collect();
        pairs.sort_unstable();
        Labels::from_sorted(pairs)
    }

    /// Adds a member with these label pairs; `common` ones it shares with others of its page.
    pub(crate) fn push(&mut self, series: u32, common: &[PairId], own: &[PairId]) -> u32 {
        let member = self.series.len() as u32;
        self.series.push(series);
        self.columns.push(NONE);
        let base = self.base(common);
        self.base_of.push(base.unwrap_or(0));
        if base.is_none() {
            self.pairs.extend_from_slice(common);
        }
        self.pairs.extend_from_slice(own);
        self.ends.push(self.pairs.len() as u32);
        member
    }

    /// The base with exactly these pairs, which is added if there is room for it. The first one is empty.
    fn base(&mut self, pairs: &[PairId]) -> Option<u16> {
        // Pages have one set of shared labels, or a few over time; whoever has more keeps them with each series.
        const MOST: usize = 64;
        if self.bases.is_empty() {
            self.bases.push(Vec::new());
        }
        if let Some(at) = self.bases.iter().position(|base| base == pairs) {
            return Some(at as u16);
        }
        if self.bases.len() == MOST {
            return None;
        }
        self.bases.push(pairs.to_vec());
        Some(self.bases.len() as u16 - 1)
    }

    /// Finds members by their labels.
    pub(crate) fn by_labels(&self) -> ByLabels<'_> {
        let mut found: HashMap<u64, Vec<u32>, Fixed> = HashMap::default();
        for member in (0..self.len() as u32).filter(|member| self.series[*member as usize] != NONE) {
            found.entry(set_hash(self.pairs(member))).or_default().push(member);
        }
        ByLabels { members: self, found }
    }

    /// Removes a member from the target; its position stays.
    pub(crate) fn remove(&mut self, member: u32) {
        self.series[member as usize] = NONE;
        self.dormant.remove(&member);
        self.timed.remove(&member);
    }

    /// Whether so many members were removed that the rest should move up.
    pub(crate) fn wants_compaction(&self) -> bool {
        let removed = self.series.iter().filter(|series| **series == NONE).count();
        removed > 64 && removed * 2 > self.len()
    }

    /// Lets the members that are left move up, and says where each one was moved to; `NONE` where there is none.
    pub(crate) fn compact(&mut self) -> Vec<u32> {
        let mut moved = vec![NONE; self.len()];
        let mut kept = Self::default();
        for member in 0..self.len() as u32 {
            let at = member as usize;
            if self.series[at] == NONE {
                continue;
            }
            let base = self.bases[usize::from(self.base_of[at])].clone();
            let new = kept.push(self.series[at], &base, self.own_pairs(at));
            kept.columns[new as usize] = self.columns[at];
            moved[at] = new;
        }
        let place = |member: &u32| moved[*member as usize];
        kept.timed = self.timed.iter().map(|(member, at)| (place(member), *at)).collect();
        kept.dormant = self.dormant.iter().map(|(member, since)| (place(member), *since)).collect();
        *self = kept;
        moved
    }

    /// What a snapshot keeps. `pair` says where a label pair stands in it.
    pub(crate) fn to_proto(&self, pair: impl Fn(PairId) -> u32) -> head::Members {
        let all = |pairs: &[PairId]| pairs.iter().map(|id| pair(*id)).collect();
        head::Members {
            series: self.series.clone(),
            columns: self.columns.clone(),
            bases: self.bases.iter().map(|base| head::Pairs { pairs: all(base) }).collect(),
            base_of: self.base_of.iter().map(|base| u32::from(*base)).collect(),
            pairs: all(&self.pairs),
            ends: self.ends.clone(),
            timed: self.timed.iter().flat_map(|(member, at)| [*member, *at]).collect(),
            dormant_members: self.dormant.keys().copied().collect(),
            dormant_since_ms: self.dormant.values().copied().collect(),
        }
    }

    /// What a snapshot kept; `None` if it contradicts itself.
    pub(crate) fn from_proto(saved: head::Members, pair: impl Fn(u32) -> PairId) -> Option<Self> {
        let all = |pairs: &[u32]| pairs.iter().map(|at| pair(*at)).collect();
        let members = Self {
            bases: saved.bases.iter().map(|base| all(&base.pairs)).collect(),
            base_of: saved.base_of.iter().map(|base| u16::try_from(*base).ok()).collect::<Option<_>>()?,
            pairs: all(&saved.pairs),
            timed: saved.timed.chunks_exact(2).map(|entry| (entry[0], entry[1])).collect(),
            dormant: saved.dormant_members.into_iter().zip(saved.dormant_since_ms).collect(),
            series: saved.series,
            columns: saved.columns,
            ends: saved.ends,
        };
        let count = members.len();
        let is_whole = [members.columns.len(), members.base_of.len(), members.ends.len()] == [count; 3]
            && members.ends.is_sorted()
            && members.ends.last().is_none_or(|end| *end as usize == members.pairs.len())
            && members.base_of.iter().all(|base| usize::from(*base) < members.bases.len())
            && members.timed.keys().chain(members.dormant.keys()).all(|member| (*member as usize) < count);
        is_whole.then_some(members)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let bases: usize = self.bases.iter().map(|base| base.len() * 4 + 24).sum();
        self.len() * (4 + 4 + 2 + 4) + self.pairs.len() * 4 + bases + (self.timed.len() + self.dormant.len()) * 24
    }
}

/// Members by their labels.
pub(crate) struct ByLabels<'a> {
    members: &'a Members,
    found: HashMap<u64, Vec<u32>, Fixed>,
}

/// Lookups only, never iterated: the order of the map decides nothing.
type Fixed = BuildHasherDefault<DefaultHasher>;

impl ByLabels<'_> {
    /// The member with exactly these pairs, in any order.
    pub(crate) fn find(&self, pairs: &[PairId]) -> Option<u32> {
        let candidates = self.found.get(&set_hash(pairs.iter().copied()))?;
        let mut wanted = pairs.to_vec();
        wanted.sort_unstable();
        candidates.iter().copied().find(|member| {
            let mut has: Vec<_> = self.members.pairs(*member).collect();
            has.sort_unstable();
            has == wanted
        })
    }
}

/// A hash of a set, whatever the order.
fn set_hash(pairs: impl Iterator<Item = PairId>) -> u64 {
    pairs.fold(0, |sum, pair| sum.wrapping_add(xxh3_64(&pair.0.to_le_bytes())))
}
