//! A native histogram that is scraped, the same in every run.

use fastrand::Rng;
use model::{CounterReset, Histogram, Span};

use super::mix::{events, normal};

/// Latencies in 24 buckets, with some 50 observations between scrapes.
pub(crate) fn scrapes(rows: usize) -> Vec<Histogram> {
    let mut rng = Rng::with_seed(1);
    let mut counts = vec![1000.0; 24];
    let mut sum = 1234.5;
    let scrape = |_| {
        for _ in 0..events(&mut rng, 50.0) as usize {
            let bucket = (12.0 + 3.0 * normal(&mut rng)).clamp(0.0, 23.0);
            counts[bucket as usize] += 1.0;
            sum += (bucket.exp2() * 1e3).round() / 1e9;
        }
        Histogram {
            schema: 3,
            counter_reset: CounterReset::NotReset,
            zero_threshold: 2f64.powi(-128),
            zero_count: 0.0,
            count: counts.iter().sum(),
            sum,
            positive_spans: vec![Span { offset: -12, length: 24 }],
            positive_buckets: counts.clone(),
            negative_spans: Vec::new(),
            negative_buckets: Vec::new(),
            custom_values: Vec::new(),
        }
    };
    (0..rows).map(scrape).collect()
}
