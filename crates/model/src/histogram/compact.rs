//! Histograms without empty buckets.

use super::layout::{Indexes, SpanBuilder};
use super::sum::Lost;
use super::{Histogram, Span};

impl Histogram {
    /// Leaves out empty buckets and joins spans that touch. Up to `max_empty` empty buckets in a row stay, and come into
    /// being between spans, if there are populated ones on both sides of them.
    ///
    /// A histogram whose spans do not fit its buckets, or overlap, is left as it is.
    pub fn compact(&mut self, max_empty: u32) {
        compact_side(&mut self.positive_spans, &mut self.positive_buckets, max_empty);
        compact_side(&mut self.negative_spans, &mut self.negative_buckets, max_empty);
    }

    /// [`Self::compact`] for a sum: buckets are empty if neither they nor what rounding lost of them have anything.
    pub(super) fn compact_with(&mut self, lost: &mut Lost) {
        for (spans, buckets, lost) in [
            (&mut self.positive_spans, &mut self.positive_buckets, &mut lost.positive),
            (&mut self.negative_spans, &mut self.negative_buckets, &mut lost.negative),
        ] {
            let populated = |at: &usize| buckets[*at] != 0.0 || lost[*at] != 0.0;
            let kept: Vec<usize> = (0..buckets.len().min(lost.len())).filter(populated).collect();
            *spans = spans_of(spans, &kept);
            *buckets = kept.iter().map(|at| buckets[*at]).collect();
            *lost = kept.iter().map(|at| lost[*at]).collect();
        }
    }
}

fn compact_side(spans: &mut Vec<Span>, buckets: &mut Vec<f64>, max_empty: u32) {
    let is_compact = buckets.iter().all(|count| *count != 0.0)
        && spans.iter().all(|span| span.length > 0)
        && spans.iter().skip(1).all(|span| i64::from(span.offset) > i64::from(max_empty));
    if is_compact || !fits(spans, buckets.len()) {
        return;
    }
    let mut compacted = SpanBuilder::default();
    let mut counts = Vec::with_capacity(buckets.len());
    let mut next: Option<i32> = None;
    for (index, count) in Indexes::new(spans).zip(&*buckets).filter(|(_, count)| **count != 0.0) {
        if let Some(next) = next
            && i64::from(index) - i64::from(next) <= i64::from(max_empty)
        {
            for empty in next..index {
                compacted.push(empty);
                counts.push(0.0);
            }
        }
        compacted.push(index);
        counts.push(*count);
        next = Some(index.wrapping_add(1));
    }
    (*spans, *buckets) = (compacted.build(), counts);
}

/// Whether spans have so many buckets, of ascending indexes.
fn fits(spans: &[Span], buckets: usize) -> bool {
    let needed: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    let end: i64 = spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    let overlap = spans.iter().skip(1).any(|span| span.offset < 0);
    needed == buckets as u64 && !overlap && i32::try_from(end).is_ok()
}

/// The spans of those buckets whose positions, ascending, are given.
fn spans_of(spans: &[Span], positions: &[usize]) -> Vec<Span> {
    let mut positions = positions.iter().peekable();
    let mut kept = SpanBuilder::default();
    for (at, index) in Indexes::new(spans).enumerate() {
        if positions.next_if(|position| **position == at).is_some() {
            kept.push(index);
        }
    }
    kept.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pairs: &[(i32, u32)]) -> Vec<Span> {
        pairs.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
    }

    #[track_caller]
    fn check(max_empty: u32, before: (&[(i32, u32)], &[f64]), after: (&[(i32, u32)], &[f64])) {
        let mut histogram =
            Histogram { negative_spans: spans(before.0), negative_buckets: before.1.to_vec(), ..Histogram::default() };
        histogram.compact(max_empty);
        assert_eq!((histogram.negative_spans, histogram.negative_buckets), (spans(after.0), after.1.to_vec()));
    }

    #[test]
    fn empty_buckets_go() {
        check(0, (&[(-2, 1), (2, 3)], &[1.0, 3.0, 3.0, 1.0]), (&[(-2, 1), (2, 3)], &[1.0, 3.0, 3.0, 1.0]));
        check(0, (&[(-2, 2), (1, 3)], &[1.0, 0.0, 0.0, 3.0, 0.0]), (&[(-2, 1), (3, 1)], &[1.0, 3.0]));
        check(0, (&[(1, 2), (0, 1), (0, 0)], &[1.0, 2.0, 3.0]), (&[(1, 3)], &[1.0, 2.0, 3.0]));
        check(0, (&[(1, 2)], &[0.0, 0.0]), (&[], &[]));
    }

    #[test]
    fn what_makes_no_sense_is_left_alone() {
        for (spans, buckets) in [
            (&[(0, 2)][..], &[0.0][..]),
            (&[(0, 1), (-1, 1)], &[0.0, 1.0]),
            (&[(i32::MAX, 1), (i32::MAX, 1)], &[0.0, 1.0]),
        ] {
            check(0, (spans, buckets), (spans, buckets));
        }
    }

    #[test]
    fn a_few_empty_buckets_may_stay() {
        check(1, (&[(0, 4)], &[1.0, 0.0, 0.0, 1.0]), (&[(0, 1), (2, 1)], &[1.0, 1.0]));
        check(2, (&[(0, 5)], &[1.0, 0.0, 0.0, 1.0, 0.0]), (&[(0, 4)], &[1.0, 0.0, 0.0, 1.0]));
        check(2, (&[(0, 1), (2, 1), (3, 1)], &[1.0, 2.0, 3.0]), (&[(0, 4), (3, 1)], &[1.0, 0.0, 0.0, 2.0, 3.0]));
    }
}
