//! Native histograms: count, sum, and the buckets that are not empty.

use model::{Bucket, Histogram};

use super::{Json, ToJson};

impl ToJson for Histogram {
    fn write(&self, json: &mut Json) {
        json.open_object();
        json.key("count").sample_value(self.count);
        json.key("sum").sample_value(self.sum);
        let mut buckets = self.buckets().filter(|bucket| bucket.count != 0.0).peekable();
        if buckets.peek().is_some() {
            json.key("buckets").list(buckets);
        }
        json.close_object();
    }
}

impl ToJson for Bucket {
    fn write(&self, json: &mut Json) {
        json.open_array();
        json.integer(match (self.includes_lower, self.includes_upper) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        });
        json.sample_value(self.lower);
        json.sample_value(self.upper);
        json.sample_value(self.count);
        json.close_array();
    }
}

#[cfg(test)]
mod tests {
    use model::Span;

    use super::*;
    use crate::json::to_bytes;

    fn text(histogram: &Histogram) -> String {
        String::from_utf8(to_bytes(histogram)).unwrap()
    }

    #[test]
    fn only_buckets_with_observations_are_shown() {
        let histogram = Histogram {
            zero_threshold: 0.25,
            zero_count: 3.0,
            count: 20.5,
            sum: -1.5,
            positive_spans: vec![Span { offset: -1, length: 3 }],
            positive_buckets: vec![12.0, 0.0, 1.5],
            negative_spans: vec![Span { offset: 1, length: 1 }],
            negative_buckets: vec![4.0],
            ..Histogram::default()
        };
        let buckets = r#"[1,"-2","-1","4"],[3,"-0.25","0.25","3"],[0,"0.25","0.5","12"],[0,"1","2","1.5"]"#;
        assert_eq!(text(&histogram), format!(r#"{{"count":"20.5","sum":"-1.5","buckets":[{buckets}]}}"#));
        assert_eq!(text(&Histogram::default()), r#"{"count":"0","sum":"0"}"#);
    }
}
