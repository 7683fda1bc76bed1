//! `/status/self_metrics`: the metrics of this process, as JSON of `io.prometheus.client`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use exposition::{Format, Item, Options, ParseError, Parser, Sample};
use model::{BUCKET_LABEL, Labels, METRIC_NAME, MetricType, Value};
use re2::Regex;

use crate::answer::success;
use crate::app::App;
use crate::error::{ApiError, ErrorKind};
use crate::json::{Json, ToJson};
use crate::params::Params;

/// `/status/self_metrics`
pub(crate) async fn list(State(app): State<Arc<App>>, params: Params) -> Result<Response, ApiError> {
    let wanted = match params.first("metric_name_pattern") {
        "" => None,
        pattern => {
            let whole = Regex::new(&format!("^(?:{pattern})$"));
            Some(whole.map_err(|error| ApiError::bad_data(format!("invalid metric_name_pattern: {error}")))?)
        }
    };
    let families = families(&app.backend.metrics_text());
    let mut families = families
        .map_err(|error| ApiError::new(ErrorKind::Internal, format!("error gathering self metrics: {error}")))?;
    families.retain(|name, _| wanted.as_ref().is_none_or(|wanted| wanted.is_match(name)));
    Ok(success(families.into_values().collect::<Vec<_>>()))
}

/// A family of metrics.
struct Family {
    name: String,
    help: String,
    unit: String,
    metric_type: MetricType,
    metrics: BTreeMap<Labels, Metric>,
}

/// The samples of a family that share their labels.
#[derive(Default)]
struct Metric {
    /// Of a histogram, its sum.
    value: f64,
    count: f64,
    /// Upper bounds and how many observations are up to them, but for the last one, which has all of them.
    buckets: Vec<(f64, f64)>,
}

/// The families of a page, by name: counters are named like their samples.
fn families(page: &str) -> Result<BTreeMap<String, Family>, ParseError> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    // What the page says about a family comes before its samples.
    let mut family = Family::new(MetricType::Unknown, "");
    let mut parser = Parser::new(page.as_bytes(), Format::OpenMetrics, Options::default());
    while let Some(item) = parser.next()? {
        match item {
            Item::Type { family: name, metric_type } => family = family.or_new(&name, Some(metric_type)),
            Item::Help { family: name, help } => {
                family = family.or_new(&name, None);
                family.help = help.into_owned();
            }
            Item::Unit { family: name, unit } => {
                family = family.or_new(&name, None);
                family.unit = unit.into_owned();
            }
            Item::Comment(_) => {}
            Item::Sample(sample) => {
                let name = family.own_name();
                let known = families.entry(name).or_insert_with_key(|name| family.described(name));
                known.add(&sample);
            }
        }
    }
    Ok(families)
}

impl Family {
    fn new(metric_type: MetricType, name: &str) -> Self {
        let (help, unit) = (String::new(), String::new());
        Self { name: name.to_owned(), help, unit, metric_type, metrics: BTreeMap::new() }
    }

    /// The family with this name, which this one is or is not. A type that is said counts from now on.
    fn or_new(self, name: &str, metric_type: Option<MetricType>) -> Self {
        let family = if self.name == name { self } else { Self::new(MetricType::Unknown, name) };
        Self { metric_type: metric_type.unwrap_or(family.metric_type), ..family }
    }

    /// The name that samples have, apart from the parts of histograms.
    fn own_name(&self) -> String {
        match self.metric_type {
            MetricType::Counter => format!("{}_total", self.name),
            MetricType::Info => format!("{}_info", self.name),
            _ => self.name.clone(),
        }
    }

    fn described(&self, name: &str) -> Self {
        let (help, unit) = (self.help.clone(), self.unit.clone());
        Self { name: name.to_owned(), help, unit, metric_type: self.metric_type, metrics: BTreeMap::new() }
    }

    fn add(&mut self, sample: &Sample<'_>) {
        // A registry of ours writes no native histograms.
        let Value::Float(value) = sample.value else { return };
        let labels = sample.series.labels();
        let metric = self.metrics.entry(labels.without(&[METRIC_NAME, BUCKET_LABEL])).or_default();
        if self.metric_type != MetricType::Histogram {
            metric.value = value;
        } else if let Some(bound) = labels.get(BUCKET_LABEL).and_then(|bound| bound.parse::<f64>().ok()) {
            metric.buckets.extend(bound.is_finite().then_some((bound, value)));
        } else if labels.metric().ends_with("_count") {
            metric.count = value;
        } else {
            metric.value = value;
        }
    }
}

impl ToJson for Family {
    fn write(&self, json: &mut Json) {
        let (type_name, field) = match self.metric_type {
            MetricType::Counter => ("COUNTER", "counter"),
            MetricType::Gauge | MetricType::Info | MetricType::StateSet => ("GAUGE", "gauge"),
            MetricType::Histogram => ("HISTOGRAM", "histogram"),
            _ => ("UNTYPED", "untyped"),
        };
        json.object(|json| {
            json.member("name", &self.name);
            json.member("help", &self.help);
            json.member("type", type_name);
            json.key("metric").open_array();
            for (labels, metric) in &self.metrics {
                json.object(|json| {
                    if !labels.is_empty() {
                        json.key("label").list(labels.iter().map(|(name, value)| Pair { name, value }));
                    }
                    json.key(field).object(|json| metric.write(json, self.metric_type));
                });
            }
            json.close_array();
            if !self.unit.is_empty() {
                json.member("unit", &self.unit);
            }
        });
    }
}

impl Metric {
    fn write(&self, json: &mut Json, metric_type: MetricType) {
        if metric_type != MetricType::Histogram {
            return json.member("value", Double(self.value));
        }
        json.member("sampleCount", whole(self.count));
        json.member("sampleSum", Double(self.value));
        let buckets = self.buckets.iter().map(|(bound, count)| Bucket { bound: *bound, count: *count });
        json.key("bucket").list(buckets);
    }
}

struct Pair<'a> {
    name: &'a str,
    value: &'a str,
}

impl ToJson for Pair<'_> {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("name", self.name);
            json.member("value", self.value);
        });
    }
}

struct Bucket {
    bound: f64,
    count: f64,
}

impl ToJson for Bucket {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("cumulativeCount", whole(self.count));
            json.member("upperBound", Double(self.bound));
        });
    }
}

/// A number of 64 bits as protobuf's JSON has it: a text.
fn whole(count: f64) -> String {
    format!("{count:.0}")
}

/// A number as protobuf's JSON has it: what JSON has no number for is a text.
struct Double(f64);

impl ToJson for Double {
    fn write(&self, json: &mut Json) {
        match self.0 {
            value if value.is_nan() => json.text("NaN"),
            f64::INFINITY => json.text("Infinity"),
            f64::NEG_INFINITY => json.text("-Infinity"),
            value => json.number(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_bytes;

    #[test]
    fn families_are_those_of_the_client_library() {
        let page = "# HELP r_a Requests.\n# TYPE r_a counter\nr_a_total{code=\"2<\"} 3\nr_a_total{code=\"1\"} NaN\n\
            # HELP r_b Seconds.\n# TYPE r_b histogram\n# UNIT r_b b\nr_b_sum 1.5\nr_b_count 4\n\
            r_b_bucket{le=\"0.5\"} 1\nr_b_bucket{le=\"+Inf\"} 4\n# HELP r_0 None.\n# TYPE r_0 gauge\nr_0 -0.5\n# EOF\n";
        let families: Vec<_> = families(page).unwrap().into_values().collect();
        assert_eq!(
            String::from_utf8(to_bytes(families)).unwrap(),
            r#"[{"name":"r_0","help":"None.","type":"GAUGE","metric":[{"gauge":{"value":-0.5}}]},"#.to_owned()
                + r#"{"name":"r_a_total","help":"Requests.","type":"COUNTER","metric":["#
                + r#"{"label":[{"name":"code","value":"1"}],"counter":{"value":"NaN"}},"#
                + r#"{"label":[{"name":"code","value":"2\u003c"}],"counter":{"value":3}}]},"#
                + r#"{"name":"r_b","help":"Seconds.","type":"HISTOGRAM","metric":["#
                + r#"{"histogram":{"sampleCount":"4","sampleSum":1.5,"bucket":[{"cumulativeCount":"1","upperBound":0.5}]}}],"unit":"b"}]"#
        );
    }
}
