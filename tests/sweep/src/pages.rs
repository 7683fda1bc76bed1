//! Pages with something of everything, for sweeps.

mod native;

use crate::exposer::Page;
use crate::pages::native::{Message, histogram_family};

/// The time between two versions of a page, in seconds.
pub(crate) const STEP_SECONDS: i64 = 5;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// How many versions the pages go through.
pub(crate) const VERSIONS: usize = 24;

/// The time of the last version, for pages that began at `start`, both in seconds.
pub(crate) fn end_of(start: i64) -> i64 {
    start + (VERSIONS as i64 - 1) * STEP_SECONDS
}

/// The pages, the samples of whose first version are of `start`, in seconds.
pub(crate) fn pages(start: i64) -> Vec<Page> {
    let text = move |version: usize| (OPENMETRICS, openmetrics(start, version).into_bytes());
    let native = move |version: usize| (PROTOBUF, protobuf(start, version));
    vec![Page::new("/page", text), Page::new("/nhcb", text), Page::new("/native", native)]
}

/// The configuration of both servers.
pub(crate) fn config(port: u16) -> String {
    format!(
        r#"global:
  scrape_interval: 1s
  evaluation_interval: 1m
  external_labels: {{cluster: "east", instance_group: "<g>"}}
scrape_configs:
  - job_name: page
    metrics_path: /page
    scrape_protocols: [OpenMetricsText1.0.0]
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{env: test}}}}]
    relabel_configs:
      - {{source_labels: [__address__, env], separator: "/", regex: "(.*)/(t.*)", target_label: env, replacement: "$2"}}
      - {{action: labeldrop, regex: "x.*"}}
      - {{source_labels: [__address__], modulus: 4, target_label: __tmp_shard, action: hashmod}}
      - {{source_labels: [drop], regex: "yes", action: drop}}
  - job_name: nhcb
    metrics_path: /nhcb
    convert_classic_histograms_to_nhcb: true
    always_scrape_classic_histograms: false
    scrape_native_histograms: true
    scrape_protocols: [OpenMetricsText1.0.0]
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
    metric_relabel_configs: [{{source_labels: [__name__], regex: "lat.*", action: keep}}]
  - job_name: native
    metrics_path: /native
    scrape_native_histograms: true
    scrape_protocols: [PrometheusProto]
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"#
    )
}

fn openmetrics(start: i64, version: usize) -> String {
    let (time, n) = (start + version as i64 * STEP_SECONDS, version + 1);
    let mut page = "# TYPE req counter\n# HELP req Requests \"x\" <b>.\n".to_owned();
    for i in 0..5 {
        let code = if i % 2 == 1 { 200 } else { 500 };
        page += &format!("req_total{{path=\"/p{i}\",code=\"{code}\"}} {} {time}", n * (i + 1));
        if i < 2 {
            page += &format!(" # {{trace_id=\"t{}\"}} {i}.5 {time}", n % 7);
        }
        page.push('\n');
    }
    page += "# TYPE temp gauge\n# HELP temp Temperature\n";
    let gauges = [(n as f64).sin(), 1e-7 * n as f64, 1e22, -0.0, (n % 3) as f64];
    for (i, value) in gauges.into_iter().enumerate() {
        page += &format!("temp{{i=\"{i}\",q=\"<&>\\\"é\"}} {value:?} {time}\n");
    }
    for (i, value) in [("nan", "NaN"), ("inf", "+Inf"), ("ninf", "-Inf")] {
        page += &format!("temp{{i=\"{i}\"}} {value} {time}\n");
    }
    page += "# TYPE lat histogram\n# HELP lat Latency\n";
    let mut count = 0;
    for (bound, k) in [("0.1", 1), ("0.5", 2), ("1.0", 0), ("+Inf", 3)] {
        count += k * n + k;
        page += &format!("lat_bucket{{le=\"{bound}\"}} {count} {time}\n");
    }
    page += &format!("lat_sum {:?} {time}\nlat_count {count} {time}\n", n as f64 * 0.25);
    page += &format!("# TYPE \"a.b\" gauge\n{{\"a.b\",\"c.d\"=\"1\"}} 3 {time}\n# EOF\n");
    page
}

fn protobuf(start: i64, version: usize) -> Vec<u8> {
    let time_ms = (start + version as i64 * STEP_SECONDS) * 1000;
    let n = version as i64 % 50 + 1;
    let mut page = Message::default();
    page.delimited(&histogram_family("nat", 4, time_ms, n));
    page.delimited(&histogram_family("natg", 5, time_ms, n));
    page.into_bytes()
}
