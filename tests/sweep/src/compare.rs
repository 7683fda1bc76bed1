//! What makes answers different.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::values::{are_close, sort, sort_vector};
use crate::{Answer, Request};

/// Headers that depend on the connection, or on the moment. So does how an answer is compressed: here with zstd, too, with what
/// is best of all that the client takes, and an empty one never. Bodies are compared as they were before.
const MOMENTARY: [&str; 5] = ["connection", "content-encoding", "content-length", "date", "transfer-encoding"];
/// The most of a body that is shown, in characters.
const SHOWN: usize = 600;

/// How an answer differs from the expected one; `None` if it does not.
pub(crate) fn difference(request: &Request, expected: &Answer, got: &Answer) -> Option<String> {
    let mut found = Vec::new();
    if expected.status != got.status {
        found.push(format!("status {} | {}", expected.status, got.status));
    }
    let names: BTreeSet<&String> = expected.headers.keys().chain(got.headers.keys()).collect();
    for name in names.into_iter().filter(|name| !MOMENTARY.contains(&name.as_str())) {
        let [expected, got] = [expected, got].map(|answer| header(answer, name));
        if expected != got {
            found.push(format!("{name}: {expected} | {got}"));
        }
    }
    if expected.body != got.body {
        let [plain, ours] = [expected, got].map(|answer| normal(request, answer));
        let same = match (&plain, &ours) {
            (Some(plain), Some(ours)) if is_evaluated(request) => are_close(plain, ours),
            (Some(plain), Some(ours)) => plain == ours && are_written_alike(request, expected, got),
            _ => false,
        };
        if !same {
            let shown = |answer: &Answer| answer.text().chars().take(SHOWN).collect::<String>();
            found.push(format!("body\n   P {}\n   R {}", shown(expected), shown(got)));
        }
    }
    (!found.is_empty()).then(|| found.join("\n  "))
}

/// A header, with the methods of a path and the reasons to answer differently in order.
fn header(answer: &Answer, name: &str) -> String {
    let value = answer.headers.get(name).map_or("none", String::as_str);
    if !matches!(name, "allow" | "vary") {
        return value.to_owned();
    }
    let parts: BTreeSet<String> = value.split(',').map(|part| part.trim().to_lowercase()).collect();
    parts
        .into_iter()
        .filter(|part| !matches!(part.as_str(), "accept-encoding" | "none" | ""))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether an answer has numbers that were computed, whose last digits may differ.
fn is_evaluated(request: &Request) -> bool {
    matches!(request.route(), "/api/v1/query" | "/api/v1/query_range")
}

/// Whether JSON that means the same has the same bytes, in whatever order: numbers and escapes look alike.
fn are_written_alike(request: &Request, expected: &Answer, got: &Answer) -> bool {
    let route = request.route();
    let has_momentary_parts = route.ends_with("/targets") || route.ends_with("/status/tsdb");
    has_momentary_parts || expected.body.len() == got.body.len()
}

/// What an answer means, with what has no order in order, and without what depends on the moment; `None` if it is no JSON.
fn normal(request: &Request, answer: &Answer) -> Option<Value> {
    let mut json: Value = serde_json::from_slice(&answer.body).ok()?;
    let Some(data) = json.get_mut("data") else { return Some(json) };
    let route = request.route().trim_start_matches("/api/v1/");
    match route {
        "query" if !is_ordered(&request.param("query")) && data["resultType"] == "vector" => {
            sort_vector(&mut data["result"]);
        }
        "series" | "targets/metadata" => sort(data),
        "metadata" => data.as_object_mut().into_iter().flat_map(|metrics| metrics.values_mut()).for_each(sort),
        "targets" => {
            let targets = data.get_mut("activeTargets").and_then(Value::as_array_mut);
            for target in targets.into_iter().flatten().filter_map(Value::as_object_mut) {
                ["lastScrape", "lastScrapeDuration", "globalUrl"]
                    .iter()
                    .for_each(|moment| drop(target.remove(*moment)));
            }
        }
        "status/tsdb" => {
            let lists = data.as_object_mut()?;
            // Of the chunks that a head has, and of how far it reaches, each server tells its own.
            lists.remove("headStats");
            lists.values_mut().for_each(sort_counts);
        }
        _ => {}
    }
    if let Some(statistics) = data.get_mut("stats").and_then(Value::as_object_mut) {
        statistics.remove("timings");
    }
    Some(json)
}

/// Sorts counts. Which of those that are equal to the last one are still shown is nobody's promise.
fn sort_counts(counts: &mut Value) {
    let Some(list) = counts.as_array_mut() else { return };
    let last = list.last().map(|count| count["value"].clone());
    for count in list.iter_mut().filter(|count| Some(&count["value"]) == last.as_ref()) {
        *count = count["value"].take();
    }
    sort(counts);
}

/// Whether a query says which order its results have.
fn is_ordered(query: &str) -> bool {
    ["sort", "topk", "bottomk"].iter().any(|word| query.contains(word))
}
