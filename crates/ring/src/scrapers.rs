//! Which scraper owns a target.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use hashring::HashRing;
use model::TargetId;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// Points of each scraper on the ring. With 256, the most loaded of a dozen scrapers has about an eighth more targets
/// than the mean.
const TOKENS: u32 = 256;

/// The live scrapers on a consistent hash ring.
///
/// When a scraper joins, targets move only to it; when it leaves, only its own targets move, and they go to where they
/// were before it came. Two rings of the same members agree about every target.
#[derive(Clone)]
pub struct ScraperRing {
    epoch: u64,
    members: Arc<[Box<str>]>,
    ring: Arc<HashRing<Token, Fixed>>,
}

impl ScraperRing {
    /// A ring of these scrapers, as of `epoch`. A name that comes twice counts once.
    pub fn new(epoch: u64, members: impl IntoIterator<Item = Box<str>>) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        let mut ring = HashRing::with_hasher(Fixed);
        let tokens = (0u32..).zip(&members).flat_map(|(member, name)| {
            let name = xxh3_64(name.as_bytes());
            (0..TOKENS).map(move |number| Token { name, number, member })
        });
        ring.batch_add(tokens.collect());
        Self { epoch, members: members.into(), ring: Arc::new(ring) }
    }

    /// The version of the membership: it rises with each change.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The names of the scrapers, ascending.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|name| &**name)
    }

    /// The name of the scraper that owns a target; `None` when there are no scrapers.
    pub fn owner(&self, target: TargetId) -> Option<&str> {
        let token = self.ring.get(&Key(target))?;
        self.members.get(token.member as usize).map(|name| &**name)
    }
}

/// A point of a scraper on the ring.
#[derive(Clone, Copy, Debug)]
struct Token {
    name: u64,
    number: u32,
    /// Which member it stands for. No part of its place.
    member: u32,
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Fixed bytes, not the standard library's idea of hashing a tuple: every node of every version must agree.
        state.write(&self.name.to_le_bytes());
        state.write(&self.number.to_le_bytes());
    }
}

/// A target's place on the ring.
struct Key(TargetId);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0.0.to_le_bytes());
    }
}

/// xxh3 with its default seed: the same in every process.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed;

impl BuildHasher for Fixed {
    type Hasher = Xxh3Default;

    fn build_hasher(&self) -> Xxh3Default {
        Xxh3Default::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn ring(names: &[&str]) -> ScraperRing {
        ScraperRing::new(1, names.iter().map(|name| (*name).into()))
    }

    fn targets() -> impl Iterator<Item = TargetId> {
        (0u64..20_000).map(|number| TargetId(xxhash_rust::xxh3::xxh3_128(&number.to_le_bytes())))
    }

    #[test]
    fn nobody_owns_anything_on_an_empty_ring() {
        assert_eq!(ring(&[]).owner(TargetId(7)), None);
    }

    #[test]
    fn targets_are_spread_evenly() {
        let names: Vec<String> = (0..12).map(|number| format!("scraper-{number}")).collect();
        let ring = ring(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for target in targets() {
            *counts.entry(ring.owner(target).unwrap()).or_default() += 1;
        }
        let mean = 20_000 / 12;
        assert_eq!(counts.len(), 12);
        assert!(counts.values().all(|count| (mean * 8 / 10..mean * 13 / 10).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_newcomer_takes_targets_and_moves_none_between_others() {
        let (before, after) = (ring(&["a", "b", "c"]), ring(&["a", "b", "c", "d"]));
        let moved: Vec<_> = targets().filter(|target| before.owner(*target) != after.owner(*target)).collect();
        assert!(moved.iter().all(|target| after.owner(*target) == Some("d")));
        assert!((4_000..6_000).contains(&moved.len()), "{}", moved.len());
    }

    #[test]
    fn owners_never_change_between_versions() {
        let ring = ring(&["a", "b", "c"]);
        let owners: String = targets().take(24).filter_map(|target| ring.owner(target)).collect();
        assert_eq!(owners, "bbbbbccbabaacaababbcabca");
    }
}
