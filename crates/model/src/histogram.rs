//! Native histograms.

mod classic;

pub use classic::{ClassicHistogram, ClassicHistogramError};

/// The schema that says "the bounds of the buckets are listed": a classic histogram in native form.
pub const CUSTOM_BUCKETS_SCHEMA: i8 = -53;

/// What is known about a reset between a histogram and the one before it in its series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterReset {
    /// Nothing: compare the two.
    #[default]
    Unknown,
    /// The counter started again.
    Reset,
    /// The counter went on.
    NotReset,
    /// It is a gauge: resets mean nothing.
    Gauge,
}

/// A run of consecutive populated buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets left out since the end of the span before; of the first span, the index of its first bucket.
    pub offset: i32,
    /// Buckets in the span.
    pub length: u32,
}

/// A distribution of observations over buckets.
///
/// Counts are absolute per bucket and floats, as queries see them; those of an integer histogram are whole numbers.
///
/// With a schema n of −4…8, bucket i of the positive side has the observations in `(2^((i−1)·2^−n), 2^(i·2^−n)]`, and the
/// negative side is its mirror. With [`CUSTOM_BUCKETS_SCHEMA`], `custom_values` are the ascending upper bounds, bucket 0
/// starts at −Inf and the last one, above the last bound, ends at +Inf; there is no zero bucket and no negative side.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Resolution, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i8,
    /// What is known about a reset.
    pub counter_reset: CounterReset,
    /// The zero bucket has the observations in `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN ones included.
    pub count: f64,
    /// Sum of all observations. [`STALE_NAN`](crate::STALE_NAN) makes the whole histogram a staleness marker.
    pub sum: f64,
    /// Where the populated positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Observations in each of them.
    pub positive_buckets: Vec<f64>,
    /// Where the populated negative buckets are.
    pub negative_spans: Vec<Span>,
    /// Observations in each of them.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds for [`CUSTOM_BUCKETS_SCHEMA`], without +Inf; else empty.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// Leaves out empty buckets, and joins spans that touch: so every distribution has one form.
    ///
    /// A histogram whose spans do not fit its buckets, or overlap, is left as it is.
    pub fn compact(&mut self) {
        compact(&mut self.positive_spans, &mut self.positive_buckets);
        compact(&mut self.negative_spans, &mut self.negative_buckets);
    }
}

fn compact(spans: &mut Vec<Span>, buckets: &mut Vec<f64>) {
    let populated: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    let overlap = spans.iter().skip(1).any(|span| span.offset < 0);
    if populated != buckets.len() as u64 || overlap {
        return;
    }
    let mut compacted: Vec<Span> = Vec::new();
    let mut counts = buckets.iter();
    // The index of the bucket at hand, and of the one after the last that was kept; 0 before the first.
    let [mut index, mut end] = [0i64, 0];
    for span in spans.iter() {
        index += i64::from(span.offset);
        for count in counts.by_ref().take(span.length as usize) {
            if *count != 0.0 {
                match compacted.last_mut().filter(|_| index == end) {
                    Some(last) => last.length += 1,
                    None => {
                        let Ok(offset) = i32::try_from(index - end) else { return };
                        compacted.push(Span { offset, length: 1 });
                    }
                }
                end = index + 1;
            }
            index += 1;
        }
    }
    *spans = compacted;
    buckets.retain(|count| *count != 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spans: &[(i32, u32)], buckets: &[f64], compacted: &[(i32, u32)], counts: &[f64]) {
        let span = |(offset, length): &(i32, u32)| Span { offset: *offset, length: *length };
        let [mut spans, expected] = [spans, compacted].map(|spans| spans.iter().map(span).collect::<Vec<_>>());
        let mut buckets = buckets.to_vec();
        compact(&mut spans, &mut buckets);
        assert_eq!((spans, &buckets[..]), (expected, counts));
    }

    #[test]
    fn empty_buckets_are_left_out() {
        check(&[], &[], &[], &[]);
        check(&[(0, 0)], &[], &[], &[]);
        check(&[(-3, 2), (1, 1)], &[1.0, 2.0, 3.0], &[(-3, 2), (1, 1)], &[1.0, 2.0, 3.0]);
        check(&[(-3, 2), (0, 1)], &[1.0, 2.0, 3.0], &[(-3, 3)], &[1.0, 2.0, 3.0]);
        check(&[(1, 4), (2, 2)], &[0.0, 1.0, 0.0, 2.0, 0.0, 3.0], &[(2, 1), (1, 1), (3, 1)], &[1.0, 2.0, 3.0]);
        check(&[(1, 2)], &[0.0, -0.0], &[], &[]);
    }

    #[test]
    fn what_makes_no_sense_is_left_alone() {
        check(&[(0, 2)], &[0.0], &[(0, 2)], &[0.0]);
        check(&[(0, 1), (-1, 1)], &[0.0, 1.0], &[(0, 1), (-1, 1)], &[0.0, 1.0]);
        let far = [(i32::MAX, 1), (i32::MAX, 1), (i32::MAX, 1)];
        check(&far, &[0.0, 0.0, 1.0], &far, &[0.0, 0.0, 1.0]);
    }
}
