//! Series in the order of their labels.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::FixedState;
use index::{Index, PairId};
use model::{Labels, PairText};

use super::{BETWEEN_QUESTIONS, IsWanted, sort_while};

/// Series in the order of their labels, which are put together when it is their turn.
///
/// Label pairs repeat: each that occurs gets a rank among all that do, and series are compared as lists of ranks. That takes a
/// fraction of comparing labels, which would have to be put together first.
#[derive(Debug)]
pub(super) struct Ranked {
    /// The pairs by rank.
    pairs: Vec<PairText>,
    /// The ranks of the pairs of all series, one series after another. Those of a series ascend, and with them its names.
    ranks: Vec<u32>,
    series: std::vec::IntoIter<Place>,
    scratch: String,
}

/// A series, and where its ranks are.
#[derive(Clone, Debug)]
struct Place {
    series: u32,
    ranks: Range<u32>,
}

impl Place {
    fn of<'a>(&self, ranks: &'a [u32]) -> &'a [u32] {
        &ranks[self.ranks.start as usize..self.ranks.end as usize]
    }
}

impl Ranked {
    /// Puts series in order. `pairs_of` adds the pairs of a series to a list. `None` once it is not wanted any more.
    pub(super) fn new(
        series: impl Iterator<Item = u32>,
        pairs_of: impl Fn(u32, &mut Vec<PairId>),
        index: &Index,
        is_wanted: IsWanted<'_>,
    ) -> Option<Self> {
        let mut numbering = Numbering::default();
        let (mut places, mut ranks, mut pairs) = (Vec::with_capacity(series.size_hint().0), Vec::new(), Vec::new());
        for series in series {
            if places.len() % BETWEEN_QUESTIONS == 0 && !is_wanted() {
                return None;
            }
            let start = ranks.len() as u32;
            pairs_of(series, &mut pairs);
            ranks.extend(pairs.drain(..).map(|pair| numbering.number_of(pair)));
            places.push(Place { series, ranks: start..ranks.len() as u32 });
        }
        let (pairs, rank_of) = numbering.rank(index, is_wanted)?;
        ranks.iter_mut().for_each(|number| *number = rank_of[*number as usize]);
        places.iter().for_each(|place| ranks[place.ranks.start as usize..place.ranks.end as usize].sort_unstable());
        let order =
            |one: &Place, other: &Place| one.of(&ranks).cmp(other.of(&ranks)).then(one.series.cmp(&other.series));
        let series = sort_while(places, order, is_wanted)?.into_iter();
        Some(Self { pairs, ranks, series, scratch: String::new() })
    }

    /// No series.
    pub(super) fn none() -> Self {
        Self { pairs: Vec::new(), ranks: Vec::new(), series: Vec::new().into_iter(), scratch: String::new() }
    }

    /// The next series and the place of its labels.
    pub(super) fn next(&mut self) -> Option<(u32, Range<u32>)> {
        self.series.next().map(|place| (place.series, place.ranks))
    }

    /// Whether there are no more.
    pub(super) fn is_over(&self) -> bool {
        self.series.len() == 0
    }

    /// The next series, if its labels are those that are in this place.
    pub(super) fn next_if_same(&mut self, labels: &Range<u32>) -> Option<u32> {
        let next = self.series.as_slice().first()?;
        let same = Place { series: next.series, ranks: labels.clone() }.of(&self.ranks) == next.of(&self.ranks);
        if same { self.series.next().map(|place| place.series) } else { None }
    }

    /// The labels in this place.
    pub(super) fn labels(&mut self, place: &Range<u32>) -> Labels {
        let ranks = &self.ranks[place.start as usize..place.end as usize];
        Labels::from_pair_texts(ranks.iter().map(|rank| &self.pairs[*rank as usize]), &mut self.scratch)
    }
}

/// Numbers for pairs, in the order in which they come.
#[derive(Default)]
struct Numbering {
    numbers: HashMap<PairId, u32, FixedState>,
    pairs: Vec<PairId>,
}

impl Numbering {
    fn number_of(&mut self, pair: PairId) -> u32 {
        *self.numbers.entry(pair).or_insert_with(|| {
            self.pairs.push(pair);
            self.pairs.len() as u32 - 1
        })
    }

    /// The pairs in order of their names and then values, and for each number the place that its pair has among them.
    fn rank(self, index: &Index, is_wanted: IsWanted<'_>) -> Option<(Vec<PairText>, Vec<u32>)> {
        let texts = self.pairs.iter().map(|id| index.pair(*id)).map(|pair| (&*pair.name, &*pair.value)).zip(0u32..);
        let sorted = sort_while(texts.collect(), Ord::cmp, is_wanted)?;
        let mut rank_of = vec![0; sorted.len()];
        for ((_, number), rank) in sorted.iter().zip(0..) {
            rank_of[*number as usize] = rank;
        }
        Some((sorted.iter().map(|((name, value), _)| PairText::new(name, value)).collect(), rank_of))
    }
}
