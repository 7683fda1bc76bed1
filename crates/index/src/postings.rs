//! The series that have one label pair.

use std::sync::Arc;

use roaring::RoaringBitmap;

/// A set of series. Most label pairs of a busy cluster are on one series only, and cost nothing more than their place.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Postings {
    /// No series.
    #[default]
    None,
    /// One series.
    One(u32),
    /// Several.
    Many(Arc<RoaringBitmap>),
}

impl Postings {
    /// Adds a series.
    pub fn insert(&mut self, series: u32) {
        match self {
            Self::None => *self = Self::One(series),
            Self::One(other) if *other == series => {}
            Self::One(other) => *self = Self::Many(Arc::new([*other, series].into_iter().collect())),
            Self::Many(set) => {
                Arc::make_mut(set).insert(series);
            }
        }
    }

    /// Removes a series, if it is there.
    pub fn remove(&mut self, series: u32) {
        match self {
            Self::None => {}
            Self::One(other) if *other != series => {}
            Self::One(_) => *self = Self::None,
            Self::Many(set) => {
                let set = Arc::make_mut(set);
                set.remove(series);
                match (set.len(), set.min()) {
                    (1, Some(last)) => *self = Self::One(last),
                    (0, _) => *self = Self::None,
                    _ => {}
                }
            }
        }
    }

    /// How many series there are.
    pub fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(set) => set.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether a series is both here and in `set`.
    pub fn meets(&self, set: &RoaringBitmap) -> bool {
        match self {
            Self::None => false,
            Self::One(series) => set.contains(*series),
            Self::Many(own) => !own.is_disjoint(set),
        }
    }

    /// Whether one of the series is such. Looks no further then.
    pub fn any(&self, mut is_such: impl FnMut(u32) -> bool) -> bool {
        match self {
            Self::None => false,
            Self::One(series) => is_such(*series),
            Self::Many(own) => own.iter().any(is_such),
        }
    }

    /// Adds all series to `set`.
    pub fn add_to(&self, set: &mut RoaringBitmap) {
        match self {
            Self::None => {}
            Self::One(series) => {
                set.insert(*series);
            }
            Self::Many(own) => *set |= own.as_ref(),
        }
    }

    /// The series as a set of their own.
    pub fn to_set(&self) -> RoaringBitmap {
        match self {
            Self::Many(set) => set.as_ref().clone(),
            _ => {
                let mut set = RoaringBitmap::new();
                self.add_to(&mut set);
                set
            }
        }
    }

    /// About how many bytes they take in memory.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::None | Self::One(_) => 0,
            Self::Many(set) => set.serialized_size() + 48,
        }
    }
}
