//! Recorded pages whose values move.

use std::collections::HashSet;
use std::path::Path;

use exposition::{Format, Item, Options, Parser};
use model::{METRIC_NAME, MetricType, Value, format_float};

use crate::exposer::Page;
use crate::request::escaped;

/// The time between two versions of a page, in seconds.
pub(crate) const STEP_SECONDS: i64 = 60;
/// How many versions the pages go through: half an hour and a bit.
pub(crate) const VERSIONS: usize = 36;
/// How far the newest sample is in the past: further than what a scrape says about itself is seen, which has its own time.
const AGE_SECONDS: i64 = 600;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The pages of the corpus, with the jobs that they are scraped by. `now` is in seconds.
pub(crate) fn recorded_pages(now: i64) -> Vec<(String, Page)> {
    let start = end_of(now) - (VERSIONS as i64 - 1) * STEP_SECONDS;
    let endings = [".prom", ".om.txt", ".prom.txt"];
    let files = endings.into_iter().flat_map(|ending| testkit::shared_files("corpus/expositions", ending));
    let mut pages = Vec::new();
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Ok(page) = Recorded::read(&file) else { continue };
        let path = format!("/{}", escaped(&name));
        let body = move |version| (TEXT, page.version(start, version).into_bytes());
        pages.push((job_of(&name).to_owned(), Page::new(&path, body)));
    }
    pages
}

/// The time of the newest samples, in seconds.
pub(crate) fn end_of(now: i64) -> i64 {
    (now - AGE_SECONDS) / STEP_SECONDS * STEP_SECONDS
}

/// The configuration of both servers for these pages.
pub(crate) fn config(port: u16, pages: &[(String, String)]) -> String {
    let mut config = "global: {scrape_interval: 1s, evaluation_interval: 1m}\nscrape_configs:\n".to_owned();
    for (at, (job, path)) in pages.iter().enumerate() {
        config += &format!(
            "  - job_name: page-{at}\n    metrics_path: {path:?}\n    sample_limit: 0\n    static_configs: \
             [{{targets: [\"127.0.0.1:{port}\"], labels: {{job: {job:?}, cluster: c, namespace: monitoring}}}}]\n"
        );
    }
    config
}

/// The job that dashboards expect a page to be scraped by.
fn job_of(name: &str) -> &str {
    let jobs = [
        ("node_exporter", "node-exporter"),
        ("kube-apiserver", "apiserver"),
        ("kube-controller-manager", "kube-controller-manager"),
        ("kube-scheduler", "kube-scheduler"),
        ("kube-state-metrics", "kube-state-metrics"),
        ("etcd", "etcd"),
        ("cadvisor", "kubelet"),
        ("prometheus-2.42-self", "prometheus"),
        ("alertmanager", "alertmanager"),
    ];
    jobs.iter().find(|(part, _)| name.contains(part)).map_or(name, |(_, job)| job)
}

/// What a page says.
struct Recorded {
    lines: Vec<Line>,
}

enum Line {
    /// Something about a family, without what moves.
    Type(String),
    /// A series with its value.
    Sample { series: String, value: f64, grows: bool },
}

impl Recorded {
    fn read(file: &Path) -> std::io::Result<Self> {
        let page = std::fs::read(file)?;
        let format = if file.to_string_lossy().ends_with(".om.txt") { Format::OpenMetrics } else { Format::Text };
        let mut parser = Parser::new(&page, format, Options::default());
        let (mut lines, mut seen) = (Vec::new(), HashSet::new());
        let mut grows = false;
        while let Ok(Some(item)) = parser.next() {
            match item {
                Item::Type { family, metric_type } => {
                    use MetricType::{Counter, Gauge, Histogram, Summary};
                    grows = matches!(metric_type, Counter | Histogram | Summary);
                    let known = matches!(metric_type, Counter | Gauge | Histogram | Summary);
                    let metric_type = if known { metric_type.as_str() } else { "untyped" };
                    lines.push(Line::Type(format!("# TYPE {family} {metric_type}\n")));
                }
                Item::Sample(sample) => {
                    let (labels, Value::Float(value)) = (sample.series.labels(), &sample.value) else { continue };
                    let is_text = labels.iter().all(|(_, value)| !value.contains(char::REPLACEMENT_CHARACTER));
                    if is_text && seen.insert(labels.clone()) {
                        let others = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
                        let others: Vec<_> =
                            others.map(|(name, value)| format!("{name}=\"{}\"", escaped_value(value))).collect();
                        let series = format!("{}{{{}}}", labels.metric(), others.join(","));
                        lines.push(Line::Sample { series, value: *value, grows });
                    }
                }
                _ => {}
            }
        }
        Ok(Self { lines })
    }

    /// The page in a version: counters have grown, each bucket by the same part; gauges sway.
    fn version(&self, start: i64, version: usize) -> String {
        let time_ms = (start + version as i64 * STEP_SECONDS) * 1000;
        let mut page = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            match line {
                Line::Type(line) => page += line,
                Line::Sample { series, value, grows } => {
                    let part = if *grows { version } else { (version * 7 + at * 13) % 16 };
                    let value = if *value == 1.0 && !grows { *value } else { value * (1.0 + part as f64 / 64.0) };
                    page += &format!("{series} {} {time_ms}\n", format_float(value));
                }
            }
        }
        page
    }
}

fn escaped_value(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}
