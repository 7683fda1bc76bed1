//! What is asked.

use bench_query::data::Times;

/// A request that a dashboard makes.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// Path and parameters.
    pub(crate) path: String,
    /// Whether Ringwood's shards may aggregate.
    pub(crate) push_down: bool,
}

impl Question {
    /// The same, with all aggregating left to the querier.
    pub(crate) fn not_pushed_down(&self) -> Self {
        Self { name: self.name, path: self.path.clone(), push_down: false }
    }
}

/// The ten questions, over the newest hour of `recent` and all of `old`.
pub(crate) fn questions(recent: Times, old: Times) -> Vec<Question> {
    let end = recent.end_ms / 1000;
    let hour = (end - 3600, end, 15);
    let week = (old.start_ms / 1000 + 3600, old.end_ms / 1000, 3600);
    let question = |name, path| Question { name, path, push_down: true };
    let range = |name, (start, end, step): (i64, i64, i64), query: &str| {
        question(name, format!("/api/v1/query_range?query={}&start={start}&end={end}&step={step}", escaped(query)))
    };
    let instant = |name, query: &str| question(name, format!("/api/v1/query?query={}&time={end}", escaped(query)));
    let between = format!("start={}&end={end}", end - 3600);
    vec![
        range("cpu by instance", hour, r#"sum by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))"#),
        range("topk of network rates", hour, "topk(10, rate(node_network_receive_bytes_total[5m]))"),
        range(
            "histogram_quantile",
            hour,
            "histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))",
        ),
        range("memory ratio join", hour, "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"),
        instant("count by name regex", r#"count by (__name__) ({__name__=~"node_.+"})"#),
        range("high-cardinality sum by", hour, "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[5m]))"),
        instant("subquery max", "max_over_time(sum by (instance) (rate(node_cpu_seconds_total[5m]))[1h:1m])"),
        question("label values", format!("/api/v1/label/pod/values?{between}")),
        question("series", format!("/api/v1/series?match[]={}&{between}", escaped("node_network_receive_bytes_total"))),
        range("week at hours", week, "sum by (instance, code) (rate(week_requests_total[1h]))"),
    ]
}

/// A text as a parameter of a URL.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
