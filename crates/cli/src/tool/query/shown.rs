//! Answers as text for people.

use std::collections::BTreeSet;

use model::{Labels, METRIC_NAME, Timestamp};
use serde_json::Value as Json;

use crate::table::Table;

/// The data of an answer as text: a table of label sets, points below each series, or one text a line.
pub(super) fn to_text(data: &Json) -> String {
    if let Some(list) = data.as_array() {
        return if list.iter().all(Json::is_object) { label_sets(list) } else { lines(list) };
    }
    let result = &data["result"];
    let list = result.as_array().map_or(&[][..], Vec::as_slice);
    match data["resultType"].as_str() {
        Some("vector") => vector(list),
        Some("matrix") => list.iter().map(series).collect::<Vec<_>>().join("\n"),
        // A scalar or a string: a time and a text.
        _ => format!("{}\n", text(&result[1])),
    }
}

fn lines(list: &[Json]) -> String {
    list.iter().map(|line| text(line) + "\n").collect()
}

fn label_sets(list: &[Json]) -> String {
    let names = label_names(list.iter());
    if list.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&heads(&names));
    list.iter().for_each(|labels| table.row(cells(labels, &names)));
    table.to_text()
}

fn vector(samples: &[Json]) -> String {
    if samples.is_empty() {
        return String::new();
    }
    let names = label_names(samples.iter().map(|sample| &sample["metric"]));
    let mut head = heads(&names);
    head.push("VALUE".to_owned());
    let mut table = Table::new(&head);
    for sample in samples {
        let mut row = cells(&sample["metric"], &names);
        row.push(match sample.get("histogram") {
            Some(point) => histogram(&point[1]),
            None => text(&sample["value"][1]),
        });
        table.row(row);
    }
    table.to_text()
}

/// A series and its points, in order of time.
fn series(series: &Json) -> String {
    let points = |kind: &str, shown: fn(&Json) -> String| {
        let points = series[kind].as_array().cloned().unwrap_or_default();
        points.into_iter().map(move |point| (ms_of(&point[0]), shown(&point[1]))).collect::<Vec<_>>()
    };
    let mut all = points("values", text);
    all.extend(points("histograms", histogram));
    all.sort_by_key(|(ms, _)| *ms);
    let pairs = series["metric"].as_object().into_iter().flatten();
    let labels = Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())));
    let points = all.into_iter().map(|(ms, value)| format!("  {:<24}  {value}\n", api::rfc3339(Timestamp(ms))));
    format!("{labels}\n{}", points.collect::<String>())
}

/// The names of all labels of some label sets, that of the metric first.
fn label_names<'a>(sets: impl Iterator<Item = &'a Json>) -> Vec<&'a str> {
    let names: BTreeSet<&str> =
        sets.filter_map(Json::as_object).flat_map(|labels| labels.keys()).map(String::as_str).collect();
    let metric = names.get(METRIC_NAME).copied();
    metric.into_iter().chain(names.iter().copied().filter(|name| *name != METRIC_NAME)).collect()
}

fn heads(names: &[&str]) -> Vec<String> {
    let head = |name: &&str| if *name == METRIC_NAME { "METRIC".to_owned() } else { (*name).to_owned() };
    names.iter().map(head).collect()
}

fn cells(labels: &Json, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| labels[*name].as_str().unwrap_or("-").to_owned()).collect()
}

/// A histogram on one line, its buckets as intervals.
fn histogram(histogram: &Json) -> String {
    let mut parts = vec![format!("count:{}", text(&histogram["count"])), format!("sum:{}", text(&histogram["sum"]))];
    for bucket in histogram["buckets"].as_array().into_iter().flatten() {
        let rule = bucket[0].as_u64().unwrap_or_default();
        let (open, close) =
            (if matches!(rule, 1 | 3) { '[' } else { '(' }, if matches!(rule, 0 | 3) { ']' } else { ')' });
        parts.push(format!("{open}{},{}{close}:{}", text(&bucket[1]), text(&bucket[2]), text(&bucket[3])));
    }
    format!("{{{}}}", parts.join(", "))
}

fn ms_of(seconds: &Json) -> i64 {
    (seconds.as_f64().unwrap_or_default() * 1000.0).round() as i64
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(data: Json, expected: &str) {
        assert_eq!(to_text(&data), expected);
    }

    #[test]
    fn vectors_are_tables() {
        let histogram = json!({"count": "3", "sum": "4.5", "buckets": [[0, "1", "2", "3"]]});
        let result = json!([
            {"metric": {"__name__": "up", "job": "a"}, "value": [1, "1"]},
            {"metric": {"zone": "ü"}, "histogram": [1, histogram]},
        ]);
        check(
            json!({"resultType": "vector", "result": result}),
            "METRIC  job  zone  VALUE\nup      a    -     1\n-       -    ü     {count:3, sum:4.5, (1,2]:3}\n",
        );
        check(json!({"resultType": "vector", "result": []}), "");
        check(json!({"resultType": "scalar", "result": [1, "2"]}), "2\n");
    }

    #[test]
    fn matrices_have_points_below_each_series() {
        let metric = json!({"__name__": "up", "job": "a"});
        let result =
            json!([{"metric": metric, "values": [[0.5, "1"], [60, "0"]]}, {"metric": {}, "values": [[0, "NaN"]]}]);
        check(
            json!({"resultType": "matrix", "result": result}),
            "up{job=\"a\"}\n  1970-01-01T00:00:00.5Z    1\n  1970-01-01T00:01:00Z      0\n\n{}\n  1970-01-01T00:00:00Z      NaN\n",
        );
    }

    #[test]
    fn lists_are_lines_and_label_sets_tables() {
        check(json!(["a", "b"]), "a\nb\n");
        check(json!([{"__name__": "up", "job": "a"}]), "METRIC  job\nup      a\n");
        check(json!([]), "");
    }
}
