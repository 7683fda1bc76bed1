//! Native histograms with fewer buckets.

use model::{Histogram, Span};

/// The schemas of buckets that grow by a factor.
const SCHEMAS: std::ops::RangeInclusive<i8> = -4..=8;

/// The finest schema whose buckets grow by `factor` at least, of those that every histogram may have.
pub(super) fn finest_schema(factor: f64) -> i8 {
    if factor <= 1.0 {
        return *SCHEMAS.end();
    }
    let schema = -factor.log2().log2();
    (schema.floor() as i8).clamp(*SCHEMAS.start(), *SCHEMAS.end())
}

/// Merges buckets until the schema is no finer than `schema`. Histograms with bounds of their own stay as they are.
pub(super) fn coarsen(histogram: &mut Histogram, schema: i8) {
    if !SCHEMAS.contains(&histogram.schema) || histogram.schema <= schema {
        return;
    }
    let steps = (histogram.schema - schema) as u32;
    merge(&mut histogram.positive_spans, &mut histogram.positive_buckets, steps);
    merge(&mut histogram.negative_spans, &mut histogram.negative_buckets, steps);
    histogram.schema = schema;
}

/// Merges buckets until there are `limit` at the most. Returns whether that was possible.
pub(super) fn limit(histogram: &mut Histogram, limit: u64) -> bool {
    let count = |histogram: &Histogram| (histogram.positive_buckets.len() + histogram.negative_buckets.len()) as u64;
    while count(histogram) > limit {
        if !SCHEMAS.contains(&histogram.schema) || histogram.schema == *SCHEMAS.start() {
            return false;
        }
        coarsen(histogram, histogram.schema - 1);
    }
    true
}

/// Joins each 2^`steps` neighbours. Bucket i becomes bucket ⌈i / 2^steps⌉.
fn merge(spans: &mut Vec<Span>, buckets: &mut Vec<f64>, steps: u32) {
    let mut merged: Vec<Span> = Vec::new();
    let mut counts: Vec<f64> = Vec::new();
    let mut old = buckets.iter();
    let mut index = 0i64;
    // The bucket after the last one that was merged.
    let mut end = 0i64;
    for span in spans.iter() {
        index += i64::from(span.offset);
        for count in old.by_ref().take(span.length as usize) {
            let place = ((index - 1) >> steps) + 1;
            index += 1;
            match (counts.last_mut(), merged.last_mut()) {
                (Some(last), _) if place < end => *last += count,
                (Some(_), Some(last)) if place == end => {
                    last.length += 1;
                    counts.push(*count);
                    end += 1;
                }
                _ => {
                    // Merged places are nearer to each other than those that they were, which had 32 bits.
                    merged.push(Span { offset: (place - end) as i32, length: 1 });
                    counts.push(*count);
                    end = place + 1;
                }
            }
        }
    }
    *spans = merged;
    *buckets = counts;
}

#[cfg(test)]
mod tests {
    use model::CounterReset;

    use super::*;

    fn histogram(schema: i8, spans: &[(i32, u32)], buckets: &[f64]) -> Histogram {
        Histogram {
            schema,
            counter_reset: CounterReset::Unknown,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: buckets.iter().sum(),
            sum: 0.0,
            positive_spans: spans.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect(),
            positive_buckets: buckets.to_vec(),
            negative_spans: Vec::new(),
            negative_buckets: Vec::new(),
            custom_values: Vec::new(),
        }
    }

    #[test]
    fn neighbours_are_merged() {
        // Buckets 0 to 3, 5, 6 and 11 become 0, 1, 2, 3 and 6.
        let mut merged = histogram(1, &[(0, 4), (1, 2), (4, 1)], &[1.0, 3.0, 1.0, 2.0, 3.0, 2.0, 5.0]);
        coarsen(&mut merged, 0);
        assert_eq!(merged, histogram(0, &[(0, 4), (2, 1)], &[1.0, 4.0, 2.0, 5.0, 5.0]));
        let mut negative_indices = histogram(2, &[(-5, 3), (2, 1)], &[1.0, 2.0, 3.0, 4.0]);
        coarsen(&mut negative_indices, 0);
        assert_eq!(negative_indices, histogram(0, &[(-1, 2)], &[3.0, 7.0]));
    }

    #[test]
    fn limits_reduce_the_resolution_first() {
        let mut limited = histogram(1, &[(0, 4), (1, 2), (4, 1)], &[1.0, 3.0, 1.0, 2.0, 3.0, 2.0, 5.0]);
        assert!(limit(&mut limited, 5));
        assert_eq!((limited.schema, limited.positive_buckets.len()), (0, 5));
        assert!(!limit(&mut histogram(-53, &[(0, 3)], &[1.0, 1.0, 1.0]), 2));
        assert!(!limit(&mut histogram(-4, &[(0, 3)], &[1.0, 1.0, 1.0]), 2));
        let mut kept = histogram(8, &[(0, 1)], &[1.0]);
        coarsen(&mut kept, 8);
        assert_eq!(kept.schema, 8);
    }

    #[test]
    fn factors_bound_the_schema() {
        for (factor, schema) in [(0.0, 8), (1.0, 8), (1.002, 8), (1.1, 2), (2.0, 0), (4.0, -1), (1e9, -4)] {
            assert_eq!(finest_schema(factor), schema, "{factor}");
        }
    }
}
