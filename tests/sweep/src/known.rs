//! Differences that are meant, each with its reason.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pages::STEP_SECONDS;
use crate::{Answer, Request};

/// A difference that is meant.
struct Known {
    reason: &'static str,
    /// Whether this is it.
    applies: fn(&Request, &Answer, &Answer) -> bool,
}

/// Why these answers may be different; `None` if nothing says so.
pub(crate) fn reason(request: &Request, expected: &Answer, got: &Answer) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.applies)(request, expected, got)).map(|known| known.reason)
}

const KNOWN: [Known; 20] = [
    Known {
        reason: "times outside of 1678 to 2262 wrap around in Go, whose nanoseconds have 64 bits; ours do not",
        applies: |request, _, _| ["time", "start", "end"].iter().any(|name| is_far(&request.param(name))),
    },
    Known {
        reason: "how long a scrape took, and when, is each server's own",
        applies: |request, expected, _| {
            request.route() == "/federate" && expected.text().contains("scrape_duration_seconds")
        },
    },
    Known {
        reason: "Prometheus panics and hangs up",
        applies: |_, expected, got| expected.status == 0 && got.status != 0,
    },
    Known {
        reason: "a range that ends before it begins, or between two samples, has nothing in it; Prometheus looks at whole chunks",
        applies: |request, _, _| {
            let time = |name: &str| request.param(name).parse::<f64>().ok();
            let is_short = |(start, end): (f64, f64)| end - start < STEP_SECONDS as f64;
            time("start").zip(time("end")).is_some_and(is_short)
        },
    },
    Known {
        reason: "a limit below the number of results keeps any of them: there the first in storage, here the first in order",
        applies: |request, expected, got| {
            !request.param("limit").is_empty()
                && (count(expected) == count(got) || below(request, "targets/metadata"))
                && ["query", "series", "metadata", "targets/metadata", "search/", "label"]
                    .iter()
                    .any(|path| below(request, path))
        },
    },
    Known {
        reason: "metadata have one order here, and none there: limits keep other ones",
        applies: |request, expected, got| {
            !request.param("limit_per_metric").is_empty() && count(expected) == count(got)
        },
    },
    Known {
        reason: "texts are UTF-8 here: bytes that are none become replacement characters",
        applies: |request, _, _| {
            let query = request.param("query");
            ["\\x", "\\3", "\u{fffd}"].iter().any(|sign| query.contains(sign))
        },
    },
    Known {
        reason: "expressions of more than 200 levels are refused, and none is indented further",
        applies: |request, _, got| {
            got.text().contains("nested too deeply")
                || below(request, "format_query") && got.text().contains(&" ".repeat(200))
        },
    },
    Known {
        reason: "a time limit that is over before the query begins: there any of three errors, here always the same",
        applies: |request, expected, got| {
            let timeout = request.param("timeout");
            // Of less than a millisecond it may be over on one side and not on the other.
            let is_short = timeout.parse::<f64>().is_ok_and(|seconds| seconds < 0.001);
            !timeout.is_empty()
                && (is_short || got.text().contains("query timed out") || expected.text().contains("deadline exceeded"))
        },
    },
    Known {
        reason: "a lookback below a millisecond finds a sample of the very moment there, behind the first step",
        applies: |request, _, _| {
            request.param("lookback_delta").parse::<f64>().is_ok_and(|delta| (0.0..0.001).contains(&delta))
        },
    },
    Known {
        reason: "a slash at the end of an API path leads to a path that is not there, in Prometheus",
        applies: |request, expected, _| request.route().ends_with('/') && expected.status == 301,
    },
    Known { reason: "what can be done differs", applies: |request, _, _| below(request, "features") },
    Known {
        reason: "the description is of what is served here",
        applies: |request, _, _| below(request, "openapi.yaml"),
    },
    Known {
        reason: "flags, build and process are our own",
        applies: |request, _, _| {
            below(request, "status/flags")
                || below(request, "status/buildinfo")
                || below(request, "status/runtimeinfo")
                || below(request, "status/self_metrics")
                || request.route() == "/version"
        },
    },
    Known {
        reason: "nothing is deleted by age yet, so that no default is shown for it",
        applies: |request, _, got| below(request, "status/config") && got.text().contains("retention: {}"),
    },
    Known {
        reason: "there are no blocks of a server's own",
        applies: |request, _, _| below(request, "status/tsdb/blocks"),
    },
    Known {
        reason: "what a search finds has the order of names here, and none there, unless one is asked for",
        applies: |request, expected, got| {
            below(request, "search/") && request.param("sort_by").is_empty() && count(expected) == count(got)
        },
    },
    Known {
        reason: "a search finds what has samples in its range; in Prometheus, all that the blocks have that the range touches",
        applies: |request, expected, got| {
            let has_range = !request.param("start").is_empty() || !request.param("end").is_empty();
            below(request, "search/") && has_range && found(got).is_subset(&found(expected))
        },
    },
    Known { reason: "the page of metrics is our own", applies: |request, _, _| request.route() == "/metrics" },
    Known {
        reason: "the page for people is our own",
        applies: |request, _, _| matches!(request.route(), "/" | "/query" | "/graph"),
    },
];

/// An info without the number of samples of which one tells: over a range Prometheus counts those of earlier steps again with
/// each step, so that 16 become 98,302.
pub(crate) fn without_count(info: &str) -> String {
    match info.split_once(" over ").and_then(|(before, rest)| Some((before, rest.split_once(" samples ")?.1))) {
        Some((before, after)) => format!("{before} over some samples {after}"),
        None => info.to_owned(),
    }
}

/// How many results an answer has, with its status.
fn count(answer: &Answer) -> (u16, usize) {
    let Ok(json) = serde_json::from_slice::<Value>(&answer.body) else {
        return (answer.status, answer.text().matches('{').count());
    };
    let data = json.get("data").unwrap_or(&Value::Null);
    let results = match data.get("result").unwrap_or(data) {
        Value::Array(results) => results.len(),
        Value::Object(results) => results.len(),
        _ => 0,
    };
    (answer.status, results)
}

/// The names that a search found.
fn found(answer: &Answer) -> BTreeSet<String> {
    let text = answer.text();
    let names = text.split(r#"{"name":""#).skip(1).filter_map(|rest| rest.split('"').next());
    names.map(str::to_owned).collect()
}

/// Whether a request is for a path below the API's root.
fn below(request: &Request, path: &str) -> bool {
    request.route().strip_prefix("/api/v1/").is_some_and(|below| below.starts_with(path))
}

/// Whether a time is so far away that it has no nanoseconds in 64 bits.
fn is_far(time: &str) -> bool {
    match time.parse::<f64>() {
        Ok(seconds) => seconds.is_nan() || seconds.abs() >= 9.2e9,
        Err(_) => time.starts_with("-29") || time.starts_with("29"),
    }
}
