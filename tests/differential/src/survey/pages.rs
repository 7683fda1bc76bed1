//! Series of recorded pages, and of the demo service that compliance tests ask about.

use exposition::{Format, Item, Options, Parser};
use model::{Labels, LabelsBuilder, Value};

use crate::data::series_name;
use crate::notation::float_text;
use crate::{Data, Dice, SeriesText};

/// Half an hour of samples.
const POINTS: usize = 31;
const INTERVAL_MS: i64 = 60_000;

/// The series of recorded pages, each page scraped again and again: counters grow, gauges sway.
///
/// A page is its name and its text; the name is the job. What cannot be read of a page is left out.
pub fn exposed(dice: &mut Dice, pages: &[(String, Vec<u8>)]) -> Data {
    let mut data = Data { interval_ms: INTERVAL_MS, series: Vec::new() };
    for (job, page) in pages {
        let format = if job.ends_with(".om") { Format::OpenMetrics } else { Format::Text };
        let mut parser = Parser::new(page, format, Options::default());
        while let Ok(Some(item)) = parser.next() {
            if let Item::Sample(sample) = item
                && let Value::Float(value) = sample.value
            {
                let mut labels = LabelsBuilder::from(sample.series.labels());
                let labels = labels.set("job", job).set("instance", "localhost:9090").build();
                // Bytes that are no UTF-8 can't be written in a script.
                if labels.iter().all(|(_, value)| !value.contains(char::REPLACEMENT_CHARACTER)) {
                    data.series.push(swaying(dice, &labels, value));
                }
            }
        }
    }
    data
}

/// A series around a value.
fn swaying(dice: &mut Dice, labels: &Labels, value: f64) -> SeriesText {
    let metric = labels.metric();
    let is_counter = ["_total", "_count", "_sum", "_bucket"].iter().any(|ending| metric.ends_with(ending));
    let is_constant = value == 0.0 || value == 1.0 || dice.one_in(4);
    let points = (0..POINTS).map(|at| {
        // Buckets grow by the same part, so that they stay cumulative.
        let factor = if is_counter { 1.0 + at as f64 / 64.0 } else { 1.0 + (dice.unit() - 0.5) / 8.0 };
        let is_missing = dice.one_in(50);
        (!is_missing).then(|| float_text(if is_constant && !is_counter { value } else { value * factor }))
    });
    SeriesText { labels: text_of(labels), points: points.collect(), starts: None }
}

fn text_of(labels: &Labels) -> String {
    let others: Vec<(&str, &str)> = labels.iter().filter(|(name, _)| *name != model::METRIC_NAME).collect();
    series_name(labels.metric(), &others)
}

/// Series with the names and labels of the demo service.
pub fn demo(dice: &mut Dice) -> Data {
    let mut data = Data { interval_ms: INTERVAL_MS / 4, series: Vec::new() };
    for port in [10_000, 10_001, 10_002] {
        let instance = format!("demo.promlabs.com:{port}");
        let mut add = |dice: &mut Dice, metric: &str, labels: &[(&str, &str)], start: f64| {
            let mut builder = LabelsBuilder::new();
            builder.set("__name__", metric).set("instance", &instance).set("job", "demo");
            for (name, value) in labels {
                builder.set(name, value);
            }
            let mut series = swaying(dice, &builder.build(), start);
            let again = series.points.clone();
            series.points.extend(again.iter().cloned().chain(again.iter().cloned()).chain(again.iter().cloned()));
            data.series.push(series);
        };
        for kind in ["used", "free", "cached", "buffers"] {
            add(dice, "demo_memory_usage_bytes", &[("type", kind)], 1e9 + 1e8 * dice.clone().unit());
        }
        for mode in ["user", "system", "idle"] {
            add(dice, "demo_cpu_usage_seconds_total", &[("mode", mode)], 5_000.0 * dice.clone().unit());
        }
        for path in ["/api/foo", "/api/bar"] {
            for (bound, count) in [("0.001", 5.0), ("0.01", 90.0), ("0.1", 700.0), ("1", 990.0), ("+Inf", 1_000.0)] {
                let labels = [("method", "GET"), ("path", path), ("status", "200"), ("le", bound)];
                add(dice, "demo_api_request_duration_seconds_bucket", &labels, count);
            }
            let labels = [("method", "GET"), ("path", path), ("status", "200")];
            add(dice, "demo_api_request_duration_seconds_count", &labels, 1_000.0);
            add(dice, "demo_api_request_duration_seconds_sum", &labels, 123.25);
        }
        add(dice, "demo_num_cpus", &[], 4.0);
        add(dice, "demo_disk_usage_bytes", &[], 2.5e9);
        add(dice, "demo_batch_last_success_timestamp_seconds", &[], 700.0);
        add(dice, "demo_intermittent_metric", &[], 1.0);
        if let Some(intermittent) = data.series.last_mut() {
            let points = intermittent.points.len();
            (0..points).filter(|at| at / 20 % 2 == 1).for_each(|at| intermittent.blank(at..at + 1));
        }
    }
    data
}
