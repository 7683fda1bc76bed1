//! Histograms as text.

use std::fmt;

use super::bucket::Side;
use super::{Bucket, CounterReset, Histogram};
use crate::number::format_float_g;

impl fmt::Display for Histogram {
    /// Writes `{count:3, sum:5, [-0.001,0.001]:1, (0.5,1]:2}`, as Prometheus does; empty buckets are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", format_float_g(self.count), format_float_g(self.sum))?;
        // Bounds are those of the buckets themselves, even where they overlap the zero bucket.
        let zero = (self.zero_count != 0.0 && !self.has_custom_buckets()).then(|| self.zero_bucket());
        let buckets = self.side(Side::Negative).rev().chain(zero).chain(self.side(Side::Positive));
        for bucket in buckets.filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Bucket {
    /// Writes `(0.5,1]:2`: an included bound has a square bracket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opening = if self.includes_lower { '[' } else { '(' };
        let closing = if self.includes_upper { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(format_float_g);
        write!(f, "{opening}{lower},{upper}{closing}:{count}")
    }
}

impl Histogram {
    /// The notation of test scripts: `{{schema:1 count:3 sum:5 buckets:[1 2]}}`.
    ///
    /// Gaps between buckets are written as empty buckets, so that long ones make long texts.
    pub fn notation(&self) -> String {
        let mut dense = self.clone();
        dense.compact(u32::MAX);
        let mut parts = Vec::new();
        if self.schema != 0 {
            parts.push(format!("schema:{}", self.schema));
        }
        for (key, number) in [
            ("count", self.count),
            ("sum", self.sum),
            ("z_bucket", self.zero_count),
            ("z_bucket_w", self.zero_threshold),
        ] {
            if number != 0.0 {
                parts.push(format!("{key}:{}", format_float_g(number)));
            }
        }
        if self.has_custom_buckets() {
            parts.push(format!("custom_values:[{}]", joined(&self.custom_values)));
        }
        let hint = match self.counter_reset {
            CounterReset::Unknown => None,
            CounterReset::Reset => Some("reset"),
            CounterReset::NotReset => Some("not_reset"),
            CounterReset::Gauge => Some("gauge"),
        };
        parts.extend(hint.map(|hint| format!("counter_reset_hint:{hint}")));
        for (offset_key, key, spans, buckets) in [
            ("offset", "buckets", &dense.positive_spans, &dense.positive_buckets),
            ("n_offset", "n_buckets", &dense.negative_spans, &dense.negative_buckets),
        ] {
            if let Some(span) = spans.first().filter(|span| span.offset != 0) {
                parts.push(format!("{offset_key}:{}", span.offset));
            }
            if !buckets.is_empty() {
                parts.push(format!("{key}:[{}]", joined(buckets)));
            }
        }
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

fn joined(numbers: &[f64]) -> String {
    let texts: Vec<_> = numbers.iter().map(|number| format_float_g(*number)).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use crate::{CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram, Span};

    #[test]
    fn histograms_are_written_like_prometheus_writes_them() {
        let histogram = Histogram {
            count: 6.5,
            sum: 1e6,
            zero_threshold: 0.001,
            zero_count: 1.0,
            counter_reset: CounterReset::Gauge,
            positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 2 }],
            positive_buckets: vec![2.0, 0.0, 3.0],
            negative_spans: vec![Span { offset: -1, length: 1 }],
            negative_buckets: vec![0.5],
            ..Histogram::default()
        };
        assert_eq!(
            histogram.to_string(),
            "{count:6.5, sum:1e+06, [-0.5,-0.25):0.5, [-0.001,0.001]:1, (0.5,1]:2, (4,8]:3}"
        );
        assert_eq!(
            histogram.notation(),
            "{{count:6.5 sum:1e+06 z_bucket:1 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[2 0 0 3] n_offset:-1 \
             n_buckets:[0.5]}}"
        );
        let custom = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            custom_values: vec![5.0, 10.0],
            positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 1 }],
            positive_buckets: vec![1.0, 4.0],
            ..Histogram::default()
        };
        assert_eq!(custom.to_string(), "{count:0, sum:0, [-Inf,5]:1, (10,+Inf]:4}");
        assert_eq!(custom.notation(), "{{schema:-53 custom_values:[5 10] buckets:[1 0 4]}}");
    }
}
