//! Pages whose series did not change: only their numbers are read.
//!
//! A target's page is the same from scrape to scrape but for the numbers in it. A [`Shape`] says what all the other bytes of
//! a page are, in 128 bits; a [`PageReader`] reads a page of that shape in one pass, as columns of numbers, and builds no
//! names, no labels and no memory of single lines.
//!
//! # What a shape is, and why it may be trusted
//!
//! Take a page and cut out each value and each timestamp, and leave out exemplars. What remains, in order, with the length of
//! each piece written after it, is the page's *skeleton*. The lengths make it unambiguous: read from its end, it says where
//! each number was cut. The shape is a hash of the skeleton.
//!
//! The shape of a first page is made from where the full parser found numbers. A later page is cut by a simple rule: the last
//! words of each line that is no comment. If its skeleton equals the first one's, the two pages differ in words that the rule
//! took for numbers and that were read as such, in the very places where the parser found numbers: so the parser would find
//! these, and the same series. Where the rule errs, for instance at a line break inside a label value, skeletons differ, and
//! the page is read by the full parser: that costs time and nothing else. Exemplars are read by the parser's own code.
//!
//! Skeletons are compared by hash: XXH3 with 128 bits and a seed that is drawn at random for each process. Two different
//! skeletons of one target are taken for equal with a chance of about 2⁻¹²⁸: at a billion scrapes a second, once in 10²² years.
//! XXH3 resists no attack by someone who knows the seed, but there is nothing to win: a target only ever competes with its own
//! last page, and could as well send those values under those names.

mod skeleton;
mod skim;
mod word;

use model::Timestamp;

use crate::entry::{Cuts, EntryReader};
use crate::error::ParseError;
use crate::item::{Exemplar, RawExemplar, RawLabel};
use crate::openmetrics::OpenMetricsParser;
use crate::parser::{Format, Options};
use crate::text::TextParser;
use skeleton::Skeleton;
use skim::skim;

/// What a page is but for its numbers. See the module's text for what equality of shapes means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    hash: u128,
    format: Format,
    options: Options,
    sample_count: usize,
    timestamps: Timestamps,
}

/// Which samples of a page have timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timestamps {
    None,
    Some,
    All,
}

impl Shape {
    /// How many samples a page of this shape has.
    pub fn sample_count(&self) -> usize {
        self.sample_count
    }
}

/// Reads the numbers of pages whose shape is known.
///
/// It may read the pages of many targets one after the other: what it keeps is memory to work in, about as much as the
/// largest page.
#[derive(Debug)]
pub struct PageReader {
    seed: u64,
    skeleton: Vec<u8>,
    numbers: Numbers,
}

/// The numbers of a page.
#[derive(Debug, Default)]
struct Numbers {
    values: Vec<f64>,
    /// Empty as long as no sample has a timestamp.
    timestamps: Vec<Option<Timestamp>>,
    /// With the number of their sample.
    exemplars: Vec<(usize, RawExemplar)>,
    exemplar_labels: Vec<RawLabel>,
}

impl Numbers {
    fn clear(&mut self) {
        self.values.clear();
        self.timestamps.clear();
        self.exemplars.clear();
        self.exemplar_labels.clear();
    }

    #[inline]
    fn push(&mut self, value: f64, timestamp: Option<Timestamp>) {
        if timestamp.is_some() && self.timestamps.is_empty() {
            self.timestamps.resize(self.values.len(), None);
            self.timestamps.push(timestamp);
        } else if !self.timestamps.is_empty() {
            self.timestamps.push(timestamp);
        }
        self.values.push(value);
    }
}

/// The numbers of a page, sample by sample as they stand in it.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'r> {
    page: &'r [u8],
    numbers: &'r Numbers,
}

impl<'r> Columns<'r> {
    /// The values.
    pub fn values(&self) -> &'r [f64] {
        &self.numbers.values
    }

    /// The timestamps; empty if no sample has one.
    pub fn timestamps(&self) -> &'r [Option<Timestamp>] {
        &self.numbers.timestamps
    }

    /// The exemplars, each with the number of its sample, from 0.
    pub fn exemplars(&self) -> impl Iterator<Item = (usize, Exemplar<'r>)> {
        let Self { page, numbers } = *self;
        let exemplars = numbers.exemplars.iter();
        exemplars.map(move |(sample, raw)| (*sample, Exemplar::new(page, raw, &numbers.exemplar_labels)))
    }
}

impl PageReader {
    /// A reader that knows shapes by this seed: those made with another seed mean nothing to it.
    pub fn new(seed: u64) -> Self {
        Self { seed, skeleton: Vec::new(), numbers: Numbers::default() }
    }

    /// The shape of a page; `None` if pages like this one must be read by the full parser.
    ///
    /// These are pages in protobuf or with histograms to be converted, and pages with oddities such as line breaks in label values, or, where start timestamps
    /// are read, gauges whose names look like them. Costs about as much as parsing the page.
    ///
    /// # Errors
    /// If the page cannot be read at all.
    pub fn shape(&mut self, page: &[u8], format: Format, options: Options) -> Result<Option<Shape>, ParseError> {
        if options.convert_classic_histograms {
            return Ok(None);
        }
        let mut skeleton = Skeleton::new(page, &mut self.skeleton);
        let [mut sample_count, mut timestamp_count] = [0, 0];
        let mut cut = |cuts: Cuts| {
            sample_count += 1;
            timestamp_count += usize::from(cuts.timestamp.is_some());
            skeleton.cut(cuts.value);
            cuts.timestamp.into_iter().for_each(|place| skeleton.cut(place));
            cuts.exemplar.into_iter().for_each(|place| skeleton.leave_out(place));
        };
        match format {
            Format::Protobuf => return Ok(None),
            Format::Text => {
                let mut parser = TextParser::new(page);
                while let Some(cuts) = parser.next_cuts()? {
                    cut(cuts);
                }
            }
            Format::OpenMetrics => {
                let mut parser = OpenMetricsParser::new(page, options.start_timestamps);
                while let Some(cuts) = parser.next_cuts()? {
                    cut(cuts);
                }
            }
        }
        let shape = Shape {
            hash: skeleton.finish(self.seed),
            format,
            options,
            sample_count,
            timestamps: match timestamp_count {
                0 => Timestamps::None,
                count if count == sample_count => Timestamps::All,
                _ => Timestamps::Some,
            },
        };
        Ok(self.read(page, &shape).is_some().then_some(shape))
    }

    /// The numbers of a page, if it has this shape; else it is one for the full parser, be it because its series changed or
    /// because it cannot be read.
    pub fn read<'r>(&'r mut self, page: &'r [u8], shape: &Shape) -> Option<Columns<'r>> {
        self.numbers.clear();
        let skeleton = skim(page, shape, &mut self.skeleton, &mut self.numbers)?;
        let same = self.numbers.values.len() == shape.sample_count && skeleton.finish(self.seed) == shape.hash;
        same.then_some(Columns { page, numbers: &self.numbers })
    }
}

#[cfg(test)]
mod tests;
