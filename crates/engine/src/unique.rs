//! Whether series have the same labels at the same step, which they must not.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use series::QueryError;

use crate::identity::Identity;
use crate::table::{Row, Table};

/// Remembers which series came along, in few bytes each, to tell in the end whether two of them are the same.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    seen: Vec<Seen>,
    /// The name of the first series: as long as all have that one, what is different stays so without it.
    metadata: Option<[Box<str>; 3]>,
    has_several_names: bool,
}

#[derive(Debug)]
struct Seen {
    hash: u64,
    /// The steps from the first value to the last.
    first: u32,
    last: u32,
    kind: Kind,
    /// Which of these have a value, if not all have.
    present: Option<Box<[u64]>>,
}

/// What the values of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Floats,
    Histograms,
    Both,
}

/// Series have several names, so that they may be the same without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeveralNames;

/// Which series may have the same labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Those that have no values of one kind at the same step. Where Prometheus puts series together after the fact, it
    /// looks at floats and at histograms by themselves.
    OtherStepsOrKind,
    /// Those that have no values at the same step.
    OtherSteps,
    /// None.
    Never,
}

impl Unique {
    /// Remembers the series of a table, whose labels are those without the name.
    pub(crate) fn see(&mut self, table: &Table) {
        for row in table.rows() {
            self.see_name(row.id);
            self.seen.push(Seen::new(row));
        }
    }

    /// Remembers the series of a table, whose labels were changed in some other way.
    pub(crate) fn see_changed(&mut self, table: &Table) {
        self.has_several_names = true;
        self.seen.extend(table.rows().map(Seen::new));
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.has_several_names |= other.has_several_names;
        match &self.metadata {
            None => self.metadata = other.metadata,
            own => self.has_several_names |= other.metadata.is_some() && *own != other.metadata,
        }
    }

    /// The name, type and unit that all series have, if there are any; `Err` if they have several, or their labels were changed.
    pub(crate) fn one_name(&self) -> Result<Option<[String; 3]>, SeveralNames> {
        if self.has_several_names {
            return Err(SeveralNames);
        }
        Ok(self.metadata.as_ref().map(|metadata| metadata.each_ref().map(|text| text.to_string())))
    }

    /// # Errors
    /// If two series are the same.
    pub(crate) fn check(mut self, sharing: Sharing) -> Result<(), QueryError> {
        if !self.has_several_names {
            return Ok(());
        }
        self.seen.sort_unstable_by_key(|seen| seen.hash);
        for same in self.seen.chunk_by(|a, b| a.hash == b.hash) {
            for (at, seen) in same.iter().enumerate() {
                let is_shared = |other: &Seen| match sharing {
                    Sharing::Never => true,
                    Sharing::OtherSteps => seen.overlaps(other),
                    Sharing::OtherStepsOrKind => seen.may_be_of_one_kind(other) && seen.overlaps(other),
                };
                if same[..at].iter().any(is_shared) {
                    return Err(same_labels());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<Seen>()
    }

    fn see_name(&mut self, id: &Identity) {
        let metadata = id.metadata();
        match &self.metadata {
            None => self.metadata = Some(metadata.map(Box::from)),
            Some(first) => {
                self.has_several_names |= first.iter().zip(metadata).any(|(first, other)| **first != *other);
            }
        }
    }
}

impl Seen {
    fn new(row: Row<'_>) -> Self {
        let mut hasher = FixedState::default().build_hasher();
        for (name, value) in row.id.iter() {
            hasher.write(name.as_bytes());
            hasher.write_u8(0xff);
            hasher.write(value.as_bytes());
            hasher.write_u8(0xfe);
        }
        let (first, last) = (row.first_step(), row.last_step());
        let has_holes = row.present_steps().count() < last + 1 - first;
        let present = has_holes.then(|| {
            let mut words = vec![0u64; last / 64 + 1];
            row.present_steps().for_each(|step| words[step / 64] |= 1 << (step % 64));
            words.into_boxed_slice()
        });
        let kind = match (row.present_floats().next(), row.histograms.is_empty()) {
            (_, true) => Kind::Floats,
            (None, false) => Kind::Histograms,
            (Some(_), false) => Kind::Both,
        };
        Self { hash: hasher.finish(), first: first as u32, last: last as u32, kind, present }
    }

    fn may_be_of_one_kind(&self, other: &Self) -> bool {
        self.kind == other.kind || self.kind == Kind::Both || other.kind == Kind::Both
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (from, to) = (self.first.max(other.first), self.last.min(other.last));
        (from..=to).any(|step| self.has(step) && other.has(step))
    }

    fn has(&self, step: u32) -> bool {
        self.present.as_ref().is_none_or(|words| words[step as usize / 64] & (1 << (step % 64)) != 0)
    }
}

/// Two series have the same labels at the same step.
pub(crate) fn same_labels() -> QueryError {
    QueryError::Execution("vector cannot contain metrics with the same labelset".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Labels;

    use super::*;
    use crate::identity::Naming;
    use crate::table::ABSENT;

    fn check(names: [&str; 2], floats: [[f64; 3]; 2], sharing: Sharing) -> bool {
        let mut unique = Unique::default();
        for (name, floats) in names.iter().zip(floats) {
            let mut table = Table::new();
            let mut row = table.start_row(3);
            row.floats().copy_from_slice(&floats);
            let mut id = Identity::new(Labels::from_pairs([("__name__", *name), ("job", "x")]));
            id.drop_name(Naming::Eager);
            row.finish(id);
            let mut next = Unique::default();
            next.see(&table);
            unique.absorb(next);
        }
        unique.check(sharing).is_ok()
    }

    #[test]
    fn series_are_the_same_without_their_names() {
        let [always, ends, middle] = [[1.0; 3], [1.0, ABSENT, 1.0], [ABSENT, 1.0, ABSENT]];
        assert!(!check(["a", "b"], [always, middle], Sharing::OtherSteps));
        assert!(check(["a", "b"], [ends, middle], Sharing::OtherSteps));
        assert!(!check(["a", "b"], [ends, middle], Sharing::Never));
        // Series of one name differ in something else, so nobody looks.
        assert!(check(["a", "a"], [always, always], Sharing::Never));
    }

    #[test]
    fn a_float_and_a_histogram_may_be_the_same_series_where_that_is_allowed() {
        let check = |sharing| {
            let mut unique = Unique::default();
            for (name, has_histogram) in [("a", true), ("b", false)] {
                let mut table = Table::new();
                let mut row = table.start_row(1);
                if has_histogram {
                    row.push_histogram(0, Arc::default())
                } else {
                    row.set(0, 1.0)
                }
                row.finish(Identity::new(Labels::from_pairs([("job", name)])));
                table.identities_mut().for_each(|id| *id = Identity::new(Labels::empty()));
                unique.see_changed(&table);
            }
            unique.check(sharing).is_ok()
        };
        assert!(check(Sharing::OtherStepsOrKind) && !check(Sharing::OtherSteps) && !check(Sharing::Never));
    }
}
