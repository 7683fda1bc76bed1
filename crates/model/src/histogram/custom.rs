//! Custom buckets whose bounds differ.

use super::bucket::Side;
use super::layout::SpanBuilder;
use super::{Histogram, Span};
use crate::CompensatedSum;

/// The bounds that both ascending lists have.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut b = b.iter().peekable();
    let mut common = Vec::new();
    for bound in a {
        while b.next_if(|other| *other < bound).is_some() {}
        if b.next_if(|other| *other == bound).is_some() {
            common.push(*bound);
        }
    }
    common
}

/// Buckets of several histograms, counted in buckets that are unions of theirs.
#[derive(Debug)]
pub(super) struct Mapping {
    bounds: Vec<f64>,
    counts: Vec<CompensatedSum>,
}

impl Mapping {
    /// No observations yet. All histograms to come must have these bounds among theirs.
    pub(super) fn new(bounds: Vec<f64>) -> Self {
        let counts = vec![CompensatedSum::default(); bounds.len() + 1];
        Self { bounds, counts }
    }

    /// Adds the observations of a histogram with custom buckets, times `sign`, and to each bucket what rounding lost of it.
    pub(super) fn add(&mut self, histogram: &Histogram, lost: &[f64], sign: f64) {
        let mut target = 0;
        for (at, (index, count)) in histogram.counts(Side::Positive).enumerate() {
            let bound = usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
            target = match bound {
                Some(bound) => {
                    let further = self.bounds[target..].iter().position(|common| common >= bound);
                    further.map_or(self.bounds.len(), |further| target + further)
                }
                None => self.bounds.len(),
            };
            self.counts[target].add(sign * count);
            if let Some(lost) = lost.get(at) {
                self.counts[target].add(*lost);
            }
        }
    }

    /// The counts themselves, one for each bucket.
    pub(super) fn counts(&self) -> &[CompensatedSum] {
        &self.counts
    }

    /// Spans, counts and what rounding lost of these, without empty buckets.
    pub(super) fn populated(&self) -> (Vec<Span>, Vec<f64>, Vec<f64>) {
        let mut spans = SpanBuilder::default();
        let (mut counts, mut lost) = (Vec::new(), Vec::new());
        for (index, count) in self.counts.iter().enumerate() {
            if count.sum != 0.0 || count.compensation != 0.0 {
                spans.push(index as i32);
                counts.push(count.sum);
                lost.push(count.compensation);
            }
        }
        (spans.build(), counts, lost)
    }

    pub(super) fn into_bounds(self) -> Vec<f64> {
        self.bounds
    }
}
