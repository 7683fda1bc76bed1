//! Labels and the series that have them.

use std::sync::Arc;

use imbl::OrdMap;
use stdx::PagedVec;

use crate::Postings;

/// Names a label pair within one index. Two different pairs of an index never share an id at the same time; when the last
/// series with a pair is gone, its id may name another pair later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub u32);

/// A label pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The label.
    pub name: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

/// Which series have which labels.
///
/// Series are numbers that the owner gives out. Deterministic: the same calls lead to the same ids.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pub(crate) labels: OrdMap<Arc<str>, Values>,
    pub(crate) all: Postings,
    pairs: PagedVec<Option<Pair>>,
    free: imbl::Vector<PairId>,
    text_bytes: usize,
}

/// The values of one label.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) values: OrdMap<Arc<str>, Value>,
}

/// One value of a label.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    id: PairId,
    pub(crate) series: Postings,
}

impl Index {
    /// An index of no series.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of a label pair, which is made known if it is not.
    ///
    /// A pair that is made known must soon get a series: a pair without series is not found by queries, and stays.
    pub fn intern(&mut self, name: &str, value: &str) -> PairId {
        if let Some(known) = self.find(name, value) {
            return known;
        }
        let name: Arc<str> = self.labels.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone());
        let value: Arc<str> = value.into();
        let id = self.new_id(Pair { name: name.clone(), value: value.clone() });
        self.text_bytes += value.len();
        let values = &mut self.labels.entry(name).or_default().values;
        values.insert(value, Value { id, series: Postings::None });
        id
    }

    /// The id of a label pair, if it is known.
    pub fn find(&self, name: &str, value: &str) -> Option<PairId> {
        self.labels.get(name)?.values.get(value).map(|value| value.id)
    }

    /// The pair that an id names.
    ///
    /// # Panics
    /// If the id names none.
    pub fn pair(&self, id: PairId) -> &Pair {
        self.pairs[id.0 as usize].as_ref().expect("the id of a pair that is known")
    }

    /// Adds a series with these pairs. Pairs may be added later by another call.
    pub fn add(&mut self, series: u32, pairs: impl IntoIterator<Item = PairId>) {
        self.all.insert(series);
        for id in pairs {
            self.with_value(id, |value| value.series.insert(series));
        }
    }

    /// Removes a series, which must have exactly these pairs. Pairs that no other series has are forgotten.
    pub fn remove(&mut self, series: u32, pairs: impl IntoIterator<Item = PairId>) {
        self.all.remove(series);
        for id in pairs {
            let unused = self.with_value(id, |value| {
                value.series.remove(series);
                value.series.is_empty()
            });
            if unused {
                self.forget(id);
            }
        }
    }

    /// How many series there are.
    pub fn len(&self) -> u64 {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many label pairs there are.
    pub fn pair_count(&self) -> usize {
        self.pairs.len() - self.free.len()
    }

    /// About how many bytes the texts of all pairs and their places take in memory, postings not counted.
    pub fn text_bytes(&self) -> usize {
        /// A reference-counted text, its place in a tree and in the list of pairs.
        const PER_PAIR: usize = 120;
        self.text_bytes + self.pair_count() * PER_PAIR
    }

    /// The label names, ascending, each with its values, ascending, and the series that have them.
    pub fn labels(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, &Postings)>)> {
        self.labels
            .iter()
            .map(|(name, values)| (&**name, values.values.iter().map(|(text, value)| (&**text, &value.series))))
    }

    fn with_value<R>(&mut self, id: PairId, change: impl FnOnce(&mut Value) -> R) -> R {
        let pair = self.pairs[id.0 as usize].as_ref().expect("the id of a pair that is known");
        let values = self.labels.get_mut(&pair.name).expect("the label of a pair that is known");
        change(values.values.get_mut(&pair.value).expect("the value of a pair that is known"))
    }

    fn new_id(&mut self, pair: Pair) -> PairId {
        match self.free.pop_front() {
            Some(id) => {
                let place = self.pairs.get_mut(id.0 as usize).expect("a free id had a place");
                *place = Some(pair);
                id
            }
            None => {
                let id = u32::try_from(self.pairs.len()).expect("fewer than 2^32 label pairs");
                self.pairs.push(Some(pair));
                PairId(id)
            }
        }
    }

    fn forget(&mut self, id: PairId) {
        let place = self.pairs.get_mut(id.0 as usize).expect("the id of a pair that is known");
        let pair = place.take().expect("the id of a pair that is known");
        self.text_bytes -= pair.value.len();
        self.free.push_back(id);
        if let Some(values) = self.labels.get_mut(&pair.name) {
            values.values.remove(&pair.value);
            if values.values.is_empty() {
                self.labels.remove(&pair.name);
            }
        }
    }
}
