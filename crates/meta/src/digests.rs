//! Which replica of a shard differs from the others.

use std::collections::BTreeMap;

use model::NodeId;

/// What a replica has said about its state: a hash of it right after so many entries.
pub(crate) type Digest<'a> = (u64, &'a [u8]);

/// The replicas whose state differs from that of most, out of those of a shard with `replicas` of them. Pure.
///
/// Only hashes as of the same entry are compared, and only where most of all replicas have the same one: which of two is
/// wrong nobody can tell.
pub(crate) fn different(digests: &BTreeMap<NodeId, Digest<'_>>, replicas: usize) -> Vec<NodeId> {
    let mut counted: BTreeMap<Digest<'_>, usize> = BTreeMap::new();
    for digest in digests.values() {
        *counted.entry(*digest).or_default() += 1;
    }
    let right = counted.into_iter().find(|(_, count)| 2 * count > replicas).map(|(digest, _)| digest);
    let Some((count, hash)) = right else { return Vec::new() };
    let differs = |(of, other): &Digest<'_>| *of == count && *other != hash;
    digests.iter().filter(|(_, digest)| differs(digest)).map(|(node, _)| *node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn different_of(digests: &[(u64, u64, &'static [u8])], replicas: usize) -> Vec<u64> {
        let digests = digests.iter().map(|(node, count, hash)| (NodeId(*node), (*count, *hash))).collect();
        different(&digests, replicas).into_iter().map(|node| node.0).collect()
    }

    #[test]
    fn one_of_three_that_differs_is_found() {
        assert_eq!(different_of(&[(1, 7, b"x"), (2, 7, b"y"), (3, 7, b"x")], 3), [2]);
        assert!(different_of(&[(1, 7, b"x"), (2, 7, b"x"), (3, 7, b"x")], 3).is_empty());
    }

    #[test]
    fn only_hashes_of_the_same_entry_are_compared() {
        assert!(different_of(&[(1, 7, b"x"), (2, 6, b"y"), (3, 7, b"x")], 3).is_empty());
    }

    #[test]
    fn without_a_majority_nobody_is_blamed() {
        assert!(different_of(&[(1, 7, b"x"), (2, 7, b"y")], 2).is_empty());
        assert!(different_of(&[(1, 7, b"x"), (2, 7, b"y"), (3, 6, b"x")], 3).is_empty());
        assert!(different_of(&[(1, 7, b"x"), (2, 7, b"y"), (3, 7, b"z")], 3).is_empty());
    }
}
