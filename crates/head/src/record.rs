//! What is appended, and what is answered.

use std::sync::Arc;

use model::{Exemplar, Histogram, Labels, LayoutHash, Metadata, TargetId};

/// From this level on a target stays split: a scrape in fewer parts is answered [`Outcome::Split`].
pub const PARTS_ARE_KEPT: u32 = 2;
/// From this level on layouts whose series were refused are asked for once more when there may be room for them.
pub const REFUSED_ARE_ASKED_FOR: u32 = 2;

/// What became of a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrapeKind {
    /// It was read, or failed: what it has no value for ends here.
    Row,
    /// The target left discovery: all its series end here. Claims no tick.
    Final,
}

/// One part of one scrape: a row of values, all at one time but those that bear their own.
#[derive(Clone, Debug)]
pub struct ScrapeRow<'a> {
    /// The target.
    pub target: TargetId,
    /// Which part of it.
    pub part: u32,
    /// How many parts it has: a power of two.
    pub parts: u32,
    /// The version of the scrapers' membership by which the sender owns it.
    pub owner_epoch: u64,
    /// The planned time of the scrape, in ms: its name.
    pub tick_ms: i64,
    /// The time of its samples, in ms.
    pub timestamp_ms: i64,
    /// The time between two ticks, in ms.
    pub interval_ms: i64,
    /// What became of it.
    pub kind: ScrapeKind,
    /// The layout of the row.
    pub layout: LayoutHash,
    /// What the layout is, if the sender said so.
    pub change: LayoutChange,
    /// The values and which slots have one: docs/formats/chunk.md, "row".
    pub row: &'a [u8],
    /// The hash of the reference row that the values lean on; 0: they stand alone.
    pub reference: u64,
    /// Whether this row is a reference for later ones.
    pub becomes_reference: bool,
    /// Slots whose samples bear their own time, ascending, with what to add to `timestamp_ms`.
    pub timed: Vec<(u32, i64)>,
    /// Whether series with their own times end, too, when they are gone from the page.
    pub track_timestamps_staleness: bool,
    /// Slots that hold a histogram, ascending.
    pub histograms: Vec<(u32, Arc<Histogram>)>,
    /// When the counters of slots began, in ms since the epoch, slots ascending; 0: nobody knows. A row that says some, or
    /// what its layout is, says all of them; any other one has those of the row before it.
    pub starts: Vec<(u32, i64)>,
    /// Exemplars of slots, in any order.
    pub exemplars: Vec<(u32, SentExemplar)>,
    /// Not `None`: series that are not known yet are refused.
    pub refuse_new_series: Option<Arc<str>>,
    /// The level by which it is appended: [`PARTS_ARE_KEPT`] and [`REFUSED_ARE_ASKED_FOR`] say what that changes.
    pub feature_level: u32,
}

/// What a record says about its layout.
#[derive(Clone, Debug)]
pub enum LayoutChange {
    /// Nothing: the shard should know it.
    Known,
    /// What it is.
    Defined(LayoutDefinition),
    /// What makes it different from another one of the same target and part.
    Delta {
        /// The other one.
        base: LayoutHash,
        /// Its slots that are gone, ascending. Those that remain move up.
        removed: Vec<u32>,
        /// Series that come after those that remain.
        appended: LayoutDefinition,
    },
}

/// The ordered series of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayoutDefinition {
    /// Labels that all its series share.
    pub common: Labels,
    /// The other labels of each series. No series comes twice.
    pub series: Vec<Labels>,
    /// What the page says about its metric families.
    pub families: Vec<(Box<str>, Metadata)>,
}

/// The layout of a page by name: [`LayoutDefinition::hash`] and [`Layout::delta_hash`] name layouts.
#[derive(Clone, Copy, Debug)]
pub struct Layout;

impl Layout {
    /// The name of the layout that a delta makes of `base`.
    pub fn delta_hash(base: LayoutHash, removed: &[u32], appended: &LayoutDefinition) -> LayoutHash {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&base.0.to_le_bytes());
        removed.iter().for_each(|slot| hash.update(&slot.to_le_bytes()));
        hash.update(&appended.hash().0.to_le_bytes());
        LayoutHash(hash.digest128())
    }
}

impl LayoutDefinition {
    /// The name of this layout.
    pub fn hash(&self) -> LayoutHash {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let mut text = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        text(self.common.canonical_bytes());
        self.series.iter().for_each(|labels| text(labels.canonical_bytes()));
        for (name, metadata) in &self.families {
            [name, metadata.metric_type.as_str(), &metadata.help, &metadata.unit]
                .iter()
                .for_each(|field| text(field.as_bytes()));
        }
        LayoutHash(hash.digest128())
    }
}

/// The value of a pushed sample.
#[derive(Clone, Debug)]
pub enum TimedValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

/// Samples that were pushed, without ticks.
#[derive(Clone, Debug)]
pub struct PushedSeries {
    /// Who they are of.
    pub labels: Labels,
    /// Times, in ms, and values, in the order in which they were sent.
    pub samples: Vec<(i64, TimedValue)>,
    /// When each sample's counter began, in ms; 0: nobody knows. Those that are missing at the end are not known.
    pub starts: Vec<i64>,
    /// Its exemplars, in any order.
    pub exemplars: Vec<SentExemplar>,
}

/// An exemplar as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct SentExemplar {
    /// The exemplar.
    pub exemplar: Exemplar,
    /// Whether its source said when it was observed. Else its time is that of its sample, and says nothing about which one
    /// it is.
    pub is_timed: bool,
}

/// What was done with a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, as far as the counts don't say otherwise.
    #[default]
    Stored,
    /// The same tick was stored before.
    Duplicate,
    /// The tick is older than the window.
    TooOld,
    /// The tick is too far in the future.
    TooNew,
    /// The layout is not known. The tick is not claimed.
    UnknownLayout,
    /// The reference row is not known. The tick is not claimed.
    UnknownReference,
    /// The record makes no sense.
    Malformed,
    /// A final record of an owner that has been replaced.
    Superseded,
    /// Of a slot that was given away: nothing of it is stored here any more.
    Moved,
    /// Its target has more parts than it says. The tick is not claimed.
    Split,
}

/// The answer to a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What was done with it.
    pub outcome: Outcome,
    /// How many samples were stored.
    pub stored: u32,
    /// How many series are new.
    pub new_series: u32,
    /// Samples older than the newest of their series, and too old to be put in between.
    pub out_of_order: u32,
    /// Samples at a time at which their series has another value.
    pub duplicate_timestamp: u32,
    /// Samples too old for the shard.
    pub too_old: u32,
    /// Series that were not taken up.
    pub refused_series: u32,
    /// Exemplars that were not taken up: too long, out of order, or of series that were not taken up.
    pub refused_exemplars: u32,
    /// Why, in words: of series, or else of exemplars.
    pub reason: Option<Arc<str>>,
    /// How many parts the target has; 0: this is not about a target, or of a time before that was told.
    pub parts: u32,
    /// From this tick on, if any, all ticks are stored in so many parts, ms.
    pub parts_since_ms: Option<i64>,
}

impl Answer {
    pub(crate) fn of(outcome: Outcome) -> Self {
        Self { outcome, ..Self::default() }
    }

    /// An answer to a record that makes no sense.
    pub fn malformed(why: impl Into<Arc<str>>) -> Self {
        Self { outcome: Outcome::Malformed, reason: Some(why.into()), ..Self::default() }
    }
}
